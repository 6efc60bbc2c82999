"""The ``logging`` statement, over BIND's built-in channels and categories."""

from __future__ import annotations

from dataclasses import replace

from bindpy.config.model import LogChannel, LoggingConfig
from bindpy.config.resolve import Resolver
from bindpy.config.sections import Entry, Section

CATEGORIES = frozenset(
    [
        "client",
        "cname",
        "config",
        "database",
        "default",
        "delegation-only",
        "dispatch",
        "dnssec",
        "dnstap",
        "edns-disabled",
        "general",
        "lame-servers",
        "network",
        "notify",
        "nsid",
        "queries",
        "query-errors",
        "rate-limit",
        "resolver",
        "responses",
        "rpz",
        "rpz-passthru",
        "security",
        "serve-stale",
        "sig0",
        "spill",
        "sslkeylog",
        "trust-anchor-telemetry",
        "unmatched",
        "update",
        "update-security",
        "xfer-in",
        "xfer-out",
        "zoneload",
        "drop",
    ]
)
"""The categories of BIND 9.18 and 9.20."""

FACILITIES = frozenset(
    [
        "kern",
        "user",
        "mail",
        "daemon",
        "auth",
        "syslog",
        "lpr",
        "news",
        "uucp",
        "cron",
        "authpriv",
        "ftp",
        "local0",
        "local1",
        "local2",
        "local3",
        "local4",
        "local5",
        "local6",
        "local7",
    ]
)

BUILTIN_CHANNELS = {
    "default_syslog": LogChannel("default_syslog", "syslog", severity="info"),
    "default_debug": LogChannel(
        "default_debug", "file", path="named.run", severity="dynamic", print_time="local"
    ),
    "default_stderr": LogChannel("default_stderr", "stderr", severity="info"),
    "default_logfile": LogChannel("default_logfile", "file", severity="dynamic"),
    "null": LogChannel("null", "null"),
}

_DESTINATIONS = ("file", "syslog", "stderr", "null")


def build_logging(section: Section | None, resolver: Resolver) -> LoggingConfig:
    """Return all channels and the channels of each category; *section* is None without a statement."""
    channels = dict(BUILTIN_CHANNELS)
    debug = channels["default_debug"]
    channels["default_debug"] = replace(debug, path=resolver.path(debug.path))
    # Where nothing is said of a category, the logging room decides: a server in the foreground
    # does not want syslog.
    categories: dict[str, tuple[str, ...]] = {}
    if section is None:
        return LoggingConfig(channels, categories)
    for entry, inner in section.sections("channel"):
        name = entry.value.args[0]
        if name in channels and name not in BUILTIN_CHANNELS:
            resolver.warning(entry.statement, f"channel '{name}' is defined twice: the later one holds", name)
        channel = _channel(entry, inner, resolver)
        if channel is not None:
            channels[name] = channel
    for entry in section.all("category"):
        _category(entry, channels, categories, resolver)
    return LoggingConfig(channels, categories)


def has_query_log(logging: LoggingConfig) -> bool:
    """Return whether category ``queries`` goes somewhere; queries are then logged by default.

    BIND does so too where all of it goes to ``null``, which nobody can tell from no log.
    """
    channels = (logging.channels.get(name) for name in logging.categories.get("queries", ()))
    return any(channel is not None and channel.destination != "null" for channel in channels)


def _channel(entry: Entry, inner: Section, resolver: Resolver) -> LogChannel | None:
    name = entry.value.args[0]
    given = [destination for destination in _DESTINATIONS if inner.first(destination)]
    if len(given) != 1:
        found = f"{', '.join(given)} are given" if given else "none is given"
        resolver.error(
            entry.statement, f"channel '{name}' needs one of file, syslog, stderr and null: {found}", name
        )
        return None
    channel = LogChannel(name, given[0])
    if (file := inner.first("file")) is not None:
        versions, size = file.value.named.get("versions"), file.value.named.get("size")
        channel = replace(
            channel,
            path=resolver.path(file.value.args[0]),
            versions=-1 if versions == "unlimited" else versions,
            size=None if size in ("unlimited", "default", 0) else size,
            suffix=file.value.named.get("suffix", "increment"),
        )
    if (syslog := inner.first("syslog")) is not None and syslog.value.args:
        facility = syslog.value.args[0].lower()
        if facility not in FACILITIES:
            message = f"unknown syslog facility '{facility}': 'daemon' is used"
            resolver.warning(syslog.statement, message, syslog.value.args[0])
            facility = "daemon"
        channel = replace(channel, facility=facility)
    if (severity := inner.first("severity")) is not None:
        word, *level = severity.value.args
        channel = replace(channel, severity=word, debug_level=level[0] if level else 0)
    if (print_time := inner.first("print-time")) is not None:
        wanted = print_time.value.args[0]
        shown = {True: "local", False: "no", "iso8601-tzinfo": "iso8601"}.get(wanted, wanted)
        channel = replace(channel, print_time=str(shown))
    return replace(
        channel,
        print_category=_flag(inner, "print-category"),
        print_severity=_flag(inner, "print-severity"),
        buffered=_flag(inner, "buffered"),
    )


def _flag(section: Section, name: str) -> bool:
    entry = section.first(name)
    return entry is not None and bool(entry.value.args[0])


def _category(
    entry: Entry,
    channels: dict[str, LogChannel],
    categories: dict[str, tuple[str, ...]],
    resolver: Resolver,
) -> None:
    name, wanted = entry.value.args
    if name.lower() not in CATEGORIES:
        resolver.warning(entry.statement, f"undefined category: '{name}'; nothing is ever logged to it", name)
    for channel in wanted:
        if channel not in channels:
            resolver.error(
                entry.statement,
                f"undefined channel: '{channel}'",
                channel,
                hint="define it, or correct its name",
            )
    categories[name.lower()] = wanted
