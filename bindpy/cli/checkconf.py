"""``bindpy checkconf``: read a named.conf and say everything that is wrong with it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator

import click

from bindpy.config.load import load_config
from bindpy.config.model import Config, ZoneConfig, ZoneType
from bindpy.config.printer import print_config
from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostic, Severity
from bindpy.filter.check import check_scripts
from bindpy.zone.load import load_zone_file
from bindpy.zone.loaded import LoadedSnapshot
from bindpy.zone.names import to_text
from bindpy.zone.rdata import class_to_text

DEFAULT_CONF = "/etc/bind/named.conf"
_LOADED_TYPES = (ZoneType.PRIMARY, ZoneType.NATIVE)


@dataclass(frozen=True, slots=True)
class ZoneOutcome:
    """A zone of the configuration, and what came of reading its file."""

    zone: ZoneConfig
    loaded: LoadedSnapshot

    @property
    def label(self) -> str:
        """The zone as BIND names it in messages."""
        text = to_text(self.zone.origin)
        return f"{text if text == '.' else text[:-1]}/{class_to_text(self.zone.rdclass)}"

    def as_json(self) -> dict[str, object]:
        """Return the outcome as plain JSON values."""
        snapshot = self.loaded.zone
        return {
            "zone": to_text(self.zone.origin),
            "class": class_to_text(self.zone.rdclass),
            "view": self.zone.view,
            "ok": snapshot is not None,
            "serial": snapshot.serial if snapshot is not None else None,
            "diagnostics": [item.as_json() for item in self.loaded.diagnostics],
        }


def load_zones(config: Config) -> Iterator[ZoneOutcome]:
    """Read the file of every zone that has its data here; a secondary's comes from its primaries."""
    directory = config.options.directory
    for zone in config.zones():
        if zone.type in _LOADED_TYPES and zone.file is not None:
            checks = zone.settings.checks
            loaded = load_zone_file(zone.file, zone.origin, zone.rdclass, checks, directory=directory)
            yield ZoneOutcome(zone, loaded)


@click.command("checkconf")
@click.argument("file", default=DEFAULT_CONF)
@click.option("-z", "with_zones", is_flag=True, help="Read the file of every primary and native zone too.")
@click.option("-p", "print_it", is_flag=True, help="Print the configuration, includes in place, on stdout.")
@click.option("-x", "hide_secrets", is_flag=True, help="With -p: show question marks instead of secrets.")
@click.option("-q", "quiet", is_flag=True, help="Show errors only, no warnings and notes.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON on stdout.")
def command(
    *, file: str, with_zones: bool, print_it: bool, hide_secrets: bool, quiet: bool, as_json: bool
) -> None:
    """Check FILE (default /etc/bind/named.conf) as named-checkconf does.

    Findings go to standard error as FILE:LINE:COL: severity: message. Statements that have no effect here,
    or that BIND has removed since, are named; they are no errors. The scripts of lua-axfr-script are loaded
    as before a transfer. With -z, the zones that load are listed on standard output.

    Exit status: 0 the configuration is good (there may be warnings), 1 it is not, 2 wrong usage.

    \b
    Example:
      bindpy checkconf -z /etc/bind/named.conf
      bindpy checkconf --json named.conf
    """
    if hide_secrets and not print_it:
        raise click.UsageError("-x goes with -p")
    if as_json and print_it:
        raise click.UsageError("the configuration and --json cannot both go to stdout")
    result = load_config(file)
    diagnostics = list(result.diagnostics)
    if result.config is not None:
        diagnostics += check_scripts(result.section, result.config.options.directory)
    if not as_json:
        _show(diagnostics, quiet=quiet)
    outcomes: list[dict[str, object]] = []
    good = not any(item.severity is Severity.ERROR for item in diagnostics)
    if result.config is not None and with_zones:
        for outcome in load_zones(result.config):
            good = good and outcome.loaded.zone is not None
            if as_json:
                outcomes.append(outcome.as_json())
            else:
                _show_zone(outcome, quiet=quiet)
    if as_json:
        report: dict[str, object] = {
            "file": file,
            "ok": good,
            "diagnostics": [item.as_json() for item in diagnostics],
        }
        if with_zones:
            report["zones"] = outcomes
        click.echo(json.dumps(report, indent=2))
    else:
        _summarise(file, diagnostics)
        if print_it and result.config is not None:
            click.echo(_printable(print_config(result.tree, hide_secrets=hide_secrets)), nl=False)
    sys.exit(0 if good else 1)


def _show(items: Iterable[Diagnostic], *, quiet: bool) -> None:
    for item in items:
        if quiet and item.severity is not Severity.ERROR:
            continue
        for line in item.lines():
            click.echo(_printable(line), err=True)


def _show_zone(outcome: ZoneOutcome, *, quiet: bool) -> None:
    _show(outcome.loaded.diagnostics, quiet=quiet)
    snapshot = outcome.loaded.zone
    if snapshot is None:
        click.echo(f"zone {outcome.label}: not loaded due to errors.", err=True)
    else:
        click.echo(f"zone {outcome.label}: loaded serial {snapshot.serial}")


def _summarise(file: str, items: Iterable[Diagnostic]) -> None:
    """One last line that counts, where there is more than one error to find in what went by."""
    count = Counter(item.severity for item in items)
    if count[Severity.ERROR] > 1:
        warnings = f", {count[Severity.WARNING]} warnings" if count[Severity.WARNING] else ""
        click.echo(f"{file}: {count[Severity.ERROR]} errors{warnings}", err=True)


def _printable(text: str) -> str:
    """Return *text* with what was no UTF-8 in the file as a replacement character."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
