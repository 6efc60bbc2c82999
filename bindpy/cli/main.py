"""``bindpy``: the group of commands."""

from __future__ import annotations

import click

from bindpy import __version__
from bindpy.cli.lazy import Entry, LazyGroup

ENTRIES = {
    "serve": Entry("bindpy.cli.serve", "command", "Serve the zones of a named.conf, in the foreground."),
    "status": Entry("bindpy.cli.status", "command", "Show how the running server is."),
    "zonestatus": Entry("bindpy.cli.zonestatus", "command", "Show how a zone of the running server is."),
    "ctl": Entry("bindpy.cli.ctl", "group", "Tell the running server to do something."),
    "zone": Entry("bindpy.cli.zone", "group", "Look at zones and change their files."),
    "checkconf": Entry(
        "bindpy.cli.checkconf",
        "command",
        "Check FILE (default /etc/bind/named.conf) as named-checkconf does.",
    ),
    "checkzone": Entry(
        "bindpy.cli.checkzone", "command", "Check the zone ORIGIN in FILE (- is standard input)."
    ),
    "autoprimary": Entry("bindpy.cli.autoprimary", "group", "List and change the autoprimaries."),
    "rndc-confgen": Entry("bindpy.cli.rndc_confgen", "command", "Make a key for the control channel."),
}
"""The commands, those used most first."""


@click.group(cls=LazyGroup, entries=ENTRIES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="bindpy")
def main() -> None:
    """Authoritative DNS from BIND's named.conf and zone files.

    \b
    Example:
      bindpy checkconf -z /etc/bind/named.conf
      bindpy serve -c /etc/bind/named.conf -u bind
    """


if __name__ == "__main__":
    main()
