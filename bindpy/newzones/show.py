"""A zone statement as ``rndc showzone`` prints it: in one line, its clauses in BIND's order."""

from __future__ import annotations

from typing import cast

from bindpy.config.clause_table import contexts
from bindpy.config.clauses import ALIASES, ANYTHING, Clause
from bindpy.config.plain_values import parse_value
from bindpy.config.tree import Item, Statement, Token, text_of
from bindpy.config.values import (
    AclElement,
    AclGeoip,
    AclKey,
    AclName,
    AclNested,
    AclNetwork,
    Remote,
    RemoteList,
)

_FIRST = frozenset(("check-names", "ixfr-from-differences"))
"""Clauses that other places have too, but that BIND prints with those of zones only."""


def bind_text(statement: Statement) -> str:
    """Return *statement*, a good ``zone`` statement, as BIND shows it."""
    body = statement.body()
    assert body is not None, "a zone has a body"
    clauses = contexts()["zone"]
    known = [(clauses[ALIASES.get(inner.keyword, inner.keyword)], inner) for inner in body.statements]
    known.sort(key=lambda pair: _order(*pair))
    inside = "".join([f"{_line(clause, inner)}; " for clause, inner in known])
    head = [cast(Token, item) for item in statement.items[1:-1]]
    name = str(head[0]._replace(quoted=True)) + "".join(
        f" {token.text}" for token in head[1:] if token.text.upper() != "IN"
    )
    return f"zone {name} {{ {inside}}};"


def _order(clause: Clause, statement: Statement) -> tuple[int, str]:
    keyword = statement.keyword
    if keyword == "type":
        return 0, ""
    return (1 if clause.where == "z" or keyword in _FIRST else 2), keyword


def _line(clause: Clause, statement: Statement) -> str:
    items = statement.items[1:]
    return f"{statement.keyword} {_value(clause, items)}".rstrip()


def _value(clause: Clause, items: list[Item]) -> str:
    text = text_of(items)
    if clause.value == ANYTHING:
        return text
    value = parse_value(clause.value, text)
    match value.args:
        case (bool(flag),):
            return "yes" if flag else "no"
        case (int(number),):
            return str(number)
        case (RemoteList() as remotes,):
            return _remotes(remotes)
        case (tuple(elements),) if clause.value.endswith("<acl>"):
            return "".join(f"{name} {said} " for name, said in value.named.items()) + _acl(elements)
    return text.replace(" ;", ";")


def _acl(elements: tuple[AclElement, ...]) -> str:
    return f"{{ {''.join([_element(one) + '; ' for one in elements])}}}"


def _element(element: AclElement) -> str:
    sign = "!" if element.negated else ""
    match element:
        case AclNetwork(network=network):
            return f"{sign}{network}"
        case AclKey(name=name):
            return f'{sign}key "{name}"'
        case AclName(name=name):
            return f'{sign}"{name}"'
        case AclGeoip(text=text):
            return f"{sign}geoip {text}"
        case AclNested(elements=nested):
            return sign + _acl(nested)


def _remotes(remotes: RemoteList) -> str:
    words = "" if remotes.port is None else f"port {remotes.port} "
    words += f"source {remotes.source} " if remotes.source else ""
    words += f"source-v6 {remotes.source_v6} " if remotes.source_v6 else ""
    return f"{words}{{ {''.join([_remote(one) + '; ' for one in remotes.elements])}}}"


def _remote(remote: Remote) -> str:
    words = f'"{remote.target}"' if remote.is_list else remote.target
    words += "" if remote.port is None else f" port {remote.port}"
    words += f' key "{remote.key}"' if remote.key else ""
    return words + (f' tls "{remote.tls}"' if remote.tls else "")
