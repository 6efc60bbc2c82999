"""``bindpy zone``: look at zones and change their files."""

from __future__ import annotations

import click

from bindpy.cli.zone_common import (
    check_switches,
    conf_option,
    finish,
    json_option,
    open_for_change,
    parse_owner,
    parse_type,
    print_json,
    raised,
    read_conf,
    reports_errors,
    view_option,
    writing_options,
    zone_argument,
)
from bindpy.cli.zone_create import create
from bindpy.cli.zone_edit import diff_zone, edit
from bindpy.cli.zone_records import add_record, delete_record, replace
from bindpy.edit.change import apply_parts, checked
from bindpy.edit.document import ZoneDocument
from bindpy.edit.find import find_zone
from bindpy.edit.soa import refuse_signed
from bindpy.zone.names import Name, to_text
from bindpy.zone.rdata import class_to_text, type_to_text
from bindpy.zone.records import ANY_CLASS, RR
from bindpy.zone.snapshot import ZoneSnapshot
from bindpy.zone.writer import RdataText


@click.group("zone")
def group() -> None:
    """Look at zones and change their files; a running server notices by itself.

    Zones are found through named.conf. A change keeps comments and layout of all that it does not touch, is
    checked as the server would, shown and asked about, and written whole or not at all. Exit status: 0 done,
    1 refused, with the reason, 2 wrong usage.

    \b
    Example:
      bindpy zone list
      bindpy zone show example.com www
      bindpy zone increase-serial --yes example.com
    """


@group.command("list")
@conf_option
@view_option
@json_option
@reports_errors
def list_zones(*, conf: str, view: str | None, as_json: bool) -> None:
    """List the zones of the configuration: name, type, view, file.

    \b
    Example:
      bindpy zone list -c /etc/bind/named.conf
      bindpy zone list --json | jq -r '.[].zone'
    """
    zones = [zone for zone in read_conf(conf).zones() if view in (None, zone.view)]
    if as_json:
        keys = ("zone", "class", "type", "view", "file")
        rows = [
            (to_text(zone.origin), class_to_text(zone.rdclass), zone.type.value, zone.view, zone.file)
            for zone in zones
        ]
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
        return
    width = max((len(to_text(zone.origin)) for zone in zones), default=0)
    for zone in zones:
        seen = "" if zone.view == "_default" else f"view {zone.view}  "
        click.echo(f"{to_text(zone.origin):{width}}  {zone.type.value:9}  {seen}{zone.file or '(no file)'}")


@group.command("show")
@zone_argument
@click.argument("name", required=False)
@click.argument("rtype", metavar="[TYPE]", required=False)
@conf_option
@view_option
@json_option
@reports_errors
def show(
    *, zone: Name, name: str | None, rtype: str | None, conf: str, view: str | None, as_json: bool
) -> None:
    """Show the records in ZONE's file, or those of NAME (relative to the zone; @ is the zone's own) and TYPE.

    Exit status 1 also when there are no such records.

    \b
    Example:
      bindpy zone show example.com
      bindpy zone show example.com www A
    """
    config = read_conf(conf)
    found = find_zone(config, zone, view)
    snapshot = ZoneDocument(found, config.options.directory).current()
    key = None if name is None else parse_owner(name, found.origin).lower()
    wanted = ANY_CLASS if rtype is None else parse_type(rtype)
    records = [
        rr for rr in snapshot.rrs() if key in (None, rr.owner.lower()) and wanted in (ANY_CLASS, rr.rtype)
    ]
    if as_json:
        print_json(_as_json(snapshot, found.file, records))
    else:
        click.echo(f"; zone {to_text(found.origin)} ({found.type.value}), file {found.file}")
        click.echo(f"; serial {snapshot.serial}, {snapshot.rr_count} records")
        to_rdata = RdataText(snapshot.rdclass)
        for rr in records:
            head = f"{to_text(rr.owner)}\t{rr.ttl}\t{class_to_text(snapshot.rdclass)}"
            click.echo(f"{head}\t{type_to_text(rr.rtype)}\t{to_rdata(rr.rtype, rr.rdata)}")
    if not records:
        raise SystemExit(1)


def _as_json(snapshot: ZoneSnapshot, file: str | None, records: list[RR]) -> dict[str, object]:
    to_rdata = RdataText(snapshot.rdclass)
    return {
        "zone": to_text(snapshot.origin),
        "file": file,
        "serial": snapshot.serial,
        "records": [
            {
                "name": to_text(rr.owner),
                "ttl": rr.ttl,
                "type": type_to_text(rr.rtype),
                "data": to_rdata(rr.rtype, rr.rdata),
            }
            for rr in records
        ],
    }


@group.command("increase-serial")
@zone_argument
@writing_options
@reports_errors
def increase_serial(
    *, zone: Name, conf: str, view: str | None, yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Raise the serial of ZONE as its serial-update-method says (increment, unixtime or date).

    \b
    Example:
      bindpy zone increase-serial example.com
      bindpy zone increase-serial --yes --json example.com
    """
    check_switches(yes=yes, dry_run=dry_run, as_json=as_json)
    document = open_for_change(conf, zone, view)
    before = document.current()
    refuse_signed(before)
    text = apply_parts(document.text, [raised(document, before)])
    loaded = checked(document, before, text, removed=(), added=())
    finish(document, before, text, loaded, yes=yes, dry_run=dry_run, as_json=as_json)


for command in (create, edit, diff_zone, add_record, delete_record, replace):
    group.add_command(command)
