"""Tests of what a user may not do, also where root runs them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


@contextmanager
def without_root() -> Iterator[None]:
    """Give up root's right to read everything inside the ``with``; nothing for other users."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def folder_for_all() -> Iterator[Path]:
    """A folder that every user can go to.

    ``tmp_path`` is none: every pytest that starts takes others' rights to the parent folder of all of them.
    """
    with tempfile.TemporaryDirectory(prefix="bindpy-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
