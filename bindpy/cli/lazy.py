"""A group whose commands are imported when they are used, so that each of them starts at once."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from bindpy.cli.streams import flushed, mend_streams
from bindpy.deferred import dataclass
from bindpy.reload.collector import without_collector

_LIKENESS = 0.6
"""How like a known word one has to be for us to ask whether it is meant (1: the same)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A command that is not imported yet: its module, its name there, and its line in the list."""

    module: str
    attribute: str
    help: str

    def load(self) -> click.Command:
        """Import the command."""
        with without_collector():  # what modules make is there to stay
            command = getattr(importlib.import_module(self.module), self.attribute)
        assert isinstance(command, click.Command)
        return command


class LazyGroup(click.Group):
    """The commands of a table, in its order."""

    def __init__(self, *arguments: Any, entries: Mapping[str, Entry], **extra: Any) -> None:
        super().__init__(*arguments, **extra)
        self._entries = entries

    def main(self, *arguments: Any, **extra: Any) -> Any:
        """Run the command line. Nothing that is wrong with the standard streams becomes a traceback."""
        mend_streams()
        with flushed():
            return super().main(*arguments, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = self._entries.get(cmd_name)
        return None if entry is None else entry.load()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._entries and not args[0].startswith("-"):
            verbs = importlib.import_module("bindpy.control.catalogue").words_of_verbs()
            raise no_such_command(ctx, args[0], {name: name for name in self._entries}, _as_ctl(verbs))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self._entries.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [
            CompletionItem(name, help=entry.help)
            for name, entry in self._entries.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


def _as_ctl(verbs: Iterable[str]) -> Mapping[str, str]:
    return {verb: f"ctl {verb}" for verb in verbs}


def no_such_command(ctx: click.Context, word: str, *known: Mapping[str, str]) -> click.UsageError:
    """Return the error that says that *word* is no command, and which may be meant.

    *known* has words and what to write for each; those of the first mapping go first, unless the word itself
    is in another.
    """
    text = f"No such command '{word}'."
    for words in sorted(known, key=lambda words: word.lower() not in words):
        if near := difflib.get_close_matches(word.lower(), words, n=1, cutoff=_LIKENESS):
            text += f" Did you mean '{ctx.command_path} {words[near[0]]}'?"
            break
    return click.UsageError(text, ctx)
