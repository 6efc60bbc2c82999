"""What the refusing control plane answers and logs."""

from __future__ import annotations

import logging

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindpy.answer.policy import Transport
from bindpy.server.control_plane import RefusingControlPlane
from bindpy.server.endpoint import Endpoint
from bindpy.server.request import Request
from tests.unit.server.fakes import query

CLIENT = Endpoint("192.0.2.9", 4321)


def request(packet: bytes) -> Request:
    return Request(packet, CLIENT, "192.0.2.1", Transport.TCP)


def ask(packet: bytes) -> bytes | None:
    """Run the handler, which waits for nothing, to its end."""
    coroutine = RefusingControlPlane().handle(request(packet))
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    result = end.value.value
    assert result is None or isinstance(result, bytes)
    return result


def answer_to(packet: bytes) -> dns.message.Message:
    wire = ask(packet)
    assert wire is not None
    return dns.message.from_wire(wire)


def notify() -> bytes:
    message = dns.message.make_query("example.com", "SOA", use_edns=False)
    message.set_opcode(dns.opcode.NOTIFY)
    message.flags |= dns.flags.AA
    return message.to_wire()


def update() -> bytes:
    message = dns.update.UpdateMessage("example.com")
    message.add("www", 60, "A", "192.0.2.7")
    return message.to_wire()


@pytest.mark.parametrize(
    ("packet", "logged"),
    [
        (query("example.com", "AXFR"), "zone transfer 'example.com/AXFR/IN' denied: "),
        (query("example.com", "IXFR"), "zone transfer 'example.com/IXFR/IN' denied: "),
        (notify(), "refused notify for zone 'example.com': "),
        (update(), "update 'example.com/IN' denied: "),
        (query("example.com", "TKEY"), "request with opcode QUERY for 'TKEY' refused"),
    ],
    ids=["AXFR", "IXFR", "NOTIFY", "UPDATE", "TKEY"],
)
def test_refused_with_one_line_in_category_security(
    packet: bytes, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    answer = answer_to(packet)
    assert answer.rcode() == dns.rcode.REFUSED
    assert answer.id == int.from_bytes(packet[:2])
    assert answer.opcode() == dns.opcode.from_flags(int.from_bytes(packet[2:4]))
    assert answer.flags & dns.flags.QR
    assert not answer.flags & dns.flags.AA
    assert answer.question[0].name == dns.name.from_text("example.com")
    assert [r.name for r in caplog.records] == ["bindpy.security"]
    assert f"client {CLIENT}" in caplog.text
    assert logged in caplog.text


def test_recursion_desired_is_copied() -> None:
    assert answer_to(query("example.com", "AXFR")).flags & dns.flags.RD
    assert not answer_to(update()).flags & dns.flags.RD


@pytest.mark.parametrize(
    "algorithm", [dns.tsig.HMAC_SHA256, dns.tsig.HMAC_MD5, dns.tsig.HMAC_SHA512, "made-up.example."]
)
def test_a_key_that_we_do_not_have_is_badkey(algorithm: str, caplog: pytest.LogCaptureFixture) -> None:
    """RFC 8945 section 5.2.1: NOTAUTH, the TSIG unsigned, with error BADKEY."""
    key = dns.tsig.Key("transfer-key.example.", b"0123456789abcdef", dns.tsig.HMAC_SHA256)
    message = dns.message.make_query("example.com", "AXFR")
    message.use_tsig(key)
    packet = message.to_wire()
    if isinstance(algorithm, str):
        known = dns.tsig.HMAC_SHA256.to_wire()
        assert known is not None
        other = dns.name.from_text(algorithm).to_wire()
        assert other is not None
        at = packet.rindex(known)
        size = int.from_bytes(packet[at - 2 : at]) + len(other) - len(known)
        packet = packet[: at - 2] + size.to_bytes(2) + other + packet[at + len(known) :]
    wire = ask(packet)
    assert wire is not None
    answer = dns.message.from_wire(wire, keyring=False)
    assert answer.rcode() == dns.rcode.NOTAUTH
    assert answer.question == message.question
    assert answer.tsig is not None
    assert answer.tsig.name == key.name
    assert answer.tsig[0].error == dns.rcode.BADKEY
    assert answer.tsig[0].mac == b""
    assert answer.tsig[0].original_id == message.id
    with pytest.raises(dns.tsig.PeerBadKey):
        dns.message.from_wire(wire, keyring=key, request_mac=message.mac)
    assert "TSIG transfer-key.example: tsig verify failure (BADKEY)" in caplog.text


def test_malformed_requests_get_formerr_and_no_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    whole = update()
    for size in range(12, len(whole)):
        answer = ask(whole[:size])
        assert answer is not None
        assert answer[3] & 15 == dns.rcode.FORMERR
        assert len(answer) == 12
    assert caplog.records == []


@pytest.mark.parametrize(
    "packet",
    [b"", bytes(11), query("example.com")[:2] + b"\x84" + query("example.com")[3:]],
    ids=["nothing", "half a header", "a response"],
)
def test_what_must_not_be_answered(packet: bytes) -> None:
    assert ask(packet) is None


def test_two_questions_are_formerr() -> None:
    one = query("example.com", "AXFR")
    assert answer_to(one[:4] + b"\0\2" + one[6:] + one[12:]).rcode() == dns.rcode.FORMERR


@given(
    st.binary(min_size=12, max_size=120), st.sampled_from([query("example.com", "AXFR"), update(), notify()])
)
def test_any_octets_get_a_readable_answer_or_none(noise: bytes, base: bytes) -> None:
    for packet in (
        noise,
        base[:12] + noise,
        base + noise,
        bytes(a ^ b for a, b in zip(base, noise, strict=False)),
    ):
        if len(packet) >= 12:
            answer = ask(packet)
            assert (answer is None) == bool(packet[2] & 0x80)
            if answer is not None:
                assert answer[:2] == packet[:2]
                dns.message.from_wire(answer, keyring=False)


def test_a_flood_of_refusals_does_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    handler = RefusingControlPlane()
    for _ in range(1000):
        with pytest.raises(StopIteration):
            handler.handle(request(query("example.com", "AXFR"))).send(None)
    assert 0 < len(caplog.records) < 20
    with pytest.raises(StopIteration):
        handler.handle(request(notify())).send(None)
    assert "refused notify" in caplog.text
