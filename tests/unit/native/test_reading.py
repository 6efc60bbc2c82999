"""Files that the engine in machine code does not read to the end: Python's reader does."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from bindpy.config.model import CheckMode, ZoneChecks
from bindpy.native.reading import FileReader
from bindpy.zone.load import load_zone_file
from bindpy.zone.names import from_text
from bindpy.zone.records import IN

ORIGIN = from_text("example.com")
TEXT = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nx_y A 192.0.2.2\n"


class _NeedsPythonError(Exception):
    pass


class _FaultError(Exception):
    pass


class _Loaded:
    """A zone with a suspect; its files change before their places are asked for."""

    def __init__(self, path: str) -> None:
        self.zone = SimpleNamespace(
            origin=ORIGIN,
            key=ORIGIN,
            rdclass=IN,
            rr_count=4,
            node=lambda key: (key, [(1, 60, (b"\xc0\0\2\1",), (), 0)], None, None, None),
        )
        self.files = [(path.encode(), (1, 2, 3, 4, 5))]
        self.suspects = [b"\x03x_y" + ORIGIN]
        self.suspect_apex = False
        self.other_ttls: list[object] = []
        self.other_ttl_count = 0


def _module(**what: object) -> SimpleNamespace:
    return SimpleNamespace(
        Checks=lambda checks: checks, NeedsPythonError=_NeedsPythonError, FaultError=_FaultError, **what
    )


def _read(module: SimpleNamespace, path: Path) -> None:
    """Read and compare with Python's reader."""
    checks = ZoneChecks(names=CheckMode.WARN)
    reading = FileReader(module).read(str(path), ORIGIN, IN, checks)
    expected = load_zone_file(str(path), ORIGIN, IN, checks)
    assert reading.zone is None
    assert reading.snapshot is not None
    assert expected.zone is not None
    assert reading.snapshot.same_data(expected.zone)
    assert reading.diagnostics == expected.diagnostics
    assert len(reading.diagnostics) == 1
    assert (reading.files, reading.stamps) == (expected.files, expected.stamps)


def test_a_fault_in_the_engine_is_told_and_python_reads(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def read_zone(*_: object) -> NoReturn:
        raise _FaultError("index out of bounds")

    (tmp_path / "db").write_text(TEXT)
    _read(_module(read_zone=read_zone), tmp_path / "db")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("bindpy.zoneload", logging.ERROR)
    assert "fault in bindpy's Rust engine" in record.getMessage()
    assert "index out of bounds" in caplog.text


def test_why_python_reads_is_told_at_debug_level(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def read_zone(*_: object) -> NoReturn:
        raise _NeedsPythonError("db:7: bad syntax")

    (tmp_path / "db").write_text(TEXT)
    with caplog.at_level(logging.DEBUG, "bindpy.zoneload"):
        _read(_module(read_zone=read_zone), tmp_path / "db")
    assert caplog.messages == [f"{tmp_path / 'db'}: read by Python: db:7: bad syntax"]


def test_a_file_that_is_spoilt_before_its_places_are_looked_for(tmp_path: Path) -> None:
    def read_places(*_: object) -> NoReturn:
        raise _NeedsPythonError("db:7: bad syntax")

    path = tmp_path / "db"
    path.write_text(TEXT)
    _read(_module(read_zone=lambda *_: _Loaded(str(path)), read_places=read_places), path)
