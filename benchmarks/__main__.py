"""Run every benchmark, one after another: ``python -m benchmarks``."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

PARTS: Final = (
    "answers",
    "reader",
    "checkconf",
    "edit_latency",
    "propagation",
    "small_change",
    "rndc_reload",
    "many_zones --rounds 3",
    "many_zones --zones 100000",
    "million --rounds 3",
    "reload_stream --rounds 3",
    "lua_filter --transfer",
)


def main() -> int:
    """Run all parts, also after one that fails; return the worst exit status."""
    worst = 0
    for part in PARTS:
        print(f"## {part}\n", flush=True)
        name, *options = part.split()
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False)
        worst = max(worst, abs(done.returncode))
    return worst


if __name__ == "__main__":
    sys.exit(main())
