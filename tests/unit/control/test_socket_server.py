"""The local socket's server and its client, with commands of the test's own."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bindpy.control import socket_server
from bindpy.control.errors import VerbError
from bindpy.control.jobs import Job, Jobs, Progress
from bindpy.control.registry import Result
from bindpy.control.socket_client import LostServerError, NoServerError, SocketClient
from bindpy.control.socket_file import SocketFileError
from bindpy.control.socket_path import SocketPlace
from bindpy.control.socket_protocol import MAX_LINE_OCTETS
from bindpy.control.socket_server import LocalSocket, SocketTimes
from bindpy.control.verb import Caller
from tests.support.users import NOBODY

T = TypeVar("T")
# ruff: noqa: ASYNC240 - a look at the test's own folder blocks nobody
QUICK = SocketTimes(idle=0.2, line=0.2, write=0.2, heartbeat=0.05)
DEADLINE_S = 10.0


class Commands:
    """What the server is told; each command does what its name says."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Caller]] = []
        self.after: list[str] = []
        self.jobs = Jobs()
        self.go_on = asyncio.Event()

    async def execute(self, line: str, who: Caller) -> Result:
        self.told.append((line, who))
        match line.split():
            case ["ping"]:
                return Result("PONG", {"pong": True})
            case ["fail"]:
                raise VerbError("not found", "no such zone")
            case ["stop"]:
                return Result("bye", then=lambda: self.after.append("stopped"))
            case ["wait"]:
                await self.go_on.wait()
                return Result("waited")
            case ["work" | "break" as what]:
                return Result("queued", job=self.jobs.start(what, self.work))
            case ["large", octets]:
                return Result("x" * int(octets))
        raise AssertionError(line)

    async def work(self, job: Job) -> str:
        job.report(Progress(1, 3, "zones", "zone a"))
        await self.go_on.wait()
        job.report(Progress(3, 3, "zones"))
        if job.what == "break":
            raise VerbError("failure", "it broke")
        return "3 zones loaded"


@asynccontextmanager
async def serving(
    folder: Path, times: SocketTimes | None = None
) -> AsyncIterator[tuple[Commands, LocalSocket]]:
    commands = Commands()
    local = LocalSocket(commands.execute, times)
    await local.apply(SocketPlace(str(folder / "c.sock")))
    try:
        yield commands, local
    finally:
        await commands.jobs.close()
        await local.close()


def in_thread(call: Callable[..., T], *arguments: Any) -> Coroutine[Any, Any, T]:
    return asyncio.to_thread(call, *arguments)


def client(folder: Path, timeout_s: float = DEADLINE_S) -> SocketClient:
    return SocketClient(str(folder / "c.sock"), timeout_s=timeout_s)


def exchange(folder: Path, data: bytes, *, end: bool = False) -> list[dict[str, Any]]:
    """Send *data* as it is and return all replies until the server closes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(DEADLINE_S)
        sock.connect(str(folder / "c.sock"))
        try:
            sock.sendall(data)
            if end:
                sock.shutdown(socket.SHUT_WR)
        except BrokenPipeError:
            pass
        received = b""
        try:
            while more := sock.recv(65536):
                received += more
        except ConnectionResetError:
            pass
    return [json.loads(line) for line in received.splitlines()]


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


def test_a_command_and_its_answer(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (commands, local):
            with closing(await in_thread(client, tmp_path)) as one:
                assert one.server_pid() == os.getpid()
                reply = await in_thread(one.ask, "ping")
                assert reply == {
                    "id": 1,
                    "type": "result",
                    "text": "PONG",
                    "data": {"pong": True},
                    "job": None,
                }
                with pytest.raises(VerbError) as caught:
                    await in_thread(one.ask, "fail")
                assert (caught.value.err, caught.value.text, caught.value.code) == (
                    "not found",
                    "no such zone",
                    23,
                )
                assert (await in_thread(one.ask, "ping"))["id"] == 3
            assert commands.told[0][1] == Caller("socket", f"pid {os.getpid()}", f"uid {os.geteuid()}")
            assert local.path == str(tmp_path / "c.sock")
        assert local.path is None
        assert list(tmp_path.iterdir()) == []

    asyncio.run(run())


def test_what_comes_after_the_answer_is_done_after_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (commands, _):
            with closing(await in_thread(client, tmp_path)) as one:
                assert (await in_thread(one.ask, "stop"))["text"] == "bye"
            await until(lambda: commands.after == ["stopped"])

    asyncio.run(run())


def test_it_is_done_also_for_who_is_gone(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (commands, _):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.connect(str(tmp_path / "c.sock"))
                sock.sendall(b'{"command":"stop"}\n')
            await until(lambda: commands.after == ["stopped"])

    asyncio.run(run())


def test_work_is_followed_to_its_end(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path, SocketTimes(heartbeat=0.02)) as (commands, _):
            with closing(await in_thread(client, tmp_path)) as one:
                replies = one.request("work", wait=True)
                started = await in_thread(next, replies)
                assert started["type"] == "started"
                assert started["text"] == "queued"
                assert started["job"] == {"number": 1, "what": "work"}
                told = {"id": 1, "type": "progress", "job": 1, "done": 1, "total": 3, "unit": "zones"}
                for _ in range(3):  # said again and again while nothing happens
                    assert await in_thread(next, replies) == told | {"text": "zone a"}
                commands.go_on.set()
                rest = await in_thread(list, replies)
                assert [reply["done"] for reply in rest[:-1] if reply["done"] != 1] == [3]
                assert rest[-1]["text"] == "3 zones loaded"
                assert rest[-1]["type"] == "result"

    asyncio.run(run())


def test_work_that_fails(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (commands, _):
            commands.go_on.set()
            with closing(await in_thread(client, tmp_path)) as one:
                with pytest.raises(VerbError, match="failure: it broke"):
                    await in_thread(list, one.request("break", wait=True))
                assert (await in_thread(one.ask, "break"))["job"] == {"number": 2, "what": "break"}

    asyncio.run(run())


def test_who_goes_away_leaves_the_work_running(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path, SocketTimes(heartbeat=0.02)) as (commands, local):
            one = await in_thread(client, tmp_path)
            replies = one.request("work", wait=True)
            await in_thread(next, replies)
            one.close()
            await until(lambda: not local._connections)
            job = commands.jobs.get(1)
            assert job is not None
            assert job.ended_at is None
            commands.go_on.set()
            await until(lambda: job.ended_at is not None)
            assert job.error is None

    asyncio.run(run())


def test_a_slow_command_holds_nobody_up(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (commands, _):
            with (
                closing(await in_thread(client, tmp_path)) as slow,
                closing(await in_thread(client, tmp_path)) as one,
            ):
                waiting = asyncio.create_task(in_thread(slow.ask, "wait"))
                await until(lambda: len(commands.told) == 1)
                assert (await in_thread(one.ask, "ping"))["text"] == "PONG"
                commands.go_on.set()
                assert (await waiting)["text"] == "waited"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\n", "not a line of JSON"),
        (b"status\n", "not a line of JSON"),
        (b"\xff\x00\x01\n", "not a line of JSON"),
        (b"[" * 100_000 + b"\n", "not a line of JSON"),
        (b'{"command":"x","id":' + b"9" * 5000 + b"}\n", "not a line of JSON"),
        (b"[1]\n", 'a request is an object, such as {"command": "status"}'),
        (b"{}\n", "'command' has to be a text"),
        (b'{"command":1}\n', "'command' has to be a text"),
        (b'{"command":"\\ud800"}\n', "'command' has to be a text"),
        (b'{"command":"ping","wait":1}\n', "'wait' has to be true or false"),
        (b'{"command":"ping","id":[]}\n', "'id' has to be a whole number or a text of at most 64 characters"),
        (
            b'{"command":"ping","id":true}\n',
            "'id' has to be a whole number or a text of at most 64 characters",
        ),
        (b'{"command":"ping","verb":""}\n', "'verb' is none of: command, id, wait"),
        (
            b'{"command":"' + b"x" * MAX_LINE_OCTETS + b'"}\n',
            f"the line is longer than {MAX_LINE_OCTETS} octets",
        ),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else None,
)
def test_what_is_no_request(tmp_path: Path, data: bytes, why: str) -> None:
    async def run() -> list[dict[str, Any]]:
        async with serving(tmp_path) as (commands, _):
            replies = await in_thread(exchange, tmp_path, data)
            assert commands.told == []
            with closing(await in_thread(client, tmp_path)) as one:
                await in_thread(one.ask, "ping")
            return replies

    (reply,) = asyncio.run(run())
    assert reply["type"] == "error"
    assert reply["error"] == "bad request"
    assert reply["text"] == why


def test_requests_may_be_sent_ahead_and_the_writing_side_closed(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path):
            data = b'{"command":"ping","id":"a"}\n{"command":"fail","id":2}\n{"command":"ping"}\n{"comm'
            replies = await in_thread(lambda: exchange(tmp_path, data, end=True))
            assert [(reply["id"], reply["type"]) for reply in replies] == [
                ("a", "result"),
                (2, "error"),
                (None, "result"),
            ]

    asyncio.run(run())


@pytest.mark.parametrize("data", [b"", b'{"command"'], ids=["idle", "half a line"])
def test_who_does_not_go_on_is_sent_away(tmp_path: Path, data: bytes) -> None:
    async def run() -> None:
        async with serving(tmp_path, QUICK):
            (reply,) = await in_thread(exchange, tmp_path, data)
            assert reply["error"] == "timed out"

    asyncio.run(run())


def test_who_takes_no_reply_is_cut_off(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path, QUICK) as (commands, local):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.connect(str(tmp_path / "c.sock"))
                sock.sendall(b'{"command":"large 10000000"}\n')
                await until(lambda: len(commands.told) == 1)
                await until(lambda: not local._connections)

    asyncio.run(run())


def test_a_large_reply_arrives_whole(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path):
            with closing(await in_thread(client, tmp_path)) as one:
                assert len((await in_thread(one.ask, "large 5000000"))["text"]) == 5_000_000

    asyncio.run(run())


def test_idle_clients_make_room_for_others(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (_, local):
            idle = [await in_thread(client, tmp_path) for _ in range(socket_server.MAX_CONNECTIONS)]
            await until(lambda: len(local._connections) == socket_server.MAX_CONNECTIONS)
            with closing(await in_thread(client, tmp_path)) as one:
                assert (await in_thread(one.ask, "ping"))["text"] == "PONG"
            with pytest.raises(LostServerError, match=r"ended before it had answered|lost the server"):
                await in_thread(idle[0].ask, "ping")
            assert (await in_thread(idle[-1].ask, "ping"))["text"] == "PONG"
            for other in idle:
                other.close()

    asyncio.run(run())


def test_when_all_are_busy_more_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (commands, _):
            busy = [await in_thread(client, tmp_path) for _ in range(socket_server.MAX_CONNECTIONS)]
            waiting: list[asyncio.Future[Any]] = []
            for other in busy:
                waiting.append(asyncio.get_running_loop().create_future())
                _ask_in_thread(other, waiting[-1])
            await until(lambda: len(commands.told) == len(busy))
            with (
                closing(await in_thread(client, tmp_path)) as one,
                pytest.raises(VerbError, match="too many connections"),
            ):
                await in_thread(one.ask, "ping")
            commands.go_on.set()
            assert [reply["text"] for reply in await asyncio.gather(*waiting)] == ["waited"] * len(busy)
            for other in busy:
                other.close()

    asyncio.run(run())
    assert "too many connections" in caplog.text


def _ask_in_thread(one: SocketClient, told: asyncio.Future[Any]) -> None:
    """Ask in a thread of its own: the pool of `asyncio.to_thread` has not enough for all."""
    loop = asyncio.get_running_loop()

    def ask() -> None:
        reply = one.ask("wait")
        loop.call_soon_threadsafe(told.set_result, reply)

    threading.Thread(target=ask, daemon=True).start()


def test_a_flood_of_requests_leaves_the_loop_to_others(tmp_path: Path) -> None:
    turns: list[int] = []  # for each command, how often others had their turn before it

    async def run() -> None:
        others = 0

        async def execute(_line: str, _who: Caller) -> Result:
            turns.append(others)
            return Result()

        local = LocalSocket(execute)
        await local.apply(SocketPlace(str(tmp_path / "c.sock")))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.connect(str(tmp_path / "c.sock"))
            sock.sendall(b'{"command":"ping"}\n' * 100)
            while len(turns) < 100:  # so few that the kernel takes all replies
                others += 1
                await asyncio.sleep(0)
        await local.close()

    asyncio.run(run())
    assert max(turns.count(turn) for turn in set(turns)) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_refused(folder_for_all: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By the mode of the file, and where somebody has opened that up, by who they are."""

    def as_nobody(data: bytes, groups: tuple[int, ...] = ()) -> str:
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                os.setgroups(groups)
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                try:
                    text = json.dumps(exchange(folder_for_all, data, end=True))
                except OSError as error:
                    text = type(error).__name__
                os.write(write, text.encode())
            finally:
                os._exit(0)
        os.close(write)
        os.waitpid(pid, 0)
        with open(read) as stream:
            return stream.read()

    async def run() -> None:
        async with serving(folder_for_all) as (commands, local):
            assert await in_thread(as_nobody, b'{"command":"ping"}\n') == "PermissionError"
            (folder_for_all / "c.sock").chmod(0o666)
            assert '"permission denied"' in await in_thread(as_nobody, b'{"command":"ping"}\n')
            assert commands.told == []
            await local.apply(SocketPlace(str(folder_for_all / "c.sock"), "12345"))
            assert await in_thread(as_nobody, b'{"command":"ping"}\n') == "PermissionError"
            assert "PONG" in await in_thread(as_nobody, b'{"command":"ping"}\n', (7, 12345))

    asyncio.run(run())
    assert f"uid {NOBODY}: neither our user, root nor in its group" in caplog.text


def test_it_stays_over_a_reload_moves_and_comes_back(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (_, local):
            with closing(await in_thread(client, tmp_path)) as one:
                await in_thread(one.ask, "ping")
                before = (tmp_path / "c.sock").stat().st_ino
                await local.apply(SocketPlace(str(tmp_path / "c.sock")))
                assert (tmp_path / "c.sock").stat().st_ino == before
                (tmp_path / "c.sock").unlink()  # somebody cleaned up: a reload repairs it
                await local.apply(SocketPlace(str(tmp_path / "c.sock")))
                with closing(await in_thread(client, tmp_path)) as other:
                    await in_thread(other.ask, "ping")
                await local.apply(SocketPlace(str(tmp_path / "d.sock")))
                assert {path.name for path in tmp_path.iterdir()} == {"d.sock", ".d.sock.lock"}
                assert (await in_thread(one.ask, "ping"))["text"] == "PONG"  # connections stay
            await local.apply(None)
            assert list(tmp_path.iterdir()) == []

    asyncio.run(run())


def test_what_cannot_be_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (_, local):
            missing = str(tmp_path / "no" / "c.sock")
            with pytest.raises(SocketFileError, match="could not open control socket"):
                await local.apply(SocketPlace(missing))
            with pytest.raises(SocketFileError, match="group 'no-such-group' unknown"):
                await local.apply(SocketPlace(str(tmp_path / "c.sock"), "no-such-group"))
            await local.apply(SocketPlace(missing, is_default=True))
            assert local.path == str(tmp_path / "c.sock")
            with closing(await in_thread(client, tmp_path)) as one:
                assert (await in_thread(one.ask, "ping"))["text"] == "PONG"

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert "until then only rndc and signals reach this server" in caplog.text


def test_at_the_end_clients_get_their_replies_and_idle_ones_are_closed(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (commands, local):
            idle = await in_thread(client, tmp_path)
            one = await in_thread(client, tmp_path)
            waiting = asyncio.create_task(in_thread(one.ask, "wait"))
            await until(lambda: len(commands.told) == 1)
            closing_all = asyncio.create_task(local.close())
            await until(lambda: not (tmp_path / "c.sock").exists())
            commands.go_on.set()
            assert (await waiting)["text"] == "waited"
            await closing_all
            with pytest.raises(LostServerError):
                await in_thread(idle.ask, "ping")
            idle.close()
            one.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("how", "why"),
    [("nothing", "no server is running here"), ("dead", "was left behind"), ("silent", "does not answer")],
)
def test_why_there_is_no_answer(tmp_path: Path, how: str, why: str) -> None:
    path = tmp_path / "c.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        if how != "nothing":
            other.bind(str(path))
        if how == "silent":
            other.listen()
        with pytest.raises((NoServerError, LostServerError), match=why), client(tmp_path, 0.1) as one:
            one.ask("ping")


def test_a_server_that_is_too_busy_is_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(tmp_path / "c.sock"))
        other.listen(0)
        with client(tmp_path) as first:
            began = time.monotonic()
            with pytest.raises(NoServerError, match="does not accept connections"):
                client(tmp_path, 0.2)
            assert time.monotonic() - began > 0.1

            def accept_one() -> None:
                other.accept()[0].close()

            make_room = threading.Timer(0.05, accept_one)
            make_room.start()
            client(tmp_path).close()
            make_room.join()
            assert first.server_pid() == os.getpid()


def test_a_server_that_talks_nonsense(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(tmp_path / "c.sock"))
        other.listen()
        with client(tmp_path) as one:
            theirs, _ = other.accept()
            with theirs:
                theirs.sendall(b"HTTP/1.1 400\n")
                with pytest.raises(LostServerError):
                    one.ask("ping")
