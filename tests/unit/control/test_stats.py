"""The statistics file, with what an engine counts of queries and without."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from bindpy.control.server import ControlledServer
from bindpy.control.stats import counters, statistics_text
from bindpy.server.service import ServerCounters
from bindpy.serving import QueryCounters


def found(queries: QueryCounters | None) -> dict[str, Any]:
    counted = ServerCounters(*range(1, 16), untapped=16, queries=queries)
    server = SimpleNamespace(
        listeners=SimpleNamespace(counters=lambda: counted), keeper=SimpleNamespace(table=())
    )
    return counters(cast("ControlledServer", server))


def test_without_counts_of_queries() -> None:
    data = found(None)
    assert data["queries"] is None
    assert data["server"] == {
        "queries_udp": 1 + 2 + 3,
        "queries_tcp": 8 + 9,
        "requests_udp": 4,
        "requests_tcp": 10,
        "responses": 1 + 2 + 8,
        "hot_answers": 1,
        "dropped": 3 + 5 + 9,
        "not_logged": 16,
    }
    text = statistics_text(data, 4711)
    assert text.startswith("+++ Statistics Dump +++ (4711)\n++ Name Server Statistics ++\n")
    assert text.endswith("--- Statistics Dump --- (4711)\n")
    assert "Incoming Queries" not in text


def test_with_counts_of_queries() -> None:
    queries = QueryCounters({1: 5, 257: 1, 263: 2, 65: 3}, {0: 7, 3: 2}, (1, 0, 4), truncated=8, faults=9)
    data = found(queries)
    assert data["queries"] == {
        "types": {"A": 5, "CAA": 1, "other": 2, "HTTPS": 3},
        "rcodes": {"NOERROR": 7, "NXDOMAIN": 2},
        "truncated": 8,
        "faults": 9,
        "latency_us": {"1": 1, "2": 0, "more": 4},
    }
    assert statistics_text(data, 0).split("++ Incoming Queries ++\n")[1] == (
        "                   5 A\n"
        "                   1 CAA\n"
        "                   2 other\n"
        "                   3 HTTPS\n"
        "++ Outgoing Rcodes ++\n"
        "                   7 NOERROR\n"
        "                   2 NXDOMAIN\n"
        "++ Query Handling ++\n"
        "                   8 truncated responses sent\n"
        "                   9 queries answered SERVFAIL because of a fault\n"
        "                   1 messages dealt with in less than 1 microseconds\n"
        "                   0 messages dealt with in less than 2 microseconds\n"
        "                   4 messages that took longer\n"
        "--- Statistics Dump --- (0)\n"
    )
