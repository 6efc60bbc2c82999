"""Changes of the list of autoprimaries: the statement in the configuration, or the file in PowerDNS' form.

Comments and layout of what is not touched stay. Every change is judged before it is written: the
configuration must be good with it, and list exactly the entries that it is to list.
"""

from __future__ import annotations

import difflib
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable

from bindpy.config.autoprimaries_file import AutoprimaryLine, autoprimary_lines
from bindpy.config.load import ConfigResult, load_config
from bindpy.config.model import Autoprimary, Config
from bindpy.config.scanner import end_of_block
from bindpy.config.tree import Block, Source, Statement, Token
from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostics, Severity
from bindpy.edit.change import Part, apply_parts
from bindpy.edit.document import read_file, write_file
from bindpy.edit.errors import EditError
from bindpy.files import FileStamp
from bindpy.zone.names import Key, to_text

_KEYWORD = "autoprimaries"
_ONLY_COMMENT = re.compile(r"[ \t\r]*(?:(?:#|//)[^\n]*|/\*[^\n]*?\*/[ \t\r]*)?(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class ListedIn:
    """An autoprimary and where it is listed: the path of the file."""

    entry: Autoprimary
    path: str


@dataclass(frozen=True, slots=True)
class ListChange:
    """One file's change: what it held and what it will, and what that means."""

    path: str
    stamp: FileStamp
    before: str
    after: str
    entries: tuple[Autoprimary, ...]
    """Those that are added or removed."""

    def diff(self) -> str:
        """Return the difference in unified form, for a person."""
        before, after = (list(io.StringIO(_shown(one), newline="\n")) for one in (self.before, self.after))
        lines = difflib.unified_diff(before, after, self.path, f"{self.path} (new)")
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
        )

    def write(self) -> None:
        """Write it, unless somebody else has changed the file. Raises `EditError` and `ReplaceError`."""
        write_file(self.path, self.after.encode("utf-8", "surrogateescape"), self.stamp)


def listed(config: Config) -> list[ListedIn]:
    """Return the autoprimaries of *config*, each once for each file that lists it."""
    options = config.options
    found = [ListedIn(entry, entry.span.file) for entry in options.autoprimaries]
    return found + [
        ListedIn(entry, file.path) for file in options.autoprimary_files for entry in file.entries
    ]


class AutoprimaryDocument:
    """The configuration *conf* and the files that it names, as they were read."""

    def __init__(self, conf: str) -> None:
        """Read it. Raises `EditError` where it is not good."""
        self._conf = conf
        self._result = load_config(conf)
        self.config = _good(self._result, f"{conf} is not good; nothing was done")

    def add(self, entry: Autoprimary) -> ListChange:
        """Return the change that adds *entry*: to the statement that lists some, else to a file that does.

        Raises `EditError`.
        """
        for one in listed(self.config):
            if _condition(one.entry) == _condition(entry):
                raise EditError(f"{described(entry)} is listed already, in {one.path}")
        blocks = [one for one in self._statements() if one.body() is not None]
        if not blocks and self.config.options.autoprimary_files and not entry.key:
            return self._add_to_file(entry)
        statement = blocks[0] if blocks else self._options()
        body = statement.body()
        assert body is not None, "both end in a block"
        lines = [self._entry_text(entry)]
        if not blocks:
            lines = [f"{_KEYWORD} {{", _unit(statement.source.text) + lines[0], "};"]
        part = _insertion(body, statement.source.text, lines)
        return self._change(statement.source, [part], added=[entry])

    def remove(self, wanted: Callable[[Autoprimary], bool]) -> list[ListChange]:
        """Return the changes, one for each file, that remove the entries that *wanted* says.

        Raises `EditError`.
        """
        changes = []
        elements = [element for statement in self._statements() for element in _inside(statement)]
        by_source: dict[int, list[tuple[Statement, Autoprimary]]] = {}
        for element, entry in zip(elements, self.config.options.autoprimaries, strict=True):
            if wanted(entry):
                by_source.setdefault(id(element.source), []).append((element, entry))
        for found in by_source.values():
            source = found[0][0].source
            parts = [_removal(source.text, *_extent(element)) for element, _ in found]
            changes.append(self._change(source, parts, removed=[entry for _, entry in found]))
        for file in self.config.options.autoprimary_files:
            removed = [entry for entry in file.entries if wanted(entry)]
            if removed:
                changes.append(self._remove_from_file(file.path, wanted, removed))
        return changes

    # --- the statement ----------------------------------------------------------------------------

    def _options(self) -> Statement:
        for statement in self._result.tree:
            if statement.keyword == "options" and statement.body() is not None:
                return statement
        raise EditError(f"{self._conf} has no 'options' statement to put 'autoprimaries' into")

    def _statements(self) -> list[Statement]:
        tree = [one for one in self._result.tree if one.keyword == "options"]
        return [inner for one in tree for inner in _inside(one) if inner.keyword == _KEYWORD]

    def _entry_text(self, entry: Autoprimary) -> str:
        port = f" port {entry.port}" if entry.port != self.config.options.port else ""
        key = f' key "{entry.key.rstrip(".")}"' if entry.key else ""
        account = f' account "{entry.account}"' if entry.account else ""
        return f'{entry.address}{port}{key} nameserver "{to_text(entry.nameserver)[:-1]}"{account};'

    def _change(
        self,
        source: Source,
        parts: list[Part],
        *,
        added: Iterable[Autoprimary] = (),
        removed: Iterable[Autoprimary] = (),
    ) -> ListChange:
        """Return the change of *source*, checked: with it, the statements list just what they should."""
        stamp, octets = read_file(source.path)
        if octets.decode("utf-8", "surrogateescape") != source.text:
            raise EditError(f"{source.path} was changed by somebody else meanwhile; nothing was done")
        after = apply_parts(source.text, parts)
        result = load_config(self._conf, texts={os.path.realpath(source.path): after})
        config = _good(result, f"{self._conf} would not be good any more; nothing was done")
        gone = set(removed)
        expected = Counter(one for one in self.config.options.autoprimaries if one not in gone)
        expected.update(added)
        if Counter(config.options.autoprimaries) != expected or config.zones() != self.config.zones():
            raise EditError(f"the change would touch more of {source.path} than the list; edit it by hand")
        return ListChange(source.path, stamp, source.text, after, (*added, *removed))

    # --- the file in PowerDNS' form ---------------------------------------------------------------

    def _add_to_file(self, entry: Autoprimary) -> ListChange:
        file = self.config.options.autoprimary_files[0]
        stamp, text, lines = self._lines_of(file.path)
        gap = " "
        if lines and "\t" in text[lines[-1].start : lines[-1].end].split("#")[0].strip():
            gap = "\t"
        if re.search(r"\s", entry.account):
            raise EditError(f"{file.path} is in PowerDNS' form, where an account is one word")
        words = [self._address_text(entry), to_text(entry.nameserver)[:-1], entry.account]
        start = "" if not text or text.endswith("\n") else "\n"
        after = f"{text}{start}{gap.join(filter(None, words))}\n"
        self._check_file(file.path, after, [*[line.entry for line in lines], entry])
        return ListChange(file.path, stamp, text, after, (entry,))

    def _address_text(self, entry: Autoprimary) -> str:
        if entry.port == self.config.options.port:
            return entry.address
        return f"[{entry.address}]:{entry.port}" if ":" in entry.address else f"{entry.address}:{entry.port}"

    def _remove_from_file(
        self, path: str, wanted: Callable[[Autoprimary], bool], removed: list[Autoprimary]
    ) -> ListChange:
        stamp, text, lines = self._lines_of(path)
        after = apply_parts(text, [(line.start, line.end, "") for line in lines if wanted(line.entry)])
        self._check_file(path, after, [line.entry for line in lines if not wanted(line.entry)])
        return ListChange(path, stamp, text, after, tuple(removed))

    def _lines_of(self, path: str) -> tuple[FileStamp, str, list[AutoprimaryLine]]:
        stamp, octets = read_file(path)
        text = octets.decode("utf-8", "surrogateescape")
        return stamp, text, self._read_lines(path, text)

    def _read_lines(self, path: str, text: str) -> list[AutoprimaryLine]:
        diagnostics = Diagnostics()
        lines = autoprimary_lines(text, path, self.config.options.port, diagnostics)
        if diagnostics.has_errors:
            raise EditError(f"{path} is not good; nothing was done", diagnostics.items)
        return lines

    def _check_file(self, path: str, text: str, expected: list[Autoprimary]) -> None:
        if [line.entry for line in self._read_lines(path, text)] != expected:
            raise EditError(f"the change would touch more of {path} than was asked for; edit it by hand")


def described(entry: Autoprimary) -> str:
    """Return *entry* as messages name it."""
    key = f", key {entry.key.rstrip('.')}" if entry.key else ""
    return f"autoprimary {entry.address} port {entry.port} ({to_text(entry.nameserver)}{key})"


def _condition(entry: Autoprimary) -> tuple[str, int, str, Key]:
    return entry.address, entry.port, entry.key, entry.nameserver.lower()


def _good(result: ConfigResult, otherwise: str) -> Config:
    if result.config is None:
        raise EditError(otherwise, [item for item in result.diagnostics if item.severity is Severity.ERROR])
    return result.config


def _inside(statement: Statement) -> list[Statement]:
    body = statement.body()
    return [] if body is None else body.statements


def _insertion(body: Block, text: str, lines: list[str]) -> Part:
    """Return the part that puts *lines* at the end of *body* of *text*, laid out as what stands there."""
    line_start = text.rfind("\n", 0, body.end) + 1
    outer = text[line_start : body.end]
    if outer.strip(" \t"):  # all of it stands on one line
        gap = "" if text[body.end - 1] in " \t" else " "
        return body.end, body.end, f"{gap}{' '.join(line.strip() for line in lines)} "
    indent = outer + _unit(text)
    if body.statements:
        first = body.statements[0].offset
        before = text[text.rfind("\n", 0, first) + 1 : first]
        indent = before if not before.strip(" \t") else indent
    newline = "\r\n" if "\r\n" in text else "\n"
    return line_start, line_start, "".join([f"{indent}{line}{newline}" for line in lines])


def _unit(text: str) -> str:
    """Return what *text* indents by: what its first indented line begins with."""
    found = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    return found[1] if found else "\t"


def _extent(element: Statement) -> tuple[int, int]:
    """Return from where to where *element* goes in its text, its semicolon included."""
    first = element.items[0]
    assert isinstance(first, Token), "an entry begins with an address"
    end = end_of_block(element.source.text[first.offset :], first.text.lower())
    assert end is not None, "it was read as a statement"
    return first.offset, first.offset + end


def _removal(text: str, start: int, end: int) -> Part:
    """Return the part that takes an entry out: its line, if it is alone there, with the comment behind it."""
    line_start = text.rfind("\n", 0, start) + 1
    if text[line_start:start].strip(" \t"):  # behind something: with the blanks between
        while text[start - 1] in " \t":
            start -= 1
        return start, end, ""
    rest = _ONLY_COMMENT.match(text, end)
    if rest is not None:
        return line_start, rest.end(), ""
    while text[end] in " \t":
        end += 1
    return start, end, ""


def _shown(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
