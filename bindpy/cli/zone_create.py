"""``bindpy zone create``: a new zone, which a running server takes at once."""

from __future__ import annotations

import time

import click

from bindpy.cli.control_common import connect
from bindpy.cli.terminal import ask
from bindpy.cli.zone_common import (
    check_switches,
    conf_option,
    fail,
    json_option,
    print_json,
    reports_errors,
    zone_argument,
)
from bindpy.config.load import load_config
from bindpy.config.model import ZoneType
from bindpy.control.errors import VerbError
from bindpy.control.socket_client import LostServerError, NoServerError
from bindpy.diagnostics import Severity
from bindpy.edit.create import NewZone, WantedZone, plan_zone
from bindpy.zone.names import Name, to_text

_TYPES = [kind.value for kind in ZoneType]


@click.command("create")
@zone_argument
@click.option("--type", "kind", type=click.Choice(_TYPES), default="primary", show_default=True)
@click.option(
    "--ns",
    "servers",
    multiple=True,
    metavar="NAME[=ADDRESS,...]",
    help="A name server of the zone, the first the primary; one in the zone needs its addresses. Repeatable.",
)
@click.option("--mail", default="hostmaster", show_default=True, help="The SOA's mail address, as a name.")
@click.option(
    "--primary",
    "primaries",
    multiple=True,
    metavar='"ADDRESS [port PORT] [key NAME]"',
    help="Where a secondary zone comes from, or the name of a list of servers. Repeatable.",
)
@click.option("--file", metavar="FILE", help="The zone file; by default db.ZONE in the directory.")
@click.option("--view", metavar="VIEW", help="The view, where there are several.")
@click.option(
    "--config-file",
    metavar="FILE",
    help="Where the zone statement goes: -c's FILE or one that it includes.",
)
@conf_option
@click.option("-y", "--yes", is_flag=True, help="Ask no questions.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, write nothing.")
@json_option
@reports_errors
def create(
    *,
    zone: Name,
    kind: str,
    servers: tuple[str, ...],
    mail: str,
    primaries: tuple[str, ...],
    file: str | None,
    view: str | None,
    config_file: str | None,
    conf: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Create the zone ZONE: write its file and its statement, and have the running server take it.

    A primary or native zone needs --ns, a secondary one --primary. Names are relative to ZONE unless they
    end with a dot. A server that is not running takes the zone when it starts.

    \b
    Example:
      bindpy zone create example.com --ns ns1=192.0.2.1 --ns ns.example.net.
      bindpy zone create example.org --type secondary --primary "192.0.2.1 key pair"
      bindpy zone create example.com --ns ns.example.net. --config-file /etc/bind/named.conf.local
    """
    check_switches(yes=yes, dry_run=dry_run, as_json=as_json)
    wanted = WantedZone(zone, ZoneType(kind), file, servers, mail, primaries)
    _check_usage(wanted)
    result = load_config(conf)
    if result.config is None:
        errors = [item for item in result.diagnostics if item.severity is Severity.ERROR]
        fail(f"{conf} is not good; nothing was done", errors)
    plan = plan_zone(result, wanted, view=view, conf_file=config_file, now_s=time.time())
    if not as_json:
        click.echo(_shown(plan), nl=False)
        if not (yes or dry_run):
            ask("Write this?")
    name = to_text(zone)
    if dry_run:
        _report(plan, name, "", as_json=as_json)
        return
    plan.write()
    try:
        _have_it_taken(conf)
    except VerbError as error:
        lines = f"{error.err}\n{error.text}" if error.text else error.err
        fail(
            f"zone {name}: written, but the running server did not take it: {lines}\n"
            "put that right, then have it taken with 'bindpy ctl reconfig'"
        )
    except (NoServerError, LostServerError) as error:
        _report(plan, name, "not running", as_json=as_json)
        click.echo(
            f"note: a server takes the zone when it starts or rereads its configuration: {error}", err=True
        )
    else:
        _report(plan, name, "taken", as_json=as_json)


def _check_usage(wanted: WantedZone) -> None:
    if wanted.type is ZoneType.SECONDARY:
        if wanted.servers or not wanted.primaries:
            raise click.UsageError("a secondary zone needs --primary, and no --ns: its data comes from there")
    elif wanted.primaries or not wanted.servers:
        raise click.UsageError(f"a {wanted.type.value} zone needs --ns, and no --primary")


def _shown(plan: NewZone) -> str:
    file = "" if plan.text is None else f"; {plan.path}\n{plan.text}\n"
    return f"{file}// in {plan.conf_path}\n{plan.statement}"


def _have_it_taken(conf: str) -> None:
    """Tell the running server of *conf* to reread it, and wait until it has.

    Raises `VerbError`, `NoServerError`, `LostServerError`.
    """
    with connect(conf, None) as client:
        for _ in client.request("reconfig", wait=True):
            pass


def _report(plan: NewZone, name: str, server: str, *, as_json: bool) -> None:
    """Say what was done; *server* is "taken", "not running" or, where nothing was written, ""."""
    if as_json:
        print_json(
            {
                "zone": name,
                "view": plan.zone.view,
                "type": plan.zone.type.value,
                "file": plan.path,
                "config_file": plan.conf_path,
                "written": bool(server),
                "server": server or None,
            }
        )
    elif not server:
        click.echo(f"zone {name}: nothing written (--dry-run)")
    else:
        click.echo(
            f"zone {name}: created" + (", and taken by the running server" if server == "taken" else "")
        )
