"""A running bindpy that tests drive by rndc, and what is expected of a command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.peers.require import require_tool
from tests.support.controlled import Controlled, ControlledBindpy
from tests.support.ports import free_port
from tests.support.real_rndc import Ran

DEADLINE_S = 30.0
DONE = Ran(0, "", "")


def zone_text(serial: int = 1, address: str = "192.0.2.1") -> str:
    return (
        f"$TTL 300\n@ SOA ns hostmaster {serial} 3600 900 604800 60\n@ NS ns\nns A 127.0.0.1\n"
        f"www A {address}\n"
    )


BROKEN = zone_text().replace("NS ns", "NS")
PRIMARY = 'zone "example.com" { type primary; file "@DIRECTORY@/example.db"; };\n'
FILES = {"example.db": zone_text()}


@contextmanager
def serving(
    conf: str = PRIMARY,
    files: dict[str, str] | None = None,
    *,
    extra: str = "watch no;",
    read_only: bool = False,
) -> Iterator[ControlledBindpy]:
    """Serve *conf*; files are not watched, so that a command is what has them read."""
    require_tool("rndc")
    with ControlledBindpy(conf=conf, files=FILES | (files or {}), extra=extra, read_only=read_only) as server:
        yield server
        assert "Traceback" not in server.log_text(), server.log_text()


@pytest.fixture
def server() -> Iterator[ControlledBindpy]:
    with serving() as started:
        yield started


@contextmanager
def pair() -> Iterator[tuple[ControlledBindpy, ControlledBindpy]]:
    """A primary of example.com and its secondary, which nobody tells of changes by itself."""
    port = free_port()
    conf = (
        'zone "example.com" { type primary; file "@DIRECTORY@/example.db"; notify explicit; '
        f"also-notify {{ 127.0.0.1 port {port}; }}; allow-transfer {{ 127.0.0.1; }}; }};\n"
    )
    with serving(conf, extra="watch no; notify-delay 0;") as primary:
        secondary = ControlledBindpy(
            conf='zone "example.com" { type secondary; file "@DIRECTORY@/copy.db"; '
            f"primaries {{ 127.0.0.1 port {primary.port}; }}; }};\n"
        )
        secondary.port = port
        with secondary:
            secondary.wait_for_serial("example.com", 1)
            yield primary, secondary
            assert "Traceback" not in secondary.log_text(), secondary.log_text()


def done(ran: Ran, text: str) -> None:
    assert ran == Ran(0, f"{text}\n" if text else "", "")


def failed(ran: Ran, command: str, err: str, text: str = "") -> None:
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == f"rndc: '{command}' failed: {err}\n" + (f"{text}\n" if text else "")


def until(condition: Callable[[], bool], server: Controlled) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, server.log_text()[-8000:]
        time.sleep(0.01)
