"""The ``autoprimaries`` statements of ``options`` → the servers that may make new zones."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bindpy.config.acl import parse_address
from bindpy.config.autoprimaries_file import read_autoprimaries_file, unfit_account
from bindpy.config.model import Autoprimary, AutoprimaryFile, ViewConfig
from bindpy.config.resolve import Resolver, key_name, octets
from bindpy.config.sections import Entry, Section
from bindpy.config.tree import Block
from bindpy.diagnostics import Diagnostics
from bindpy.zone import names

_UNFIT_FOR_STATEMENT = re.compile(r'["\\\x00-\x1f\x7f]')


def build_autoprimaries(
    section: Section, resolver: Resolver
) -> tuple[tuple[Autoprimary, ...], tuple[AutoprimaryFile, ...]]:
    """Return the autoprimaries that *section* lists, and the files of such that it names."""
    statements = section.all("autoprimaries")
    listed: list[Autoprimary] = []
    files: list[AutoprimaryFile] = []
    for entry in statements:
        path = entry.value.named.get("file")
        if path is None:
            listed += _listed(entry, resolver)
            continue
        read, findings = read_autoprimaries_file(resolver.path(path), resolver.port)
        resolver.found(findings, entry.statement)
        if read is not None:
            files.append(read)
    if statements:
        _check_surroundings(section, statements[0], resolver)
    return tuple(listed), tuple(files)


def _check_surroundings(section: Section, statement: Entry, resolver: Resolver) -> None:
    needed = {
        "autoprimary-directory": "the directory for the files of new zones",
        "autoprimary-config": "the file that their statements are written to",
    }
    for name, what in needed.items():
        entry = section.first(name)
        if entry is None:
            resolver.error(
                statement.statement, f"'autoprimaries' without '{name}'", hint=f"add it; it is {what}"
            )
        elif _UNFIT_FOR_STATEMENT.search(resolver.path(entry.value.args[0])):
            resolver.error(
                entry.statement,
                f"'{name}' has a quote, a backslash or a control character, which statements of zones "
                "cannot hold",
            )


def _listed(entry: Entry, resolver: Resolver) -> Iterable[Autoprimary]:
    body = entry.statement.body()
    assert isinstance(body, Block), "the grammar takes a block or a file"
    for statement, value in zip(body.statements, entry.value.args[0], strict=True):
        named: dict[str, Any] = dict(value.named)
        try:
            key = key_name(named["key"]) if "key" in named else ""
        except names.BadNameError as error:
            resolver.error(statement, f"'{named['key']}' is not a key name: {error}", named["key"])
            continue
        try:
            nameserver = names.from_text(octets(named["nameserver"]))
        except names.BadNameError as error:
            resolver.error(statement, f"'{named['nameserver']}' is not a name: {error}", named["nameserver"])
            continue
        account, port = named.get("account", ""), named.get("port", resolver.port)
        if (why := unfit_account(account)) is not None:
            resolver.error(statement, f"the account {why}", account)
        elif not port:
            resolver.error(statement, "an autoprimary is not asked on port 0", "0")
        else:
            address = str(parse_address(value.args[0]))
            yield Autoprimary(address, port, key, nameserver, account, statement.span)


def check_keys(
    autoprimaries: Iterable[Autoprimary], views: Iterable[ViewConfig], diagnostics: Diagnostics
) -> None:
    """Report the keys of *autoprimaries* that no view has: nothing of theirs could ever be taken."""
    known = {name for view in views for name in view.keys}
    for one in autoprimaries:
        if one.key and one.key not in known:
            diagnostics.error(
                f"key '{one.key.rstrip('.')}' of autoprimary {one.address} is not defined",
                one.span,
                hint="define it with a 'key' statement",
            )
