"""``bindpy ctl`` against a local socket whose verbs are the test's own answers."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from click.testing import Result as Ran

from bindpy.cli.control_common import command_line
from bindpy.cli.ctl import progress_text
from bindpy.cli.main import main
from bindpy.control.catalogue import verbs
from bindpy.control.errors import VerbError
from bindpy.control.jobs import Job, Jobs, Progress
from bindpy.control.registry import Result
from bindpy.control.socket_path import SocketPlace
from bindpy.control.socket_server import LocalSocket, SocketTimes
from bindpy.control.verb import CLASS, VIEW, ZONE, Caller, Kind, Parameter, Verb, flag

DEADLINE_S = 10.0
INTERRUPTED = """\
import signal
from bindpy.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""
"""bindpy that ends by Ctrl-C, even where the tests run in the background of a shell, which has it ignored."""
Answer = Callable[[str, Jobs], Result]


class Server:
    """A local socket in a thread of its own; `told` has the commands that came."""

    def __init__(self, path: Path, answer: Answer) -> None:
        self.told: list[str] = []
        self._answer = answer
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(str(path))), daemon=True)
        self._thread.start()
        assert self._ready.wait(DEADLINE_S)

    async def _run(self, path: str) -> None:
        self._loop, self._over, jobs = asyncio.get_running_loop(), asyncio.Event(), Jobs()

        async def execute(line: str, _who: Caller) -> Result:
            self.told.append(line)
            return self._answer(line, jobs)

        local = LocalSocket(execute, SocketTimes(heartbeat=0.05))
        await local.apply(SocketPlace(path))
        self._ready.set()
        await self._over.wait()
        await jobs.close()
        await local.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Answer], Server]]:
    servers: list[Server] = []

    def start(answer: Answer) -> Server:
        servers.append(Server(tmp_path / "c.sock", answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def ctl(folder: Path, *arguments: str, first: tuple[str, ...] = ()) -> Ran:
    return CliRunner().invoke(main, ["ctl", *first, *arguments, "--socket", str(folder / "c.sock")])


def test_the_answer_is_printed(tmp_path: Path, serve: Callable[[Answer], Server]) -> None:
    server = serve(lambda line, jobs: Result("PONG", {"pong": True}))
    ran = ctl(tmp_path, "PING")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "PONG\n", "")
    ran = ctl(tmp_path, "rping", "--json")
    assert json.loads(ran.stdout) == {"text": "PONG", "data": {"pong": True}, "job": None}
    assert server.told == ["ping", "ping"]


def test_a_refusal_is_exit_status_1(tmp_path: Path, serve: Callable[[Answer], Server]) -> None:
    def refuse(line: str, jobs: Jobs) -> Result:
        raise VerbError("not found", "no matching zone 'x' in any view", data={"zones": 0})

    serve(refuse)
    ran = ctl(tmp_path, "ping")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr == "error: not found\nno matching zone 'x' in any view\n"
    ran = ctl(tmp_path, "ping", "--json")
    assert ran.exit_code == 1
    assert json.loads(ran.stdout) == {
        "error": "not found",
        "text": "no matching zone 'x' in any view",
        "code": 23,
        "data": {"zones": 0},
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["pong"], "No such command 'pong'"),
        (["ping", "-x"], "No such option"),
        (["ping", "more"], "'more' is too much; usage: ping"),
        (["ping", 'a"b'], "is too much"),
    ],
)
def test_wrong_usage_is_exit_status_2_and_reaches_no_server(
    tmp_path: Path, serve: Callable[[Answer], Server], arguments: list[str], says: str
) -> None:
    server = serve(lambda line, jobs: Result())
    ran = ctl(tmp_path, *arguments)
    assert ran.exit_code == 2
    assert says in ran.stderr
    assert server.told == []


def test_no_server(tmp_path: Path) -> None:
    ran = ctl(tmp_path, "ping")
    assert ran.exit_code == 1
    assert ran.stderr.startswith("error: no server is running here: there is no control socket")
    assert json.loads(ctl(tmp_path, "ping", "--json").stdout)["error"] == "not running"


def test_the_configuration_says_where(tmp_path: Path, serve: Callable[[Answer], Server]) -> None:
    serve(lambda line, jobs: Result("PONG"))
    conf = tmp_path / "named.conf"
    runner = CliRunner()
    conf.write_text(f'options {{ directory "{tmp_path}"; control-socket "c.sock"; }}; zone "broken" {{')
    assert runner.invoke(main, ["ctl", "ping", "-c", str(conf)]).stdout == "PONG\n"
    assert runner.invoke(main, ["ctl", "-c", str(conf), "ping"]).stdout == "PONG\n"
    assert runner.invoke(main, ["ctl", "--socket", str(tmp_path / "c.sock"), "ping"]).stdout == "PONG\n"
    assert runner.invoke(main, ["ctl", "--socket", "/no", "ping", "-c", str(conf)]).stdout == "PONG\n"
    conf.write_text("options { control-socket none; };")
    ran = runner.invoke(main, ["ctl", "ping", "-c", str(conf)])
    assert (ran.exit_code, "takes no commands on a socket" in ran.stderr) == (1, True)
    ran = runner.invoke(main, ["ctl", "ping", "-c", str(tmp_path / "missing")])
    assert (ran.exit_code, "cannot read" in ran.stderr) == (1, True)


def working(fails: bool = False) -> Answer:
    async def work(job: Job) -> str:
        job.report(Progress(1, 4, "zones"))
        job.report(Progress(4, 4, "zones", "last"))
        await asyncio.sleep(0.01)
        if fails:
            raise VerbError("failure", "a.db:1:1: error: nonsense")
        return "4 zones loaded"

    return lambda line, jobs: Result("reload queued", job=jobs.start("reload", work))


def test_waiting_for_the_end(tmp_path: Path, serve: Callable[[Answer], Server]) -> None:
    serve(working())
    ran = ctl(tmp_path, "ping", "--wait")
    assert (ran.exit_code, ran.stdout) == (0, "reload queued\n4 zones loaded\n")
    assert ran.stderr == "4 of 4 zones, 100 %; last\n"
    ran = ctl(tmp_path, "ping", "--wait", "--json")
    assert json.loads(ran.stdout)["text"] == "4 zones loaded"
    assert ctl(tmp_path, "ping").stdout == "reload queued\n"


def test_waiting_for_what_fails(tmp_path: Path, serve: Callable[[Answer], Server]) -> None:
    serve(working(fails=True))
    ran = ctl(tmp_path, "ping", "--wait")
    assert (ran.exit_code, ran.stdout) == (1, "reload queued\n")
    assert ran.stderr.endswith("error: failure\na.db:1:1: error: nonsense\n")


def test_on_a_terminal_progress_is_one_line(tmp_path: Path, serve: Callable[[Answer], Server]) -> None:
    serve(working())
    terminal, theirs = pty.openpty()
    with open(terminal, "rb", buffering=0) as ours:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "bindpy.cli.main",
                "ctl",
                "ping",
                "--wait",
                "--socket",
                str(tmp_path / "c.sock"),
            ],
            check=True,
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=60,
        )
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # how a terminal says that nobody has its other end any more
            while more := ours.read(4096):
                shown += more
    assert done.stdout == b"reload queued\n4 zones loaded\n"
    assert b"\r\x1b[K4 of 4 zones, 100 %; last" in shown
    assert shown.endswith(b"\r\x1b[K")
    assert b"\n" not in shown


def test_ctrl_c_ends_the_waiting_and_not_the_work(tmp_path: Path, serve: Callable[[Answer], Server]) -> None:
    over = threading.Event()
    jobs_started: list[Job] = []

    def answer(line: str, jobs: Jobs) -> Result:
        async def work(job: Job) -> str:
            await asyncio.to_thread(over.wait)
            return "done"

        jobs_started.append(jobs.start("reload of all zones", work))
        return Result("reload queued", job=jobs_started[0])

    serve(answer)
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            INTERRUPTED,
            "ctl",
            "ping",
            "--wait",
            "--socket",
            str(tmp_path / "c.sock"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"reload queued\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 130
        assert process.stderr.read().endswith(
            b"not waiting any more: 'reload of all zones' goes on in the server\n"
        )
    assert jobs_started[0].ended_at is None
    over.set()
    deadline = time.monotonic() + DEADLINE_S
    while jobs_started[0].ended_at is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert jobs_started[0].error is None


def test_help_has_every_verb() -> None:
    text = CliRunner().invoke(main, ["ctl", "--help"]).stdout
    for verb in verbs().values():
        assert f" {verb.name}" in text
        ran = CliRunner().invoke(main, ["ctl", verb.name, "--help"])
        assert ran.exit_code == 0
        assert " ".join(verb.help.split()) in " ".join(ran.stdout.split())


ADD = Verb("add", (), (ZONE, CLASS, VIEW, Parameter("config", Kind.CONFIG)), "", True)
DELETE = Verb("delete", (), (flag("-clean"), ZONE, CLASS, VIEW), "", True)


@pytest.mark.parametrize(
    ("verb", "flags", "words", "line"),
    [
        (DELETE, ["-clean"], ["a.example"], "delete -clean a.example"),
        (DELETE, [], ["my zone", 'q"', ""], r'delete "my zone" "q\"" ""'),
        (ADD, [], ["a", '{ file "a b"; };'], 'add a { file "a b"; };'),
        (ADD, [], ["a", "IN", "{", "file", '"a b";', "};"], 'add a IN { file "a b"; };'),
    ],
)
def test_words_arrive_as_the_shell_had_them(
    verb: Verb, flags: list[str], words: list[str], line: str
) -> None:
    assert command_line(verb, flags, words) == line


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ({"done": 1204, "total": 100_000, "unit": "zones", "text": ""}, "1,204 of 100,000 zones, 1 %"),
        ({"done": 5, "total": None, "unit": "records", "text": "AXFR"}, "5 records; AXFR"),
        ({"done": 2048, "total": None, "unit": "octets", "text": ""}, "2.0 KiB"),
        ({"done": 5 << 20, "total": 10 << 20, "unit": "octets", "text": "x"}, "5.0 MiB of 10.0 MiB, 50 %; x"),
        ({"done": 0, "total": 0, "unit": "zones", "text": ""}, "0 of 0 zones"),
        ({"done": 0, "total": None, "unit": "", "text": "asking the primaries"}, "asking the primaries"),
        ({"done": 0, "total": None, "unit": "", "text": ""}, ""),
    ],
)
def test_progress_for_people(reply: dict[str, Any], text: str) -> None:
    assert progress_text(reply) == text


def complete(*words: str) -> list[str]:
    *before, incomplete = words
    shell = ShellComplete(main, {}, "bindpy", "_BINDPY_COMPLETE")
    return [item.value for item in shell.get_completions(before, incomplete)]


def test_verbs_are_completed() -> None:
    assert complete("ctl", "pin") == ["ping"]
    assert "ctl" in complete("")
    assert "--wait" in complete("ctl", "ping", "--")
