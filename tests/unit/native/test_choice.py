"""Which engine is chosen, and what is said where that cannot be."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import pytest

from bindpy import __version__
from bindpy.native import EngineChoice, NoEngineError, choose_engine
from tests.support.engine import WORKSPACE
from tests.support.engines import fail_on_error


def _name(choice: EngineChoice) -> str:
    return choose_engine(choice, fail_on_error).name


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (None, "import of bindpy_engine halted"),
        (SimpleNamespace(VERSION="0.0.9"), f"it is of version 0.0.9, this is bindpy {__version__}"),
    ],
)
def test_an_engine_that_cannot_be_used(module: object, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bindpy_engine", module)
    assert _name(EngineChoice.AUTO) == _name(EngineChoice.PYTHON) == "pure-Python engine"
    with pytest.raises(NoEngineError, match=f"cannot be used .{re.escape(why)}.*next: make engine"):
        choose_engine(EngineChoice.RUST, fail_on_error)


def test_the_workspace_has_the_version_of_bindpy() -> None:
    found = re.search(r'^version = "(.*)"$', (WORKSPACE / "Cargo.toml").read_text(), re.MULTILINE)
    assert found is not None
    assert found[1] == __version__
