"""``bindpy zonestatus ZONE``: how one zone of the running server is, for a person."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from bindpy.cli.conf import DEFAULT_CONF
from bindpy.cli.control_common import connect, reports_trouble, server_options, zone_names
from bindpy.cli.terminal import Painter, Sheet, Tone, color_option, moment, octets_text, wants_color
from bindpy.control.errors import VerbError
from bindpy.control.words import quoted

_STATES = {
    "served": Tone.GOOD,
    "waiting": Tone.WARNING,
    "expired": Tone.BAD,
    "failed": Tone.BAD,
}
_NOTIFY_STATES = {"acknowledged": Tone.GOOD, "failed": Tone.BAD}
_DEFAULT_VIEW = "_default"


def _complete(ctx: click.Context, _argument: click.Parameter, incomplete: str) -> list[CompletionItem]:
    conf = ctx.params.get("conf") or DEFAULT_CONF
    return [CompletionItem(name) for name in zone_names(conf, ctx.params.get("socket"), incomplete)]


@click.command("zonestatus")
@click.argument("zone", shell_complete=_complete)
@click.option("--view", metavar="VIEW", help="The view, where several have the zone.")
@server_options
@color_option
@click.option("--json", "as_json", is_flag=True, help="Print what programs may read (docs/verbs.md).")
def command(*, zone: str, view: str | None, conf: str, socket: str | None, color: str, as_json: bool) -> None:
    """Show how a zone of the running server is: its data, its transfers, who was told, what is wrong.

    \b
    Example:
      bindpy zonestatus example.com

    Exit status: 0 the zone has data, 1 it has none or the server does not answer, 2 wrong usage.
    """
    line = f"zonestatus {quoted(zone)}" if view is None else f"zonestatus {quoted(zone)} IN {quoted(view)}"
    status = 0
    with reports_trouble(), connect(conf, socket) as client:
        try:
            data = client.ask(line)["data"]
        except VerbError as error:
            if error.data is None:
                raise
            data, status = error.data, 1
    if as_json:
        click.echo(json.dumps(data, indent=2))
    else:
        for text in zone_lines(data, Painter(wants_color(color)), time.time()):
            click.echo(text, color=True)
    sys.exit(status)


def zone_lines(data: Mapping[str, Any], painter: Painter, now: float) -> list[str]:
    """Return what a person is shown of the verb ``zonestatus``."""
    sheet = Sheet(painter)
    sheet.add("state", data["state"], _STATES.get(data["state"], Tone.PLAIN))
    sheet.add("serial", data["serial"])
    sheet.add_all("errors", _errors(data), Tone.BAD)
    if data["records"] is not None:
        signed = ", signed" if data["signed"] else ""
        sheet.add("content", f"{data['records']:,} records, {data['names']:,} names{signed}")
    sheet.add("loaded", moment(data["loaded_at"], now))
    sheet.add_all("file" if len(data["files"]) < 2 else "files", data["files"])
    if data["frozen"]:
        sheet.add("frozen", "its file is neither read nor written until 'bindpy ctl thaw'", Tone.WARNING)
    elif not data["watched"]:
        sheet.add("watch", "off: edits are served after 'bindpy ctl reload'")
    sheet.add("statement", data["statement"])
    sheet.add("kept in", data["kept_in"])
    if (by := data["provisioned_by"]) is not None:
        account = f", account {by['account']}" if by["account"] else ""
        sheet.add("provided by", f"autoprimary {by['autoprimary']}{account}")
    if data["secondary"] is not None:
        _add_secondary(sheet, data["secondary"], now)
    if data["filter"] is not None:
        sheet.add("filter", data["filter"]["script"])
        sheet.add("", data["filter"]["error"], Tone.BAD)
    _add_notify(sheet, data["notify"], now)
    if (journal := data["journal"]) is not None and journal["deltas"]:
        deltas = "delta" if journal["deltas"] == 1 else "deltas"
        sheet.add(
            "journal",
            f"{journal['deltas']:,} {deltas}, serial {journal['from_serial']} to {journal['to_serial']}, "
            f"{octets_text(journal['octets'])}",
        )
    view = "" if data["view"] == _DEFAULT_VIEW else f", view {data['view']}"
    title = f"{data['name']}/{data['class']}, {data['type']}{view}"
    return [painter.paint(title, Tone.STRONG), *sheet.lines()]


def _errors(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the files, each with its place, or else other trouble."""
    for error in data["errors"]:
        place = [str(error[part]) for part in ("file", "line", "column") if error[part]]
        hint = f"; {error['hint']}" if error["hint"] else ""
        yield ":".join([*place, f" {error['message']}{hint}"]).lstrip()
    secondary = data["secondary"]
    told_below = {secondary["trouble"]} if secondary is not None else set()
    if data["error"] and not data["errors"] and data["error"] not in told_below:
        yield str(data["error"])


def _add_secondary(sheet: Sheet, secondary: Mapping[str, Any], now: float) -> None:
    tones = {"fresh": Tone.GOOD, "expired": Tone.BAD}
    refreshing = ", being refreshed" if secondary["refreshing"] else ""
    sheet.add("copy", f"{secondary['state']}{refreshing}", tones.get(secondary["state"], Tone.WARNING))
    sheet.add_all("primaries", secondary["primaries"])
    by = f" by {secondary['last_primary']}" if secondary["last_primary"] else ""
    if secondary["refreshed_at"] is not None:
        sheet.add("confirmed", f"{moment(secondary['refreshed_at'], now)}{by}")
    sheet.add("next refresh", moment(secondary["next_refresh_at"], now))
    sheet.add("expires", moment(secondary["expires_at"], now))
    sheet.add("trouble", secondary["trouble"], Tone.BAD)
    if (transfer := secondary["transfer"]) is not None:
        size = f"{transfer['records']:,} records, {octets_text(transfer['octets'])}"
        sheet.add(
            "last transfer",
            f"{transfer['how']} from {transfer['primary']}, {size} in {transfer['seconds']} s, "
            f"{moment(transfer['ended_at'], now)}",
        )
    if (transfer := secondary["under_way"]) is not None:
        sheet.add(
            "transfer",
            f"from {transfer['primary']}, {transfer['records']:,} records and "
            f"{octets_text(transfer['octets'])} so far",
        )


def _add_notify(sheet: Sheet, notify: Mapping[str, Any], now: float) -> None:
    targets = notify["targets"]
    if not targets:
        sheet.add("notify", "off" if notify["mode"] == "no" else "nobody to tell")
        return
    width = max(len(one["target"]) for one in targets)
    label = "notify"
    for one in targets:
        acknowledged = one["acknowledged"]
        last = "" if acknowledged in (None, one["serial"]) else f", last acknowledged {acknowledged}"
        why = f": {one['reason']}" if one["reason"] else ""
        sheet.add(
            label,
            f"{one['target']:{width}}  {one['state']}, serial {one['serial']}{last}, "
            f"{moment(one['since'], now)}{why}",
            _NOTIFY_STATES.get(one["state"], Tone.PLAIN),
        )
        label = ""
