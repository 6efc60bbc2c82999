"""Messages off the wire: what dnspython reads, what is refused, and how fast it goes."""

from __future__ import annotations

import struct
import time

import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindpy.xfr.wire import Edns, Question, WireError, build_query, read_message
from bindpy.zone import names
from bindpy.zone.records import RRType

EXAMPLE = names.from_text("example.")

RDATAS = {
    "A": ["192.0.2.1", "0.0.0.0"],
    "AAAA": ["2001:db8::1", "::"],
    "NS": ["ns.example.", "a.b.c.Example.", "."],
    "CNAME": ["www.example."],
    "PTR": ["host.other."],
    "DNAME": ["example.org."],
    "SOA": ["ns.example. hostmaster.example. 1 2 3 4 5"],
    "MX": ["10 mail.example.", "0 ."],
    "SRV": ["1 2 3 host.example."],
    "TXT": ['"one" "two"', '""'],
    "NAPTR": ['100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .', '1 2 "" "" "" next.example.'],
    "RP": ["mbox.example. txt.example."],
    "AFSDB": ["1 afs.example."],
    "RT": ["2 relay.example."],
    "PX": ["10 map822.example. mapx400.example."],
    "KX": ["10 kx.example."],
    "CAA": ['0 issue "ca.example"'],
    "DS": ["1 8 2 " + "ab" * 32, "1 8 77 abcd"],
    "DNSKEY": ["257 3 8 AwEAAQ=="],
    "NSEC": ["b.example. A NS RRSIG NSEC"],
    "NSEC3": ["1 0 0 - 0123456789abcdefghijklmnopqrstuv A RRSIG", "2 1 5 aabb 00000000 "],
    "RRSIG": ["A 8 2 300 20300101000000 20200101000000 1 example. AwEAAQ=="],
    "HTTPS": ["1 . alpn=h2 port=8443"],
    "TYPE65400": ["\\# 3 010203", "\\# 0"],
}


@st.composite
def rrsets(draw: st.DrawFn) -> dns.rrset.RRset:
    owner = draw(
        st.sampled_from(["example.", "a.example.", "b.A.example.", "x" * 63 + ".example.", "*.example.", "."])
    )
    rtype = draw(st.sampled_from(sorted(RDATAS)))
    rdatas = draw(st.lists(st.sampled_from(RDATAS[rtype]), min_size=1, max_size=2, unique=True))
    return dns.rrset.from_text(owner, draw(st.integers(0, 2**31 - 1)), "IN", rtype, *rdatas)


def as_dnspython_sees(message: dns.message.Message) -> list[tuple[bytes, int, int, int, bytes]]:
    return [
        (rrset.name.to_wire(), int(rrset.rdtype), int(rrset.rdclass), rrset.ttl, rdata.to_wire())
        for rrset in message.answer
        for rdata in rrset
    ]


@settings(max_examples=300, deadline=None)
@given(st.lists(rrsets(), max_size=12))
def test_reads_what_dnspython_reads(answer: list[dns.rrset.RRset]) -> None:
    message = dns.message.make_response(dns.message.make_query("example.", "AXFR"))
    message.answer = answer
    wire = message.to_wire(want_shuffle=False)
    seen = dns.message.from_wire(wire, one_rr_per_rrset=True)
    read = read_message(wire)
    assert read.answer == as_dnspython_sees(seen)
    assert read.question == Question(EXAMPLE, RRType.AXFR, 1)
    assert (read.id, read.flags, read.rcode) == (seen.id, int(seen.flags), 0)


def head(*, questions: int = 0, answers: int = 0, additionals: int = 0) -> bytes:
    return struct.pack("!6H", 1, 0x8000, questions, answers, 0, additionals)


def record(owner: bytes, rtype: int, rdata: bytes, ttl: int = 60, rdclass: int = 1) -> bytes:
    return owner + struct.pack("!HHIH", rtype, rdclass, ttl, len(rdata)) + rdata


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "shorter than a header"),
        (head(questions=2), "2 questions"),
        (head(questions=1) + b"\3ab", "too early"),
        (head(answers=1), "too early"),
        (head(answers=1) + record(b"\xc0\x0c", 1, b"abcd"), "backwards"),
        (head(answers=1) + record(b"\xc0\xff", 1, b"abcd"), "backwards"),
        (head(answers=1) + record(b"\1a\xc0\x0c", 1, b"abcd"), "backwards"),
        (head(answers=1) + record(b"\x40", 1, b"abcd"), "unknown kind"),
        (head(answers=1) + record((b"\x3f" + b"x" * 63) * 4 + b"\0", 1, b"abcd"), "longer than 255"),
        (head(answers=1) + record(b"\0", 1, b"abcd")[:-1], "ends inside a record"),
        (head(answers=1) + record(b"\0", 1, b"abcd") + b"!", "follow the last record"),
        (head(answers=1) + record(b"\0", 1, b"abc"), "3 octets long, not 4"),
        (head(answers=1) + record(b"\0", 2, b"\1a\0\0"), "another length"),
        (head(answers=1) + record(b"\0", 6, b"\0\0" + bytes(19)), "another length"),
        (head(answers=1) + record(b"\0", 15, b"\0"), "too early|another length"),
        (head(answers=1) + record(b"\0", 16, b""), "TXT"),
        (head(answers=1) + record(b"\0", 16, b"\5abc"), "TXT"),
        (head(answers=1) + record(b"\0", 39, b"\xc0\x0c"), "compressed where that is not allowed"),
        (head(answers=1) + record(b"\0", 46, bytes(18) + b"\0"), "no signature"),
        (head(answers=1) + record(b"\0", 46, bytes(18) + b"\1a\0sig"), "more labels"),
        (head(answers=1) + record(b"\0", 47, b"\0"), "no types"),
        (head(answers=1) + record(b"\0", 47, b"\0\0\1\0"), "bit map"),
        (head(answers=1) + record(b"\0", 50, b"\1\0\0\0\0"), "NSEC3|early"),
        (head(answers=1) + record(b"\0", 48, bytes(4)), "no key"),
        (head(answers=1) + record(b"\0", 43, b"\0\1\x08\2" + bytes(31)), "bad DS RDATA"),
        (head(answers=1) + record(b"\0", 35, b"\0\1\0\2\5abc"), "NAPTR|early"),
        (head(additionals=1) + record(b"\0", 41, b"\0\1\0\5ab"), "option"),
        (head(additionals=1) + record(b"\1a\0", 41, b""), "OPT"),
        (head(additionals=2) + record(b"\0", 41, b"") * 2, "OPT"),
    ],
)
def test_malformed_is_refused_with_a_reason(octets: bytes, reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        read_message(octets)


@pytest.mark.parametrize(("pointers", "good"), [(100, True), (200, False)])
def test_pointers_to_pointers_are_bounded(pointers: int, good: bool) -> None:
    rdata_at = len(head()) + 11
    chain = b"".join(struct.pack("!H", 0xC000 | max(rdata_at, rdata_at - 1 + 2 * i)) for i in range(pointers))
    first = record(b"\0", 65400, b"\0" + chain)
    last_pointer = struct.pack("!H", 0xC000 | len(head()) + len(first) - 2)
    octets = head(answers=2) + first + record(last_pointer, 1, b"abcd")
    if good:
        assert read_message(octets).answer[1] == (b"\0", 1, 1, 60, b"abcd")
    else:
        with pytest.raises(WireError, match="too many"):
            read_message(octets)


@pytest.mark.parametrize(
    ("rtype", "rdata", "plain"),
    [
        (3, b"\xc0\x0c", b"\1a\0"),
        (7, b"\1b\xc0\x0c", b"\1b\1a\0"),
        (14, b"\xc0\x0c\1b\xc0\x0c", b"\1a\0\1b\1a\0"),
        (17, b"\xc0\x0c\xc0\x0c", b"\1a\0\1a\0"),
        (26, b"\0\1\xc0\x0c\xc0\x0c", b"\0\1\1a\0\1a\0"),
        (35, b"\0\1\0\2\1u\0\0\xc0\x0c", b"\0\1\0\2\1u\0\0\1a\0"),
        (33, b"\0\1\0\2\0\3\xc0\x0c", b"\0\1\0\2\0\3\1a\0"),
    ],
)
def test_names_that_may_be_compressed(rtype: int, rdata: bytes, plain: bytes) -> None:
    octets = head(answers=1) + record(b"\1a\0", rtype, rdata)
    assert read_message(octets).answer == [(b"\1a\0", rtype, 1, 60, plain)]


def test_ttl_with_the_highest_bit_is_zero() -> None:
    read = read_message(head(answers=1) + record(b"\0", 1, b"abcd", ttl=0x80000001))
    assert read.answer == [(b"\0", 1, 1, 0, b"abcd")]


def test_other_classes_are_read_too() -> None:
    read = read_message(
        head(answers=2) + record(b"\0", 16, b"\1a", rdclass=3) + record(b"\0", 1, b"xy", rdclass=77)
    )
    assert [rr[2] for rr in read.answer] == [3, 77]


def test_edns_gives_the_upper_bits_of_the_rcode_and_expire() -> None:
    opt = record(b"\0", 41, b"\0\x09\0\4\0\0\x0e\x10", ttl=0x01000000, rdclass=1232)
    read = read_message(head(additionals=1) + opt)
    assert read.rcode == 16
    assert read.edns == Edns(1232, 0, {9: b"\0\0\x0e\x10"})
    assert read.edns.expire_s == 3600
    assert Edns(1232, 0, {9: b""}).expire_s is None


def test_build_query_is_what_dnspython_reads() -> None:
    soa = dns.rdata.from_text("IN", "SOA", "ns.example. host.example. 7 2 3 4 5").to_wire() or b""
    wire = build_query(
        Question(EXAMPLE, RRType.IXFR, 1),
        authority=((EXAMPLE, RRType.SOA, 1, 60, soa),),
        edns_payload_octets=1232,
        expire=True,
    )
    message = dns.message.from_wire(wire)
    assert message.question[0].to_text() == "example. IN IXFR"
    assert message.authority[0][0].serial == 7
    assert (message.payload, [int(o.otype) for o in message.options]) == (1232, [9])
    assert read_message(wire).authority == [(EXAMPLE, RRType.SOA, 1, 60, soa)]


def test_speed_is_enough_for_transfers() -> None:
    message = dns.message.make_response(dns.message.make_query("example.", "AXFR"))
    for i in range(400):
        message.answer.append(dns.rrset.from_text(f"h{i}.example.", 60, "IN", "A", f"10.0.0.{i % 256}"))
        message.answer.append(dns.rrset.from_text(f"h{i}.example.", 60, "IN", "MX", f"10 m{i}.example."))
    wire = message.to_wire(want_shuffle=False)
    best = 0.0
    for _ in range(10):  # the best of several: the machine has other work too
        begin = time.process_time()
        for _ in range(10):
            read = read_message(wire)
        best = max(best, 10 * len(read.answer) / (time.process_time() - begin))
    assert best > 100_000


@settings(max_examples=500, deadline=None)
@given(st.lists(rrsets(), min_size=1, max_size=6), st.data())
def test_damaged_messages_never_raise_anything_else(
    answer: list[dns.rrset.RRset], data: st.DataObject
) -> None:
    message = dns.message.make_response(dns.message.make_query("example.", "AXFR"))
    message.answer = answer
    wire = bytearray(message.to_wire(want_shuffle=False))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = read_message(bytes(wire))
    except WireError:
        return
    for owner, _, _, ttl, rdata in read.answer + read.authority:
        assert 0 < len(owner) <= 255
        assert owner[-1] == 0
        assert 0 <= ttl <= 2**31 - 1
        assert len(rdata) <= 65535


@pytest.mark.parametrize("delimiter", [bytes((octet,)) for octet in b"!%]^-$ "])
def test_naptr_with_any_delimiter(delimiter: bytes) -> None:
    regexp = delimiter.join((b"", b"^.*$" if delimiter not in b"^$" else b".*", b"sip:x", b""))
    rdata = b"\0\1\0\2\0\0" + bytes((len(regexp),)) + regexp + b"\0"
    assert read_message(head(answers=1) + record(b"\0", 35, rdata)).answer[0][4] == rdata
