"""Control channels on sockets of this host, and what their tests ask of them."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from bindpy.control.rndc_channel import ChannelLimits
from tests.support.ports import LOOPBACK, free_port
from tests.support.rndc import rndc_key
from tests.support.rndc_server import ControlServer, conf

KEY = rndc_key()
DEADLINE_S = 20.0
QUICK = ChannelLimits(connections=4, patience_s=0.5, finish_s=0.5)


@pytest.fixture
def server() -> Iterator[ControlServer]:
    with ControlServer() as started:
        yield started


@pytest.fixture
def quick() -> Iterator[ControlServer]:
    with ControlServer(limits=QUICK) as started:
        yield started


@pytest.fixture(autouse=True)
def debug_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "bindpy")


def inet(port: int, rest: str = 'allow { any; } keys { "rndc-key"; };', address: str = LOOPBACK) -> str:
    return f"inet {address} port {port} {rest}"


def opened(server: ControlServer) -> tuple[str, int]:
    """Open one channel, return its address."""
    port = free_port()
    server.apply(conf(inet(port)))
    return LOOPBACK, port


def until(condition: Callable[[], bool], caplog: pytest.LogCaptureFixture) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, caplog.text
        time.sleep(0.005)


def is_listening(address: tuple[str, int] | str) -> bool:
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as sock:
        return sock.connect_ex(address) == 0
