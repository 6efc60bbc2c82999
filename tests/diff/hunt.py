"""Look for wrong answers with more seeds than CI has time for.

    python -m tests.diff.hunt --seeds 100 160 --queries 2000

Prints every kind of disagreement with examples, each a reproduction: seed, query, zone lines, all answers.
Exit status 1 when there was one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bindpy.native import EngineChoice, choose_engine
from tests.diff.arena import Verdict, in_process, open_arena, report
from tests.support.engines import fail_on_error

SEEDS_AT_A_TIME = 20


def main() -> int:
    """Run the hunt."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", nargs=2, type=int, default=(100, 120), metavar=("FIRST", "END"))
    parser.add_argument("--queries", type=int, default=1000, help="for each seed")
    parser.add_argument("--show", type=int, default=2, help="examples of each kind")
    parser.add_argument("--engine", type=EngineChoice, choices=EngineChoice, default=EngineChoice.AUTO)
    arguments = parser.parse_args()
    wrong: list[Verdict] = []
    first, end = arguments.seeds
    for start in range(first, end, SEEDS_AT_A_TIME):
        seeds = range(start, min(end, start + SEEDS_AT_A_TIME))
        with (
            tempfile.TemporaryDirectory(prefix="bindpy-hunt-") as directory,
            open_arena(seeds, Path(directory)) as arena,
        ):
            ask = in_process(arena.zones, choose_engine(arguments.engine, fail_on_error))
            for seed in seeds:
                cases = arena.cases(seed, arena.worlds[seed].queries(arguments.queries))
                found = arena.verdicts(cases, ask)
                print(f"seed {seed}: {len(cases)} queries, {len(found)} wrong", flush=True)
                wrong += found
    print(report(wrong, arguments.show))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
