"""RFC 1035: header, question, compression, truncation, and classes."""

from __future__ import annotations

import struct

import pytest

from bindpy.answer.policy import AnswerPolicy, Outcome
from bindpy.native import EngineChoice
from tests.support.asking import Asker

TEXT = "a" * 200
ZONES = {
    "example.": f"""
@      SOA   ns1 hostmaster 1 7200 900 1209600 300
@      NS    ns1
ns1    A     192.0.2.1
MiXed  A     192.0.2.2
many   TXT   "1{TEXT}"
many   TXT   "2{TEXT}"
many   TXT   "3{TEXT}"
many   TXT   "4{TEXT}"
mx     MX    10 ns1
srv    SRV   0 0 53 ns1
"""
}
A_QUESTION = b"\x03ns1\x07example\0\0\1\0\1"
HEADER = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0"


@pytest.fixture(scope="module")
def server(engine: EngineChoice) -> Asker:
    return Asker(ZONES)


def _header(answer: bytes | Outcome) -> tuple[int, int, int, int, int, int]:
    assert isinstance(answer, bytes)
    return struct.unpack("!6H", answer[:12])


def test_4_1_1_a_response_is_never_answered(server: Asker) -> None:
    assert server.wire(HEADER[:2] + b"\x81\0" + HEADER[4:] + A_QUESTION) is Outcome.DROP


@pytest.mark.parametrize("size", range(12))
def test_4_1_1_less_than_a_header_is_dropped(server: Asker, size: int) -> None:
    assert server.wire((HEADER + A_QUESTION)[:size]) is Outcome.DROP


@pytest.mark.parametrize("opcode", [1, 2, 3, *range(6, 16)])
def test_4_1_1_opcodes_that_are_not_implemented(server: Asker, opcode: int) -> None:
    answer = server.wire(HEADER[:2] + bytes([opcode << 3 | 1]) + HEADER[3:] + A_QUESTION)
    assert _header(answer) == (0x1234, 0x8104 | opcode << 11, 0, 0, 0, 0)


def test_4_1_1_opcodes_that_are_not_implemented_need_no_question(server: Asker) -> None:
    assert _header(server.wire(b"\x12\x34\x30\0\0\0\0\0\0\0\0\0")) == (0x1234, 0xB004, 0, 0, 0, 0)


@pytest.mark.parametrize("opcode", [4, 5])
def test_notify_and_update_are_the_control_planes(server: Asker, opcode: int) -> None:
    assert server.wire(HEADER[:2] + bytes([opcode << 3]) + HEADER[3:] + A_QUESTION) is Outcome.NOT_MINE


@pytest.mark.parametrize("qtype", [251, 252])
def test_transfers_are_the_control_planes(server: Asker, qtype: int) -> None:
    assert server.wire(HEADER + A_QUESTION[:-4] + struct.pack("!2H", qtype, 1)) is Outcome.NOT_MINE


@pytest.mark.parametrize("rtype", [250, 24])
def test_signed_queries_are_the_control_planes(server: Asker, rtype: int) -> None:
    signature = b"\0" + struct.pack("!HHIH", rtype, 255, 0, 0)
    assert server.wire(HEADER[:10] + b"\0\1" + A_QUESTION + signature) is Outcome.NOT_MINE


@pytest.mark.parametrize("count", [0, 2, 256, 65535])
def test_4_1_2_exactly_one_question_is_taken(server: Asker, count: int) -> None:
    answer = server.wire(HEADER[:4] + struct.pack("!H", count) + HEADER[6:] + A_QUESTION * min(count, 2))
    assert _header(answer) == (0x1234, 0x8101, 0, 0, 0, 0)


@pytest.mark.parametrize("size", range(len(A_QUESTION)))
def test_4_1_2_a_question_cut_short_is_a_format_error(server: Asker, size: int) -> None:
    assert _header(server.wire(HEADER + A_QUESTION[:size])) == (0x1234, 0x8101, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "name",
    [
        b"\xc0\x0c",  # itself
        b"\xc0\xff",  # forward
        b"\xc0\x04",  # into the header
        b"\x03ns1\xc0\x0c",  # a loop through a label
        b"\x40" + b"a" * 64,  # a reserved label type
        b"\x80ab\0",
        (b"\x3f" + b"a" * 63) * 4 + b"\0",  # 257 octets
    ],
    ids=["self", "forward", "header", "loop", "type-01", "type-10", "long"],
)
def test_4_1_4_hostile_names_in_the_question(server: Asker, name: bytes) -> None:
    assert _header(server.wire(HEADER + name + b"\0\1\0\1")) == (0x1234, 0x8101, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "records",
    [
        (1, b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4abc"),  # RDATA cut short
        (1, b"\xc0\x0c\0\1\0\1\0\0"),  # the record's head cut short
        (1, b"\xc0"),
        (1, b"\xff\xff\0\1\0\1\0\0\0\0\0\0"),  # a pointer forward
        (2, b"\0\0\x01\0\1\0\0\0\0\0\0"),  # one of two
        (65535, b""),
    ],
)
@pytest.mark.parametrize("section", [6, 8, 10])
def test_4_1_3_broken_records_are_a_format_error(
    server: Asker, records: tuple[int, bytes], section: int
) -> None:
    count, octets = records
    header = HEADER[:section] + struct.pack("!H", count) + HEADER[section + 2 :]
    assert _header(server.wire(header + A_QUESTION + octets)) == (0x1234, 0x8101, 0, 0, 0, 0)


def test_records_in_a_query_and_octets_behind_it_change_nothing(server: Asker) -> None:
    plain = server.wire(HEADER + A_QUESTION)
    record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4abcd"
    assert server.wire(HEADER + A_QUESTION + b"behind") == plain
    assert server.wire(HEADER[:6] + b"\0\1" + HEADER[8:] + A_QUESTION + record) == plain


@pytest.mark.parametrize("flags", ["", "RD", "CD", "RD CD", "RD AA TC RA AD"])
def test_4_1_1_rd_and_cd_are_copied_and_nothing_else(server: Asker, flags: str) -> None:
    reply = server.ask("ns1.example.", flags=flags)
    assert reply.flags == {"AA"} | (set(flags.split()) & {"RD", "CD"})


@pytest.mark.parametrize("qname", ["NS1.eXaMpLe.", "ns1.EXAMPLE.", "nO.SuCh.example."])
def test_7_3_the_question_is_repeated_octet_for_octet(server: Asker, qname: str) -> None:
    reply = server.ask(qname)
    assert reply.message.question[0].name.to_text() == qname


def test_owners_keep_the_case_that_the_zone_gives_them(server: Asker) -> None:
    assert server.ask("mixed.example.").answer == ["MiXed.example. 3600 A 192.0.2.2"]


def test_4_1_4_names_are_compressed(server: Asker) -> None:
    answer = server.wire(HEADER + A_QUESTION)
    assert isinstance(answer, bytes)
    assert answer[12 + len(A_QUESTION) :] == b"\xc0\x0c\0\1\0\1\0\0\x0e\x10\0\4\xc0\0\2\1"


@pytest.mark.parametrize(
    ("question", "rdata"),
    [
        (b"\x02mx\x07example\0\0\x0f\0\1", b"\0\x08\0\x0a\x03ns1\xc0\x0f"),
        (b"\x03srv\x07example\0\0\x21\0\1", b"\0\x13\0\0\0\0\0\x35\x03ns1\x07example\0"),
    ],
    ids=["MX", "SRV"],
)
def test_4_1_4_names_in_rdata_are_compressed_for_the_types_of_this_rfc_only(
    server: Asker, question: bytes, rdata: bytes
) -> None:
    answer = server.wire(HEADER + question)
    assert isinstance(answer, bytes)
    assert rdata in answer, "RFC 3597 section 4"


def test_4_2_1_udp_messages_are_at_most_512_octets_and_say_when_they_are_cut(server: Asker) -> None:
    reply = server.ask("many.example.", "TXT")
    assert reply.tc
    assert reply.size_octets <= 512
    assert (reply.answer, reply.authority, reply.additional) == ([], [], []), "no part of an RRset"
    assert len(server.ask("many.example.", "TXT", tcp=True).answer) == 4
    assert not server.ask("many.example.", "TXT", tcp=True).tc


def test_6_2_what_is_asked_of_all_classes_is_answered_without_authority(server: Asker) -> None:
    reply = server.ask("ns1.example.", rdclass="ANY")
    assert reply.answer == ["ns1.example. 3600 A 192.0.2.1"]
    assert not reply.aa


@pytest.mark.parametrize("rdclass", ["HS", "NONE", "CLASS2", "CLASS4096"])
def test_3_2_4_other_classes_are_refused(server: Asker, rdclass: str) -> None:
    assert server.ask("ns1.example.", rdclass=rdclass).rcode == "REFUSED"


@pytest.mark.parametrize(
    ("qtype", "rcode"),
    [("OPT", "FORMERR"), ("TSIG", "FORMERR"), ("TKEY", "FORMERR"), ("MAILA", "NOTIMP"), ("MAILB", "NOTIMP")],
)
def test_3_2_3_types_that_no_data_has(server: Asker, qtype: str, rcode: str) -> None:
    reply = server.ask("ns1.example.", qtype)
    assert reply.rcode == rcode
    assert len(reply.message.question) == 1


@pytest.mark.parametrize(
    ("qname", "text"),
    [("version.bind.", "1.2"), ("VERSION.bind.", "1.2"), ("hostname.bind.", "host"), ("id.server.", "me")],
)
def test_chaos_tells_who_we_are(qname: str, text: str) -> None:
    server = Asker({}, AnswerPolicy(version="1.2", hostname="host", server_id="me"))
    reply = server.ask(qname, "TXT", rdclass="CH")
    assert reply.aa
    assert reply.answer == [f'{qname} 0 TXT "{text}"']
    assert server.ask(qname, "A", rdclass="CH").types("authority") == [f"{qname.lower()} SOA"]


@pytest.mark.parametrize(
    "qname", ["version.bind.", "hostname.bind.", "id.server.", "authors.bind.", "x.bind."]
)
def test_chaos_is_refused_where_nothing_is_to_be_told(qname: str) -> None:
    assert Asker({}).ask(qname, "TXT", rdclass="CH").rcode == "REFUSED"


def test_chaos_texts_of_any_length_are_answered() -> None:
    server = Asker({}, AnswerPolicy(version="v" * 300, hostname=""))
    version = server.ask("version.bind.", "TXT", rdclass="CH", edns=True).message.answer[0][0]
    assert b"".join(version.strings) == b"v" * 300
    assert server.ask("hostname.bind.", "TXT", rdclass="CH").message.answer[0][0].strings == (b"",)


def test_the_answer_parses_when_names_stand_beyond_the_reach_of_pointers() -> None:
    records = "".join(f"big TXT {str(i) + TEXT!r}\n".replace("'", '"') for i in range(90))
    targets = "".join(f"big2 NS ns.host{i}.test.\n" for i in range(900))
    server = Asker({"example.": ZONES["example."] + records + targets})
    reply = server.ask("big.example.", "ANY", tcp=True)
    assert len(reply.answer) == 90
    reply = server.ask("x.big2.example.", tcp=True)
    assert reply.size_octets > 0x4000
    assert reply.authority == [f"big2.example. 3600 NS ns.host{i}.test." for i in range(900)]
