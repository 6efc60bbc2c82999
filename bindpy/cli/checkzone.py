"""``bindpy checkzone``: read a zone file and say everything that is wrong with it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from bindpy.config.model import CheckMode, ZoneChecks
from bindpy.zone.checks import CHECKZONE_DEFAULTS
from bindpy.zone.load import load_zone_file, load_zone_octets
from bindpy.zone.loaded import LoadedSnapshot
from bindpy.zone.names import BadNameError, Name, from_text, to_text
from bindpy.zone.rdata import class_from_text, class_to_text
from bindpy.zone.snapshot import ZoneSnapshot
from bindpy.zone.writer import dump

_MODES = click.Choice([mode.value for mode in CheckMode])
_WARN_MODES = click.Choice(["warn", "ignore"])
_INTEGRITY = {"none": (False, False), "local": (True, True), "local-sibling": (True, False)}
_FULL = ("full", "full-sibling")
_NO_ZONE_CLASSES = (0, 254, 255)


def _parse_origin(_ctx: click.Context, _param: click.Parameter, value: str) -> Name:
    try:
        return from_text(value)
    except BadNameError as e:
        raise click.BadParameter(str(e)) from None


def _parse_class(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    rdclass = class_from_text(value)
    if rdclass is None or rdclass in _NO_ZONE_CLASSES:
        raise click.BadParameter(f"'{value}' is not a class of zones")
    return rdclass


@click.command("checkzone")
@click.argument("origin", callback=_parse_origin)
@click.argument("file")
@click.option("-D", "--dump", "dump_zone", is_flag=True, help="Print the zone in canonical form.")
@click.option("-o", "output", metavar="FILE", help="Write the zone in canonical form to FILE; - is stdout.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON on stdout.")
@click.option("-q", "quiet", is_flag=True, help="Print no messages; the exit status says it all.")
@click.option(
    "-c", "rdclass", default="IN", callback=_parse_class, show_default=True, help="Class of the zone."
)
@click.option(
    "-w", "directory", default="", metavar="DIR", help="Relative file names, in $INCLUDE too, are in DIR."
)
@click.option(
    "-i",
    "integrity",
    default="local",
    show_default=True,
    type=click.Choice([*_INTEGRITY, *_FULL]),
    help="Check that targets and glue in the zone have addresses; -sibling leaves sibling glue out.",
)
@click.option("-k", "names", default="warn", type=_MODES, show_default=True, help="Host names (check-names).")
@click.option("-n", "ns", default="warn", type=_MODES, show_default=True, help="NS that hold an address.")
@click.option(
    "-m", "mx", default="warn", type=_MODES, show_default=True, help="MX with an address, or without any."
)
@click.option(
    "-M", "mx_cname", default="warn", type=_MODES, show_default=True, help="MX that point at a CNAME."
)
@click.option(
    "-S", "srv_cname", default="warn", type=_MODES, show_default=True, help="SRV that point at a CNAME."
)
@click.option(
    "-r", "dup", default="warn", type=_MODES, show_default=True, help="Records that only DNSSEC tells apart."
)
@click.option("-T", "spf", default="warn", type=_WARN_MODES, show_default=True, help="SPF without TXT.")
@click.option(
    "-W", "wildcard", default="warn", type=_WARN_MODES, show_default=True, help="Wildcards inside a name."
)
@click.option("-l", "max_ttl", type=click.IntRange(0), metavar="TTL", help="Refuse a TTL over TTL seconds.")
def command(
    *,
    origin: Name,
    file: str,
    dump_zone: bool,
    output: str | None,
    as_json: bool,
    quiet: bool,
    rdclass: int,
    directory: str,
    integrity: str,
    names: str,
    ns: str,
    mx: str,
    mx_cname: str,
    srv_cname: str,
    dup: str,
    spf: str,
    wildcard: str,
    max_ttl: int | None,
) -> None:
    """Check the zone ORIGIN in FILE (- is standard input), as `named-checkzone -i local` does.

    Findings go to standard error, one a line, as FILE:LINE:COL: severity: message. Exit status: 0 the zone
    is good (there may be warnings), 1 it is not, 2 wrong usage.

    \b
    Example:
      bindpy checkzone example.com /etc/bind/db.example.com
      bindpy checkzone --dump -k fail example.com db.example.com > canonical.zone
    """
    if integrity in _FULL:
        raise click.UsageError(
            f"-i {integrity} would need live DNS to look up names outside the zone; use -i local"
        )
    to_stdout = output == "-" or (dump_zone and output is None)
    if to_stdout and as_json:
        raise click.UsageError("the zone and --json cannot both go to stdout; name a file with -o")
    integrity_on, sibling = _INTEGRITY[integrity]
    checks = ZoneChecks(
        names=CheckMode(names),
        mx=CheckMode(mx),
        mx_cname=CheckMode(mx_cname),
        srv_cname=CheckMode(srv_cname),
        dup_records=CheckMode(dup),
        spf=CheckMode(spf),
        integrity=integrity_on,
        sibling=sibling,
        wildcard=CheckMode(wildcard) is CheckMode.WARN,
        max_zone_ttl=max_ttl,
        max_records_per_type=CHECKZONE_DEFAULTS.max_records_per_type,
        max_types_per_name=CHECKZONE_DEFAULTS.max_types_per_name,
        ns=CheckMode(ns),
    )
    if file == "-":
        octets = sys.stdin.buffer.read()
        loaded = load_zone_octets("-", octets, origin, rdclass, checks, directory=directory)
    else:
        loaded = load_zone_file(file, origin, rdclass, checks, directory=directory)
    if as_json:
        click.echo(json.dumps(_report(origin, rdclass, loaded), indent=2, ensure_ascii=False))
    elif not quiet:
        _tell(origin, rdclass, loaded, to_stderr=to_stdout)
    if loaded.zone is None:
        sys.exit(1)
    if to_stdout:
        sys.stdout.writelines(dump(loaded.zone))
    elif output is not None:
        _write(loaded.zone, Path(directory) / output)


def _label(origin: Name, rdclass: int) -> str:
    """Return the zone as BIND names it in messages."""
    text = to_text(origin)
    return f"{text if text == '.' else text[:-1]}/{class_to_text(rdclass)}"


def _tell(origin: Name, rdclass: int, loaded: LoadedSnapshot, *, to_stderr: bool) -> None:
    for item in loaded.diagnostics:
        for line in item.lines():
            click.echo(line, err=True)
    label = _label(origin, rdclass)
    if loaded.zone is None:
        click.echo(f"zone {label}: not loaded due to errors.", err=True)
        return
    click.echo(f"zone {label}: loaded serial {loaded.zone.serial}", err=to_stderr)
    click.echo("OK", err=to_stderr)


def _report(origin: Name, rdclass: int, loaded: LoadedSnapshot) -> dict[str, object]:
    zone = loaded.zone
    return {
        "zone": to_text(origin),
        "class": class_to_text(rdclass),
        "ok": zone is not None,
        "serial": zone.serial if zone is not None else None,
        "records": zone.rr_count if zone is not None else None,
        "files": list(loaded.files),
        "diagnostics": [item.as_json() for item in loaded.diagnostics],
    }


def _write(zone: ZoneSnapshot, path: Path) -> None:
    try:
        with path.open("w", encoding="ascii") as file:
            file.writelines(dump(zone))
    except OSError as e:
        raise click.ClickException(f"cannot write {path}: {e.strerror or e}") from None
