"""What systemd is told, and when the watchdog is not."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bindpy.server import udp
from bindpy.server.sd_notify import ServiceManager
from tests.unit.server.fakes import UdpClient, query, serving, until


@contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        sock.settimeout(10)
        yield sock


def told(sock: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in sock.recv(65536).decode().split("\n"))


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_each_state_is_one_message(tmp_path: Path, kind: str) -> None:
    address = str(tmp_path / "notify") if kind == "path" else f"@bindpy-test-{os.getpid()}"
    with manager(address) as sock:
        environment = {"NOTIFY_SOCKET": address, "PATH": "/bin"}
        service = ServiceManager.from_environment(environment)
        assert environment == {"PATH": "/bin"}
        assert service.is_there
        service.starting("loading zones: 1 of 2")
        assert told(sock) == {"STATUS": "loading zones: 1 of 2", "EXTEND_TIMEOUT_USEC": "30000000"}
        service.ready("2 zones")
        assert told(sock) == {"READY": "1", "STATUS": "2 zones"}
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        service.reloading("reloading")
        message = told(sock)
        assert (
            before
            <= int(message.pop("MONOTONIC_USEC"))
            <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        )
        assert message == {"RELOADING": "1", "STATUS": "reloading"}
        service.stopping("on\nREADY=1")  # no text makes a line of its own
        assert told(sock) == {"STOPPING": "1", "STATUS": "on READY=1"}
        service.close()
        service.ready("after the end")
        sock.settimeout(0)
        with pytest.raises(BlockingIOError):
            sock.recv(1)


def test_without_a_service_manager_nothing_happens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    service = ServiceManager.from_environment({})
    assert not service.is_there
    service.ready("")
    service.close()
    assert not caplog.records
    service = ServiceManager(str(tmp_path / "missing"))
    service.ready("")
    assert not service.is_there
    assert "cannot tell the service manager how we are" in caplog.text


def test_one_that_does_not_listen_holds_nothing_up(tmp_path: Path) -> None:
    with manager(str(tmp_path / "notify")):
        service = ServiceManager(str(tmp_path / "notify"))
        for _ in range(5000):  # more than the kernel keeps
            service.ready("x" * 1000)
        service.close()


@pytest.mark.parametrize(
    ("environment", "watches"),
    [
        ({"WATCHDOG_USEC": "30000"}, True),
        ({"WATCHDOG_USEC": "30000", "WATCHDOG_PID": str(os.getpid())}, True),
        ({"WATCHDOG_USEC": "30000", "WATCHDOG_PID": "1"}, False),
        ({"WATCHDOG_USEC": "0"}, False),
        ({"WATCHDOG_USEC": "soon"}, False),
        ({}, False),
    ],
)
def test_the_watchdog_is_told_where_there_is_one(
    tmp_path: Path, environment: dict[str, str], watches: bool
) -> None:
    with manager(str(tmp_path / "notify")) as sock:
        service = ServiceManager.from_environment({"NOTIFY_SOCKET": str(tmp_path / "notify"), **environment})

        async def run() -> None:
            task = asyncio.create_task(service.watchdog(lambda: None))
            if watches:
                for _ in range(3):
                    assert await asyncio.to_thread(told, sock) == {"WATCHDOG": "1"}
                task.cancel()
            await asyncio.wait([task], timeout=10)
            assert task.done()

        asyncio.run(run())
        service.close()


def test_the_watchdog_is_not_told_while_there_is_trouble(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with manager(str(tmp_path / "notify")) as sock:
        service = ServiceManager(str(tmp_path / "notify"), 0.015)
        looks = iter([None, "a thread hangs", "a thread hangs", "a thread hangs", None])
        over = asyncio.Event()

        def trouble() -> str | None:
            try:
                return next(looks)
            except StopIteration:
                over.set()
                return None

        async def run() -> None:
            task = asyncio.create_task(service.watchdog(trouble))
            await over.wait()
            task.cancel()
            await asyncio.wait([task])

        asyncio.run(run())
        service.close()
        messages = [told(sock) for _ in range(3)]
        assert messages == [{"WATCHDOG": "1"}, {"STATUS": "a thread hangs"}, {"WATCHDOG": "1"}]
    assert caplog.text.count("a thread hangs: no longer telling the watchdog") == 1


async def test_a_thread_that_is_stuck_on_a_packet_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "STUCK_AFTER_S", 0.05)
    async with serving() as served:
        with UdpClient() as client:
            await client.ask(query(), ("127.0.0.1", served.endpoint.port))
            assert served.listeners.trouble() is None  # waiting for the next packet is what it is for
            hangs = threading.Event()
            answer = served.answerer.answer

            def hang(*arguments: object) -> bytes:
                hangs.wait(10)
                return answer(*arguments)  # type: ignore[arg-type,return-value]

            monkeypatch.setattr(served.answerer, "answer", hang)
            client.sock.sendto(query(), ("127.0.0.1", served.endpoint.port))
            await until(lambda: served.listeners.trouble() is not None)
            found = served.listeners.trouble()
            assert found is not None
            assert "is stuck on one packet for" in found
            hangs.set()
            await until(lambda: served.listeners.trouble() is None)
