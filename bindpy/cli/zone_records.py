"""``bindpy zone add-record``, ``delete-record`` and ``replace``: records of a zone file, changed by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict, Unpack

import click

from bindpy.cli.zone_common import (
    check_switches,
    finish,
    open_for_change,
    parse_owner,
    parse_type,
    raised,
    reports_errors,
    writing_options,
    zone_argument,
)
from bindpy.edit.change import apply_parts, checked
from bindpy.edit.records import RecordsChange, check_type, parse_data
from bindpy.edit.soa import refuse_signed
from bindpy.zone.names import Name
from bindpy.zone.snapshot import ZoneSnapshot
from bindpy.zone.ttl import MAX_TTL


class _Change(TypedDict):
    """The options that the commands have in common: those of `writing_options`, and ``--keep-serial``."""

    conf: str
    view: str | None
    keep_serial: bool
    yes: bool
    dry_run: bool
    as_json: bool


def _change_records(
    zone: Name, change: Callable[[RecordsChange, ZoneSnapshot], None], **how: Unpack[_Change]
) -> None:
    """Do what *change* says to the file of *zone*."""
    yes, dry_run, as_json = how["yes"], how["dry_run"], how["as_json"]
    check_switches(yes=yes, dry_run=dry_run, as_json=as_json)
    document = open_for_change(how["conf"], zone, how["view"])
    before = document.current()
    refuse_signed(before)
    records = RecordsChange(document, before)
    change(records, before)
    parts = records.parts
    if parts and not how["keep_serial"]:
        parts.append(raised(document, before))
    text = apply_parts(document.text, parts)
    loaded = checked(document, before, text, removed=records.removed, added=records.added)
    finish(document, before, text, loaded, yes=yes, dry_run=dry_run, as_json=as_json)


_keep_serial = click.option(
    "--keep-serial", is_flag=True, help="Leave the serial: there is another change to come."
)
_ttl = click.option("--ttl", type=click.IntRange(0, MAX_TTL), metavar="SECONDS", help="TTL of the records.")


@click.command("add-record")
@zone_argument
@click.argument("name")
@click.argument("rtype", metavar="TYPE")
@click.argument("data", nargs=-1, required=True)
@_ttl
@_keep_serial
@writing_options
@reports_errors
def add_record(
    *,
    zone: Name,
    name: str,
    rtype: str,
    data: tuple[str, ...],
    ttl: int | None,
    **how: Unpack[_Change],
) -> None:
    """Add a record of NAME and TYPE for each DATA to ZONE, and raise the serial.

    NAME and the names in DATA are relative to the zone (@ is the zone's own) unless they end with a dot. Data
    of several words goes in quotes; a TXT needs no quotes of its own.

    \b
    Example:
      bindpy zone add-record example.com www A 192.0.2.1 192.0.2.2
      bindpy zone add-record --ttl 300 example.com @ MX "10 mail"
      bindpy zone add-record example.com @ TXT "v=spf1 mx -all"
    """

    def change(records: RecordsChange, before: ZoneSnapshot) -> None:
        kind = _editable_type(rtype)
        records.add(parse_owner(name, before.origin), kind, parse_data(data, kind, before), ttl)

    _change_records(zone, change, **how)


@click.command("delete-record")
@zone_argument
@click.argument("name")
@click.argument("rtype", metavar="[TYPE]", required=False)
@click.argument("data", nargs=-1)
@_keep_serial
@writing_options
@reports_errors
def delete_record(
    *,
    zone: Name,
    name: str,
    rtype: str | None,
    data: tuple[str, ...],
    **how: Unpack[_Change],
) -> None:
    """Delete the records of NAME from ZONE, those of TYPE, or those with DATA only, and raise the serial.

    \b
    Example:
      bindpy zone delete-record example.com www A 192.0.2.2
      bindpy zone delete-record example.com www
    """

    def change(records: RecordsChange, before: ZoneSnapshot) -> None:
        owner = parse_owner(name, before.origin)
        if rtype is None:
            records.delete_name(owner)
        else:
            kind = _editable_type(rtype)
            records.delete(owner, kind, parse_data(data, kind, before))

    _change_records(zone, change, **how)


@click.command("replace")
@zone_argument
@click.argument("name")
@click.argument("rtype", metavar="TYPE")
@click.argument("data", nargs=-1, required=True)
@_ttl
@_keep_serial
@writing_options
@reports_errors
def replace(
    *,
    zone: Name,
    name: str,
    rtype: str,
    data: tuple[str, ...],
    ttl: int | None,
    **how: Unpack[_Change],
) -> None:
    """Make each DATA, and nothing else, the records of NAME and TYPE in ZONE, and raise the serial.

    Records that stay are not touched, unless --ttl gives all of them another TTL.

    \b
    Example:
      bindpy zone replace example.com www A 192.0.2.7
      bindpy zone replace --ttl 300 example.com @ MX "10 mail1" "20 mail2"
    """

    def change(records: RecordsChange, before: ZoneSnapshot) -> None:
        kind = _editable_type(rtype)
        records.replace(parse_owner(name, before.origin), kind, parse_data(data, kind, before), ttl)

    _change_records(zone, change, **how)


def _editable_type(text: str) -> int:
    """Return the type *text*. Raises `click.UsageError`, and `EditError` for one not made by hand."""
    rtype = parse_type(text)
    check_type(rtype)
    return rtype
