"""Hostile configurations: `load_config` never raises, and a configuration comes only without errors."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bindpy.config.load import load_config
from bindpy.diagnostics import Severity

_GOOD = sorted((Path(__file__).parents[2] / "data" / "conf" / "good").glob("*.conf"))
_TOKEN = re.compile(r'"[^"\n]*"|//[^\n]*|[{};!/]|[^\s{};!/"]+|\s+')


def _tokens(path: Path) -> list[str]:
    return [t for t in _TOKEN.findall(path.read_text("utf-8", "surrogateescape")) if t != "include"]


_FILES = [_tokens(path) for path in _GOOD]
_VOCABULARY = sorted({token for tokens in _FILES for token in tokens})


@st.composite
def _damaged(draw: st.DrawFn) -> str:
    """Return a good configuration with some tokens replaced, removed, doubled or moved in from elsewhere."""
    tokens = list(draw(st.sampled_from(_FILES)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(tokens) - 1))
        other = draw(st.sampled_from(_VOCABULARY))
        match draw(st.integers(0, 3)):
            case 0:
                tokens[at] = other
            case 1:
                tokens[at] = ""
            case 2:
                tokens.insert(at, f" {other} ")
            case _:
                tokens.insert(at, f" {tokens[draw(st.integers(0, len(tokens) - 1))]} ")
    return "".join(tokens)


def _check(text: str) -> None:
    result = load_config("t", text=text)
    errors = [d for d in result.diagnostics if d.severity is Severity.ERROR]
    assert (result.config is None) == bool(errors)
    lines = text.count("\n") + 1
    for finding in result.diagnostics:
        assert finding.span is None or finding.span.file != "t" or 0 <= finding.span.line <= lines
        for line in finding.lines():
            assert "Traceback" not in line


@settings(max_examples=150, deadline=None)
@given(_damaged())
def test_a_damaged_configuration_is_read_or_reported(text: str) -> None:
    _check(text)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(_VOCABULARY), max_size=60).map(" ".join))
def test_any_run_of_words_is_read_or_reported(text: str) -> None:
    _check(text)
