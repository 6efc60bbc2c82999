"""``bindpy``: the group of commands."""

from __future__ import annotations

import click

from bindpy import __version__
from bindpy.cli import autoprimary, checkconf, checkzone, ctl, rndc_confgen, serve, status, zone, zonestatus


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="bindpy")
def main() -> None:
    """Authoritative DNS from BIND's named.conf and zone files.

    \b
    Example:
      bindpy checkconf -z /etc/bind/named.conf
      bindpy serve -c /etc/bind/named.conf -u bind
    """


main.add_command(serve.command)
main.add_command(checkconf.command)
main.add_command(checkzone.command)
main.add_command(zone.group)
main.add_command(autoprimary.group)
main.add_command(ctl.group)
main.add_command(status.command)
main.add_command(zonestatus.command)
main.add_command(rndc_confgen.command)

if __name__ == "__main__":
    main()
