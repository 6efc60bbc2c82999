"""``bindpy status``: how the running server is, for a person."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import click

from bindpy.cli.control_common import connect, reports_trouble, server_options
from bindpy.cli.terminal import Painter, Sheet, Tone, color_option, moment, wants_color

_STATES = (
    ("served", "with data", Tone.GOOD),
    ("waiting", "waiting for data", Tone.WARNING),
    ("expired", "expired", Tone.BAD),
    ("failed", "failed", Tone.BAD),
)


@click.command("status")
@server_options
@color_option
@click.option("--json", "as_json", is_flag=True, help="Print what programs may read (docs/verbs.md).")
def command(conf: str, socket: str | None, color: str, as_json: bool) -> None:
    """Show how the running server is.

    \b
    Example:
      bindpy status -c examples/named.conf

    Exit status: 0 the server answers, 1 it does not, 2 wrong usage.
    """
    with reports_trouble(), connect(conf, socket) as client:
        data = client.ask("status")["data"]
    if as_json:
        click.echo(json.dumps(data, indent=2))
        return
    for line in status_lines(data, Painter(wants_color(color)), time.time()):
        click.echo(line, color=True)


def status_lines(data: Mapping[str, Any], painter: Painter, now: float) -> list[str]:
    """Return what a person is shown of the verb ``status``."""
    sheet = Sheet(painter)
    sheet.add("running since", moment(data["started_at"], now))
    sheet.add("configured", moment(data["configured_at"], now))
    sheet.add("configuration", data["configuration_file"])
    sheet.add("reload", *_reload(data["reload"]))
    if data["listening_on"]:
        sheet.add_all("listening on", data["listening_on"])
    else:
        sheet.add("listening on", "no address: nobody can ask", Tone.BAD)
    _add_zones(sheet, data["zones"])
    sheet.add("transfers", _transfers(data["transfers"]))
    tcp = data["tcp"]
    is_full = tcp["clients"] >= tcp["limit"]
    sheet.add(
        "TCP clients",
        f"{tcp['clients']} of {tcp['limit']} (most at once: {tcp['high_water']})",
        Tone.WARNING if is_full else Tone.PLAIN,
    )
    if data["querylog"]:
        sheet.add("query log", "on")
    if data["debug_level"]:
        sheet.add("debug level", data["debug_level"])
    title = f"bindpy {data['version']} on {data['host']}, process {data['pid']}, {data['engine']}"
    return [painter.paint(title, Tone.STRONG), *sheet.lines()]


def _reload(state: str | None) -> tuple[str | None, Tone]:
    match state:
        case "failed":
            return "failed: what was in force before still is; the log says why", Tone.BAD
        case _:
            return state, Tone.WARNING


def _transfers(transfers: Mapping[str, int]) -> str:
    words = {"in": "in", "out": "out", "waiting": "waiting", "soa_queries": "SOA queries"}
    return (
        ", ".join(f"{transfers[name]:,} {word}" for name, word in words.items() if transfers[name]) or "none"
    )


def _add_zones(sheet: Sheet, zones: Mapping[str, int]) -> None:
    total = zones["total"]
    if total == zones["served"]:
        sheet.add(
            "zones", f"{total:,}, all with data" if total else "none", Tone.GOOD if total else Tone.WARNING
        )
    else:
        sheet.add("zones", f"{total:,}")
        for name, words, tone in _STATES:
            if zones[name]:
                sheet.add("", f"{zones[name]:,} {words}", tone)
    if zones["with_errors"]:
        sheet.add(
            "", f"{zones['with_errors']:,} with errors in their files: bindpy ctl list-rejects", Tone.BAD
        )
    if zones["loading"]:
        sheet.add("", f"{zones['loading']:,} still to be loaded", Tone.WARNING)
