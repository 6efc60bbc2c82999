"""What the commands share that talk to the running server: finding it, asking it, saying what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

import click

from bindpy.cli.conf import DEFAULT_CONF
from bindpy.control.errors import VerbError
from bindpy.control.socket_client import TIMEOUT_S, LostServerError, NoServerError, SocketClient
from bindpy.control.socket_path import socket_place
from bindpy.control.verb import Kind, Verb
from bindpy.control.words import quoted

COMPLETE_WITHIN_S = 0.5
"""How long a shell waits for the names of zones when somebody presses Tab."""

F = TypeVar("F", bound=Callable[..., None])


class NoSocketError(NoServerError):
    """The configuration does not lead to a socket."""


def server_options(function: F) -> F:
    """Add the options that say which server."""
    for option in (
        click.option(
            "--socket", "socket", metavar="PATH", help="The server's control socket, instead of -c."
        ),
        click.option(
            "-c",
            "conf",
            default=DEFAULT_CONF,
            metavar="FILE",
            show_default=True,
            help="The configuration of the server; where it listens is read from there.",
        ),
    ):
        function = option(function)
    return function


def find_socket(conf: str, socket: str | None) -> str:
    """Return where the server listens that *conf* configures, or *socket*. Raises `NoSocketError`."""
    if socket == "":
        raise NoSocketError("--socket names no file; give the path of the server's control socket")
    if socket is not None:
        return socket
    # Reading named.conf takes more modules than all else here: for help and completion they are not loaded.
    from bindpy.config.load_options import load_options  # noqa: PLC0415

    options = load_options(conf)
    if options is None:
        raise NoSocketError(
            f"cannot read '{conf}', which says where the server listens; name the server's configuration "
            "with -c, or its socket with --socket"
        )
    place = socket_place(options)
    if place is None:
        raise NoSocketError(
            f"{conf} says 'control-socket none': this server takes no commands on a socket; use rndc, or "
            "give it a control-socket"
        )
    return place.path


def connect(conf: str, socket: str | None, timeout_s: float = TIMEOUT_S) -> SocketClient:
    """Return a connection to the server. Raises `NoServerError`."""
    return SocketClient(find_socket(conf, socket), timeout_s=timeout_s)


@contextmanager
def reports_trouble() -> Iterator[None]:
    """Make of a server that is not there, or says no, a message and exit status 1."""
    try:
        yield
    except (NoServerError, LostServerError) as error:
        fail(str(error))
    except VerbError as error:
        fail(error.err, error.text)


def fail(message: str, more: str = "") -> NoReturn:
    """Say what is wrong on stderr and end with exit status 1."""
    click.echo(f"error: {message}", err=True)
    if more:
        click.echo(more, err=True)
    sys.exit(1)


def command_line(verb: Verb, flags: Iterable[str], words: Iterable[str]) -> str:
    """Return the line that calls *verb*; each of *words* arrives as one word, as the shell had it.

    For a verb that takes configuration text, that goes as it is: from the first ``{`` on.
    """
    parts = [verb.name, *flags]
    takes_text = any(parameter.kind is Kind.CONFIG for parameter in verb.parameters)
    in_text = False
    for word in words:
        in_text = in_text or (takes_text and "{" in word)
        parts.append(word if in_text else quoted(word))
    return " ".join(parts)


def zone_names(conf: str, socket: str | None, beginning: str) -> list[str]:
    """Return the zones of the running server that begin with *beginning*; none where it cannot be asked."""
    try:
        with connect(conf, socket, COMPLETE_WITHIN_S) as client:
            data = client.ask(f"find-zones {quoted(beginning)}")["data"]
    except (NoServerError, LostServerError, VerbError):
        return []
    return [str(name) for name in data["names"]] if isinstance(data, dict) else []
