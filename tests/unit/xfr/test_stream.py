"""The messages of a transfer: what is in them, how large they are, and that compression changes nothing."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindpy.answer.query import Query, read_query
from bindpy.answer.response import Entry
from bindpy.engine import Packed, RecordTooLargeError
from bindpy.xfr.stream import Packer, axfr_entries, ixfr_entries
from bindpy.zone import names
from bindpy.zone.diff import diff
from bindpy.zone.rdata import rdata_to_text
from bindpy.zone.records import IN, RRType
from bindpy.zone.snapshot import ZoneSnapshot
from tests.support.zones import zone_from_text

ORIGIN = names.from_text("example.com.")
SOA: Entry = (ORIGIN, RRType.SOA, 3600, (names.from_text("ns.example.com.") * 2 + bytes(20),))
ZONE = """
@ 3600 SOA ns1 h 1 2 3 4 300
@ 3600 NS ns1
@ 3600 NS ns.elsewhere.test.
@ 3600 MX 10 Mail
@ 3600 MX 20 mail.elsewhere.test.
ns1 60 A 192.0.2.1
ns1 60 A 192.0.2.2
ns1 60 AAAA 2001:db8::1
Mail 60 A 192.0.2.3
a.b.c 60 CNAME mail.elsewhere.test.
d 60 DNAME mail.elsewhere.test.
srv 60 SRV 1 2 3 ns1
sub 60 NS ns.sub
ns.sub 60 A 192.0.2.4
notexample 60 PTR notexample.com.
www 60 TXT "text"
"""


def query(name: str = "example.com", qtype: str = "AXFR", edns: bool = False) -> Query:
    message = dns.message.make_query(name, qtype, use_edns=0 if edns else False)
    message.id = 0x4242
    wire = message.to_wire()
    read = read_query(wire, wire[2] << 8 | wire[3])
    assert isinstance(read, Query)
    return read


def packer(
    asked: Query | None = None,
    origin: bytes = ORIGIN,
    limit: int = 20480,
    most: int = 65535,
    one_answer: bool = False,
) -> Packer:
    return Packer(
        asked or query(),
        origin,
        IN,
        limit_octets=limit,
        most_octets=most,
        one_answer=one_answer,
        edns_octets=1232,
    )


def records(packed: list[Packed], name: str = "example.com.") -> list[str]:
    """Return all records of the messages as text, each message having been read by dnspython."""
    found = []
    for one in packed:
        message = dns.message.from_wire(one.message, one_rr_per_rrset=True)
        assert message.id == 0x4242
        assert message.flags & (dns.flags.QR | dns.flags.AA) == dns.flags.QR | dns.flags.AA
        assert message.question[0].name.to_text().lower() == name.lower()
        assert len(message.answer) == one.records
        assert not message.authority
        found += [f"{rrset.name} {rrset.ttl} {rrset.rdtype} {rrset[0]}" for rrset in message.answer]
    return found


def expected(zone: ZoneSnapshot) -> list[str]:
    found = []
    for rr in zone.rrs():
        owner, text = names.to_text(rr.owner), rdata_to_text(rr.rtype, rr.rdata)
        found.append(f"{owner} {rr.ttl} {rr.rtype} {text}")
    return found


@pytest.mark.parametrize("limit", [200, 20480])
@pytest.mark.parametrize("one_answer", [False, True])
@pytest.mark.parametrize("asked", ["example.com", "eXample.COM"])
def test_a_zone_arrives_whole_between_two_soas(limit: int, one_answer: bool, asked: str) -> None:
    zone = zone_from_text("example.com.", ZONE)
    made = packer(query(asked), zone.origin, limit, one_answer=one_answer)
    packed = list(made.messages(axfr_entries(zone)))
    got = records(packed)
    assert got[0] == got[-1] == expected(zone)[0]
    assert sorted(got[:-1]) == sorted(expected(zone))
    assert all(len(one.message) <= limit for one in packed)
    assert (len(packed) == len(got)) == one_answer


def test_rrsets_stay_together() -> None:
    zone = zone_from_text("example.com.", ZONE)
    sets = [(owner, rrset.rtype) for owner, rrset in zone.rrsets()]
    assert len(sets) == len(set(sets))
    owners = [owner for owner, _ in sets]
    assert [o for i, o in enumerate(owners) if not i or owners[i - 1] != o] == list(dict.fromkeys(owners))


def test_names_are_compressed_where_they_may_be() -> None:
    zone = zone_from_text("example.com.", ZONE)
    (packed,) = packer().messages(axfr_entries(zone))
    plain = ORIGIN
    # The question, and RDATA whose names may not be compressed (RFC 3597 section 4): SRV and DNAME.
    assert packed.message.count(plain) == 2
    assert packed.message.count(names.from_text("mail.elsewhere.test.")) == 2


def test_the_root_zone_has_nothing_to_point_to() -> None:
    zone = zone_from_text(".", "@ SOA a. b. 1 2 3 4 5\n@ NS a.\ncom. NS a.\na. A 192.0.2.1\n")
    packed = list(packer(query("."), names.ROOT).messages(axfr_entries(zone)))
    assert sorted(records(packed, ".")[:-1]) == sorted(expected(zone))


def test_every_message_has_opt_where_the_query_has() -> None:
    zone = zone_from_text("example.com.", ZONE)
    for edns in (False, True):
        packed = list(packer(query(edns=edns), limit=300).messages(axfr_entries(zone)))
        assert len(packed) > 1
        assert all(len(one.message) <= 300 for one in packed)
        versions = {dns.message.from_wire(one.message).edns for one in packed}
        assert versions == {0 if edns else -1}


def test_a_record_over_the_limit_has_a_message_of_its_own() -> None:
    large: Entry = (ORIGIN, 65280, 1, (bytes(60000),))
    packed = list(packer().messages([SOA, large, SOA]))
    assert [one.records for one in packed] == [1, 1, 1]
    assert len(packed[1].message) > 60000


def test_a_record_over_every_limit_is_an_error_that_names_it() -> None:
    large: Entry = (ORIGIN, 65280, 1, (bytes(65500),))
    made = packer(most=65535 - 100).messages([SOA, large])
    next(made)
    with pytest.raises(RecordTooLargeError, match=r"'example\.com\.' of type 65280 with 65500 octets"):
        next(made)


def test_an_ixfr_has_the_form_of_the_rfc() -> None:
    """RFC 1995 section 4: the new SOA, then for each delta what goes behind the old SOA, what comes behind
    the new one, and the new SOA at the end."""
    first = zone_from_text("example.com.", ZONE)
    second = zone_from_text("example.com.", ZONE.replace("h 1 ", "h 2 ").replace("192.0.2.3", "192.0.2.33"))
    third = zone_from_text(
        "example.com.",
        ZONE.replace("h 1 ", "h 3 ").replace("192.0.2.3", "192.0.2.33") + "new 60 A 192.0.2.5\n",
    )
    soa = (third.apex.owner, RRType.SOA, 3600, third.soa_rrset.rdatas)
    entries = ixfr_entries(soa, [diff(first, second), diff(second, third)])
    got = records(list(packer(query(qtype="IXFR")).messages(entries)))
    short = [line.split()[5] if " 6 " in line else f"{line.split()[0]} {line.split()[3]}" for line in got]
    assert short == [
        "3", "1", "Mail.example.com. 192.0.2.3", "2", "Mail.example.com. 192.0.2.33",
        "2", "3", "new.example.com. 192.0.2.5", "3",
    ]  # fmt: skip


labels = st.binary(min_size=1, max_size=63)
owners = st.lists(labels, max_size=2).map(
    lambda parts: b"".join(b"%c%s" % (len(p), p) for p in parts) + ORIGIN
)
hosts = st.one_of(owners, st.just(names.from_text("ns.elsewhere.test.")), st.just(names.ROOT))
entries = st.lists(
    st.one_of(
        st.tuples(owners, st.just(65280), st.integers(0, 2**31 - 1), st.tuples(st.binary(max_size=300))),
        st.tuples(owners, st.just(2), st.just(60), st.lists(hosts, min_size=1, max_size=3).map(tuple)),
        st.tuples(owners, st.just(15), st.just(60), hosts.map(lambda name: (b"\0\5" + name,))),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(entries, st.integers(600, 5000), st.booleans(), st.booleans())
def test_what_is_read_back_is_what_was_written(
    given_entries: list[Entry], limit: int, one_answer: bool, edns: bool
) -> None:
    made = packer(query(edns=edns), limit=limit, one_answer=one_answer)
    got = []
    for packed in made.messages(given_entries):
        assert len(packed.message) <= limit
        message = dns.message.from_wire(packed.message, one_rr_per_rrset=True)
        for rrset in message.answer:
            got.append((rrset.name.to_wire(), int(rrset.rdtype), rrset.ttl, rrset[0].to_wire()))
    assert got == [(owner, rtype, ttl, one) for owner, rtype, ttl, rdatas in given_entries for one in rdatas]
