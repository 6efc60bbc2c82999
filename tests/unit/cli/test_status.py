"""What a person reads of ``status`` and ``zonestatus``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bindpy.cli.status import status_lines
from bindpy.cli.terminal import Painter
from bindpy.cli.zonestatus import zone_lines

THEN = "2026-11-22T01:51:03Z"
NOW = datetime(2026, 11, 22, 1, 52, 4, tzinfo=UTC).timestamp()
STATUS: dict[str, Any] = {
    "version": "1.2",
    "engine": "pure-Python engine",
    "host": "ns1",
    "pid": 7,
    "started_at": THEN,
    "configured_at": THEN,
    "configuration_file": "/etc/bind/named.conf",
    "reload": None,
    "debug_level": 0,
    "querylog": False,
    "listening_on": ["192.0.2.1#53", "2001:db8::1#53"],
    "zones": {
        "total": 1204,
        "served": 1204,
        "expired": 0,
        "waiting": 0,
        "failed": 0,
        "with_errors": 0,
        "loading": 0,
    },
    "transfers": {"in": 0, "out": 0, "waiting": 0, "soa_queries": 0},
    "tcp": {"clients": 1, "limit": 150, "high_water": 3},
}
SECONDARY: dict[str, Any] = {
    "state": "stale",
    "refreshing": True,
    "serial": 5,
    "primaries": ["192.0.2.7#53", "192.0.2.8#5353"],
    "last_primary": "192.0.2.7#53",
    "refreshed_at": THEN,
    "next_refresh_at": "2026-11-22T02:51:03Z",
    "expires_at": "2026-12-06T01:51:03Z",
    "trouble": "192.0.2.8#5353: timed out",
    "transfer": {
        "primary": "192.0.2.7#53",
        "how": "IXFR",
        "serial": 5,
        "messages": 1,
        "records": 12,
        "octets": 2048,
        "seconds": 0.25,
        "ended_at": THEN,
    },
    "under_way": {"primary": "192.0.2.7#53", "records": 1000, "octets": 10240},
}
ZONE: dict[str, Any] = {
    "name": "example.com",
    "class": "IN",
    "view": "_default",
    "type": "primary",
    "state": "served",
    "serial": 5,
    "records": 1044,
    "names": 38,
    "signed": True,
    "file": "/z/example.com.db",
    "files": ["/z/example.com.db", "/z/more.db"],
    "watched": True,
    "frozen": False,
    "loaded_at": THEN,
    "errors": [],
    "error": None,
    "statement": "/etc/bind/named.conf:17:1",
    "kept_in": None,
    "provisioned_by": None,
    "secondary": None,
    "filter": None,
    "notify": {"mode": "yes", "targets": []},
    "journal": None,
}


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def status(**changes: Any) -> list[str]:
    return status_lines(STATUS | changes, Painter(False), NOW)


def zone(**changes: Any) -> list[str]:
    return zone_lines(ZONE | changes, Painter(False), NOW)


def test_status_of_a_server_that_is_well() -> None:
    assert status() == [
        "bindpy 1.2 on ns1, process 7, pure-Python engine",
        "running since  2026-11-22 01:51:03 UTC (1 min 1 s ago)",
        "configured     2026-11-22 01:51:03 UTC (1 min 1 s ago)",
        "configuration  /etc/bind/named.conf",
        "listening on   192.0.2.1#53",
        "               2001:db8::1#53",
        "zones          1,204, all with data",
        "transfers      none",
        "TCP clients    1 of 150 (most at once: 3)",
    ]


def test_status_of_a_server_in_trouble() -> None:
    zones = STATUS["zones"] | {
        "served": 1200,
        "expired": 2,
        "waiting": 1,
        "failed": 1,
        "with_errors": 3,
        "loading": 97,
    }
    lines = status(
        zones=zones,
        reload="failed",
        listening_on=[],
        transfers={"in": 2, "out": 1, "waiting": 1500, "soa_queries": 4},
        querylog=True,
        debug_level=3,
    )
    assert lines[4:] == [
        "reload         failed: what was in force before still is; the log says why",
        "listening on   no address: nobody can ask",
        "zones          1,204",
        "               1,200 with data",
        "               1 waiting for data",
        "               2 expired",
        "               1 failed",
        "               3 with errors in their files: bindpy ctl list-rejects",
        "               97 still to be loaded",
        "transfers      2 in, 1 out, 1,500 waiting, 4 SOA queries",
        "TCP clients    1 of 150 (most at once: 3)",
        "query log      on",
        "debug level    3",
    ]


def test_trouble_is_red() -> None:
    lines = status_lines(STATUS | {"reload": "failed"}, Painter(True), NOW)
    assert lines[0].startswith("\x1b[1m")
    assert any("\x1b[31mfailed: what was in force" in line for line in lines)
    assert any("\x1b[32m1,204, all with data" in line for line in lines)


def test_a_primary_zone() -> None:
    targets = [
        {
            "target": "192.0.2.2#53",
            "state": "acknowledged",
            "serial": 5,
            "acknowledged": 5,
            "since": THEN,
            "tries": 1,
            "reason": None,
        },
        {
            "target": "2001:db8::2#53",
            "state": "pending",
            "serial": 5,
            "acknowledged": 4,
            "since": THEN,
            "tries": 2,
            "reason": "timed out",
        },
    ]
    journal = {"deltas": 3, "from_serial": 1, "to_serial": 5, "octets": 3000}
    assert zone(notify={"mode": "yes", "targets": targets}, journal=journal, view="inside") == [
        "example.com/IN, primary, view inside",
        "state      served",
        "serial     5",
        "content    1,044 records, 38 names, signed",
        "loaded     2026-11-22 01:51:03 UTC (1 min 1 s ago)",
        "files      /z/example.com.db",
        "           /z/more.db",
        "statement  /etc/bind/named.conf:17:1",
        "notify     192.0.2.2#53    acknowledged, serial 5, 2026-11-22 01:51:03 UTC (1 min 1 s ago)",
        "           2001:db8::2#53  pending, serial 5, last acknowledged 4, "
        "2026-11-22 01:51:03 UTC (1 min 1 s ago): timed out",
        "journal    3 deltas, serial 1 to 5, 2.9 KiB",
    ]


def test_a_secondary_zone() -> None:
    lines = zone(
        type="secondary",
        files=["/z/s.db"],
        secondary=SECONDARY,
        provisioned_by={"autoprimary": "192.0.2.7", "account": "them"},
        error=SECONDARY["trouble"],
        filter={"script": "/l.lua", "error": "l.lua:3: nil"},
        notify={"mode": "no", "targets": []},
    )
    assert lines[3:] == [
        "content        1,044 records, 38 names, signed",
        "loaded         2026-11-22 01:51:03 UTC (1 min 1 s ago)",
        "file           /z/s.db",
        "statement      /etc/bind/named.conf:17:1",
        "provided by    autoprimary 192.0.2.7, account them",
        "copy           stale, being refreshed",
        "primaries      192.0.2.7#53",
        "               192.0.2.8#5353",
        "confirmed      2026-11-22 01:51:03 UTC (1 min 1 s ago) by 192.0.2.7#53",
        "next refresh   2026-11-22 02:51:03 UTC (in 58 min 59 s)",
        "expires        2026-12-06 01:51:03 UTC (in 13 d 23 h)",
        "trouble        192.0.2.8#5353: timed out",
        "last transfer  IXFR from 192.0.2.7#53, 12 records, 2.0 KiB in 0.25 s, "
        "2026-11-22 01:51:03 UTC (1 min 1 s ago)",
        "transfer       from 192.0.2.7#53, 1,000 records and 10.0 KiB so far",
        "filter         /l.lua",
        "               l.lua:3: nil",
        "notify         off",
    ]


def test_a_zone_that_failed_and_one_that_is_frozen() -> None:
    error = {
        "severity": "error",
        "message": "not an address",
        "file": "/z/a.db",
        "line": 3,
        "column": 9,
        "hint": "four numbers",
        "notes": [],
    }
    lines = zone(
        state="failed",
        serial=None,
        records=None,
        names=None,
        loaded_at=None,
        frozen=True,
        watched=False,
        kept_in="/z/_default.nzf",
        errors=[error, {**error, "line": 4, "column": None, "hint": None}],
        error="/z/a.db:3:9: error: not an address",
    )
    assert lines[1:] == [
        "state      failed",
        "errors     /z/a.db:3:9: not an address; four numbers",
        "           /z/a.db:4: not an address",
        "files      /z/example.com.db",
        "           /z/more.db",
        "frozen     its file is neither read nor written until 'bindpy ctl thaw'",
        "statement  /etc/bind/named.conf:17:1",
        "kept in    /z/_default.nzf",
        "notify     nobody to tell",
    ]
    assert "watch      off: edits are served after 'bindpy ctl reload'" in zone(watched=False)
    assert "errors     it is odd" in zone(error="it is odd")
