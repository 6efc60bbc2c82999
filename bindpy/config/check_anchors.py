"""Trust anchors (``trust-anchors``, ``trusted-keys``, ``managed-keys``): what BIND refuses in them."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Sequence

from bindpy.config.check_keys import is_base64
from bindpy.config.check_report import (
    Report,
    check_name,
    having,
    inside,
    is_true,
    members,
    name_of,
    number,
    word,
)
from bindpy.config.tree import Statement
from bindpy.zone.names import ROOT, BadNameError, Key

_ANCHORS, _MANAGED, _TRUSTED = "trust-anchors", "managed-keys", "trusted-keys"
_KEYWORDS = (_ANCHORS, _MANAGED, _TRUSTED)
_KEY_FIELDS = (("flags", 0xFFFF), ("protocol", 0xFF), ("algorithm", 0xFF))
_DS_FIELDS = (("key tag", 0xFFFF), ("algorithm", 0xFF), ("digest type", 0xFF))


def check_anchors(
    report: Report,
    statements: Iterable[Statement],
    options: dict[str, Statement],
    views: Sequence[Statement],
) -> None:
    """Check the anchors among the top-level *statements* and in *views*.

    *options* is what that statement says, by keyword. Those of a view are together with those outside.
    """
    outer = list(having(statements, *_KEYWORDS))
    _check_values(report, outer)
    reported: set[int] = set()
    if not views:
        _check_together(report, outer, options, reported)
    for view in views:
        own = list(having(inside(view), *_KEYWORDS))
        _check_values(report, own)
        _check_together(report, outer + own, options | members(view), reported)


def _check_values(report: Report, anchors: Iterable[Statement]) -> None:
    for statement in anchors:
        for anchor in inside(statement):
            first = 1 if statement.keyword == _TRUSTED else 2
            is_ds = first == 2 and word(anchor, 1).lower().endswith("-ds")
            if len(anchor.items) != first + 4:
                continue
            check_name(report, anchor, 0)
            for index, (what, most) in enumerate(_DS_FIELDS if is_ds else _KEY_FIELDS, first):
                value = number(word(anchor, index))
                if value is not None and value > most:
                    report.at(f"{what} {value} is too big: at most {most}", anchor, index)
            data = "".join(word(anchor, first + 3).split())
            if not (_is_hex(data) if is_ds else is_base64(data)):
                report.at(f"bad {'hex' if is_ds else 'base64'} encoding", anchor, first + 3)


def _check_together(
    report: Report, anchors: Sequence[Statement], settings: dict[str, Statement], reported: set[int]
) -> None:
    """A name's anchors are static, or initial. What *reported* has is not said again."""
    validation = settings.get("dnssec-validation")
    automatic = validation is not None and is_true(validation) is None
    static: dict[Key, Statement] = {}
    for anchor, name, is_static in _anchors(anchors):
        if not is_static:
            continue
        static.setdefault(name, anchor)
        if name == ROOT and automatic and id(anchor) not in reported:
            reported.add(id(anchor))
            report.at("'dnssec-validation auto' goes with no static trust anchor of the root", anchor)
    for anchor, name, is_static in _anchors(anchors):
        if not is_static and name in static and id(anchor) not in reported:
            reported.add(id(anchor))
            report.error(
                "static and initial trust anchors cannot be used for the same domain",
                anchor.source,
                anchor.offset,
                related=[("the static one is here", static[name])],
            )
    if any(having(anchors, _ANCHORS)):
        for managed in having(anchors, _MANAGED):
            if id(managed) not in reported:
                reported.add(id(managed))
                report.at(f"'{_MANAGED}' cannot be used beside '{_ANCHORS}'", managed)


def _anchors(statements: Iterable[Statement]) -> Iterable[tuple[Statement, Key, bool]]:
    """Yield each anchor with its name and whether it is a static one."""
    for statement in statements:
        for anchor in inside(statement):
            try:
                name = name_of(word(anchor, 0)).lower()
            except BadNameError:
                continue
            yield anchor, name, statement.keyword == _TRUSTED or word(anchor, 1).lower().startswith("static-")


def _is_hex(text: str) -> bool:
    try:
        binascii.unhexlify(text)
    except ValueError:
        return False
    return True
