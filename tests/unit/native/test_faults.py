"""Panics do not get into Python: who calls the engine with something impossible sees an `Exception`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bindpy.config.model import ZoneChecks
from bindpy.native import EngineChoice
from tests.support.engines import usable_engines

ORIGIN = b"\7example\0"
TOO_LONG = b"\7example" * 40 + b"\0"
"""Longer than a name can be: what takes names on trust has no room for it."""
SOA = ORIGIN + ORIGIN + bytes(20)


@pytest.fixture(autouse=True)
def _engine() -> None:
    if EngineChoice.RUST not in usable_engines():
        pytest.skip("the Rust engine is not installed")


def read(function: str, path: Path) -> object:
    import bindpy_engine

    checks = [bindpy_engine.Checks(ZoneChecks())] if function == "read_zone" else []
    where = (str(path).encode(), TOO_LONG, b"")
    return getattr(bindpy_engine, function)(*where, *checks, lambda rtype, words, origin: None)


def add(_path: Path) -> object:
    import bindpy_engine

    return bindpy_engine.ZoneBuilder(ORIGIN, 1).add(TOO_LONG, 1, 60, b"\0\0\0\0")


@pytest.mark.parametrize(
    "call",
    [lambda path: read("read_zone", path), lambda path: read("read_places", path), add],
    ids=["without the lock", "without the lock, places", "with the lock"],
)
def test_a_panic_is_an_ordinary_exception(
    tmp_path: Path, call: Callable[[Path], object], capfd: pytest.CaptureFixture[str]
) -> None:
    import bindpy_engine

    path = tmp_path / "a.db"
    path.write_bytes(b"$TTL 60\n@ SOA a b 1 2 3 4 5\n")
    with pytest.raises(bindpy_engine.FaultError, match=r"out of range .*, at core/src/\w+/\w+\.rs:\d+:\d+$"):
        call(path)
    # Who tells of it does so in the log.
    assert capfd.readouterr().err == ""


def test_an_answer_that_panics_is_servfail_and_told() -> None:
    import bindpy_engine

    told: list[tuple[bytes, str]] = []
    answerer = bindpy_engine.Answerer(lambda packet, words: told.append((packet, words)))
    builder = bindpy_engine.ZoneBuilder(ORIGIN, 1)
    builder.add(ORIGIN, 6, 60, SOA)
    builder.add(b"\3bad" + ORIGIN, 5, 60, b"\5ab")  # a CNAME whose name ends in the middle
    everybody = [("any", None, False)]
    answerer.publish([(everybody, everybody)], [("_default", ORIGIN, builder.finish(), 0)])

    def ask(name: bytes) -> bytes:
        query = b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + name + b"\0\5\0\1"
        answer = answerer.answer(query, "192.0.2.1", "127.0.0.1", False, [], 0)
        assert isinstance(answer, bytes)
        return answer

    bad = ask(b"\3bad" + ORIGIN)
    assert bad == b"\x12\x34\x81\2" + bytes(8)
    [(packet, words)] = told
    assert packet[12:] == b"\3bad" + ORIGIN + b"\0\5\0\1"
    assert ", at core/src/answer/" in words
    assert ask(ORIGIN)[3] == 0
