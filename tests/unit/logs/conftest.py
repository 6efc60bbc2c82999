"""Logging is one for the process: each test gets it as new and leaves it so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bindpy import logs
from bindpy.config.model import LogChannel, LoggingConfig
from bindpy.diagnostics import Diagnostic

Configure = Callable[..., list[Diagnostic]]


@pytest.fixture(autouse=True)
def _as_new() -> Iterator[None]:
    logs.shutdown()
    yield
    logs.shutdown()


@pytest.fixture(name="configure")
def _configure(tmp_path: Path) -> Configure:
    """Configure these channels and categories (one channel alone: for ``default``), files in ``tmp_path``."""

    def configure(
        *channels: LogChannel,
        categories: dict[str, tuple[str, ...]] | None = None,
        foreground: bool = True,
        syslog_socket: str = "/nonexistent/log",
    ) -> list[Diagnostic]:
        routes = (
            {"default": tuple(channel.name for channel in channels)} if categories is None else categories
        )
        config = LoggingConfig({channel.name: channel for channel in channels}, routes)
        return logs.configure(
            config, foreground_stderr=foreground, base_dir=str(tmp_path), syslog_socket=syslog_socket
        )

    return configure
