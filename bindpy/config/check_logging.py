"""``logging``: a channel has one destination, categories and their channels exist."""

from __future__ import annotations

from bindpy.config.check_report import Report, did_you_mean, having, inside, members, word
from bindpy.config.tree import Statement, Token

_CATEGORIES = """
    client cname config database default delegation-only dispatch dnssec dnstap edns-disabled general
    lame-servers network notify nsid queries query-errors rate-limit resolver rpz rpz-passthru security
    serve-stale spill sslkeylog trust-anchor-telemetry unmatched update update-security xfer-in xfer-out
    zoneload
"""
CATEGORIES = frozenset(_CATEGORIES.split())
"""The categories of BIND 9.18."""
BUILTIN_CHANNELS = ("default_syslog", "default_debug", "default_stderr", "null")
_DESTINATIONS = ("file", "syslog", "null", "stderr")


def check_logging(report: Report, logging: Statement) -> None:
    """Check one ``logging`` statement."""
    statements = inside(logging)
    channels = set(BUILTIN_CHANNELS)
    for channel in having(statements, "channel"):
        _check_channel(report, channel)
        channels.add(word(channel).lower())
    for category in having(statements, "category"):
        _check_category(report, category, channels)


def _check_channel(report: Report, channel: Statement) -> None:
    found = members(channel)
    destinations = [found[name] for name in _DESTINATIONS if name in found]
    if channel.body() is not None and len(destinations) != 1:
        report.error(
            f"channel '{word(channel)}': exactly one of file, syslog, null and stderr must be there",
            channel.source,
            channel.offset,
            related=[("one is here", statement) for statement in destinations],
        )


def _check_category(report: Report, category: Statement, channels: set[str]) -> None:
    name = word(category)
    if name and name not in CATEGORIES:
        hint = did_you_mean(name, CATEGORIES)
        report.at(f"undefined category: '{name}'", category, 1, hint=hint)
    for element in inside(category):
        channel = element.items[0]
        if isinstance(channel, Token) and channel.text.lower() not in channels:
            hint = did_you_mean(channel.text, channels)
            report.error(f"undefined channel: '{channel.text}'", element.source, channel.offset, hint=hint)
