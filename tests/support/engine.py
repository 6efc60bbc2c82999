"""Programs of the Rust workspace, built where there is a toolchain."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

WORKSPACE = Path(__file__).parents[2] / "engine"
REQUIRE_VARIABLE = "BINDPY_REQUIRE_ENGINE"
_BUILD_TIMEOUT_S = 900


@functools.cache
def _built(example: str) -> Path:
    target = Path(os.environ.get("CARGO_TARGET_DIR", WORKSPACE / "target"))
    subprocess.run(
        ["cargo", "build", "--quiet", "--locked", "--package", "bindpy-engine-core", "--example", example],
        cwd=WORKSPACE,
        check=True,
        timeout=_BUILD_TIMEOUT_S,
    )
    return target / "debug" / "examples" / example


def engine_example(example: str) -> Path:
    """Return the program *example* of engine/core, built now if need be.

    Without cargo the test is skipped, or fails where BINDPY_REQUIRE_ENGINE=1 says that it must run.
    """
    if shutil.which("cargo") is None:
        message = "cargo is not installed"
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            pytest.fail(f"{message}, and {REQUIRE_VARIABLE}=1 says that it must be")
        pytest.skip(message)
    return _built(example)
