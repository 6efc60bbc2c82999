"""``bindpy zone edit`` and ``bindpy zone diff``: whole versions of a zone's file."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import click

from bindpy.cli.terminal import ask
from bindpy.cli.zone_common import (
    conf_option,
    fail,
    finish,
    json_option,
    open_for_change,
    print_json,
    raised,
    read_conf,
    reports_errors,
    show_diagnostics,
    view_option,
    zone_argument,
)
from bindpy.edit.change import apply_parts
from bindpy.edit.document import ZoneDocument, read_file
from bindpy.edit.errors import EditError
from bindpy.edit.find import find_zone
from bindpy.replacing import ReplaceError
from bindpy.zone.diff import diff
from bindpy.zone.loaded import LoadedSnapshot
from bindpy.zone.names import Name, to_text
from bindpy.zone.rdata import class_to_text, type_to_text
from bindpy.zone.records import RR
from bindpy.zone.serials import is_newer
from bindpy.zone.snapshot import ZoneSnapshot
from bindpy.zone.writer import RdataText


@click.command("edit")
@zone_argument
@conf_option
@view_option
@click.option("--keep-serial", is_flag=True, help="Do not raise the serial for you.")
@click.option("-y", "--yes", is_flag=True, help="Ask no questions; a version with errors is refused.")
@reports_errors
def edit(*, zone: Name, conf: str, view: str | None, keep_serial: bool, yes: bool) -> None:
    """Open a copy of ZONE's file in $VISUAL, $EDITOR or vi, check it and put it in place.

    A version with errors is opened again after the errors were shown. The serial is raised where you have
    not done so. A file that somebody else has changed meanwhile is not overwritten.

    \b
    Example:
      bindpy zone edit example.com
      EDITOR=nano bindpy zone edit --view internal example.com
    """
    document = open_for_change(conf, zone, view)
    before = document.loaded().zone
    folder = Path(tempfile.mkdtemp(prefix="bindpy-edit-"))
    copy = folder / Path(document.path).name
    keep_copy = False
    try:
        copy.write_bytes(document.text.encode("latin-1"))
        text, loaded = _edited(document, before, copy, keep_serial=keep_serial, yes=yes)
        try:
            finish(document, before, text, loaded, yes=yes, dry_run=False, as_json=False)
        except (EditError, ReplaceError) as e:
            keep_copy = True
            raise EditError(f"{e}; your version is in {copy}") from None
    finally:
        if not keep_copy:
            shutil.rmtree(folder)


def _edited(
    document: ZoneDocument, before: ZoneSnapshot | None, copy: Path, *, keep_serial: bool, yes: bool
) -> tuple[str, LoadedSnapshot]:
    """Return the text that comes out of the editor, serial raised, and the good zone that it means."""
    while True:
        _open_editor(copy)
        text = read_file(str(copy))[1].decode("latin-1")
        loaded = document.load(text)
        if loaded.zone is None:
            if yes:
                raise EditError("that version would not load; nothing was written", document.news(loaded))
            show_diagnostics(document.news(loaded))
            ask("That version would not load. Edit it again?", default=True)
            continue
        if before is None or before.same_data(loaded.zone):
            return text, loaded
        if loaded.zone.serial != before.serial:
            if not is_newer(loaded.zone.serial, before.serial):
                click.echo(
                    f"warning: serial {loaded.zone.serial} is not newer than {before.serial};"
                    " secondaries will not notice",
                    err=True,
                )
        elif loaded.zone.apex.rrsigs():
            click.echo("warning: the zone is signed: sign it again, with a newer serial", err=True)
        elif not keep_serial:
            text = apply_parts(text, [raised(document.with_text(text), loaded.zone)])
            loaded = document.load(text)
        return text, loaded


def _open_editor(copy: Path) -> None:
    """Open *copy* in the person's editor and wait for its end. Raises `EditError`."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        done = subprocess.run([*shlex.split(editor), str(copy)], check=False)
    except (OSError, ValueError) as e:
        raise EditError(f"the editor '{editor}' cannot be started: {e}; set EDITOR") from None
    if done.returncode:
        raise EditError(f"the editor ended with status {done.returncode}; nothing was written")


@click.command("diff")
@zone_argument
@click.argument("file")
@conf_option
@view_option
@json_option
@reports_errors
def diff_zone(*, zone: Name, file: str, conf: str, view: str | None, as_json: bool) -> None:
    """Show which records would go and come if FILE took the place of ZONE's file.

    Comments, layout and order do not count. Exit status 0: the same data; 1: another one, or a file that
    cannot be read.

    \b
    Example:
      bindpy zone diff example.com new.example.com.db
      bindpy zone diff --json example.com backup/db.example.com
    """
    config = read_conf(conf)
    document = ZoneDocument(find_zone(config, zone, view), config.options.directory)
    old = document.current()
    other = document.with_path(file)
    loaded = other.load(other.text)
    if loaded.zone is None:
        fail(f"{file} would not load", loaded.diagnostics)
    delta = diff(old, loaded.zone)
    if old.same_data(loaded.zone):
        removed: list[str] = []
        added: list[str] = []
    else:
        soa = delta.old_soa != delta.new_soa
        removed = _texts(old, [*([delta.old_soa] if soa else []), *delta.removed])
        added = _texts(old, [*([delta.new_soa] if soa else []), *delta.added])
    if as_json:
        print_json(
            {
                "zone": to_text(old.origin),
                "serial_before": old.serial,
                "serial": loaded.zone.serial,
                "removed": removed,
                "added": added,
            }
        )
    else:
        for sign, lines in (("-", removed), ("+", added)):
            for line in lines:
                click.echo(f"{sign}{line}")
    if removed or added:
        raise SystemExit(1)


def _texts(zone: ZoneSnapshot, records: list[RR]) -> list[str]:
    to_rdata = RdataText(zone.rdclass)
    lines: list[str] = []
    for rr in records:
        head = f"{to_text(rr.owner)}\t{rr.ttl}\t{class_to_text(zone.rdclass)}\t{type_to_text(rr.rtype)}"
        lines.append(f"{head}\t{to_rdata(rr.rtype, rr.rdata)}")
    return lines
