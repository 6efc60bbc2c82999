"""``bindpy zone create``: a new primary zone."""

from __future__ import annotations

import time

import click

from bindpy.cli.zone_common import (
    check_switches,
    conf_option,
    json_option,
    print_json,
    read_conf,
    reports_errors,
    zone_argument,
)
from bindpy.edit.create import plan_zone
from bindpy.zone.names import Name, to_text


@click.command("create")
@zone_argument
@click.option(
    "--ns",
    "servers",
    multiple=True,
    required=True,
    metavar="NAME[=ADDRESS,...]",
    help="A name server of the zone, the first the primary; one in the zone needs its addresses. Repeatable.",
)
@click.option("--mail", default="hostmaster", show_default=True, help="The SOA's mail address, as a name.")
@click.option("--file", metavar="FILE", help="The zone file; by default db.ZONE in the directory.")
@click.option(
    "--config-file", metavar="FILE", help="Where the zone statement goes: -c's FILE or one that it includes."
)
@conf_option
@click.option("-y", "--yes", is_flag=True, help="Ask no questions.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, write nothing.")
@json_option
@reports_errors
def create(
    *,
    zone: Name,
    servers: tuple[str, ...],
    mail: str,
    file: str | None,
    config_file: str | None,
    conf: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Create the primary zone ZONE: write its file, and its statement at the end of the configuration.

    A running server takes it when it is told to reread the configuration (signal HUP). Names are relative to
    ZONE unless they end with a dot.

    \b
    Example:
      bindpy zone create example.com --ns ns1=192.0.2.1 --ns ns.example.net.
      bindpy zone create example.com --ns ns.example.net. --config-file /etc/bind/named.conf.local
    """
    check_switches(yes=yes, dry_run=dry_run, as_json=as_json)
    plan = plan_zone(
        read_conf(conf),
        zone,
        file=file,
        conf_file=config_file,
        servers=servers,
        mail=mail,
        now_s=time.time(),
    )
    if not as_json:
        click.echo(
            f"; {plan.path}\n{plan.text}\n// at the end of {plan.conf_path}\n{plan.statement}", nl=False
        )
        if not (yes or dry_run):
            click.confirm("Write this?", abort=True, err=True)
    if not dry_run:
        plan.write()
    name = to_text(zone)
    if as_json:
        print_json({"zone": name, "file": plan.path, "config_file": plan.conf_path, "written": not dry_run})
    elif dry_run:
        click.echo(f"zone {name}: nothing written (--dry-run)")
    else:
        click.echo(f"zone {name}: created; a running server takes it at its next HUP")
