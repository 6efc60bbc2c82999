"""`logging` of named.conf at work: categories, files, syslog, standard error, changes while running."""

from __future__ import annotations

import errno
import logging
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bindpy import logs
from bindpy.config.model import LogChannel
from bindpy.diagnostics import Severity
from bindpy.logs import sinks
from bindpy.logs.lines import Event
from bindpy.logs.sinks import FileSink, Line, StderrSink
from bindpy.logs.writer import Channel, Writer
from tests.unit.logs.conftest import Configure

GENERAL = logging.getLogger("bindpy.general")
QUERIES = logging.getLogger("bindpy.queries")


def file(name: str, **options: object) -> LogChannel:
    return LogChannel(name, "file", path=f"{name}.log", **options)  # type: ignore[arg-type]


def lines(path: Path) -> list[str]:
    assert logs.flush()
    return path.read_text().splitlines()


def test_the_foreground_without_a_logging_statement(
    configure: Configure, capfd: pytest.CaptureFixture[str]
) -> None:
    assert configure(categories={}) == []
    GENERAL.info("zone %s: loaded", "example.com/IN")
    GENERAL.debug("not now")
    logs.set_debug_level(1)
    GENERAL.debug("but now")
    logging.getLogger("bindpy.unmatched").info("never")
    logging.getLogger("some.library").warning("to general")
    logs.flush()
    out, err = capfd.readouterr()
    found = [re.fullmatch(r"\d\d-\w{3}-\d{4} \d\d:\d\d:\d\d\.\d{3} (.*)", line) for line in err.splitlines()]
    assert [match and match[1] for match in found] == [
        "general: info: zone example.com/IN: loaded",
        "general: debug 1: but now",
        "general: warning: to general",
    ]
    assert out == ""


def test_categories_go_to_their_channels_and_the_others_to_default(
    configure: Configure, tmp_path: Path
) -> None:
    channels = file("a"), file("b", print_category=True), file("c")
    configure(*channels, categories={"queries": ("a", "b"), "default": ("c",), "notify": ("null",)})
    QUERIES.info("query")
    GENERAL.info("general")
    logging.getLogger("bindpy.notify").critical("nowhere")
    logging.getLogger("bindpy.not-a-category").info("unknown")
    assert lines(tmp_path / "a.log") == ["query"]
    assert lines(tmp_path / "b.log") == ["queries: query"]
    assert lines(tmp_path / "c.log") == ["general", "unknown"]
    assert not logging.getLogger("bindpy.notify").isEnabledFor(logging.CRITICAL)


def test_a_channel_takes_what_is_severe_enough(configure: Configure, tmp_path: Path) -> None:
    configure(file("warn", severity="warning"), file("deep", severity="debug", debug_level=2))
    for level in (logging.ERROR, logging.WARNING, logs.NOTICE, logging.INFO, logs.debug(2), logs.debug(3)):
        GENERAL.log(level, "%d", level)
    assert lines(tmp_path / "warn.log") == ["40", "30"]
    assert lines(tmp_path / "deep.log") == ["40", "30", "25", "20", "9"]
    assert not GENERAL.isEnabledFor(logs.debug(3)), "what no channel takes is not even made"


def test_dynamic_follows_the_debug_level(configure: Configure, tmp_path: Path) -> None:
    configure(file("dyn", severity="dynamic"))
    for level in (0, 2, 1):
        logs.set_debug_level(level)
        assert logs.debug_level() == level
        GENERAL.log(logs.debug(2), "two at %d", level)
        GENERAL.log(logs.debug(1), "one at %d", level)
    assert lines(tmp_path / "dyn.log") == ["two at 2", "one at 2", "one at 1"]


def test_default_debug_writes_only_when_debugging(configure: Configure, tmp_path: Path) -> None:
    configure(categories={"default": ("default_debug",)})
    GENERAL.error("not debugging")
    assert logs.flush()
    assert not (tmp_path / "named.run").exists()
    logs.set_debug_level(1)
    GENERAL.error("debugging")
    assert lines(tmp_path / "named.run")[0].endswith(" debugging")


def test_one_event_is_one_line(configure: Configure, tmp_path: Path) -> None:
    configure(file("log"))
    QUERIES.info("query: %s", "evil\nzone example.com/IN: loaded")
    assert lines(tmp_path / "log.log") == [r"query: evil\010zone example.com/IN: loaded"]


def test_many_lines_at_once_are_lines_of_their_own(
    configure: Configure, tmp_path: Path, daemon: socket.socket
) -> None:
    syslog = LogChannel("s", "syslog")
    with daemon:
        configure(file("log", print_severity=True), syslog, syslog_socket=str(tmp_path / "log"))
        logs.log_lines(GENERAL, logging.INFO, ["one %s", "two\nthree"])
        logs.log_lines(GENERAL, logging.DEBUG, ["not", "wanted"])
        logs.log_lines(GENERAL, logging.WARNING, ["alone"])
        logs.log_lines(GENERAL, logging.WARNING, [])
        assert lines(tmp_path / "log.log") == ["info: one %s", r"info: two\010three", "warning: alone"]
        received = [daemon.recv(1000).decode().partition("]: ")[2] for _ in range(3)]
    assert received == ["one %s", r"two\010three", "alone"]


def test_a_bad_log_call_harms_nobody(
    configure: Configure, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    configure(file("log"))
    GENERAL.info("%d", "not a number")
    GENERAL.info("next")
    assert lines(tmp_path / "log.log") == ["next"]
    assert "test_channels.py" in capfd.readouterr().err


# --- files ---------------------------------------------------------------------------------------


def test_a_file_rolls_over_when_it_is_full(configure: Configure, tmp_path: Path) -> None:
    configure(file("log", versions=2, size=50))
    for number in range(40):
        GENERAL.info("line %02d, ten", number)
    assert logs.flush()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.log", "log.log.0", "log.log.1"]
    kept = [line for suffix in (".1", ".0", "") for line in lines(tmp_path / f"log.log{suffix}")]
    assert kept == [f"line {number:02}, ten" for number in range(40)][-len(kept) :]
    assert all(50 < (tmp_path / f"log.log.{number}").stat().st_size <= 65 for number in (0, 1))


def test_versions_alone_roll_when_the_file_is_opened(configure: Configure, tmp_path: Path) -> None:
    for number in range(3):
        configure(file("log", versions=5))
        GENERAL.info("run %d", number)
    assert lines(tmp_path / "log.log") == ["run 2"]
    assert lines(tmp_path / "log.log.0") == ["run 1"]
    assert lines(tmp_path / "log.log.1") == ["run 0"]


def test_size_alone_stops_until_there_is_room(configure: Configure, tmp_path: Path) -> None:
    configure(file("log", size=20))
    for number in range(9):
        GENERAL.info("a line of text %d", number)
    assert lines(tmp_path / "log.log") == ["a line of text 0", "a line of text 1"]
    os.truncate(tmp_path / "log.log", 0)
    GENERAL.info("room")
    assert lines(tmp_path / "log.log") == ["room"]


def test_a_file_that_was_moved_away_is_followed_by_a_new_one(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "_LOOK_S", 0.0)
    configure(file("log"))
    GENERAL.info("before")
    assert lines(tmp_path / "log.log") == ["before"]
    (tmp_path / "log.log").rename(tmp_path / "log.log.1")
    GENERAL.info("after")
    assert lines(tmp_path / "log.log") == ["after"]
    assert lines(tmp_path / "log.log.1") == ["before"]


def test_reopen(configure: Configure, tmp_path: Path) -> None:
    configure(file("log"))
    GENERAL.info("before")
    assert logs.flush()
    (tmp_path / "log.log").rename(tmp_path / "old")
    logs.reopen()
    GENERAL.info("after")
    assert lines(tmp_path / "log.log") == ["after"]
    assert lines(tmp_path / "old") == ["before"]


def test_a_buffered_file_is_written_in_the_end(configure: Configure, tmp_path: Path) -> None:
    configure(file("log", buffered=True))
    for number in range(10):
        GENERAL.info("%d", number)
    logs.shutdown()
    assert lines(tmp_path / "log.log") == [str(number) for number in range(10)]


def test_a_reconfiguration_loses_no_line(configure: Configure, tmp_path: Path) -> None:
    configure(file("first"))
    expected = []
    done = threading.Event()

    def write() -> None:
        for number in range(3000):
            GENERAL.info("%d", number)
            expected.append(str(number))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    turn = 0
    while not done.is_set():
        turn += 1
        configure(file("second" if turn % 2 else "first"))
        logs.flush()
    writer.join()
    found = lines(tmp_path / "first.log") + lines(tmp_path / "second.log")
    assert sorted(found, key=int) == expected


@pytest.mark.parametrize("kind", ["no directory", "a directory", "a pipe that nobody reads"])
def test_a_file_that_cannot_be_opened(
    configure: Configure, tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    path = tmp_path / "bad"
    if kind == "a directory":
        path.mkdir()
    elif kind == "a pipe that nobody reads":
        os.mkfifo(path)
    else:
        path = tmp_path / "missing/log"
    findings = configure(LogChannel("bad", "file", path=str(path)), file("good"))
    assert [finding.severity for finding in findings] == [Severity.WARNING]
    assert str(path) in findings[0].message
    assert findings[0].hint.startswith("name a file" if kind == "a directory" else "create its directory")
    GENERAL.info("text")
    assert lines(tmp_path / "good.log") == ["text"]
    assert "general: info: text" in capfd.readouterr().err


def test_a_full_disk_costs_lines_and_nothing_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = FileSink(file("log"), tmp_path / "log")
    real = os.write

    def full(fd: int, octets: bytes) -> int:
        if fd == 2:
            return real(fd, octets)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        for _ in range(3):
            sink.write([Line("lost", logging.INFO, 0.0)])
    assert capfd.readouterr().err.count("No space left on device") == 1, "said once"
    sink.write([Line("kept", logging.INFO, 0.0)])
    sink.close()
    assert (tmp_path / "log").read_text().splitlines() == [
        "3 log messages were lost here: No space left on device",
        "kept",
    ]


def test_an_unknown_channel_is_an_error(configure: Configure) -> None:
    [finding] = configure(categories={"queries": ("nothing",)})
    assert finding.severity is Severity.ERROR
    assert "'nothing'" in finding.message


# --- syslog --------------------------------------------------------------------------------------


@pytest.fixture(name="daemon")
def _daemon(tmp_path: Path) -> socket.socket:
    daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    daemon.bind(str(tmp_path / "log"))
    daemon.settimeout(20)
    return daemon


def test_syslog(configure: Configure, tmp_path: Path, daemon: socket.socket) -> None:
    channel = LogChannel("s", "syslog", facility="local3", print_severity=True)
    with daemon:
        assert configure(channel, syslog_socket=str(tmp_path / "log")) == []
        GENERAL.error("broken")
        GENERAL.log(logs.NOTICE, "running")
        received = [daemon.recv(1000).decode() for _ in range(2)]
    local3 = 19 << 3
    pattern = r"<(\d+)>\w{3} [ \d]\d \d\d:\d\d:\d\d bindpy\[\d+\]: (.*)"
    found = [re.fullmatch(pattern, text) for text in received]
    assert [match and match.groups() for match in found] == [
        (str(local3 | 3), "error: broken"),
        (str(local3 | 5), "notice: running"),
    ]


def test_syslog_that_is_not_there(configure: Configure, capfd: pytest.CaptureFixture[str]) -> None:
    [finding] = configure(foreground=False, categories={})
    assert finding.severity is Severity.WARNING
    assert "/nonexistent/log" in finding.hint
    GENERAL.info("text")
    logs.flush()
    assert "general: info: text" in capfd.readouterr().err


def test_syslog_that_comes_back(
    configure: Configure, tmp_path: Path, daemon: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "_RETRY_S", 0.0)
    with daemon:
        configure(LogChannel("s", "syslog"), syslog_socket=str(tmp_path / "log"))
    (tmp_path / "log").unlink()
    GENERAL.info("lost")
    assert logs.flush()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as again:
        again.bind(str(tmp_path / "log"))
        again.settimeout(20)
        GENERAL.info("heard")
        assert b"1 log messages were lost here" in again.recv(1000)
        assert again.recv(1000).endswith(b": heard")


# --- the writer ----------------------------------------------------------------------------------


class Stuck(StderrSink):
    """A sink that takes nothing until told to."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.texts: list[str] = []

    def write(self, lines: object) -> None:
        self.go.wait(20)
        assert isinstance(lines, list)
        self.texts += [line.text for line in lines]


def test_a_stuck_place_drops_lines_and_never_waits(capfd: pytest.CaptureFixture[str]) -> None:
    sink = Stuck()
    channels = (Channel(LogChannel("c", "stderr"), sink),)
    writer = Writer(limit=100)
    writer.put(Event(0.0, logging.INFO, "general", "first"), channels)
    for number in range(500):
        writer.put(Event(0.0, logging.INFO, "general", str(number)), channels)
    writer.put(Event(0.0, logging.ERROR, "general", "an error"), channels)
    assert not writer.wait(0.01)
    sink.go.set()
    assert writer.wait(20)
    writer.stop(20)
    assert sink.texts[:2] == ["first", "0"]
    assert sink.texts[-1] == "an error", "there is room left for what matters"
    assert 100 <= len(sink.texts) <= 103
    assert "log messages were dropped" in capfd.readouterr().err


def test_lines_are_written_when_the_process_ends(tmp_path: Path) -> None:
    program = (
        "import logging\n"
        "from bindpy import logs\n"
        "from bindpy.config.model import LoggingConfig\n"
        "logs.configure(LoggingConfig({}, {}), foreground_stderr=True, base_dir='.')\n"
        "for number in range(2000): logging.getLogger('bindpy.general').info('line %d', number)\n"
        "raise SystemExit(3)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 3
    assert len(ended.stderr.splitlines()) == 2000
    assert ended.stderr.endswith("general: info: line 1999\n")


def test_shutdown_gives_the_loggers_back(configure: Configure, tmp_path: Path) -> None:
    configure(file("log", severity="error"))
    assert not GENERAL.isEnabledFor(logging.WARNING)
    logs.shutdown()
    logs.shutdown()
    assert GENERAL.isEnabledFor(logging.WARNING)
    assert logging.getLogger("bindpy").propagate
    assert logs.flush()
    logs.set_debug_level(3)
    assert logs.debug_level() == 0
