"""Domain names as bytes: absolute, uncompressed wire form (RFC 1035 section 3.1), case kept.

A name is plain ``bytes`` because look-ups, comparison and message assembly all want exactly that. Its
*key*, ``name.lower()``, is what names are compared by (RFC 4343): label lengths are at most 63 and ASCII
capitals start at 65, so lowering the whole wire form never touches a length octet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

from bindpy.diagnostics import BindpyError

Name: TypeAlias = bytes
"""Absolute name, wire form, 1 to 255 octets, ends with the root label."""

Key: TypeAlias = bytes
"""``name.lower()``: equal keys, equal names."""

ROOT: Name = b"\0"
MAX_NAME_OCTETS = 255
MAX_LABEL_OCTETS = 63

_LABEL = r"[A-Za-z0-9_\-*/+=!#%&',:<>?\[\]^`{|}~]{1,63}"
_PLAIN_LABELS = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\.?")
_PRINT_AS_IS = frozenset(range(0x21, 0x7F)) - frozenset(b'"$().;@\\')
_ALL_AS_IS = bytes(sorted(_PRINT_AS_IS))
_PRINT_ESCAPED = frozenset(b'"$().;@\\')


class BadNameError(BindpyError):
    """Text or wire that is not a domain name; ``offset`` is where in the text (0-based)."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


def from_text(text: str, origin: Name | None = ROOT) -> Name:
    """Return the name that presentation-form *text* means, relative to *origin*.

    ``\\DDD`` and ``\\X`` escapes as RFC 1035 section 5.1; characters above 255 are refused, those from 128
    to 255 are octets (read files as latin-1). ``@`` alone is the origin. Raises `BadNameError`: an empty
    label, a label over 63 or a name over 255 octets, a bad escape, a relative name where *origin* is None.
    """
    if _PLAIN_LABELS.fullmatch(text) is not None:
        absolute = text[-1] == "."
        labels = (text[:-1] if absolute else text).encode("ascii").split(b".")
        wire = b"".join([b"%c%s" % (len(label), label) for label in labels])
    elif text == "@":
        wire, absolute = b"", False
    elif text == ".":
        return ROOT
    else:
        wire, absolute = _parse_escaped(text)
    if absolute:
        wire += ROOT
    elif origin is None:
        raise BadNameError(f"{text!a} is a relative name and there is no origin")
    else:
        wire += origin
    if len(wire) > MAX_NAME_OCTETS:
        raise BadNameError(f"name is {len(wire)} octets long, the limit is 255")
    return wire


def _parse_escaped(text: str) -> tuple[bytes, bool]:
    wire = bytearray()
    label = bytearray()
    i, size = 0, len(text)
    if not size:
        raise BadNameError("empty name")
    absolute = False
    while i < size:
        char = text[i]
        if char == ".":
            if not label:
                raise BadNameError(f"{text!a} has an empty label", i)
            wire.append(len(label))
            wire += label
            label.clear()
            absolute = i == size - 1
        else:
            octet, i = _octet(text, i)
            label.append(octet)
            if len(label) > MAX_LABEL_OCTETS:
                raise BadNameError("label is over 63 octets long", i)
        i += 1
    if label:
        wire.append(len(label))
        wire += label
    return bytes(wire), absolute


def _octet(text: str, i: int) -> tuple[int, int]:
    """Return the octet at *i* and the index of its last character."""
    code = ord(text[i])
    if code != 0x5C:
        if code > 255:
            raise BadNameError(f"{text[i]!a} is not ASCII; write the name in its A-label form (xn--…)", i)
        return code, i
    if i + 1 >= len(text):
        raise BadNameError("'\\' at the end of a name", i)
    following = text[i + 1]
    if not (following.isascii() and following.isdigit()):
        if ord(following) > 255:
            raise BadNameError(f"{following!a} is not ASCII", i + 1)
        return ord(following), i + 1
    digits = text[i + 1 : i + 4]
    if len(digits) != 3 or not (digits.isascii() and digits.isdigit()) or int(digits) > 255:
        raise BadNameError(f"bad escape '\\{digits}': three digits from 000 to 255 are expected", i)
    return int(digits), i + 3


def to_text(name: Name) -> str:
    """Return *name* in presentation form, absolute, with the escapes that BIND writes."""
    parts = labels(name)
    if not b"".join(parts).translate(None, _ALL_AS_IS):
        return b".".join(parts).decode("ascii") + "."
    return ".".join([*map(label_to_text, parts), ""])


def label_to_text(label: bytes) -> str:
    """Return one label in presentation form."""
    if not label.translate(None, _ALL_AS_IS):
        return label.decode("ascii")
    out = []
    for octet in label:
        if octet in _PRINT_AS_IS:
            out.append(chr(octet))
        elif octet in _PRINT_ESCAPED:
            out.append("\\" + chr(octet))
        else:
            out.append(f"\\{octet:03d}")
    return "".join(out)


def to_relative_text(name: Name, origin: Name) -> str:
    """Return *name* relative to *origin* (``@`` for the origin), or absolute when it is not under it."""
    if origin == ROOT or not is_subdomain(name.lower(), origin.lower()):
        return to_text(name)
    if len(name) == len(origin):
        return "@"
    return to_text(name[: len(name) - len(origin)] + ROOT)[:-1]


def labels(name: Name) -> list[bytes]:
    """Return the labels of *name* from left to right, the root label left out."""
    out = []
    i = 0
    while size := name[i]:
        out.append(name[i + 1 : i + 1 + size])
        i += 1 + size
    return out


def from_labels(parts: list[bytes]) -> Name:
    """Return the absolute name with *parts* as its labels. Raises `BadNameError` when one is too long."""
    for part in parts:
        if not 0 < len(part) <= MAX_LABEL_OCTETS:
            raise BadNameError(f"label is {len(part)} octets long")
    name = b"".join([b"%c%s" % (len(part), part) for part in parts]) + ROOT
    if len(name) > MAX_NAME_OCTETS:
        raise BadNameError(f"name is {len(name)} octets long, the limit is 255")
    return name


def parent(name: Name) -> Name:
    """Return *name* without its leftmost label; *name* is not the root."""
    return name[1 + name[0] :]


def ancestors(name: Name) -> Iterator[Name]:
    """Yield *name*, its parent, …, down to the root."""
    yield name
    while name[0]:
        name = name[1 + name[0] :]
        yield name


def label_count(name: Name) -> int:
    """Return the number of labels, the root label not counted."""
    count = i = 0
    while size := name[i]:
        count += 1
        i += 1 + size
    return count


def is_subdomain(key: Key, ancestor: Key) -> bool:
    """Return whether *key* is *ancestor* or below it."""
    if not key.endswith(ancestor):
        return False
    cut = len(key) - len(ancestor)
    i = 0
    while i < cut:  # a label may hold octets that look like the ancestor: only label borders count
        i += 1 + key[i]
    return i == cut


def canonical_key(key: Key) -> bytes:
    """Return bytes that sort as RFC 4034 section 6.1 orders names.

    Labels from the right, each closed by a 0 octet; 0 and 1 inside a label are escaped so that the order
    of the octets is kept. Ancestors sort before their descendants.
    """
    parts = labels(key)
    parts.reverse()
    joined = b"\0".join(parts)
    if b"\1" in joined or joined.count(b"\0") >= max(len(parts), 1):
        joined = b"\0".join([part.replace(b"\1", b"\1\2").replace(b"\0", b"\1\1") for part in parts])
    return joined + b"\0" if parts else b""


def is_wildcard(name: Name) -> bool:
    """Return whether the leftmost label is the asterisk label (RFC 4592 section 2.1.1)."""
    return name[:2] == b"\x01*"
