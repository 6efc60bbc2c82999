"""Spoiled answers and RDATA of noise: either records that may be served and written, or a `WireError`.

``BINDPY_FUZZ_MESSAGES`` is how many (20,000 unless set), ``BINDPY_FUZZ_SEED`` where to begin.
"""

from __future__ import annotations

import os
import random
import struct

import dns.exception
import dns.message
import dns.rdatatype
import pytest

from bindpy.xfr.wire import WireError, read_message
from bindpy.zone import names
from bindpy.zone.rdata import check_rdata, is_meta_type
from bindpy.zone.reader import read_zone_text
from bindpy.zone.records import IN, RR, RRType
from bindpy.zone.snapshot import build_snapshot
from bindpy.zone.zonefile import zone_file_text
from tests.support.packets import spoil
from tests.support.transfers import axfr_records, message
from tests.support.zones import zone_from_text

MESSAGES = int(os.environ.get("BINDPY_FUZZ_MESSAGES", "20000"))
SEED = int(os.environ.get("BINDPY_FUZZ_SEED", "20261122"))

ZONE = zone_from_text(
    "example.",
    """\
@ SOA ns host 1 2 3 4 5
@ NS ns
@ MX 10 mail.other.
@ CAA 0 issue "ca"
@ DNSKEY 257 3 8 AwEAAQ==
@ RRSIG DNSKEY 8 1 3600 20300101000000 20200101000000 1 @ AwEAAQ==
@ NSEC ns A NS SOA MX RRSIG NSEC DNSKEY
ns A 192.0.2.1
ns AAAA 2001:db8::1
_s._tcp SRV 1 2 3 ns
t TXT "a" "b"
n NAPTR 1 2 "u" "E2U" "!a!b!" .
d DNAME other.
h HTTPS 1 . alpn=h2
r RP a b
x TYPE65400 \\# 3 010203
sub DS 1 8 2 abababababababababababababababababababababababababababababababab
0123456789abcdefghijklmnopqrstuv NSEC3 1 0 5 aabb 0123456789abcdefghijklmnopqrstuv A RRSIG
""",
)


def answers() -> list[bytes]:
    """Return messages to spoil: as we write them, and compressed by dnspython."""
    records = axfr_records(ZONE)
    plain = message(records, question=(ZONE.origin, 252, 1))
    compressed = dns.message.from_wire(plain, one_rr_per_rrset=True).to_wire(want_shuffle=False)
    return [plain, compressed, *[message([rr]) for rr in records]]


def text_reads_back(owner: bytes, rtype: int, rdata: bytes) -> bool:
    """Return whether the zone file that would be written holds the record."""
    if rtype in (
        RRType.SOA,
        RRType.MD,
        RRType.MF,
    ):  # no zone file may have MD and MF (RFC 1035 section 3.3.4)
        return True
    zone = build_snapshot(names.ROOT, [RR(names.ROOT, RRType.SOA, 1, bytes(22)), RR(owner, rtype, 1, rdata)])
    text = "".join(zone_file_text(zone)).encode("ascii")
    read = read_zone_text("zone", names.ROOT, IN, text=text)
    return not read.has_errors and read.builder.finish().same_data(zone)


def check(octets: bytes) -> bool:
    """Return whether *octets* were taken; what was is good, and the same as dnspython reads, if it does."""
    try:
        read = read_message(octets)
    except WireError:
        return False
    for owner, rtype, rdclass, ttl, rdata in read.answer + read.authority:
        assert names.from_labels(names.labels(owner)) == owner
        assert 0 <= ttl <= 0x7FFFFFFF
        if not is_meta_type(rtype) and rdclass == IN:
            assert check_rdata(rtype, rdata, rdclass) is None, (rtype, rdata)
            assert text_reads_back(owner, rtype, rdata), (rtype, rdata)
    try:
        theirs = dns.message.from_wire(octets, one_rr_per_rrset=True, question_only=False)
    except (dns.exception.DNSException, ValueError, struct.error):
        return True
    for ours, rrset in zip(read.answer, theirs.answer, strict=False):
        if len(rrset) == 1 and not isinstance(rrset[0], dns.rdata.GenericRdata):
            assert ours[4] == rrset[0].to_wire(), rrset
    return True


@pytest.mark.timeout(600)
def test_spoiled_answers() -> None:
    rng = random.Random(SEED)
    whole = answers()
    taken = 0
    for number in range(MESSAGES):
        octets = spoil(whole[number % len(whole)], rng)
        try:
            taken += check(octets)
        except Exception as exc:
            exc.add_note(f"seed {SEED}, message {number}: {octets.hex()}")
            raise
    assert 0 < taken < MESSAGES


@pytest.mark.timeout(600)
def test_rdata_of_noise_for_every_type() -> None:
    rng = random.Random(SEED)
    types = [*range(300), *(int(t) for t in dns.rdatatype.RdataType), 32768, 32769, 65280, 65400]
    samples = [rr.rdata for rr in axfr_records(ZONE)]
    taken = 0
    for number in range(MESSAGES):
        rdata = rng.randbytes(rng.randrange(40)) if number % 2 else rng.choice(samples)
        record = (
            b"\1a\0"
            + struct.pack("!HHIH", rng.choice(types), rng.choice((1, 1, 1, 3, 254)), 60, len(rdata))
            + rdata
        )
        octets = struct.pack("!6H", 1, 0x8400, 0, 1, 0, 0) + record
        try:
            taken += check(octets)
        except Exception as exc:
            exc.add_note(f"seed {SEED}, message {number}: {octets.hex()}")
            raise
    assert 0 < taken < MESSAGES


def test_the_test_can_fail() -> None:
    soa = RRType.SOA
    assert check_rdata(soa, b"\0\0" + bytes(19)) is not None
    assert check(answers()[0])
