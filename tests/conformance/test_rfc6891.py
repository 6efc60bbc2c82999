"""RFC 6891: EDNS, with RFC 5001 (NSID) and RFC 8914 (Extended DNS Errors)."""

from __future__ import annotations

import struct

import dns.edns
import pytest

from bindpy.answer.policy import EXPIRED, AnswerPolicy, ZonePolicy
from bindpy.config.model import MATCH_NONE
from bindpy.native import EngineChoice
from tests.support.asking import Asker
from tests.support.engines import make_zone

ZONES = {
    "example.": "@ SOA ns1 h 1 2 3 4 300\n@ NS ns1\nns1 A 192.0.2.1\n"
    + "".join(
        f'big{size} TXT "{"x" * 250}"\n' + f'big{size} TXT "{"y" * (size - 250)}"\n' for size in (400, 480)
    )
    + "".join(f'huge TXT "{i}{"x" * 200}"\n' for i in range(30))
}
QUERY = b"\x12\x34\0\0\0\1\0\0\0\0\0\1\x03ns1\x07example\0\0\1\0\1"


def _opt(payload: int = 1232, ttl: int = 0, options: bytes = b"", owner: bytes = b"\0") -> bytes:
    return owner + struct.pack("!HHIH", 41, payload, ttl, len(options)) + options


@pytest.fixture(scope="module")
def server(engine: EngineChoice) -> Asker:
    return Asker(ZONES, AnswerPolicy(server_id="here"))


def test_6_1_1_an_opt_is_answered_with_one_and_none_with_none(server: Asker) -> None:
    assert server.ask("ns1.example.", edns=True).message.edns == 0
    assert server.ask("ns1.example.").message.edns == -1


def test_6_2_3_our_payload_size_is_what_is_configured() -> None:
    server = Asker(ZONES, AnswerPolicy(edns_udp_size=1400, max_udp_size=4096))
    assert server.ask("ns1.example.", edns=True).message.payload == 1400


@pytest.mark.parametrize("payload", [512, 700, 1232, 1400, 4096, 65535])
@pytest.mark.parametrize("ours", [512, 1232, 4096])
def test_6_2_3_a_response_is_no_larger_than_either_side_allows(payload: int, ours: int) -> None:
    reply = Asker(ZONES, AnswerPolicy(max_udp_size=ours)).ask(
        "huge.example.", "TXT", edns=True, payload=payload
    )
    assert reply.tc  # 30 strings of 200 octets fit nowhere
    assert reply.size_octets <= min(payload, ours)


@pytest.mark.parametrize("payload", [0, 1, 511])
def test_6_2_3_values_lower_than_512_are_512(server: Asker, payload: int) -> None:
    reply = server.ask("big400.example.", "TXT", edns=True, payload=payload)
    assert not reply.tc
    assert 400 < reply.size_octets <= 512


def test_the_opt_record_counts_for_the_size(server: Asker) -> None:
    assert not server.ask("big480.example.", "TXT", edns=True, payload=600).tc
    reply = server.ask("big480.example.", "TXT", edns=True, payload=512)
    assert reply.tc
    assert reply.message.edns == 0, "OPT is there in a truncated response too"


@pytest.mark.parametrize("version", [1, 2, 255])
def test_6_1_3_a_higher_version_is_badvers(server: Asker, version: int) -> None:
    reply = server.ask("ns1.example.", version=version)
    assert (reply.rcode, reply.message.edns, reply.answer, reply.aa) == ("BADVERS", 0, [], False)
    assert len(reply.message.question) == 1


@pytest.mark.parametrize(("version", "rcode"), [(0, 4), (1, 16)])
def test_6_1_3_the_version_is_looked_at_before_the_opcode(server: Asker, version: int, rcode: int) -> None:
    answer = server.wire(QUERY[:2] + b"\x10" + QUERY[3:] + _opt(ttl=version << 16))
    head = bytes([0x90, rcode & 0xF])
    assert answer == b"\x12\x34" + head + b"\0\0\0\0\0\0\0\1" + _opt(ttl=rcode >> 4 << 24)


@pytest.mark.parametrize(("qtype", "rcode"), [("TKEY", "FORMERR"), ("MAILB", "NOTIMP")])
def test_7_a_refusal_of_a_well_formed_query_has_an_opt_too(server: Asker, qtype: str, rcode: str) -> None:
    reply = server.ask("ns1.example.", qtype, edns=True)
    assert (reply.rcode, reply.message.edns, reply.message.payload) == (rcode, 0, 1232)
    assert server.ask("ns1.example.", qtype, version=1).rcode == "BADVERS"


def test_6_1_4_unknown_flags_and_the_extended_rcode_of_a_query_are_ignored(server: Asker) -> None:
    answer = server.wire(QUERY + _opt(ttl=0x0500FFFF))
    assert isinstance(answer, bytes)
    assert answer[3] & 0xF == 0
    assert answer[-11:] == _opt(ttl=0x8000), "DO alone is copied"


@pytest.mark.parametrize(
    "records",
    [
        (2, _opt() + _opt()),
        (1, _opt(owner=b"\1a\0")),
        (1, _opt(owner=b"\xc0\x0c")),
        (1, _opt(options=b"\0\3\0")),
        (1, _opt(options=b"\0\3\0\1")),
        (1, _opt(options=b"\0\3\0\0\0")),
    ],
    ids=["two", "owner", "owner-pointer", "option-head", "option-data", "option-rest"],
)
def test_6_1_1_a_malformed_opt_is_a_format_error(server: Asker, records: tuple[int, bytes]) -> None:
    count, octets = records
    answer = server.wire(QUERY[:10] + struct.pack("!H", count) + QUERY[12:] + octets)
    assert answer == b"\x12\x34\x80\1\0\1\0\0\0\0\0\0" + QUERY[12:]


@pytest.mark.parametrize("opcode", [0, 1, 2, 15])
@pytest.mark.parametrize("count", [0, 2])
def test_6_1_1_so_is_an_opt_without_one_question(server: Asker, opcode: int, count: int) -> None:
    rcode = 4 if opcode else 1
    head = b"\x12\x34" + bytes([opcode << 3, 0]) + struct.pack("!4H", count, 0, 0, 1)
    questions = QUERY[12:] * count
    answered = b"\x12\x34" + bytes([0x80 | opcode << 3, rcode]) + struct.pack("!4H", 0, 0, 0, 1)
    assert server.wire(head + questions + _opt(ttl=0x8000)) == answered + _opt(ttl=0x8000)
    badvers = answered[:3] + b"\0" + answered[4:] + _opt(ttl=1 << 24)
    assert server.wire(head + questions + _opt(ttl=1 << 16)) == badvers
    bare = answered[:10] + b"\0\0"
    assert server.wire(head[:10] + b"\0\0" + questions) == bare
    for spoilt in (questions[:-1], questions + _opt()[:-1], questions + _opt(options=b"\0")):
        assert server.wire(head + spoilt) == bare


def _option(code: int, data: bytes) -> bytes:
    return struct.pack("!HH", code, len(data)) + data


_FITTING = {
    1: (18,),
    9: (0, 4),
    10: (8, *range(16, 41)),
    14: range(2, 60, 2),
    15: range(2, 60),
    16: (2,),
    17: (2,),
}


@pytest.mark.parametrize("code", _FITTING)
def test_options_of_a_length_that_they_cannot_have_are_a_format_error(server: Asker, code: int) -> None:
    """As with BIND: a COOKIE (RFC 7873 section 5.2.2), and others."""
    refused = b"\x12\x34\x80\1\0\1\0\0\0\0\0\1" + QUERY[12:] + _opt()
    for octets in range(60):
        nsid = _option(3, b"")
        answer = server.wire(QUERY + _opt(options=nsid + _option(code, bytes(octets))))
        assert isinstance(answer, bytes)
        assert (answer[3] & 15 == 0) is (octets in _FITTING[code]), octets
        assert answer == refused or not answer[3] & 15


@pytest.mark.parametrize(
    ("subnet", "is_fine"),
    [
        ("0001 00 00", True), ("0001 18 00 c00002", True), ("0001 14 00 c00010", True),
        ("0001 20 00 c0000201", True),
        ("0002 80 00" + 16 * "20", True), ("0002 00 00", True), ("0000 00 00", True),
        ("", False), ("0001 18", False), ("0001 00 00 00", False), ("0001 18 00 c000", False),
        ("0001 18 00 c0000200", False), ("0001 14 00 c0001f", False), ("0001 21 00 c000020180", False),
        ("0001 18 08 c00002", False), ("0002 81 00" + 17 * "20", False), ("0000 08 00 c0", False),
        ("0003 18 00 c00002", False),
    ],
)  # fmt: skip
def test_rfc7871_7_1_2_a_client_subnet_is_well_formed_or_a_format_error(
    server: Asker, subnet: str, is_fine: bool
) -> None:
    answer = server.wire(QUERY + _opt(options=_option(8, bytes.fromhex(subnet))))
    if is_fine:
        assert answer == server.wire(QUERY + _opt())
    else:
        assert answer == b"\x12\x34\x80\1\0\1\0\0\0\0\0\1" + QUERY[12:] + _opt()


@pytest.mark.parametrize("section", [6, 8])
def test_6_1_1_an_opt_elsewhere_than_in_the_additional_section_is_a_format_error(
    server: Asker, section: int
) -> None:
    header = QUERY[:section] + b"\0\1" + QUERY[section + 2 : 10] + b"\0\0"
    assert server.wire(header + QUERY[12:] + _opt()) == b"\x12\x34\x80\1\0\1\0\0\0\0\0\0" + QUERY[12:]


@pytest.mark.parametrize("code", [4, 10, 11, 12, 13, 65001])
def test_6_1_2_options_that_we_do_not_know_are_ignored(server: Asker, code: int) -> None:
    option = dns.edns.GenericOption(code, b"12345678")
    reply = server.ask("ns1.example.", edns=True, options=[option])
    assert reply.answer == ["ns1.example. 3600 A 192.0.2.1"]
    assert reply.message.options == ()


NSID = dns.edns.GenericOption(dns.edns.OptionType.NSID, b"")


def test_rfc5001_2_1_nsid_is_given_to_those_who_ask(server: Asker) -> None:
    asked = server.ask("ns1.example.", edns=True, options=[NSID])
    assert [(option.otype, option.to_wire()) for option in asked.message.options] == [
        (dns.edns.OptionType.NSID, b"here")
    ]
    assert server.ask("ns1.example.", edns=True).message.options == ()
    assert server.ask("ns1.example.", edns=True, options=[NSID]).message.options != (), "from the cache, too"
    cookie = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"12345678")
    assert len(server.ask("ns1.example.", edns=True, options=[NSID, cookie]).message.options) == 1
    assert server.ask("ns1.example.", edns=True, options=[cookie]).message.options == ()


def test_rfc5001_2_2_without_an_identity_there_is_no_nsid() -> None:
    assert Asker(ZONES).ask("ns1.example.", edns=True, options=[NSID]).message.options == ()


def test_rfc8914_refusals_and_failures_say_why() -> None:
    server = Asker(ZONES)
    server.unavailable("expired.", EXPIRED)
    server.unavailable("broken.", "the zone file could not be read")
    private = make_zone("private.", ZONES["example."])
    server.answerer.publish("_default", private, ZonePolicy(allow_query=MATCH_NONE))
    told = {
        "not-ours.": ("REFUSED", [20]),
        "www.private.": ("REFUSED", [18]),
        "www.expired.": ("SERVFAIL", [24]),
        "broken.": ("SERVFAIL", [14]),
    }
    for qname, (rcode, edes) in told.items():
        reply = server.ask(qname, edns=True)
        assert (reply.rcode, reply.edes, reply.aa) == (rcode, edes, False), qname
        assert server.ask(qname).rcode == rcode, "without EDNS the RCODE alone"
