"""The short way for the lines that big zones are made of.

One regular expression takes a whole simple line (or a record whose RDATA stands in one pair of parentheses),
and one function for each common type turns its RDATA to wire form. Whatever is not simple, or not right, is
left to the reader's general way: what comes out here is exactly what would come out there, and a test holds
the two against each other. Nothing here reports anything.
"""

from __future__ import annotations

import re
import struct
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from socket import AF_INET, AF_INET6, inet_pton

from bindpy.zone import names
from bindpy.zone.linestate import LineState
from bindpy.zone.names import BadNameError, Name
from bindpy.zone.rdata import (
    MAX_RDATA_OCTETS,
    RdataError,
    class_to_text,
    is_meta_type,
    rdata_from_text,
    signature_time,
    type_from_text,
)
from bindpy.zone.records import IN, RRType
from bindpy.zone.snapshot import OutOfZoneError, SnapshotBuilder
from bindpy.zone.ttl import MAX_TTL, parse_ttl

_MAX_MEMO = 50_000
"""Entries of each memo; a full one is emptied, so that the memory of a reading stays bounded."""

_PLAIN = r"""[ \t!#-'*-:<-\[\]-~]"""
"""Printable ASCII but quotes, parentheses, semicolons and backslashes."""
_PLAIN_OR_NEWLINE = r"""[ \t\r\n!#-'*-:<-\[\]-~]"""


def _line_pattern(class_text: str) -> re.Pattern[str]:
    cls = f"(?i:{class_text})[ \\t]++"
    ttl = r"([0-9][0-9A-Za-z]{0,15})[ \t]++"
    return re.compile(
        rf"""(?:[ \t]*+(?:;[^\n]*+)?\r?\n)*+             # empty lines and comments
        ([A-Za-z0-9*_.@/+\-]*+)[ \t]++                   # 1: owner, empty when inherited
        (?:{ttl}(?:{cls})?|{cls}(?:{ttl})?)?             # 2, 3: TTL before or after the class
        ([A-Za-z][A-Za-z0-9\-]*+)[ \t]++                 # 4: type
        ({_PLAIN}*+(?:"[^"\\\n]*+"{_PLAIN}*+)*+)         # 5: RDATA
        (?:\(((?:{_PLAIN_OR_NEWLINE}++|;[^\n]*+\n)*+)\)[ \t]*+)?  # 6: RDATA in parentheses
        (?:;[^\n]*+)?\r?\n""",
        re.VERBOSE,
    )


class _NotSimpleError(Exception):
    """The general way must look at this."""


class _NameMemo(dict[str, bytes]):
    """Names by their text, relative to one origin."""

    def __init__(self, origin: Name) -> None:
        super().__init__()
        self._origin = origin

    def __missing__(self, text: str) -> bytes:
        if '"' in text:  # quoted: not for names
            raise _NotSimpleError
        name = names.from_text(text, self._origin)
        if len(self) >= _MAX_MEMO:
            self.clear()
        self[text] = name
        return name


class _TtlMemo(dict[str, int]):
    def __missing__(self, text: str) -> int:
        ttl = parse_ttl(text)
        if ttl is None or ttl > MAX_TTL:
            raise _NotSimpleError
        if len(self) >= _MAX_MEMO:
            self.clear()
        self[text] = ttl
        return ttl


class _RdataMemo(dict[str, bytes]):
    """RDATA of one type by its text: for types that are seldom, or that repeat."""

    def __init__(self, rtype: int, origin: Name, rdclass: int) -> None:
        super().__init__()
        self._rtype = rtype
        self._origin = origin
        self._rdclass = rdclass

    def __missing__(self, text: str) -> bytes:
        rdata = rdata_from_text(self._rtype, text, self._origin, self._rdclass)
        if len(self) >= _MAX_MEMO:
            self.clear()
        self[text] = rdata
        return rdata


class _BitmapMemo(dict[str, bytes]):
    """Type bit maps (RFC 4034 section 4.1.2) by the text of their types."""

    def __missing__(self, text: str) -> bytes:
        # NSEC RDATA with the root as next name is one octet and the bit map
        bitmap = rdata_from_text(RRType.NSEC, f". {text}", names.ROOT)[1:]
        if len(self) >= _MAX_MEMO:
            self.clear()
        self[text] = bitmap
        return bitmap


class _TimeMemo(dict[str, int]):
    """Signature times (RFC 4034 section 3.2) by their text."""

    def __missing__(self, text: str) -> int:
        time = signature_time(text)
        if len(self) >= _MAX_MEMO:
            self.clear()
        self[text] = time
        return time


class _TypeMemo(dict[str, int]):
    def __missing__(self, text: str) -> int:
        rtype = type_from_text(text)
        if rtype is None:
            raise _NotSimpleError
        self[text] = rtype
        return rtype


_Convert = Callable[[str], bytes]
_FAILURES = (_NotSimpleError, BadNameError, RdataError, OutOfZoneError, OSError, ValueError, struct.error)
_COMMENT = re.compile(r";[^\n]*+")
_FIRST_WORD = re.compile(r"[ \t]*+")
_STRING = re.compile(r'[ \t]*+(?:"([^"]*+)"|([^ \t"]++))')
_pack_u16 = struct.Struct("!H").pack
_pack_srv = struct.Struct("!HHH").pack
_pack_ds = struct.Struct("!HBB").pack
_pack_rrsig = struct.Struct("!HBBIIIH").pack
_pack_nsec3 = struct.Struct("!BBHB").pack
_DIGEST_OCTETS = {"1": 20, "2": 32, "4": 48}
"""Octets of a DS digest by its type: SHA-1, SHA-256, SHA-384."""


def _number(text: str) -> int:
    if not text.isdigit():  # int() takes signs and underscores too
        raise _NotSimpleError
    return int(text)


_MAX_PART_OCTETS = MAX_RDATA_OCTETS - 512
"""A part of RDATA that is not longer leaves room for numbers and a name."""


def _base64(parts: list[str]) -> bytes:
    text = "".join(parts)
    octets = a2b_base64(text, strict_mode=True)
    if not octets or b2a_base64(octets, newline=False).decode("ascii") != text:
        raise _NotSimpleError
    if len(octets) > _MAX_PART_OCTETS:
        raise _NotSimpleError
    return octets


def _txt(text: str) -> bytes:
    out = []
    pos, size = 0, len(text.rstrip(" \t"))
    while pos < size:
        m = _STRING.match(text, pos)
        if m is None:
            raise _NotSimpleError
        string = m[m.lastindex or 1].encode("latin-1")
        if len(string) > 255:
            raise _NotSimpleError
        out.append(b"%c%s" % (len(string), string))
        pos = m.end()
    wire = b"".join(out)
    if not 0 < len(wire) <= MAX_RDATA_OCTETS:
        raise _NotSimpleError
    return wire


def _dnskey(text: str) -> bytes:
    flags, protocol, algorithm, *key = text.split()
    return _pack_ds(_number(flags), _number(protocol), _number(algorithm)) + _base64(key)


def _ds(text: str) -> bytes:
    tag, algorithm, digest_type, *digest = text.split()
    octets = bytes.fromhex("".join(digest))
    if len(octets) != _DIGEST_OCTETS.get(digest_type):
        raise _NotSimpleError
    return _pack_ds(_number(tag), _number(algorithm), int(digest_type)) + octets


def _nsec3_hash(text: str) -> bytes:
    """Base32hex (RFC 4648 section 7) of a SHA-1 hash is a number in base 32 of 32 digits."""
    if len(text) != 32 or not text.isalnum():
        raise _NotSimpleError
    return int(text, 32).to_bytes(20, "big")


class _Converters(dict[str, tuple[int, _Convert]]):
    """Type number and converter by the type's text, for one origin."""

    def __init__(self, fast: FastPath, origin: Name, rdclass: int) -> None:
        super().__init__()
        self._origin = origin
        self._rdclass = rdclass
        self._by_type = _converters(fast, rdclass)

    def __missing__(self, text: str) -> tuple[int, _Convert]:
        rtype = type_from_text(text)
        if rtype is None or is_meta_type(rtype) or rtype in _SPECIAL:
            raise _NotSimpleError
        convert = self._by_type.get(rtype)
        if convert is None:
            convert = _RdataMemo(rtype, self._origin, self._rdclass).__getitem__
        if len(self) >= _MAX_MEMO:
            self.clear()
        self[text] = found = (rtype, convert)
        return found


_SPECIAL = frozenset({RRType.SOA, RRType.MD, RRType.MF})


def _converters(fast: FastPath, rdclass: int) -> dict[int, _Convert]:
    """Return the converters that names relative to the present origin need, and the others."""
    name_of, types, times, bitmaps = fast.names, fast.types, fast.times, fast.bitmaps

    def one_name(text: str) -> bytes:
        (name,) = text.split()
        return name_of[name]

    def mx(text: str) -> bytes:
        preference, exchange = text.split()
        return _pack_u16(_number(preference)) + name_of[exchange]

    def srv(text: str) -> bytes:
        priority, weight, port, target = text.split()
        return _pack_srv(_number(priority), _number(weight), _number(port)) + name_of[target]

    def rrsig(text: str) -> bytes:
        covered, algorithm, labels, ttl, expiration, inception, tag, signer, *signature = text.split()
        head = _pack_rrsig(
            types[covered], _number(algorithm), _number(labels), _number(ttl),
            times[expiration], times[inception], _number(tag),
        )  # fmt: skip
        signer_name = name_of[signer]
        if names.label_count(signer_name) > head[3]:  # let `bindpy.zone.strict` say why
            raise _NotSimpleError
        return head + signer_name + _base64(signature)

    def nsec(text: str) -> bytes:
        following, present = text.split(None, 1)
        return name_of[following] + bitmaps[present]

    def nsec3(text: str) -> bytes:
        algorithm, flags, iterations, salt_text, following, *present = text.split(None, 5)
        salt = b"" if salt_text == "-" else bytes.fromhex(salt_text)
        head = _pack_nsec3(_number(algorithm), _number(flags), _number(iterations), len(salt))
        bitmap = bitmaps[present[0]] if present else b""
        return b"%s%s\x14%s%s" % (head, salt, _nsec3_hash(following), bitmap)

    converters: dict[int, _Convert] = {
        RRType.NS: one_name,
        RRType.CNAME: one_name,
        RRType.PTR: one_name,
        RRType.DNAME: one_name,
        RRType.MX: mx,
        RRType.TXT: _txt,
        RRType.DS: _ds,
        RRType.DNSKEY: _dnskey,
        RRType.RRSIG: rrsig,
        RRType.NSEC: nsec,
        RRType.NSEC3: nsec3,
    }
    if rdclass == IN:
        converters[RRType.A] = _a
        converters[RRType.AAAA] = _aaaa
        converters[RRType.SRV] = srv
    return converters


def _a(text: str) -> bytes:
    return inet_pton(AF_INET, text.strip())


def _aaaa(text: str) -> bytes:
    return inet_pton(AF_INET6, text.strip())


def _first_word(m: re.Match[str]) -> int:
    blank = _FIRST_WORD.match(m.string, m.start(1))
    return blank.end() if blank is not None else m.start(1)


_Note = Callable[[Name, int, int], None]
"""Called with owner, type and offset of each record read, when places are wanted."""


class FastPath:
    """Reads runs of simple lines into *builder*. One for each reading."""

    def __init__(self, builder: SnapshotBuilder, note: _Note | None = None) -> None:
        self._builder = builder
        self._note = note
        self._rdclass = builder.rdclass
        self._match = _line_pattern(class_to_text(builder.rdclass)).match
        self._ttls = _TtlMemo()
        self.times = _TimeMemo()
        self.types = _TypeMemo()
        self.bitmaps = _BitmapMemo()
        self.names = _NameMemo(names.ROOT)
        self._origin: Name | None = None
        self._converters: dict[str, tuple[int, _Convert]] = {}

    def run(self, text: str, pos: int, state: LineState) -> int:  # noqa: PLR0912 (one loop, for speed)
        """Read simple lines from *pos* on, update *state*, and return where the first other line begins."""
        if state.origin != self._origin:
            self._set_origin(state.origin)
        match, add, note = self._match, self._builder.add, self._note
        name_of, ttl_of, converters = self.names, self._ttls, self._converters
        owner = state.owner if state.owner_in_zone else None
        default_ttl, last_ttl = state.default_ttl, state.last_ttl
        may_repeat_ttl = state.told_rfc1035_ttl
        owners = self._builder.owners
        kept, kept_start = owner, state.block_start
        block_start = kept_start
        try:
            while (m := match(text, pos)) is not None:
                owner_text, ttl_text, ttl_text_2, type_text, rdata_text, in_parentheses = m.groups()
                rtype, convert = converters[type_text]
                if in_parentheses is not None:
                    rdata_text = " ".join([rdata_text, *_COMMENT.sub("", in_parentheses).split()])
                rdata = convert(rdata_text)
                if owner_text:
                    named = name_of[owner_text]
                    if named != owner:
                        owner = named
                        block_start = len(owners)
                elif owner is None:
                    break
                if ttl_text is not None or (ttl_text := ttl_text_2) is not None:
                    ttl = last_ttl = ttl_of[ttl_text]
                elif default_ttl is not None:
                    ttl = default_ttl
                elif may_repeat_ttl and last_ttl is not None:
                    ttl = last_ttl
                else:
                    break
                if add(owner, rtype, ttl, rdata) != ttl:
                    break  # added it is; the general way finds it there, and tells about the TTL
                kept, kept_start = owner, block_start
                if note is not None:
                    note(owner, rtype, m.start(1) if owner_text else _first_word(m))
                pos = m.end()
        except _FAILURES:
            pass  # the general way says what is wrong, or knows better
        if kept is not None:
            state.owner, state.owner_in_zone, state.block_start = kept, True, kept_start
        state.last_ttl = last_ttl
        return pos

    def _set_origin(self, origin: Name) -> None:
        self._origin = origin
        self.names = _NameMemo(origin)
        self._converters = _Converters(self, origin, self._rdclass)
