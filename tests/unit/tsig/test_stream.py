"""Signatures of answers in several messages (RFC 8945 section 5.3.1)."""

from __future__ import annotations

from dataclasses import replace

import dns.message
import dns.rrset
import dns.tsig
import pytest

from bindpy.tsig import BADKEY, BADSIG, BADTIME, FORMERR, StreamSigner, StreamVerifier, TsigError, sign
from bindpy.tsig.keys import whole_mac
from bindpy.tsig.messages import digested, length_prefixed
from bindpy.tsig.record import find_record, with_record
from tests.unit.tsig.test_messages import ALGORITHMS, NOW, key, peer_key, plain_query

REQUEST_MAC = bytes(range(32))


def messages(count: int) -> list[bytes]:
    return [plain_query(f"m{number}.example") for number in range(count)]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_dnspython_takes_our_stream(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: float(NOW))
    signer = StreamSigner(key(algorithm), REQUEST_MAC)
    context = None
    for plain in messages(5):
        message = dns.message.from_wire(
            signer.sign(plain, NOW),
            keyring=peer_key(algorithm),
            request_mac=REQUEST_MAC,
            tsig_ctx=context,
            multi=True,
        )
        assert message.had_tsig
        context = message.tsig_ctx


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_we_take_dnspython_s_stream(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: float(NOW))
    request = dns.message.make_query("example.com", "AXFR", use_edns=False)
    request.use_tsig(peer_key(algorithm))
    request.to_wire()
    assert request.mac is not None
    verifier = StreamVerifier(key(algorithm), request.mac)
    context = None
    for number in range(5):
        answer = dns.message.make_response(request)
        answer.use_tsig(peer_key(algorithm))
        answer.request_mac = request.mac
        text = f"h{number}.example.com."
        answer.answer.append(dns.rrset.from_text(text, 60, "IN", "A", "192.0.2.1"))
        plain = verifier.feed(answer.to_wire(multi=True, tsig_ctx=context), NOW)
        context = answer.tsig_ctx
        assert dns.message.from_wire(plain).answer == answer.answer
    verifier.finish()


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "hmac-sha256-128"])
def test_what_is_signed_is_verified(algorithm: str) -> None:
    signer = StreamSigner(key(algorithm), REQUEST_MAC)
    verifier = StreamVerifier(key(algorithm), REQUEST_MAC)
    for plain in messages(5):
        assert verifier.feed(signer.sign(plain, NOW), NOW) == plain
        verifier.finish()


def error_of(wires: list[bytes]) -> int:
    """Return the error that the stream *wires* ends with."""
    verifier = StreamVerifier(key(), REQUEST_MAC)

    def feed_all() -> None:
        for wire in wires:
            verifier.feed(wire, NOW)

    with pytest.raises(TsigError) as caught:
        feed_all()
    return caught.value.error


def sparsely_signed(plains: list[bytes], every: int) -> list[bytes]:
    """Sign the first message and then one in *every*, as some servers do."""
    one = key()
    out = [sign(plains[0], one, NOW, request_mac=REQUEST_MAC)]
    wires, mac = [out[0].wire], out[0].mac
    unsigned: list[bytes] = []
    for number, plain in enumerate(plains[1:], 1):
        if number % every:
            unsigned.append(plain)
            wires.append(plain)
            continue
        record = find_record(sign(plain, one, NOW).wire)
        assert record is not None
        parts = [length_prefixed(mac), *unsigned, digested(plain, record.original_id), record.timers()]
        mac = whole_mac(one, parts)
        wires.append(with_record(plain, replace(record, mac=mac)))
        unsigned = []
    return wires


def test_unsigned_messages_between_are_covered_by_the_next_signature() -> None:
    wires = sparsely_signed(messages(101), 100)
    verifier = StreamVerifier(key(), REQUEST_MAC)
    for wire, plain in zip(wires, messages(101), strict=True):
        assert verifier.feed(wire, NOW) == plain
    verifier.finish()
    spoilt = [wires[0], plain_query("other.example"), *wires[2:]]
    assert error_of(spoilt) == BADSIG


def test_a_hundred_unsigned_in_a_row_are_too_many() -> None:
    verifier = StreamVerifier(key(), REQUEST_MAC)
    verifier.feed(StreamSigner(key(), REQUEST_MAC).sign(plain_query(), NOW), NOW)
    for plain in messages(99):
        verifier.feed(plain, NOW)
    with pytest.raises(TsigError, match="in a row"):
        verifier.feed(plain_query(), NOW)


def test_first_and_last_have_to_be_signed() -> None:
    with pytest.raises(TsigError) as caught:
        StreamVerifier(key(), REQUEST_MAC).feed(plain_query(), NOW)
    assert caught.value.error == FORMERR
    verifier = StreamVerifier(key(), REQUEST_MAC)
    verifier.feed(StreamSigner(key(), REQUEST_MAC).sign(plain_query(), NOW), NOW)
    verifier.feed(plain_query(), NOW)
    with pytest.raises(TsigError, match="last message"):
        verifier.finish()
    with pytest.raises(TsigError, match="last message"):
        StreamVerifier(key(), REQUEST_MAC).finish()


def test_order_counts() -> None:
    signer = StreamSigner(key(), REQUEST_MAC)
    first, second, third = (signer.sign(plain, NOW) for plain in messages(3))
    for wrong in ([second], [first, third], [first, first]):
        assert error_of(wrong) == BADSIG


def test_other_request_other_key_other_time() -> None:
    wire = StreamSigner(key(), REQUEST_MAC).sign(plain_query(), NOW)
    for verifier, now, error in (
        (StreamVerifier(key(), bytes(32)), NOW, BADSIG),
        (StreamVerifier(key(secret=b"x"), REQUEST_MAC), NOW, BADSIG),
        (StreamVerifier(key(name="other."), REQUEST_MAC), NOW, BADKEY),
        (StreamVerifier(key(), REQUEST_MAC), NOW + 301, BADTIME),
    ):
        with pytest.raises(TsigError) as caught:
            verifier.feed(wire, now)
        assert caught.value.error == error
