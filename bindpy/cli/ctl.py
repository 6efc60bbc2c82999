"""``bindpy ctl VERB``: every verb of the registry, over the local control socket."""

from __future__ import annotations

import itertools
import json
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from bindpy.cli.conf import DEFAULT_CONF
from bindpy.cli.control_common import (
    command_line,
    connect,
    reports_trouble,
    server_options,
    zone_names,
)
from bindpy.cli.lazy import no_such_command
from bindpy.cli.terminal import INTERRUPTED, octets_text
from bindpy.control.catalogue import CATALOGUE, find_verb, words_of_verbs
from bindpy.control.errors import VerbError
from bindpy.control.socket_client import LostServerError, NoServerError, Reply
from bindpy.control.verb import Caller, Group, Kind, Parameter, Verb
from bindpy.control.words import split

_LINE_EVERY_S = 1.0
"""How often progress is told where no terminal shows it."""
_NARROWEST = 20
"""No list is broken into lines that are shorter, on whatever terminal."""
_CLASSES = ("IN", "CH", "HS")


class VerbGroup(click.Group):
    """The verbs of the registry as commands, aliases included."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        return [verb.name for verb in CATALOGUE if verb.group is not Group.FOREIGN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        found = find_verb(cmd_name)
        return None if found is None else verb_command(found)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and find_verb(args[0]) is None and not args[0].startswith("-"):
            raise no_such_command(ctx, args[0], {word: word for word in words_of_verbs()})
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for about, members in itertools.groupby(CATALOGUE, key=lambda verb: verb.group):
            with formatter.section(about.value):
                if about is Group.FOREIGN:
                    names = ", ".join(verb.name for verb in members)
                    width = max(formatter.width - formatter.current_indent, _NARROWEST)
                    for line in textwrap.wrap(names, width, break_on_hyphens=False):
                        formatter.write(f"{'':{formatter.current_indent}}{line}\n")
                else:
                    formatter.write_dl([(verb.usage, _help_of(verb)) for verb in members], col_max=38)


def _help_of(verb: Verb) -> str:
    return f"{verb.help} (Also: {', '.join(verb.aliases)}.)" if verb.aliases else verb.help


def verb_command(verb: Verb) -> click.Command:
    """Return the command that sends *verb* to the server."""

    def run(
        words: tuple[str, ...], *, conf: str, socket: str | None, wait: bool, as_json: bool, **flags: bool
    ) -> None:
        ctx = click.get_current_context()
        given = [parameter.name for parameter in _flags(verb) if flags[_python_name(parameter)]]
        line = command_line(verb, given, words)
        try:
            verb.read(split(line, with_config=_takes_text(verb)), Caller("ctl"))
        except VerbError as error:
            raise click.UsageError(error.text or error.err, ctx) from None
        conf, socket = _server(ctx, conf, socket)
        _send(conf, socket, line, wait=wait, as_json=as_json)

    command = click.Command(
        verb.name,
        callback=run,
        params=[_words(verb), *[_flag_option(parameter) for parameter in _flags(verb)]],
        help=_long_help(verb),
        short_help=verb.help,
        options_metavar="",
    )
    decorated: click.Command = server_options(_answer_options(command))
    return decorated


def _answer_options(command: Any) -> Any:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the answer as one JSON object."),
        click.option("--wait", is_flag=True, help="Wait for the end of the work that this starts."),
    ):
        command = option(command)
    return command


def _flags(verb: Verb) -> list[Parameter]:
    return [parameter for parameter in verb.parameters if parameter.kind is Kind.FLAG]


def _takes_text(verb: Verb) -> bool:
    return any(parameter.kind is Kind.CONFIG for parameter in verb.parameters)


def _python_name(flag: Parameter) -> str:
    return f"flag_{flag.name.strip('-').replace('-', '_')}"


def _flag_option(flag: Parameter) -> click.Option:
    return click.Option([flag.name, _python_name(flag)], is_flag=True)


def _words(verb: Verb) -> click.Argument:
    def complete(ctx: click.Context, _argument: click.Parameter, incomplete: str) -> list[CompletionItem]:
        position = len(ctx.params.get("words") or ())
        return [CompletionItem(word) for word in _words_at(verb, position, ctx, incomplete)]

    usage = verb.usage.removeprefix(verb.name).strip()
    return click.Argument(["words"], nargs=-1, type=click.UNPROCESSED, metavar=usage, shell_complete=complete)


def _words_at(verb: Verb, position: int, ctx: click.Context, beginning: str) -> Sequence[str]:
    """Return what may stand as the word number *position* after the verb."""
    places = [parameter for parameter in verb.parameters if parameter.kind is not Kind.FLAG]
    if position < len(places):
        parameter = places[position]
    elif places and places[-1].many:
        parameter = places[-1]
    else:
        return ()
    if parameter.kind is Kind.ZONE:
        conf, socket = _server(ctx, ctx.params.get("conf", DEFAULT_CONF), ctx.params.get("socket"))
        return zone_names(conf, socket, beginning)
    choices = _CLASSES if parameter.kind is Kind.CLASS else parameter.choices
    return [word for word in choices if word.lower().startswith(beginning.lower())]


def _long_help(verb: Verb) -> str:
    also = f"\n\nAlso called: {', '.join(verb.aliases)}." if verb.aliases else ""
    return f"{verb.help}{also}\n\nExit status: 0 done, 1 the server says no or is not there, 2 wrong usage."


def _server(ctx: click.Context, conf: str, socket: str | None) -> tuple[str, str | None]:
    """Return which server is meant: what is said after the verb counts before what is said before it."""
    outer: Mapping[str, Any] = ctx.parent.params if ctx.parent is not None else {}
    said = ctx.get_parameter_source("conf")
    if said is None or said is click.core.ParameterSource.DEFAULT:
        conf = outer.get("conf") or conf
        socket = socket or outer.get("socket")
    return conf, socket


@click.command(
    "ctl",
    cls=VerbGroup,
    subcommand_metavar="VERB [ARGUMENTS]...",
    no_args_is_help=True,
)
@server_options
def group(conf: str, socket: str | None) -> None:  # the verbs look them up
    """Tell the running server to do something, over its local control socket.

    The verbs are those of BIND's rndc, with more. Those that start work answer at once that it is queued;
    with --wait the command ends when the work has.

    \b
    Example:
      bindpy ctl reload example.com --wait
      bindpy ctl zonestatus example.com --json

    Exit status: 0 done, 1 the server says no or is not there, 2 wrong usage.
    """


def _send(conf: str, socket: str | None, line: str, *, wait: bool, as_json: bool) -> None:
    job: Mapping[str, Any] | None = None
    shown = _ProgressLine()
    try:
        with reports_trouble() if not as_json else _JsonTrouble(), connect(conf, socket) as client:
            for reply in client.request(line, wait=wait):
                match reply["type"]:
                    case "started":
                        job = reply["job"]
                        if not as_json and reply["text"]:
                            click.echo(reply["text"])
                    case "progress":
                        shown.show(reply)
                    case _:
                        shown.clear()
                        _print_answer(reply, as_json)
    except KeyboardInterrupt:
        shown.clear()
        if job is not None:
            click.echo(f"not waiting any more: '{job['what']}' goes on in the server", err=True)
        sys.exit(INTERRUPTED)
    finally:
        shown.clear()


def _print_answer(reply: Reply, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({name: reply[name] for name in ("text", "data", "job")}, indent=2))
    elif reply["text"]:
        click.echo(reply["text"])


class _JsonTrouble:
    """As `reports_trouble`, as JSON on stdout: a script reads one place whatever happened."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case VerbError():
                found = {"error": error.err, "text": error.text, "code": error.code, "data": error.data}
            case NoServerError():
                found = {"error": "not running", "text": str(error), "code": 1, "data": None}
            case LostServerError():
                found = {"error": "no answer", "text": str(error), "code": 1, "data": None}
            case _:
                return
        click.echo(json.dumps(found, indent=2))
        sys.exit(1)


class _ProgressLine:
    """How far the work is, on stderr: one line that changes on a terminal, otherwise some lines."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self._is_terminal = self._stream.isatty()
        self._is_shown = False
        self._last = ("", -_LINE_EVERY_S)

    def show(self, reply: Reply) -> None:
        """Show what a progress line says."""
        text = progress_text(reply)
        if not text:
            return
        if self._is_terminal:
            click.echo(f"\r\x1b[K{text}", nl=False, err=True)
            self._is_shown = True
            return
        before, at = self._last
        if text != before and time.monotonic() - at >= _LINE_EVERY_S:
            click.echo(text, err=True)
            self._last = (text, time.monotonic())

    def clear(self) -> None:
        """Take the line away."""
        if self._is_shown:
            click.echo("\r\x1b[K", nl=False, err=True)
            self._is_shown = False


def progress_text(reply: Reply) -> str:
    """Return a progress line for people: ``1,204 of 100,000 zones, 1 %``."""
    done, total, unit, text = int(reply["done"]), reply["total"], str(reply["unit"]), str(reply["text"])
    if not unit:
        return text
    if unit in ("octets", "bytes"):
        shown = octets_text(done) if not total else f"{octets_text(done)} of {octets_text(int(total))}"
    else:
        shown = f"{done:,} {unit}" if total is None else f"{done:,} of {int(total):,} {unit}"
    if total:
        shown += f", {100 * done // int(total)} %"
    return f"{shown}; {text}" if text else shown
