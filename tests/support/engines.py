"""The same tests for both engines: the fixture `engine`, and what is made with the engine that it chose.

A test folder imports the fixture into its conftest.py, a test module beside its tests, and all of their tests
run twice. What a fixture of a module's scope makes with an engine has to ask for `engine`, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from bindpy.engine import Engine, Zone
from bindpy.native import EngineChoice, NoEngineError, choose_engine
from bindpy.zone.snapshot import ZoneSnapshot
from tests.support.zones import zone_from_text

REQUIRE_VARIABLE = "BINDPY_REQUIRE_ENGINE"
OnError = Callable[[bytes, Exception], None]

_chosen = EngineChoice.PYTHON


def fail_on_error(query: bytes, exc: Exception) -> None:
    """Let no fault in the program pass for an answer."""
    raise AssertionError(f"answering {query.hex()} raised") from exc


def make_engine(on_error: OnError = fail_on_error) -> Engine:
    """Return a new engine of the kind that the running test is for; where it is for none, in Python."""
    return choose_engine(_chosen, on_error)


def zone_of(engine: Engine, snapshot: ZoneSnapshot) -> Zone:
    """Return *engine*'s zone with the records of *snapshot*."""
    builder = engine.zones.builder(snapshot.origin, snapshot.rdclass)
    for owner, rrset in snapshot.rrsets():
        for rdata in rrset.rdatas:
            builder.add(owner, rrset.rtype, rrset.ttl, rdata)
    zone: Zone = builder.finish()
    return zone


def make_zone(origin: str, text: str) -> Zone:
    """Return a zone of the kind of engine that the running test is for, as `zone_from_text` does."""
    return zone_of(make_engine(), zone_from_text(origin, text))


def usable_engines() -> list[EngineChoice]:
    """Return the engines that can be used; fail the test where BINDPY_REQUIRE_ENGINE=1 and one cannot."""
    try:
        choose_engine(EngineChoice.RUST, fail_on_error)
    except NoEngineError as error:
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            pytest.fail(f"{error}, and {REQUIRE_VARIABLE}=1 says that it must be there")
        return [EngineChoice.PYTHON]
    return [EngineChoice.PYTHON, EngineChoice.RUST]


@pytest.fixture(scope="module", params=[EngineChoice.PYTHON, EngineChoice.RUST], ids=lambda one: one.value)
def engine(request: pytest.FixtureRequest) -> Iterator[EngineChoice]:
    """Have `make_engine` make engines of one kind for the test, then of the other."""
    global _chosen  # noqa: PLW0603 - what a test module makes at any depth is of the chosen kind
    if request.param not in usable_engines():
        pytest.skip(f"the {request.param.value} engine cannot be used here")
    before, _chosen = _chosen, request.param
    yield request.param
    _chosen = before
