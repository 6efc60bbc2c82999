"""From `LoggingConfig` to channels at work: BIND's built-in channels and its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from bindpy.config.model import LogChannel, LoggingConfig
from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostics
from bindpy.logs.sinks import SYSLOG_SOCKET, FileSink, Sink, StderrSink, SyslogSink
from bindpy.logs.writer import Channel

# BIND 9.18's, 9.20's and those of older versions that configurations still name.
CATEGORIES: Final = frozenset({
    "client", "cname", "config", "database", "default", "delegation-only", "dispatch", "dnssec", "dnstap",
    "drop", "edns-disabled", "general", "lame-servers", "network", "notify", "nsid", "queries",
    "query-errors", "rate-limit", "resolver", "responses", "rpz", "rpz-passthru", "security",
    "serve-stale", "spill", "sslkeylog", "trust-anchor-telemetry", "unmatched", "update",
    "update-policy", "update-security", "xfer-in", "xfer-out", "zoneload", "zoneversion",
})  # fmt: skip

_DEBUG: Final = "default_debug"
BUILT_IN: Final = {
    channel.name: channel
    for channel in (
        LogChannel("default_syslog", "syslog", facility="daemon", severity="info"),
        LogChannel(_DEBUG, "file", path="named.run", severity="dynamic", print_time="local"),
        LogChannel("default_stderr", "stderr", severity="info"),
        LogChannel("null", "null", severity="info"),
    )
}
# What a server in the foreground writes where named.conf does not say.
FOREGROUND: Final = LogChannel(
    "stderr in the foreground",
    "stderr",
    severity="dynamic",
    print_time="local",
    print_category=True,
    print_severity=True,
)
_DEFAULT: Final = "default"
_BACKGROUND_CHANNELS: Final = ("default_syslog", _DEBUG)


@dataclass(frozen=True, slots=True)
class Routes:
    """The channels at work of every category that is configured, and of ``default``."""

    by_category: Mapping[str, tuple[Channel, ...]]

    def channels(self) -> set[Channel]:
        """Return every channel once."""
        return {channel for channels in self.by_category.values() for channel in channels}


class RouteBuilder:
    """Opens what a `LoggingConfig` names; a channel that cannot be opened writes to standard error."""

    def __init__(
        self,
        config: LoggingConfig,
        *,
        foreground_stderr: bool,
        base_dir: str,
        syslog_socket: str = SYSLOG_SOCKET,
    ) -> None:
        self.findings = Diagnostics()
        self._config = config
        self._foreground = foreground_stderr
        self._base = Path(base_dir)
        self._syslog_socket = syslog_socket
        self._open: dict[str, Channel | None] = {}
        self._fallbacks: dict[tuple[str, int], Channel] = {}

    def build(self) -> Routes:
        """Return the routes; what went wrong is in ``findings``."""
        routes = {name: self._channels(name, names) for name, names in self._config.categories.items()}
        if _DEFAULT not in routes:
            if self._foreground:
                routes[_DEFAULT] = (_at_work(FOREGROUND, StderrSink()),)
            else:
                routes[_DEFAULT] = self._channels(_DEFAULT, _BACKGROUND_CHANNELS)
        routes.setdefault("unmatched", ())
        return Routes(routes)

    def _channels(self, category: str, names: tuple[str, ...]) -> tuple[Channel, ...]:
        channels: list[Channel] = []
        for name in names:
            config = self._config.channels.get(name, BUILT_IN.get(name))
            if config is None:
                self.findings.error(
                    f"logging category {category!r} names channel {name!r}, which is not defined"
                )
                continue
            if name not in self._open:
                self._open[name] = self._start(config)
            channel = self._open[name]
            if channel is not None and channel not in channels:
                channels.append(channel)
        return tuple(channels)

    def _start(self, config: LogChannel) -> Channel | None:
        if config.destination == "null":
            return None
        try:
            return _at_work(config, self._sink(config))
        except OSError as failure:
            where = f"file {self._base / config.path}" if config.destination == "file" else "syslog"
            if isinstance(failure, IsADirectoryError):
                hint = "name a file"
            elif config.destination == "file":
                hint = "create its directory and give the server's user the right to write there"
            else:
                hint = f"start a log daemon that listens on {self._syslog_socket}, or log to a file"
            reason = failure.strerror or str(failure)
            self.findings.warning(
                f"logging channel {config.name!r}: cannot open {where}: {reason}; "
                "its messages go to standard error",
                hint=hint,
            )
            return self._fallback(config)

    def _fallback(self, config: LogChannel) -> Channel:
        """Return a channel to standard error for *config*; the same for all that take the same levels."""
        key = config.severity, config.debug_level
        if key not in self._fallbacks:
            stderr = replace(FOREGROUND, severity=config.severity, debug_level=config.debug_level)
            self._fallbacks[key] = _at_work(stderr, StderrSink())
        return self._fallbacks[key]

    def _sink(self, config: LogChannel) -> Sink:
        if config.destination == "file":
            # default_debug makes its file when there is something to write, which there seldom is.
            return FileSink(config, self._base / config.path, at_once=config.name != _DEBUG)
        if config.destination == "syslog":
            return SyslogSink(config, self._syslog_socket)
        return StderrSink()


def _at_work(config: LogChannel, sink: Sink) -> Channel:
    return Channel(config, sink, debug_only=config.name == _DEBUG)
