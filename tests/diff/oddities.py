"""Queries that no well-behaved client sends, and some that few send: headers, questions and EDNS by hand."""

from __future__ import annotations

import struct

ZONE = b"\3odd\4test\0"
WWW = b"\3www" + ZONE
A, OPT, IN, CHAOS = 1, 41, 1, 3
RD, CD, AD, Z, RA, TC, AA, QR = 0x0100, 0x0010, 0x0020, 0x0040, 0x0080, 0x0200, 0x0400, 0x8000


def header(flags: int = 0, counts: tuple[int, int, int, int] = (1, 0, 0, 0)) -> bytes:
    """Return a header with ID 0."""
    return struct.pack("!6H", 0, flags, *counts)


def question(name: bytes = WWW, qtype: int = A, qclass: int = IN) -> bytes:
    """Return one question."""
    return name + struct.pack("!HH", qtype, qclass)


def opt(
    options: bytes = b"", *, version: int = 0, payload: int = 1232, flags: int = 0, name: bytes = b"\0"
) -> bytes:
    """Return an OPT record (RFC 6891 section 6.1.2)."""
    return name + struct.pack("!HHBBHH", OPT, payload, 0, version, flags, len(options)) + options


def option(code: int, data: bytes = b"") -> bytes:
    """Return one EDNS option."""
    return struct.pack("!HH", code, len(data)) + data


def edns(options: bytes = b"", *, version: int = 0, payload: int = 1232, flags: int = 0) -> bytes:
    """Return a plain query with an OPT record."""
    record = opt(options, version=version, payload=payload, flags=flags)
    return header(counts=(1, 0, 0, 1)) + question() + record


_RECORD = WWW + struct.pack("!HHIH", A, IN, 60, 4) + b"\x7f\0\0\1"
_LONGEST = (b"\x3f" + b"a" * 63) * 3 + b"\x33" + b"b" * 51 + ZONE
_TOO_LONG = (b"\x3f" + b"a" * 63) * 3 + b"\x35" + b"b" * 53 + ZONE

MESSAGES: dict[str, bytes] = {
    **{f"opcode {n}": header(n << 11) + question() for n in (1, 2, 3, 6, 7, 15)},
    "opcode 15 without a question": header(15 << 11, (0, 0, 0, 0)),
    "a response": header(QR) + question(),
    "no question": header(counts=(0, 0, 0, 0)),
    "no question, OPT": header(counts=(0, 0, 0, 1)) + opt(),
    "two questions": header(counts=(2, 0, 0, 0)) + question() + question(ZONE),
    "65535 questions": header(counts=(65535, 0, 0, 0)) + question(),
    "header only": header(),
    "half a name": header() + b"\3ww",
    "name without type": header() + WWW,
    "type without class": header() + WWW + b"\0\1",
    "octets after the end": header() + question() + b"junk",
    "11 octets": header()[:11],
    "empty": b"",
    "an answer record": header(counts=(1, 1, 0, 0)) + question() + _RECORD,
    "an authority record": header(counts=(1, 0, 1, 0)) + question() + _RECORD,
    "an additional record": header(counts=(1, 0, 0, 1)) + question() + _RECORD,
    "additional record missing": header(counts=(1, 0, 0, 1)) + question(),
    "pointer to itself": header() + question(b"\xc0\x0c"),
    "pointer loop": header() + question(b"\1a\xc0\x0c"),
    "pointer past the end": header() + question(b"\xc3\xff"),
    "pointer into the header": header() + question(b"\xc0\x04"),
    "label type 0x40": header() + question(b"\x41www\0"),
    "label type 0x80": header() + question(b"\x81www\0"),
    "longest name": header() + question(_LONGEST),
    "name too long": header() + question(_TOO_LONG),
    "root": header() + question(b"\0", 2),
    **{
        f"flag {n}": header(bit) + question()
        for n, bit in (("TC", TC), ("AA", AA), ("RA", RA), ("Z", Z), ("AD", AD), ("CD", CD), ("RD", RD))
    },
    "all flags, rcode 15": header(RD | CD | AD | Z | RA | TC | AA | 15) + question(),
    **{f"type {n}": header() + question(ZONE, n) for n in (0, 10, 41, 128, 249, 253, 254, 65535)},
    "class CHAOS, unknown name": header() + question(qclass=CHAOS),
    "class HESIOD": header() + question(qclass=4),
    "class 0": header() + question(qclass=0),
    "class NONE": header() + question(qclass=254),
    "class ANY": header() + question(qclass=255),
    "class ANY, unknown zone": header() + question(b"\1x\0", qclass=255),
    "class 65280": header() + question(qclass=65280),
    "EDNS version 1": edns(version=1),
    "EDNS version 255": edns(version=255),
    "EDNS unknown flags": edns(flags=0x7FFF),
    "EDNS payload 0": edns(payload=0),
    "EDNS payload 65535": edns(payload=65535),
    "EDNS unknown option": edns(option(65001, b"data")),
    "EDNS empty NSID": edns(option(3)),
    "EDNS NSID with data": edns(option(3, b"x")),
    "EDNS padding": edns(option(12, b"\0" * 16)),
    "EDNS keepalive over UDP": edns(option(11)),
    "EDNS client subnet": edns(option(8, b"\0\1\x18\0\xc0\0\2")),
    "EDNS client subnet, bad family": edns(option(8, b"\0\7\x18\0\xc0\0\2")),
    "EDNS client subnet, short": edns(option(8, b"\0")),
    "EDNS option cut short": edns(struct.pack("!HH", 65001, 9) + b"abc"),
    "EDNS option header cut short": edns(b"\0\3\0"),
    "EDNS cookie of 7 octets": edns(option(10, b"1234567")),
    "EDNS cookie of 41 octets": edns(option(10, b"1" * 41)),
    "EDNS expire": edns(option(9)),
    "EDNS key tag": edns(option(14, b"\x4f\x66")),
    "two OPT records": header(counts=(1, 0, 0, 2)) + question() + opt() + opt(),
    "OPT with an owner": header(counts=(1, 0, 0, 1)) + question() + opt(name=b"\1x\0"),
    "OPT in the answer section": header(counts=(1, 1, 0, 0)) + question() + opt(),
    "OPT cut short": header(counts=(1, 0, 0, 1)) + question() + opt()[:-3],
    "octets after the OPT": edns() + b"junk",
    "version 1 and opcode 2": header(2 << 11, (1, 0, 0, 1)) + question() + opt(version=1),
    "EDNS outside": header(counts=(1, 0, 0, 1)) + question(b"\1x\0") + opt(),
}
"""Title → message."""
