"""``bindpy serve``: run the server in the foreground."""

from __future__ import annotations

import sys
from pathlib import Path

import click

import bindpy.without_ssl  # noqa: F401 - before anything imports asyncio
from bindpy.app import serve
from bindpy.cli.conf import DEFAULT_CONF, NO_CONF
from bindpy.host import UnusableError
from bindpy.native import EngineChoice


@click.command("serve")
@click.option(
    "-c",
    "conf",
    default=DEFAULT_CONF,
    show_default=True,
    type=click.Path(readable=False),  # what cannot be read is no wrong usage
    help="The configuration to serve.",
)
@click.option("-u", "user", metavar="USER", help="Become USER once the sockets are bound.")
@click.option(
    "-d", "debug_level", default=0, type=click.IntRange(0, 99), help="Log debug messages up to this level."
)
@click.option(
    "-n",
    "processors",
    metavar="CPUS",
    type=click.IntRange(1),
    help="Serve UDP with threads for so many processors. By default these are all that bindpy may run on.",
)
@click.option(
    "--engine",
    "engine",
    default=EngineChoice.AUTO.value,
    envvar="BINDPY_ENGINE",
    show_default=True,
    show_envvar=True,
    type=click.Choice([choice.value for choice in EngineChoice]),
    help="What answers: the Rust engine where it is installed (auto), or one of the two.",
)
def command(conf: str, user: str | None, debug_level: int, processors: int | None, engine: str) -> None:
    """Serve the zones of a named.conf, in the foreground.

    Logs go to standard error unless the configuration says otherwise. HUP rereads the configuration and
    the zone files that changed, USR1 logs more and USR2 less, TERM and INT stop.

    \b
    Example:
      bindpy serve -c examples/named.conf

    Exit status: 0 after an orderly stop, 1 when the server cannot start, 2 for wrong usage.
    """
    is_there = Path(conf).exists()  # now: the server goes to the configuration's directory
    try:
        serve(conf, user=user, debug_level=debug_level, engine=EngineChoice(engine), processors=processors)
    except UnusableError as error:
        for line in error.lines():
            click.echo(line, err=True)
        if not is_there:
            click.echo(NO_CONF, err=True)
        sys.exit(1)
