"""``bindpy autoprimary``: who may provide secondary zones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import click

from bindpy.cli.terminal import ask
from bindpy.cli.zone_common import (
    check_switches,
    conf_option,
    fail,
    json_option,
    parse_zone_name,
    print_json,
    read_conf,
    reports_errors,
)
from bindpy.config.acl import parse_address
from bindpy.config.autoprimaries_file import unfit_account
from bindpy.config.model import Autoprimary
from bindpy.config.resolve import key_name
from bindpy.diagnostics import SourceSpan
from bindpy.edit.autoprimaries import AutoprimaryDocument, ListChange, described, listed
from bindpy.zone.names import BadNameError, Name, to_text


def _parse_address(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    try:
        return str(parse_address(value))
    except ValueError:
        raise click.BadParameter(f"'{value}' is not an address") from None


def _parse_key(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else key_name(value)
    except BadNameError as e:
        raise click.BadParameter(str(e)) from None


def _parse_account(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if (why := unfit_account(value)) is not None:
        raise click.BadParameter(f"the account {why}")
    return value


_address = click.argument("address", callback=_parse_address)
_key = click.option("--key", callback=_parse_key, metavar="KEY", help="The key that all must be signed with.")
_port = click.option("--port", type=click.IntRange(1, 65535), help="Where it is asked, if not at 'port'.")
_yes = click.option("-y", "--yes", is_flag=True, help="Ask no questions.")
_dry_run = click.option("--dry-run", is_flag=True, help="Show the change, write nothing.")


@click.group("autoprimary")
def group() -> None:
    """List and change the autoprimaries: servers whose NOTIFYs may make new secondary zones here.

    A running server takes a changed file of PowerDNS' form by itself, a changed statement when it is told to
    reread the configuration.

    \b
    Example:
      bindpy autoprimary add 192.0.2.1 ns2.example.org --key between --account customer7
      bindpy autoprimary list
    """


@group.command("list")
@conf_option
@json_option
@reports_errors
def list_autoprimaries(*, conf: str, as_json: bool) -> None:
    """List the autoprimaries: address, port, our name in their NS records, key, account, where it says so.

    ZONES is how many zones of the configuration came from the address.

    \b
    Example:
      bindpy autoprimary list -c /etc/bind/named.conf
      bindpy autoprimary list --json | jq -r '.[].address'
    """
    config = read_conf(conf)
    zones = Counter(zone.provisioned_by.address for zone in config.zones() if zone.provisioned_by is not None)
    found = listed(config)
    if as_json:
        print_json(
            [
                _as_json(one.entry)
                | {"file": one.path, "line": one.entry.span.line, "zones": zones[one.entry.address]}
                for one in found
            ]
        )
        return
    rows = [("ADDRESS", "PORT", "NAMESERVER", "KEY", "ACCOUNT", "ZONES", "LISTED IN")]
    for one in found:
        entry = one.entry
        rows.append(
            (
                entry.address,
                str(entry.port),
                to_text(entry.nameserver),
                entry.key.rstrip(".") or "-",
                entry.account or "-",
                str(zones[entry.address]),
                f"{one.path}:{entry.span.line}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


@group.command("add")
@_address
@click.argument("nameserver", callback=parse_zone_name)
@_port
@_key
@click.option("--account", default="", callback=_parse_account, help="Recorded with each zone that it makes.")
@conf_option
@_yes
@_dry_run
@json_option
@reports_errors
def add(
    *,
    address: str,
    nameserver: Name,
    port: int | None,
    key: str | None,
    account: str,
    conf: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Let the server at ADDRESS make zones here whose NS records hold NAMESERVER, our own name.

    Written into the 'autoprimaries' statement; into the file that it names where there is no other.

    \b
    Example:
      bindpy autoprimary add 192.0.2.1 ns2.example.org --account customer7
      bindpy autoprimary add 2001:db8::1 ns2.example.org --key between --yes
    """
    check_switches(yes=yes, dry_run=dry_run, as_json=as_json)
    document = AutoprimaryDocument(conf)
    if port is None:
        port = document.config.options.port
    entry = Autoprimary(address, port, key or "", nameserver, account, SourceSpan(conf))
    _finish([document.add(entry)], "added", yes=yes, dry_run=dry_run, as_json=as_json)


@group.command("remove")
@_address
@click.argument("nameserver", required=False, callback=lambda c, p, v: v and parse_zone_name(c, p, v))
@_port
@_key
@conf_option
@_yes
@_dry_run
@json_option
@reports_errors
def remove(
    *,
    address: str,
    nameserver: Name | None,
    port: int | None,
    key: str | None,
    conf: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove the entries of ADDRESS, or only those with NAMESERVER, --port and --key.

    Zones that it has made stay.

    \b
    Example:
      bindpy autoprimary remove 192.0.2.1
      bindpy autoprimary remove 2001:db8::1 ns2.example.org --yes
    """
    check_switches(yes=yes, dry_run=dry_run, as_json=as_json)

    def wanted(entry: Autoprimary) -> bool:
        return (
            entry.address == address
            and (nameserver is None or entry.nameserver.lower() == nameserver.lower())
            and port in (None, entry.port)
            and key in (None, entry.key)
        )

    changes = AutoprimaryDocument(conf).remove(wanted)
    if not changes:
        fail(f"no such autoprimary is listed in {conf}; 'bindpy autoprimary list' shows all")
    _finish(changes, "removed", yes=yes, dry_run=dry_run, as_json=as_json)


def _finish(changes: Iterable[ListChange], what: str, *, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Show *changes*, ask, and write them."""
    changes = list(changes)
    if not as_json:
        for change in changes:
            click.echo(change.diff(), nl=False)
        if not (yes or dry_run):
            ask("Write this?")
    if not dry_run:
        for change in changes:
            change.write()
    if as_json:
        print_json(
            {
                what: [_as_json(entry) for change in changes for entry in change.entries],
                "files": [change.path for change in changes],
                "written": not dry_run,
                "diff": "".join(change.diff() for change in changes),
            }
        )
        return
    for change in changes:
        for entry in change.entries:
            click.echo(f"{described(entry)}: " + (f"nothing {what} (--dry-run)" if dry_run else what))


def _as_json(entry: Autoprimary) -> dict[str, object]:
    return {
        "address": entry.address,
        "port": entry.port,
        "nameserver": to_text(entry.nameserver),
        "key": entry.key or None,
        "account": entry.account or None,
    }
