"""Run every benchmark, one after another: ``python -m benchmarks``."""

from __future__ import annotations

import subprocess
import sys

PARTS = (
    "answers",
    "reader",
    "checkconf",
    "edit_latency",
    "propagation",
    "small_change",
    "rndc_reload",
    "many_zones",
    "million",
    "reload_stream",
    "lua_filter",
)


def main() -> int:
    """Run all parts, also after one that fails; return the worst exit status."""
    worst = 0
    for part in PARTS:
        print(f"## {part}\n", flush=True)
        worst = max(
            worst, abs(subprocess.run([sys.executable, "-m", f"benchmarks.{part}"], check=False).returncode)
        )
    return worst


if __name__ == "__main__":
    sys.exit(main())
