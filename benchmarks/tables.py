"""Markdown tables of what was measured: a row for each server, and below them what the project aims at."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

SUBJECT: Final = "bindpy-rust"
ECHO: Final = "echo"
TITLES: Final[Mapping[str, str]] = {
    ECHO: "echo",
    SUBJECT: "bindpy (Rust)",
    "bindpy-python": "bindpy (Python)",
    "named": "BIND",
    "nsd": "NSD",
    "knot": "Knot",
    "pdns": "PowerDNS",
}
"""What the servers are called in the tables."""
PEERS: Final = ("named", "nsd", "knot", "pdns")
FAILED: Final = "failed"
WHY_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Column:
    """A figure, of which less is better; *fold* makes one of those of all rounds.

    The targets are for bindpy (Rust): at most *over_echo* times what echo has, with *against_peers* at most
    what the best peer has, at most *most*.
    """

    head: str
    digits: int = 1
    fold: Callable[[Sequence[float]], float] = statistics.median
    over_echo: float | None = None
    against_peers: bool = False
    most: float | None = None


class Table:
    """The figures of some servers, added as they are measured; it can be shown at any time."""

    def __init__(self, title: str, columns: Sequence[Column], servers: Sequence[str]) -> None:
        self.failures: dict[str, str] = {}
        """Why, by server: what it has no figures of is marked as failed."""
        self._title = title
        self._columns = {column.head: column for column in columns}
        self._servers = servers
        self._values: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        self._remarks: list[str] = []

    def add(self, server: str, head: str, *values: float) -> None:
        """Add what *server* has in the column *head*: a value for each round."""
        if head not in self._columns:
            raise KeyError(head)
        self._values[server, head] += values

    def fail(self, server: str, why: str) -> None:
        """Note that *server* failed."""
        lines = why.strip().splitlines() or [FAILED]
        said = lines if len(lines) == 1 else [lines[0], lines[-1]]  # mostly the end of a log
        self.failures[server] = " … ".join(line[:WHY_CHARS] for line in said)

    def remark(self, text: str) -> None:
        """Add a line below the table."""
        self._remarks.append(text)

    def figure(self, server: str, head: str) -> float | None:
        """Return the one figure that *server*'s values make; None if it has none."""
        values = self._values.get((server, head))
        return self._columns[head].fold(values) if values else None

    def markdown(self) -> str:
        """Return the table as markdown."""
        lines = [f"**{self._title}**", "", self._line("", list(self._columns))]
        lines.append("| --- |" + " ---: |" * len(self._columns))
        for server in self._servers:
            lines.append(self._line(TITLES[server], [self._cell(server, head) for head in self._columns]))
        ours = TITLES[SUBJECT]
        for label, judge in (
            (f"{ours} / echo", self._against_echo),
            (f"{ours} / best peer", self._against_peers),
            ("target", self._against_limit),
        ):
            cells = [judge(column) for column in self._columns.values()]
            if any(cells):
                lines.append(self._line(label, cells))
        remarks = [f"{TITLES[server]} failed: {why}" for server, why in self.failures.items()] + self._remarks
        return "\n".join([*lines, "", *(f"- {remark}" for remark in remarks), *([""] if remarks else [])])

    @staticmethod
    def _line(first: str, cells: Sequence[str]) -> str:
        return f"| {first} | " + " | ".join(cells) + " |"

    def _cell(self, server: str, head: str) -> str:
        value = self.figure(server, head)
        if value is None:
            return FAILED if server in self.failures else ""
        return f"{value:,.{self._columns[head].digits}f}"

    def _against_echo(self, column: Column) -> str:
        ours, echo = self.figure(SUBJECT, column.head), self.figure(ECHO, column.head)
        if column.over_echo is None or ours is None or not echo:
            return ""
        return _judged(ours / echo, column.over_echo)

    def _against_peers(self, column: Column) -> str:
        ours = self.figure(SUBJECT, column.head)
        peers = {peer: self.figure(peer, column.head) for peer in PEERS}
        known = {peer: value for peer, value in peers.items() if value is not None}
        if not column.against_peers or ours is None or not known:
            return ""
        best = min(known, key=known.__getitem__)
        ratio = ours / known[best] if known[best] else float(ours > 0)
        return f"{_judged(ratio, 1)}, {TITLES[best]}"

    def _against_limit(self, column: Column) -> str:
        ours = self.figure(SUBJECT, column.head)
        if column.most is None or ours is None:
            return ""
        return f"≤ {column.most:g}" if ours <= column.most else f"**≤ {column.most:g}**"


def _judged(ratio: float, most: float) -> str:
    """Return *ratio* with its target; bold where it misses that."""
    text = f"{ratio:.2f}"
    return f"{text if ratio <= most else f'**{text}**'} (≤ {most:g})"
