"""Signing and checking single messages (RFC 8945 section 5), against dnspython as the other side."""

from __future__ import annotations

from pathlib import Path

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindpy.config.model import TsigKey
from bindpy.diagnostics import SourceSpan
from bindpy.tsig import (
    BADKEY,
    BADSIG,
    BADTIME,
    BADTRUNC,
    FORMERR,
    Keyring,
    TsigError,
    error_response,
    room_for,
    sign,
    verify,
)
from bindpy.tsig.record import find_record, with_record

NOW = 1_800_000_000
NAME = "transfer.example."
SECRET = b"0123456789abcdef0123456789abcdef"
ALGORITHMS = {
    "hmac-md5": dns.tsig.HMAC_MD5,
    "hmac-sha1": dns.tsig.HMAC_SHA1,
    "hmac-sha224": dns.tsig.HMAC_SHA224,
    "hmac-sha256": dns.tsig.HMAC_SHA256,
    "hmac-sha384": dns.tsig.HMAC_SHA384,
    "hmac-sha512": dns.tsig.HMAC_SHA512,
}


def key(algorithm: str = "hmac-sha256", name: str = NAME, secret: bytes = SECRET) -> TsigKey:
    return TsigKey(name, algorithm, secret, SourceSpan("named.conf"))


def ring(*keys: TsigKey) -> Keyring:
    return Keyring({one.name: one for one in keys or (key(),)})


def plain_query(name: str = "www.example.com") -> bytes:
    query = dns.message.make_query(name, "A")
    query.id = 0x1234
    return query.to_wire()


def peer_key(algorithm: str) -> dns.tsig.Key:
    return dns.tsig.Key(NAME, SECRET, ALGORITHMS[algorithm])


def peer_signed(monkeypatch: pytest.MonkeyPatch, algorithm: str, now: int = NOW) -> bytes:
    """Return a query that dnspython signed at *now*."""
    monkeypatch.setattr("time.time", lambda: float(now))
    query = dns.message.make_query("www.example.com", "A")
    query.use_tsig(peer_key(algorithm))
    return query.to_wire()


def error_of(message: bytes, keys: Keyring | None = None, now: int = NOW) -> TsigError:
    with pytest.raises(TsigError) as caught:
        verify(message, keys or ring(), now)
    return caught.value


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_dnspython_signs_is_good(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verified = verify(peer_signed(monkeypatch, algorithm), ring(key(algorithm)), NOW + 300)
    assert verified is not None
    assert verified.key.name == NAME
    assert dns.message.from_wire(verified.plain).question[0].name == dns.name.from_text("www.example.com")
    assert find_record(verified.plain) is None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_dnspython_takes_what_we_sign(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: float(NOW))
    signed = sign(plain_query(), key(algorithm), NOW, request_mac=b"the request's")
    message = dns.message.from_wire(signed.wire, keyring=peer_key(algorithm), request_mac=b"the request's")
    assert message.had_tsig
    assert message.tsig is not None
    assert message.tsig[0].mac == signed.mac
    with pytest.raises(dns.tsig.BadSignature):
        dns.message.from_wire(signed.wire, keyring=peer_key(algorithm), request_mac=b"another")


def test_a_key_s_name_is_compared_without_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: float(NOW))
    query = dns.message.make_query("www.example.com", "A")
    query.use_tsig(dns.tsig.Key("TransFER.Example.", SECRET, dns.tsig.HMAC_SHA256))
    assert verify(query.to_wire(), ring(), NOW) is not None


def test_an_unsigned_message_is_none() -> None:
    assert verify(plain_query(), ring(), NOW) is None


def test_the_id_may_change_on_the_way() -> None:
    """RFC 8945 section 4.2: forwarders change the ID, the original one is signed."""
    wire = sign(plain_query(), key(), NOW).wire
    verified = verify(b"\xaa\xbb" + wire[2:], ring(), NOW)
    assert verified is not None
    assert verified.plain[:2] == b"\xaa\xbb"


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (ring(key(name="other.")), "no key of that name"),
        (ring(key("hmac-sha512")), "another algorithm"),
    ],
)
def test_badkey(keys: Keyring, reason: str) -> None:
    error = error_of(sign(plain_query(), key(), NOW).wire, keys)
    assert error.error == BADKEY
    assert error.key is None
    assert reason in str(error)


def test_badsig_for_another_secret_and_for_any_changed_octet() -> None:
    wire = sign(plain_query(), key(), NOW).wire
    assert error_of(wire, ring(key(secret=b"x" * 32))).error == BADSIG
    for at in (2, 3, 13, 17, 23, 25, 27, 30, 32):  # flags, letters of the name, type, class
        assert error_of(wire[:at] + bytes([wire[at] ^ 0x20]) + wire[at + 1 :]).error == BADSIG


def test_badsig_goes_before_badtime() -> None:
    """RFC 8945 section 5.2: time is not looked at before the MAC is known to be good."""
    wire = sign(plain_query(), key(secret=b"x" * 32), 5).wire
    assert error_of(wire).error == BADSIG


@pytest.mark.parametrize(("signed_at", "which"), [(NOW - 301, "expired"), (NOW + 301, "in the future")])
def test_badtime(signed_at: int, which: str) -> None:
    error = error_of(sign(plain_query(), key(), signed_at).wire)
    assert error.error == BADTIME
    assert which in str(error)


@pytest.mark.parametrize("signed_at", [NOW - 300, NOW + 300])
def test_time_within_the_fudge(signed_at: int) -> None:
    assert verify(sign(plain_query(), key(), signed_at).wire, ring(), NOW) is not None


def test_the_sender_s_fudge_counts() -> None:
    wire = sign(plain_query(), key(), NOW - 60, fudge_s=30).wire
    assert error_of(wire).error == BADTIME


# --- truncated MACs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "octets"),
    [
        ("hmac-md5-80", 10),
        ("hmac-sha1-80", 10),
        ("hmac-sha1-96", 12),
        ("hmac-sha224-112", 14),
        ("hmac-sha256-128", 16),
        ("hmac-sha384-192", 24),
        ("hmac-sha512-256", 32),
    ],
)
def test_truncated_forms_are_short_and_taken(algorithm: str, octets: int) -> None:
    short, whole = key(algorithm), key(algorithm.rpartition("-")[0])
    signed = sign(plain_query(), short, NOW)
    assert len(signed.mac) == octets
    record = find_record(signed.wire)
    assert record is not None
    assert b"-" + str(octets * 8).encode() not in record.algorithm
    assert verify(signed.wire, ring(short), NOW) is not None
    longer = sign(plain_query(), whole, NOW)
    assert verify(longer.wire, ring(short), NOW) is not None
    assert error_of(signed.wire, ring(whole)).error == BADTRUNC


def test_an_answer_s_mac_is_as_long_as_the_request_s() -> None:
    assert len(sign(plain_query(), key("hmac-sha256-128"), NOW, request_mac=bytes(32)).mac) == 32
    assert len(sign(plain_query(), key("hmac-sha256-128"), NOW, request_mac=bytes(16)).mac) == 16


@pytest.mark.parametrize("octets", [1, 9, 15, 33, 64])
def test_a_mac_of_an_impossible_length_is_formerr(octets: int) -> None:
    """RFC 8945 section 5.2.2.1: under ten octets, under half, or over the whole."""
    wire = resigned(sign(plain_query(), key(), NOW).wire, bytes(octets))
    assert error_of(wire).error == FORMERR


def test_an_empty_mac_is_badsig() -> None:
    assert error_of(resigned(sign(plain_query(), key(), NOW).wire, b"")).error == BADSIG


def resigned(wire: bytes, mac: bytes) -> bytes:
    """Return *wire* with another MAC."""
    from dataclasses import replace

    from bindpy.tsig.record import without_record

    record = find_record(wire)
    assert record is not None
    return with_record(without_record(wire, record), replace(record, mac=mac))


# --- malformed ---------------------------------------------------------------------------------------


def test_a_tsig_that_is_not_last_or_not_alone_is_formerr() -> None:
    wire = sign(plain_query(), key(), NOW).wire
    record = find_record(wire)
    assert record is not None
    more = b"\0\x00\x01\x00\x01" + bytes(4) + b"\0\x04" + bytes(4)
    behind = wire[:10] + (int.from_bytes(wire[10:12]) + 1).to_bytes(2) + wire[12:] + more
    assert error_of(behind).error == FORMERR
    assert error_of(with_record(wire, record)).error == FORMERR


def test_class_and_ttl_of_a_tsig() -> None:
    wire = sign(plain_query(), key(), NOW).wire
    record = find_record(wire)
    assert record is not None
    at = record.start + len(record.owner) + 2
    assert error_of(wire[:at] + b"\0\1" + wire[at + 2 :]).error == FORMERR
    assert error_of(wire[: at + 2] + b"\0\0\0\1" + wire[at + 6 :]).error == FORMERR


def test_a_cut_message_is_formerr() -> None:
    wire = sign(plain_query(), key(), NOW).wire
    for size in range(len(wire)):
        assert error_of(wire[:size]).error == FORMERR


def test_names_in_a_tsig_may_be_compressed_but_not_in_a_loop() -> None:
    query = plain_query("transfer.example")
    record = find_record(sign(query, key(), NOW).wire)
    assert record is not None
    head = query[:10] + b"\0\1" + query[12:]
    body = record.to_wire()[len(record.owner) :]
    assert verify(head + b"\xc0\x0c" + body, ring(), NOW) is not None
    place = (0xC000 | len(head)).to_bytes(2)
    assert error_of(head + place + body).error == FORMERR
    assert error_of(head + b"\1x" + place + body).error == FORMERR


@given(st.binary(max_size=200))
def test_any_octets_are_refused_or_unsigned(noise: bytes) -> None:
    wire = sign(plain_query(), key(), NOW).wire
    for message in (noise, wire[:12] + noise, wire[:-40] + noise, wire + noise):
        try:
            verified = verify(message, ring(), NOW)
        except TsigError as error:
            if len(message) >= 12:
                dns.message.from_wire(error_response(message, error, NOW), keyring=False)
        else:
            assert verified is None or message.startswith(wire)


# --- answers to bad signatures -----------------------------------------------------------------------


def answer_to(wire: bytes, keys: Keyring | None = None) -> dns.message.Message:
    response = error_response(wire, error_of(wire, keys), NOW)
    message = dns.message.from_wire(response, keyring=False)
    assert message.id == 0x1234
    return message


def test_badkey_and_badsig_are_answered_unsigned() -> None:
    """RFC 8945 sections 5.2.1, 5.2.2 and 5.3.2."""
    wire = sign(plain_query(), key(), NOW).wire
    for keys, error in ((ring(key(name="other.")), BADKEY), (ring(key(secret=b"x")), BADSIG)):
        message = answer_to(wire, keys)
        assert message.rcode() == dns.rcode.NOTAUTH
        assert message.question[0].name == dns.name.from_text("www.example.com")
        assert message.tsig is not None
        assert message.tsig[0].error == error
        assert message.tsig[0].mac == b""


def test_badtime_is_answered_signed_and_with_our_time() -> None:
    """RFC 8945 section 5.2.3: the client's time in "time signed", ours in the other data."""
    signed = sign(plain_query(), key(), 1_700_000_000)
    message = answer_to(signed.wire)
    assert message.rcode() == dns.rcode.NOTAUTH
    assert message.tsig is not None
    tsig = message.tsig[0]
    assert (tsig.error, tsig.time_signed) == (BADTIME, 1_700_000_000)
    assert int.from_bytes(tsig.other) == NOW
    response = error_response(signed.wire, error_of(signed.wire), NOW)
    with pytest.raises(TsigError) as caught:
        verify(response, ring(), NOW, request_mac=signed.mac)
    assert caught.value.from_peer
    assert caught.value.error == BADTIME
    assert str(NOW) in str(caught.value)
    with pytest.raises(TsigError) as caught:
        verify(response, ring(), NOW, request_mac=bytes(32))
    assert caught.value.error == BADSIG
    assert not caught.value.from_peer


def test_badtrunc_is_answered_signed() -> None:
    """RFC 8945 section 5.2.4."""
    signed = sign(plain_query(), key("hmac-sha256-128"), NOW)
    response = error_response(signed.wire, error_of(signed.wire), NOW)
    with pytest.raises(TsigError) as caught:
        verify(response, ring(), NOW, request_mac=signed.mac)
    assert caught.value.from_peer
    assert caught.value.error == BADTRUNC
    assert len(caught.value.mac) == 32


def test_formerr_has_no_tsig() -> None:
    wire = resigned(sign(plain_query(), key(), NOW).wire, b"x")
    message = answer_to(wire)
    assert message.rcode() == dns.rcode.FORMERR
    assert message.tsig is None


def test_a_peer_that_does_not_know_our_key_is_told_apart() -> None:
    signed = sign(plain_query(), key(), NOW)
    response = error_response(signed.wire, error_of(signed.wire, ring(key(name="other."))), NOW)
    with pytest.raises(TsigError) as caught:
        verify(response, ring(), NOW, request_mac=signed.mac)
    assert caught.value.from_peer
    assert caught.value.error == BADKEY


# --- the rest ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "hmac-sha256-128"])
def test_room_is_enough_and_exact_for_whole_macs(algorithm: str) -> None:
    grown = len(sign(plain_query(), key(algorithm), NOW, request_mac=bytes(64)).wire) - len(plain_query())
    assert grown <= room_for(key(algorithm))
    assert grown == room_for(key(algorithm)) or "-128" in algorithm


def test_no_secret_is_shown(tmp_path: Path) -> None:
    one = key(secret=b"very-secret")
    wire = sign(plain_query(), key(secret=b"x"), NOW).wire
    error = error_of(wire, ring(one))
    shown = f"{ring(one)!r} {one!r} {error!r} {error} {error.record!r} {verify(plain_query(), ring(), NOW)!r}"
    assert "secret" not in shown
    assert NAME in shown


names = st.lists(st.text("abcXYZ019-", min_size=1, max_size=20), min_size=1, max_size=6).map(".".join)


@given(
    names,
    st.sampled_from(sorted(ALGORITHMS)),
    st.binary(min_size=1, max_size=100),
    st.integers(0, 2**48 - 1),
    st.binary(max_size=64),
)
def test_any_key_signs_what_it_verifies(
    name: str, algorithm: str, secret: bytes, now: int, request_mac: bytes
) -> None:
    one = key(algorithm, name.lower() + ".", secret)
    signed = sign(plain_query(), one, now, request_mac=request_mac)
    verified = verify(signed.wire, ring(one), now, request_mac=request_mac)
    assert verified is not None
    assert (verified.plain, verified.mac) == (plain_query(), signed.mac)
    dnspython = dns.tsig.Key(name, secret, ALGORITHMS[algorithm])
    record = find_record(signed.wire)
    assert record is not None
    parsed = dns.message.from_wire(signed.wire, keyring=False)
    assert parsed.tsig is not None
    dns.tsig.validate(  # type: ignore[no-untyped-call]
        signed.wire, dnspython, parsed.tsig.name, parsed.tsig[0], now, request_mac, record.start
    )
