"""What the commands of ``bindpy zone`` share: options, finding the zone, showing and writing a change."""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn, TypeVar

import click

from bindpy.cli.conf import DEFAULT_CONF, NO_CONF
from bindpy.cli.terminal import ask
from bindpy.config.load import load_config
from bindpy.config.model import Config
from bindpy.diagnostics import Diagnostic, Severity
from bindpy.edit.document import ZoneDocument
from bindpy.edit.errors import EditError
from bindpy.edit.find import find_zone, refuse_secondary
from bindpy.edit.serial import next_serial
from bindpy.edit.soa import serial_change
from bindpy.reload.collector import without_collector
from bindpy.replacing import ReplaceError
from bindpy.zone.loaded import LoadedSnapshot
from bindpy.zone.names import BadNameError, Name, from_text, to_text
from bindpy.zone.rdata import type_from_text
from bindpy.zone.snapshot import ZoneSnapshot

F = TypeVar("F", bound=Callable[..., None])


def parse_zone_name(_ctx: click.Context, _param: click.Parameter, value: str) -> Name:
    """Read a zone's name, with or without the final dot."""
    try:
        return from_text(value)
    except BadNameError as e:
        raise click.BadParameter(str(e)) from None


zone_argument = click.argument("zone", callback=parse_zone_name)
conf_option = click.option(
    "-c", "conf", default=DEFAULT_CONF, metavar="FILE", show_default=True, help="The configuration."
)
view_option = click.option("--view", metavar="VIEW", help="The view, where several have the zone.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON on stdout.")


def writing_options(function: F) -> F:
    """Add the options of every command that changes a zone file."""
    for option in (
        json_option,
        click.option("--dry-run", is_flag=True, help="Show the change, write nothing."),
        click.option("-y", "--yes", is_flag=True, help="Ask no questions."),
        view_option,
        conf_option,
    ):
        function = option(function)
    return function


def reports_errors(function: Callable[..., None]) -> Callable[..., None]:
    """Make what *function* refuses a message and exit status 1."""

    @functools.wraps(function)
    def wrapped(*arguments: object, **options: object) -> None:
        try:
            with without_collector():  # it would walk the records of a large zone over and over
                function(*arguments, **options)
        except EditError as e:
            fail(str(e), e.diagnostics)
        except ReplaceError as e:
            fail(str(e))

    return wrapped


def fail(message: str, diagnostics: Iterable[Diagnostic] = ()) -> NoReturn:
    """Say what is wrong on stderr and end with exit status 1."""
    show_diagnostics(diagnostics)
    click.echo(f"error: {message}", err=True)
    sys.exit(1)


def show_diagnostics(items: Iterable[Diagnostic]) -> None:
    """Print findings to stderr, one a line."""
    for item in items:
        for line in item.lines():
            click.echo(line.encode("utf-8", "backslashreplace").decode(), err=True)


def read_conf(conf: str) -> Config:
    """Return the configuration; end with exit status 1 where it is not good."""
    result = load_config(conf)
    if result.config is None:
        errors = [item for item in result.diagnostics if item.severity is Severity.ERROR]
        fail(f"{conf} is not good; nothing was done" if Path(conf).exists() else NO_CONF, errors)
    return result.config


def open_for_change(conf: str, origin: Name, view: str | None) -> ZoneDocument:
    """Return the file of a zone that may be changed here. Raises `EditError`."""
    config = read_conf(conf)
    zone = find_zone(config, origin, view)
    refuse_secondary(zone)
    return ZoneDocument(zone, config.options.directory)


def raised(document: ZoneDocument, zone: ZoneSnapshot) -> tuple[int, int, str]:
    """Return the change of the text that raises the serial of *zone* as the configuration says."""
    method = document.zone.settings.serial_update_method
    return serial_change(document, zone, next_serial(zone.serial, method, time.time()))


def check_switches(*, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Refuse --json where a question would have to be asked."""
    if as_json and not (yes or dry_run):
        raise click.UsageError("--json asks no questions: add --yes or --dry-run")


def finish(
    document: ZoneDocument,
    before: ZoneSnapshot | None,
    text: str,
    loaded: LoadedSnapshot,
    *,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Show the change to *text*, ask, and write it. *loaded* is the good zone that it means.

    *before* is the zone that the file held, None where it had errors.
    """
    assert loaded.zone is not None
    changed = text != document.text
    difference = document.diff(text)
    if not as_json:
        _show_news(document, loaded)
        click.echo(difference, nl=False)
        if changed and not (yes or dry_run):
            ask(f"Write this to {document.path}?")
    old = None if before is None else before.serial
    written = changed and not dry_run
    if written:
        document.write(text)
    name = to_text(document.zone.origin)
    if as_json:
        report: dict[str, object] = {
            "zone": name,
            "view": document.zone.view,
            "file": document.path,
            "written": written,
            "serial_before": old,
            "serial": loaded.zone.serial,
            "diff": difference,
            "diagnostics": [item.as_json() for item in loaded.diagnostics],
        }
        print_json(report)
    elif written:
        serials = f"serial {'(none)' if old is None else old} -> {loaded.zone.serial}"
        click.echo(f"zone {name}: {document.path} written, {serials}")
    else:
        click.echo(f"zone {name}: " + ("nothing written (--dry-run)" if changed else "nothing to change"))


def _show_news(document: ZoneDocument, loaded: LoadedSnapshot) -> None:
    """Print what the change makes checks find, and of how much else they find no more than the number."""
    news = document.news(loaded)
    show_diagnostics(news)
    if others := len(loaded.diagnostics) - len(news):
        were = "finding was" if others == 1 else "findings were"
        command = f"bindpy checkzone {to_text(document.zone.origin)} {document.path}"
        click.echo(f"note: {others} more {were} there before; '{command}' shows all", err=True)


def print_json(report: object) -> None:
    """Print *report* on stdout."""
    click.echo(json.dumps(report, indent=2))


def parse_owner(text: str, origin: Name) -> Name:
    """Return the owner name *text*, relative to *origin*. Raises `click.UsageError`."""
    try:
        return from_text(text, origin)
    except BadNameError as e:
        raise click.UsageError(f"'{text}' is not a name: {e}") from None


def parse_type(text: str) -> int:
    """Return the type *text*. Raises `click.UsageError`."""
    rtype = type_from_text(text)
    if rtype is None:
        raise click.UsageError(f"'{text}' is not a record type")
    return rtype
