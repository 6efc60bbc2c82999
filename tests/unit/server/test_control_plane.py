"""Requests that are no plain queries: who gets them, their signatures, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import logging
import struct
from collections.abc import AsyncGenerator, Collection, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bindpy.answer.policy import Outcome, Transport
from bindpy.answer.query import Query
from bindpy.config.load import load_config
from bindpy.config.model import Config
from bindpy.server.control_plane import ControlPlane
from bindpy.server.endpoint import Endpoint
from bindpy.server.querylog import Question
from bindpy.server.request import CheckedRequest, Reply, Request, Stream
from tests.support.floods import Flood
from tests.unit.server.fakes import FakeAnswerer, query, response_to

CLIENT = Endpoint("192.0.2.9", 4321)


def request(packet: bytes) -> Request:
    return Request(packet, CLIENT, "192.0.2.1", Transport.TCP)


class FakeTransfers:
    """Answers with the query, QR set: in one message for IXFR, in three for AXFR."""

    def __init__(self) -> None:
        self.requests: list[CheckedRequest] = []
        self.closed = 0

    async def __call__(self, request: CheckedRequest, query: Query) -> Reply:
        self.requests.append(request)
        answer = response_to(request.packet)
        return answer if query.qtype == 251 else Stream(self._three(answer), 60, 60)

    async def _three(self, answer: bytes) -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(3):
                yield answer
        finally:
            self.closed += 1


class KeyedAnswerer(FakeAnswerer):
    """Notes the keys and the room of signed queries; view "inner" is for key ``inner.``"""

    def __init__(self) -> None:
        super().__init__()
        self.signed: list[tuple[tuple[str, ...], int]] = []

    def view_of(
        self, client: str, local: str, recursion_desired: bool, keys: Collection[str] = ()
    ) -> str | None:
        return "inner" if "inner." in keys else "outer"

    def answer(
        self,
        query: bytes,
        client: str,
        local: str,
        transport: Transport,
        *,
        keys: Collection[str] = (),
        reserved_octets: int = 0,
    ) -> bytes | Outcome:
        self.signed.append((tuple(keys), reserved_octets))
        return super().answer(query, client, local, transport)


def plane(config: Config | None = None) -> ControlPlane:
    made = ControlPlane(KeyedAnswerer(), FakeTransfers())
    if config is not None:
        made.configure(config)
    return made


def run(coroutine: Coroutine[Any, Any, Reply]) -> Reply:
    """Run a handler, which waits for nothing, to its end."""
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    result: Reply = end.value.value
    return result


def ask(packet: bytes, handler: ControlPlane | None = None) -> bytes | None:
    """Return the reply, which is no stream."""
    result = run((handler or plane()).handle(request(packet)))
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


def sig0_query() -> bytes:
    """Return a query whose last record is a SIG (RFC 2931), of no use to us."""
    one = query("example.com")
    return one[:10] + b"\0\1" + one[12:] + b"\0\0\x18\0\xff" + bytes(6)


@pytest.mark.parametrize(
    ("packet", "logged"),
    [
        (notify(), "refused notify for zone 'example.com': "),
        (update(), "update 'example.com/IN' denied: "),
        (sig0_query(), "request with opcode QUERY for 'A' refused"),
    ],
    ids=["NOTIFY", "UPDATE", "SIG(0)"],
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
    assert answer_to(sig0_query()).flags & dns.flags.RD
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
    assert caplog.records == []


@pytest.mark.parametrize(
    "packet",
    [b"", bytes(11), query("example.com")[:2] + b"\x84" + query("example.com")[3:]],
    ids=["nothing", "half a header", "a response"],
)
def test_what_must_not_be_answered(packet: bytes) -> None:
    assert ask(packet) is None


@pytest.mark.parametrize("packet", [update(), notify()], ids=["update", "notify"])
def test_opt_is_answered_with_opt(packet: bytes) -> None:
    def with_opt(ttl: int) -> bytes:
        assert packet[10:12] == b"\0\0"
        return packet[:10] + b"\0\1" + packet[12:] + struct.pack("!xHHIH", 41, 1232, ttl, 0)

    assert answer_to(packet).edns == -1
    answer = answer_to(with_opt(0))
    assert (answer.edns, answer.rcode()) == (0, dns.rcode.REFUSED)
    assert answer_to(with_opt(1 << 16)).rcode() == dns.rcode.BADVERS


def test_two_questions_are_formerr() -> None:
    one = query("example.com", "AXFR")
    assert answer_to(one[:4] + b"\0\2" + one[6:] + one[12:]).rcode() == dns.rcode.FORMERR


@example(b"\0\0\x28" + bytes(9), query("example.com", "AXFR"))  # an UPDATE, by its opcode, that asks
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
            answer = run(plane().handle(request(packet)))
            if isinstance(answer, Stream) or answer == response_to(packet):
                continue  # the transfers' or the Answerer's
            assert (answer is None) == bool(packet[2] & 0x80)
            if answer is not None:
                assert answer[:2] == packet[:2]
                # Read as an answer to a query: dnspython wants more of those to UPDATE than this is about.
                as_query = answer[:2] + bytes([answer[2] & 0x87]) + answer[3:]
                dns.message.from_wire(as_query, keyring=False)


def test_a_flood_of_refusals_does_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    handler = plane()
    flood = Flood()
    for _ in range(1000):
        ask(update(), handler)
    assert 0 < len(caplog.records) <= flood.lines_at_most()
    ask(notify(), handler)
    assert "refused notify" in caplog.text


# --- signed requests -----------------------------------------------------------------------------------

SECRETS = {name: (name * 8).encode() for name in ("one", "two", "inner")}
KEYS = {name: dns.tsig.Key(f"{name}.", secret, dns.tsig.HMAC_SHA256) for name, secret in SECRETS.items()}


def statement(name: str, secret: str | None = None) -> str:
    text = base64.b64encode(SECRETS[secret or name]).decode()
    return f'key {name} {{ algorithm hmac-sha256; secret "{text}"; }};\n'


def configuration(folder: Path, text: str) -> Config:
    path = folder / "named.conf"
    path.write_text(text)
    result = load_config(str(path))
    assert result.config is not None, result.diagnostics
    return result.config


def signed(key: str, qtype: str = "A") -> dns.message.Message:
    message = dns.message.make_query("example.com", qtype, use_edns=False)
    message.use_tsig(KEYS[key])
    message.to_wire()
    return message


def wire_of(message: dns.message.Message) -> bytes:
    wire = message.wire
    assert wire is not None
    return wire


def test_a_signed_query_goes_to_the_answerer_without_its_tsig_and_comes_back_signed(tmp_path: Path) -> None:
    handler = plane(configuration(tmp_path, statement("one") + statement("two")))
    message = signed("two")
    wire = ask(wire_of(message), handler)
    assert wire is not None
    answer = dns.message.from_wire(wire, keyring=KEYS["two"], request_mac=message.mac)
    assert answer.had_tsig
    answerer = handler._answerer
    assert isinstance(answerer, KeyedAnswerer)
    ((keys, room),) = answerer.signed
    assert keys == ("two.",)
    assert len(wire) <= len(query("example.com")) + room


def test_a_signed_transfer_is_signed_message_by_message(tmp_path: Path) -> None:
    handler = plane(configuration(tmp_path, statement("one")))
    message = signed("one", "AXFR")

    async def collect() -> list[bytes]:
        reply = await handler.handle(request(wire_of(message)))
        assert isinstance(reply, Stream)
        async with aclosing(reply.messages):
            return [one async for one in reply.messages]

    wires = asyncio.run(collect())
    context = None
    for wire in wires:
        answer = dns.message.from_wire(
            wire, keyring=KEYS["one"], request_mac=message.mac, tsig_ctx=context, multi=True
        )
        assert answer.had_tsig
        context = answer.tsig_ctx
    assert len(wires) == 3
    transfers = handler._transfers
    assert isinstance(transfers, FakeTransfers)
    assert transfers.closed == 1
    assert transfers.requests[0].keys == ("one.",)


def test_a_stream_that_is_not_read_to_its_end_is_closed(tmp_path: Path) -> None:
    handler = plane(configuration(tmp_path, statement("one")))

    async def read_one() -> None:
        reply = await handler.handle(request(wire_of(signed("one", "AXFR"))))
        assert isinstance(reply, Stream)
        async with aclosing(reply.messages):
            async for _ in reply.messages:
                break

    asyncio.run(read_one())
    transfers = handler._transfers
    assert isinstance(transfers, FakeTransfers)
    assert transfers.closed == 1


def test_a_signed_message_of_an_unknown_kind_is_answered_notimp_and_signed(tmp_path: Path) -> None:
    handler = plane(configuration(tmp_path, statement("one")))
    message = dns.message.make_query("example.com", "A", use_edns=0)
    message.set_opcode(dns.opcode.STATUS)
    message.use_tsig(KEYS["one"])
    wire = ask(message.to_wire(), handler)
    assert wire is not None
    answer = dns.message.from_wire(wire, keyring=KEYS["one"], request_mac=message.mac)
    assert (answer.rcode(), answer.opcode(), answer.edns) == (dns.rcode.NOTIMP, dns.opcode.STATUS, 0)
    assert answer.had_tsig


def test_refusals_of_signed_requests_are_signed(tmp_path: Path) -> None:
    handler = plane(configuration(tmp_path, statement("one")))
    message = dns.update.UpdateMessage("example.com")
    message.add("www", 60, "A", "192.0.2.7")
    message.use_tsig(KEYS["one"])
    wire = ask(message.to_wire(), handler)
    assert wire is not None
    answer = dns.message.from_wire(wire, keyring=KEYS["one"], request_mac=message.mac)
    assert answer.had_tsig
    assert answer.rcode() == dns.rcode.REFUSED


def test_keys_change_at_reload(tmp_path: Path) -> None:
    handler = plane(configuration(tmp_path, statement("one")))
    handler.configure(configuration(tmp_path, statement("two")))
    for key, rcode in (("one", dns.rcode.NOTAUTH), ("two", dns.rcode.NOERROR)):
        wire = ask(wire_of(signed(key)), handler)
        assert wire is not None
        assert wire[3] & 15 == rcode


def test_views_may_have_different_secrets_for_one_name(tmp_path: Path) -> None:
    text = f"view inner {{ {statement('inner')} match-clients {{ key inner; }}; }};\n"
    text += f"view outer {{ {statement('inner', 'two')} {statement('two')} }};\n"
    handler = plane(configuration(tmp_path, text))
    assert (ask(wire_of(signed("two")), handler) or b"")[3] == dns.rcode.NOERROR
    assert (ask(wire_of(signed("inner")), handler) or b"")[3] == dns.rcode.NOERROR
    # Signed with the outer view's secret, the key's name leads to the inner view, where it is another key.
    other = dns.tsig.Key("inner.", SECRETS["two"], dns.tsig.HMAC_SHA256)
    message = dns.message.make_query("example.com", "A", use_edns=False)
    message.use_tsig(other)
    assert (ask(message.to_wire(), handler) or b"")[3] & 15 == dns.rcode.NOTAUTH


def test_a_notify_handler_answers_or_leaves_it_to_be_refused(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    seen: list[tuple[CheckedRequest, Question]] = []
    replies: list[bytes | None] = [b"the handler's", None]

    async def handle(request: CheckedRequest, question: Question) -> bytes | None:
        seen.append((request, question))
        return replies.pop(0)

    handler = ControlPlane(FakeAnswerer(), FakeTransfers(), handle)
    assert ask(notify(), handler) == b"the handler's"
    refused = ask(notify(), handler)
    assert refused is not None
    assert refused[3] & 15 == dns.rcode.REFUSED
    assert "refused notify" in caplog.text
    assert [(one.client, q.name_text) for one, q in seen] == [(CLIENT, "example.com")] * 2
