"""The rndc channel's codec and session with any octets: what is written is read, and nothing breaks them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bindpy.control.rndc_codec import (
    ALGORITHMS,
    MAX_REQUEST_OCTETS,
    MessageError,
    Table,
    Value,
    open_body,
    signed_frame,
)
from bindpy.control.rndc_session import ReplayMemory, RndcSession
from tests.support.rndc import request_table, rndc_key

NAMES = st.binary(max_size=12)
VALUES: st.SearchStrategy[Value] = st.recursive(
    st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
TABLES = st.dictionaries(NAMES, VALUES, max_size=6)
KEYS = st.builds(rndc_key, st.sampled_from(ALGORITHMS), st.binary(max_size=200))
NOW = 1_700_000_000


def depth(value: Value) -> int:
    if isinstance(value, bytes):
        return 0
    return 1 + max((depth(one) for one in (value.values() if isinstance(value, dict) else value)), default=0)


@given(TABLES.filter(lambda table: depth(table) <= 10), KEYS)
def test_what_is_signed_is_opened(table: Table, key_: object) -> None:
    assert isinstance(key_, type(rndc_key()))
    frame = signed_frame(table, key_)
    assert int.from_bytes(frame[:4]) == len(frame) - 4
    assert open_body(frame[4:], [rndc_key("hmac-md5", b"other"), key_]) == (key_, table)


@given(st.binary(max_size=600))
def test_any_octets_are_refused(body: bytes) -> None:
    session = RndcSession(ReplayMemory(), wall_clock=lambda: NOW)
    for octets in (body, b"\0\0\0\1\5_auth" + body):
        try:
            session.receive(octets, [rndc_key(), rndc_key("hmac-md5")])
        except MessageError:
            continue
        raise AssertionError(f"taken: {octets.hex()}")
    assert not session.is_open


@given(st.data())
def test_a_message_with_octets_changed_is_refused(data: st.DataObject) -> None:
    key = rndc_key(data.draw(st.sampled_from(ALGORITHMS)))
    body = bytearray(signed_frame(request_table("status", now=NOW), key)[4:])
    before = bytes(body)
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    if bytes(body) == before:
        return
    session = RndcSession(ReplayMemory(), wall_clock=lambda: NOW)
    try:
        session.receive(bytes(body), [key])
    except MessageError:
        return
    raise AssertionError(f"taken: {body.hex()}")


@given(TABLES, st.dictionaries(st.sampled_from([b"_ser", b"_tim", b"_exp", b"_nonce", b"_frm"]), VALUES))
def test_any_signed_table_is_taken_or_refused(table: Table, control: Table) -> None:
    """Somebody with the key may write anything; it is answered or refused, and nothing else happens."""
    key = rndc_key()
    session = RndcSession(ReplayMemory(), wall_clock=lambda: NOW)
    good = request_table("status", now=NOW)
    for body in (table, good | table, request_table("null", serial=2, now=NOW, control=control)):
        try:
            request = session.receive(signed_frame(body, key)[4:], [key])
        except MessageError:
            continue
        reply = session.reply(request, text="done")
        assert open_body(reply[4:], [key])[1][b"_data"] == {
            b"type": request.type,
            b"result": b"0",
            b"text": b"done",
        }


@given(st.text(max_size=300), st.integers(0, 70))
def test_a_command_comes_as_it_was_sent_however_long(text: str, times: int) -> None:
    command = (text * times)[:7000]
    key = rndc_key()
    session = RndcSession(ReplayMemory(), wall_clock=lambda: NOW, new_nonce=lambda: 77)
    session.receive(signed_frame(request_table("null", now=NOW), key)[4:], [key])
    frame = signed_frame(request_table(command, serial=2, now=NOW, nonce=77), key)
    assert len(frame) <= MAX_REQUEST_OCTETS
    assert session.receive(frame[4:], [key]).command == command
