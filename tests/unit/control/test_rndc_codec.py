"""Frames, tables and signatures of the rndc channel."""

from __future__ import annotations

import base64
import time

import pytest

from bindpy.control.rndc_codec import (
    ALGORITHMS,
    MAX_DEPTH,
    MessageError,
    Table,
    Value,
    body_length,
    open_body,
    signed_frame,
)
from tests.support.rndc import rndc_key

# Of BIND's rndc, with this key: `type` null, serial 305419896, sent at 1700000000.
VECTOR_SECRET = base64.b64decode("c2VjcmV0LXNlY3JldC1zZWNyZXQtMTIzNA==")
VECTOR_TABLE: Table = {
    b"_ctrl": {b"_ser": b"305419896", b"_tim": b"1700000000", b"_exp": b"1700000060"},
    b"_data": {b"type": b"null"},
}
VECTORS = {
    "hmac-sha256": (
        "000000d100000001055f61757468020000006304687368610100000059a3705675514367506c4d5a7072776352634264"
        "6f7465333835506d6c376a4e474632424b4d2f7a2b4b5a4f733d00000000000000000000000000000000000000000000"
        "00000000000000000000000000000000000000000000055f6374726c020000003b045f73657201000000093330353431"
        "39383936045f74696d010000000a31373030303030303030045f657870010000000a31373030303030303630055f6461"
        "7461020000000e047479706501000000046e756c6c"
    ),
    "hmac-md5": (
        "0000008e00000001055f61757468020000002004686d643501000000166568544c4d4d4c6c37665747754b496d5a4945"
        "636467055f6374726c020000003b045f7365720100000009333035343139383936045f74696d010000000a3137303030"
        "3030303030045f657870010000000a31373030303030303630055f64617461020000000e047479706501000000046e75"
        "6c6c"
    ),
}


@pytest.mark.parametrize("algorithm", VECTORS)
def test_a_message_is_octet_for_octet_what_rndc_sends(algorithm: str) -> None:
    key = rndc_key(algorithm, VECTOR_SECRET)
    frame = signed_frame(VECTOR_TABLE, key)
    assert frame.hex() == VECTORS[algorithm]
    assert open_body(frame[4:], [key]) == (key, VECTOR_TABLE)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_message_of_each_algorithm_is_opened_with_its_key_only(algorithm: str) -> None:
    key = rndc_key(algorithm, b"the right one")
    frame = signed_frame(VECTOR_TABLE, key)
    assert body_length(frame[:4]) == len(frame) - 4
    others = [rndc_key(a, b"another one") for a in ALGORITHMS]
    others += [rndc_key(a, key.secret) for a in ALGORITHMS if a != algorithm]
    assert open_body(frame[4:], [*others, key]) == (key, VECTOR_TABLE)
    with pytest.raises(MessageError, match="bad auth"):
        open_body(frame[4:], others)
    with pytest.raises(MessageError, match="bad auth"):
        open_body(frame[4:], [])


def test_a_truncated_algorithm_signs_in_full_here() -> None:
    whole = signed_frame(VECTOR_TABLE, rndc_key("hmac-sha256"))
    assert signed_frame(VECTOR_TABLE, rndc_key("hmac-sha256-128")) == whole


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_change_of_any_signed_octet_is_noticed(algorithm: str) -> None:
    key = rndc_key(algorithm)
    body = signed_frame(VECTOR_TABLE, key)[4:]
    begin = 4 + (43 if algorithm == "hmac-md5" else 110)
    for at in range(len(body)):
        changed = bytearray(body)
        changed[at] ^= 0x20
        try:
            open_body(bytes(changed), [key])
        except MessageError:
            continue
        pytest.fail(f"octet {at} of {len(body)} can be changed; the signed ones begin at {begin}")


@pytest.mark.parametrize("at", range(4, 110))
def test_a_message_that_ends_early_is_refused(at: int) -> None:
    key = rndc_key("hmac-md5")
    body = signed_frame(VECTOR_TABLE, key)[4:]
    with pytest.raises(MessageError):
        open_body(body[:at], [key])


def test_the_version_is_1() -> None:
    key = rndc_key()
    body = signed_frame(VECTOR_TABLE, key)[4:]
    for version in (b"\0\0\0\0", b"\0\0\0\2", b"\1\0\0\1"):
        with pytest.raises(MessageError, match="bad auth"):
            open_body(version + body[4:], [key])


def test_the_signature_comes_first() -> None:
    key = rndc_key("hmac-md5")
    body = signed_frame(VECTOR_TABLE, key)[4:]
    with pytest.raises(MessageError, match="bad auth"):
        open_body(body[:4] + body[47:] + body[4:47], [key])


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [(0, "unexpected end of input"), (32769, "out of range"), (0xFFFFFFFF, "out of range")],
)
def test_a_length_out_of_bounds_is_refused(prefix: int, reason: str) -> None:
    with pytest.raises(MessageError, match=reason):
        body_length(prefix.to_bytes(4))


def test_the_longest_message_is_taken() -> None:
    assert body_length((32768).to_bytes(4)) == 32768


def nested(depth: int, kind: type) -> Value:
    value: Value = b"x"
    for _ in range(depth):
        value = {b"k": value} if kind is dict else [value]
    return value


@pytest.mark.parametrize("kind", [dict, list])
def test_nesting_has_a_limit(kind: type) -> None:
    key = rndc_key()
    fine: Table = {b"a": nested(MAX_DEPTH - 1, kind)}
    assert open_body(signed_frame(fine, key)[4:], [key])[1] == fine
    with pytest.raises(MessageError, match="out of range"):
        open_body(signed_frame({b"a": nested(MAX_DEPTH, kind)}, key)[4:], [key])


def test_of_equal_names_the_last_one_counts() -> None:
    key = rndc_key()
    frame = bytearray(signed_frame({b"a": b"1", b"b": b"2"}, key))
    twice = signed_frame({b"a": b"2"}, key)
    content = bytes(frame[4 + 4 + 110 :]) + twice[4 + 4 + 110 :]
    assert open_body(resigned(content), [key])[1] == {b"a": b"2", b"b": b"2"}


def resigned(content: bytes) -> bytes:
    """Return a body with *content* as it is, which no table makes, signed."""
    from bindpy.control.rndc_codec import _signature

    name, mac = _signature(rndc_key(), content)
    auth = bytes((len(name),)) + name + b"\1" + len(mac).to_bytes(4) + mac
    return b"\0\0\0\1\5_auth\2" + len(auth).to_bytes(4) + auth + content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x01", "unexpected end of input"),
        (b"\x01a", "unexpected end of input"),
        (b"\x01a\x01\0\0\0", "unexpected end of input"),
        (b"\x01a\x01\0\0\0\2x", "unexpected end of input"),
        (b"\x01a\x02\0\0\0\1\xff", "unexpected end of input"),
        (b"\x01a\x03\0\0\0\1\xff", "unexpected end of input"),
        (b"\x01a\x03\0\0\0\x06\x01\0\0\0\2x", "unexpected end of input"),
        # A value that ends after the table that it is in, where the octets would make sense without that.
        (b"\x01a\x02\0\0\0\x07\x01b\x01\0\0\0\x07\x01c\x01\0\0\0\0", "unexpected end of input"),
        (b"\x01a\x02\0\0\0\x01\x05bcdef\x01\0\0\0\0", "unexpected end of input"),
        (b"\x01a\x02\0\0\0\x02\x01b\x01\0\0\0\0", "unexpected end of input"),
        (b"\x01a\x00\0\0\0\1x", "syntax error"),
        (b"\x01a\x04\0\0\0\1x", "syntax error"),
    ],
)
def test_malformed_content_is_refused_even_when_it_is_signed(content: bytes, reason: str) -> None:
    with pytest.raises(MessageError, match=reason):
        open_body(resigned(content), [rndc_key()])


def test_the_largest_message_is_refused_fast_whatever_it_holds() -> None:
    keys = [rndc_key("hmac-sha512", bytes([n])) for n in range(20)]
    begin = time.process_time()
    for filler in (b"\0", b"\1", b"\2\0\0\0\0", b"\x05_auth\2\0\0\x7f\xf0"):
        body = b"\0\0\0\1\5_auth\2\0\0\x7f\xf0" + filler * 7000
        with pytest.raises(MessageError):
            open_body(body[:32768], keys)
    assert time.process_time() - begin < 2
