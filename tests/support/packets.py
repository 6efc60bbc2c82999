"""Queries for fuzzing: a corpus of valid ones, a seeded way to spoil them, and what holds for any reply."""

from __future__ import annotations

import random
import struct

import dns.flags
import dns.message

from bindpy.answer.policy import AnswerPolicy, Outcome, Transport, ViewPolicy, ZonePolicy
from bindpy.engine import Answerer, Engine
from tests.support.engines import zone_of
from tests.support.signed import signed
from tests.support.zones import zone_from_text

ZONE = """
@            3600 SOA   ns1 h 1 2 3 4 300
@            3600 NS    ns1
@            3600 NS    ns.sub
@            3600 MX    10 mail
ns1          3600 A     192.0.2.1
mail         3600 AAAA  2001:db8::2
www          3600 CNAME mail
loop         3600 CNAME loop
chain        3600 CNAME x.moved
moved        3600 DNAME wild
spin         3600 DNAME spin.spin
*.wild       3600 TXT   "wildcard"
*.wild       3600 A     192.0.2.3
a.b.c        3600 SRV   0 0 53 ns1
sub          3600 NS    ns.sub
sub          3600 DS    12345 8 2 0000000000000000000000000000000000000000000000000000000000000000
ns.sub       3600 A     192.0.2.4
bare         3600 NS    ns.bare
ns.bare      3600 A     192.0.2.5
""" + "".join(f'big 3600 TXT "{i}{"x" * 240}"\n' for i in range(12))

_OWNERS = (
    "", "ns1", "mail", "www", "loop", "chain", "moved", "x.moved", "x.spin", "q.wild", "p.q.wild", "*.wild",
    "b.c", "a.b.c", "z.a.b.c", "sub", "x.sub", "bare", "x.y.bare", "big", "no", "x.no", "c",
)  # fmt: skip
_ORIGINS = ("plain", "nsec", "nsec3", "optout")
_QTYPES = (1, 2, 5, 6, 12, 15, 16, 24, 28, 33, 39, 43, 46, 47, 48, 50, 64, 65, 99, 251, 252, 253, 255, 257)
_MAX_UDP_OCTETS = 1232


def fuzzed_answerer(engine: Engine) -> Answerer:
    """Return the Answerer of *engine* with signed and unsigned zones."""
    view = ViewPolicy("_default", minimal_responses="no")
    policy = AnswerPolicy(views=(view,), server_id="id", version="v", max_udp_size=_MAX_UDP_OCTETS)
    answerer = engine.answerer
    answerer.configure(policy)
    texts = {
        "plain.": ZONE,
        "nsec.": signed("nsec.", ZONE),
        "nsec3.": signed("nsec3.", ZONE, nsec3=True),
        "optout.": signed("optout.", ZONE, nsec3=True, opt_out=True),
    }
    for origin, text in texts.items():
        answerer.publish("_default", zone_of(engine, zone_from_text(origin, text)), ZonePolicy())
    return answerer


def corpus() -> list[bytes]:
    """Return valid queries of all kinds."""
    queries = []
    for number, owner in enumerate(_OWNERS):
        for place, qtype in enumerate(_QTYPES):
            origin = _ORIGINS[(number + place) % len(_ORIGINS)]
            labels = [label.encode() for label in f"{owner}.{origin}".split(".") if label]
            name = b"".join(b"%c%s" % (len(label), label) for label in labels) + b"\0"
            rdclass = (1, 1, 1, 3, 255)[place % 5] if number % 4 == 0 else 1
            opt = b""
            if (number + place) % 3:
                ttl = 0x8000 if place % 2 else 0
                options = (b"", b"\0\3\0\0", b"\0\x0a\0\x08cookiess")[number % 3]
                opt = (
                    b"\0"
                    + struct.pack("!HHIH", 41, (512, 1232, 4096)[place % 3], ttl, len(options))
                    + options
                )
            flags = 0x0100 if place % 2 else 0
            header = struct.pack("!6H", 0x4242, flags, 1, 0, 0, 1 if opt else 0)
            queries.append(header + name + struct.pack("!2H", qtype, rdclass) + opt)
    return queries


def spoil(query: bytes, rng: random.Random) -> bytes:
    """Return *query* with one to four random changes."""
    data = bytearray(query)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data)) if data else 0
        match rng.randrange(8):
            case 0 if data:
                data[at] = rng.randrange(256)
            case 1 if data:
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                del data[at : at + rng.randint(1, 8)]
            case 3:
                data[at:at] = rng.randbytes(rng.randint(1, 8))
            case 4:
                data[at:at] = bytes([0xC0 | rng.randrange(64), rng.randrange(256)])
            case 5:
                data += data[at : at + rng.randint(1, 40)]
            case 6 if len(data) >= 12:
                data[4 + 2 * rng.randrange(4) + 1] = rng.randrange(4)
            case _:
                data[at : at + 1] = bytes([rng.choice((0, 1, 0x3F, 0x40, 0x80, 0xFF))])
    return bytes(data)


def check_reply(query: bytes, reply: bytes | Outcome, transport: Transport, *, parse: bool = True) -> None:
    """Assert what holds for the reply to any octets; *parse* reads it with dnspython, too."""
    if isinstance(reply, Outcome):
        if reply is Outcome.DROP:
            assert len(query) < 12 or query[2] & 0x80
        return
    limit = 65535 if transport is Transport.TCP else _MAX_UDP_OCTETS
    assert 12 <= len(reply) <= limit
    assert reply[:2] == query[:2], "the ID is the query's"
    assert reply[2] & 0xF8 == 0x80 | (query[2] & 0x78), "a response, with the query's opcode"
    assert reply[2] & 1 <= query[2] & 1, "RD comes from the query"
    assert not reply[3] & 0xE0, "neither RA nor Z nor AD"
    if reply[4:6] == b"\0\1":
        end = _question_end(reply)
        assert reply[12:end] == query[12:end], "the question is repeated octet for octet"
    if parse:
        message = dns.message.from_wire(reply)
        assert message.flags & dns.flags.QR


def _question_end(message: bytes) -> int:
    at = 12
    while message[at]:
        at += 1 + message[at]
    return at + 5
