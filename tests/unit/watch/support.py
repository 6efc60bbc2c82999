"""A watcher at work, and what it reported."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from bindpy.watch import FileWatcher, Timing, observe
from bindpy.watch.kernel import Kernel
from bindpy.watch.mounts import MountTable
from tests.support.loops import run_debugged

# Short waits, so that tests need not wait; looking for lost events is left to the tests that want it.
QUICK = Timing(
    quiet_s=0.02, gone_s=0.15, empty_s=0.15, idle_s=20.0, unknown_idle_s=0.3, poll_s=0.03, rescan_s=60.0
)
PATIENCE_S = 20.0

OLD = "old zone\n"
NEW = "new zone, all of it\n"


def on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a coroutine a test, run on an event loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_debugged(test(*args, **kwargs))

    return run


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait until *condition* holds; fail when it does not in `PATIENCE_S`."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"did not happen: {what or condition}"
        await asyncio.sleep(0.002)


@dataclass(frozen=True)
class Report:
    """A reported path, and what the file held at that moment (None: it was not there)."""

    path: Path
    content: str | None


@dataclass
class Watching:
    """Runs a `FileWatcher` and collects its reports."""

    timing: Timing = QUICK
    kernel: Callable[[Callable[[], None]], Kernel] = Kernel
    mounts: MountTable | None = None
    reports: list[Report] = field(default_factory=list)

    async def __aenter__(self) -> Watching:
        self.watcher = FileWatcher(self._changed, timing=self.timing, kernel=self.kernel, mounts=self.mounts)
        self._task = asyncio.create_task(self.watcher.run(), name="watcher")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        results = await asyncio.gather(self._task, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError), results

    def _changed(self, paths: set[str]) -> None:
        for path in sorted(paths):
            try:
                content = Path(path).read_text(encoding="utf-8")
            except (FileNotFoundError, NotADirectoryError):
                content = None
            self.reports.append(Report(Path(path), content))

    def contents(self, path: Path) -> list[str | None]:
        """Return what *path* held at each report, repetitions left out: equal content is no news."""
        found = [report.content for report in self.reports if report.path == path]
        return [content for number, content in enumerate(found) if not number or content != found[number - 1]]

    async def sees(self, path: Path, content: str | None) -> None:
        """Wait until *path* was reported, with *content* the last time."""
        await until(
            lambda: self.contents(path)[-1:] == [content], f"{path} reported with {content!r}: {self.reports}"
        )

    async def settles(self, beacon: Path) -> None:
        """Wait until all that was done before is dealt with, by changing the watched file *beacon*."""
        mark = f"beacon {time.monotonic_ns()}"
        replace(beacon, mark)
        await self.sees(beacon, mark)
        await until(lambda: not self.watcher._pending, "files in motion settle")


def replace(path: Path, content: str) -> None:
    """Write a new file and rename it into place."""
    fresh = path.with_name(f".{path.name}.tmp")
    fresh.write_text(content, encoding="utf-8")
    fresh.replace(path)


@pytest.fixture
def zone(tmp_path: Path) -> Path:
    path = tmp_path / "zones/example.db"
    path.parent.mkdir()
    path.write_text(OLD)
    return path


@pytest.fixture
def beacon(tmp_path: Path) -> Path:
    path = tmp_path / "beacon"
    path.write_text("dark")
    return path


def watch(watching: Watching, *paths: Path) -> None:
    watching.watcher.watch("zone", map(str, paths))


def watch_beacon(watching: Watching, beacon: Path) -> None:
    watching.watcher.watch("beacon", [str(beacon)])


async def looks(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Wait until the watcher has looked at files *number* times more: time in which it could go wrong."""
    count = 0
    real = observe.observe

    def counted(path: str) -> observe.Observation:
        nonlocal count
        count += 1
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr("bindpy.watch.watcher.observe", counted)
        await until(lambda: count >= number, "the watcher looks at the file")
