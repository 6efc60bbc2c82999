"""Transfers from primaries that die, stall, lie and forge: refused, with who, why and how much had come."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest

from bindpy.config.model import TransferSettings, TsigKey
from bindpy.diagnostics import SourceSpan
from bindpy.tsig import BADKEY, BADTIME, Keyring, StreamSigner, TsigError, error_response, verify
from bindpy.xfr.client import transfer
from bindpy.xfr.failure import Stage, XferFailure
from bindpy.xfr.incoming import Incoming, Limits
from bindpy.zone import names
from bindpy.zone.diff import soa_record
from bindpy.zone.records import RR, RRType
from tests.faults.primary import Action, Cut, FaultyPrimary, Handler, Raw, Reset, Stall
from tests.support.transfers import axfr_records, message
from tests.support.zones import zone_from_text

ORIGIN = names.from_text("example.")
ZONE = zone_from_text(
    "example.",
    "@ SOA ns host 7 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n" + "".join(f"h{i} A 192.0.2.2\n" for i in range(97)),
)
RECORDS = axfr_records(ZONE)
KEY = TsigKey("k.", "hmac-sha256", b"0123456789abcdef", SourceSpan("test"))
WRONG_KEY = TsigKey("k.", "hmac-sha256", b"another secret!!", SourceSpan("test"))
SEED = 20261122
PATIENT = TransferSettings()


def number(request: bytes) -> int:
    return int.from_bytes(request[:2])


def part(request: bytes, first: int, last: int) -> bytes:
    return message(RECORDS[first:last], message_id=number(request))


def fetch(
    handler: Handler,
    *,
    key: TsigKey | None = None,
    settings: TransferSettings = PATIENT,
    limits: Limits | None = None,
    least_serial: int | None = None,
) -> XferFailure:
    """Return how the transfer from a primary with *handler* fails."""

    async def run() -> XferFailure:
        async with FaultyPrimary(handler) as primary:
            incoming = Incoming(ORIGIN, limits=limits, least_serial=least_serial)
            with pytest.raises(XferFailure) as caught:
                await transfer(primary.remote, incoming, key=key, settings=settings)
            with pytest.raises(ValueError, match="or it failed"):
                incoming.result()
            assert caught.value.peer == f"127.0.0.1#{primary.remote.port}"
            assert caught.value.zone == "example."
            return caught.value

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ([Cut()], "closed the connection before the end of the zone"),
        ([Raw(b"\1\0rest is missing"), Cut()], "closed the connection inside a message"),
        ([Raw(b"\1"), Cut()], "closed the connection inside a message"),
        ([Reset()], "closed the connection|broke the connection"),
    ],
)
def test_dies_in_mid_stream(end: list[Action], reason: str) -> None:
    failure = fetch(lambda request, _: [part(request, 0, 30), part(request, 30, 60), *end])
    assert failure.stage is Stage.WAIT
    assert (failure.messages, failure.records) == (2, 60)
    assert f"(after 2 messages, 60 records, {failure.octets:,} octets)" in str(failure)
    assert any(word in failure.detail for word in reason.split("|"))


def test_closes_at_once() -> None:
    failure = fetch(lambda request, _: [Cut()])
    assert failure.detail == "closed the connection before the end of the zone"
    assert (failure.messages, failure.octets) == (0, 0)


def test_stalls() -> None:
    failure = fetch(lambda r, _: [part(r, 0, 30), Stall()], settings=replace(PATIENT, max_idle_in_s=1))
    assert (failure.stage, failure.detail) == (Stage.WAIT, "sent no message for 1 s (max-transfer-idle-in)")
    assert failure.records == 30


def test_stalls_inside_a_message() -> None:
    octets = [Raw(bytes([1])) for _ in range(5)]
    failure = fetch(lambda r, _: [*octets, Stall()], settings=replace(PATIENT, max_idle_in_s=1))
    assert failure.detail == "sent no message for 1 s (max-transfer-idle-in)"


def test_takes_too_long() -> None:
    failure = fetch(lambda r, _: [part(r, 0, 30), Stall()], settings=replace(PATIENT, max_time_in_s=1))
    assert (failure.stage, failure.detail) == (
        Stage.LIMIT,
        "did not finish within 1 s (max-transfer-time-in)",
    )


def test_is_too_slow() -> None:
    slow = replace(PATIENT, min_rate_in_octets=10_000_000, min_rate_in_window_s=1)
    failure = fetch(lambda r, _: [part(r, 0, 30), Stall()], settings=slow)
    assert failure.stage is Stage.LIMIT
    assert failure.detail == "sent fewer than 10000000 octets in 1 s (min-transfer-rate-in)"


@pytest.mark.parametrize("seed", range(SEED, SEED + 20))
def test_sends_garbage(seed: int) -> None:
    rng = random.Random(seed)

    def handler(request: bytes, _: bool) -> Iterator[Action]:
        yield part(request, 0, 10)
        yield Raw(rng.randbytes(rng.randrange(1, 100_000)))
        yield Cut()

    failure = fetch(handler)
    assert failure.stage in (Stage.DATA, Stage.ANSWER, Stage.WAIT)
    assert failure.records >= 10


@pytest.mark.parametrize("seed", range(SEED, SEED + 20))
def test_damages_its_ids(seed: int) -> None:
    rng = random.Random(seed)

    def handler(request: bytes, _: bool) -> Iterator[Action]:
        octets = bytearray(part(request, 0, len(RECORDS)))
        octets[0] ^= rng.randrange(1, 256)
        yield bytes(octets)
        yield Cut()

    assert fetch(handler).stage is Stage.ANSWER


def test_empty_messages() -> None:
    failure = fetch(lambda r, _: [part(r, 0, 30), *[b""] * 10])
    assert "malformed: the message is shorter than a header" in failure.detail


def test_wrong_id_in_mid_stream() -> None:
    failure = fetch(lambda r, _: [part(r, 0, 30), message(RECORDS[30:], message_id=number(r) ^ 1)])
    assert failure.stage is Stage.ANSWER
    assert "a message with the ID" in failure.detail


def test_answers_another_question() -> None:
    asked = (names.from_text("other."), int(RRType.AXFR), 1)
    failure = fetch(lambda r, _: [message(RECORDS, message_id=number(r), question=asked)])
    assert failure.detail == "answered another question than ours"


def test_refuses_in_mid_stream() -> None:
    failure = fetch(lambda r, _: [part(r, 0, 30), message([], message_id=number(r), flags=0x8402)])
    assert (failure.stage, failure.rcode, failure.detail) == (
        Stage.ANSWER,
        2,
        "answered SERVFAIL: it has no good data of the zone",
    )


@pytest.mark.parametrize("per_message", [1, 50])
def test_endless_stream(per_message: int) -> None:
    def handler(request: bytes, _: bool) -> Iterator[Action]:
        yield message([soa_record(ZONE)], message_id=number(request))
        for i in itertools.count(0, per_message):
            owners = [names.from_text(f"n{i + j}.example.") for j in range(per_message)]
            yield message([RR(owner, 1, 60, b"abcd") for owner in owners], message_id=number(request))

    failure = fetch(handler, limits=Limits(max_records=2000))
    assert (failure.stage, failure.detail) == (Stage.LIMIT, "sent more than 2000 records (max-records)")
    assert failure.records == 2001
    failure = fetch(handler, limits=Limits(max_octets=50_000))
    assert (failure.stage, failure.detail) == (Stage.LIMIT, "sent more than is taken of one zone")


def test_serial_went_down() -> None:
    failure = fetch(lambda r, _: [part(r, 0, len(RECORDS))], least_serial=8)
    assert (failure.stage, failure.detail) == (Stage.SERIAL, "sent serial 7, which is not newer than 8")


def test_zone_changes_while_it_is_sent() -> None:
    new = zone_from_text("example.", "@ SOA ns host 8 2 3 4 5\n")
    failure = fetch(lambda r, _: [part(r, 0, 60), message([soa_record(new)], message_id=number(r))])
    assert failure.stage is Stage.DATA
    assert "serial 8, the first one 7" in failure.detail


# --- signatures -------------------------------------------------------------------------------------


def signed(
    change: Callable[[list[bytes], list[bytes]], Iterable[bytes]], *, key: TsigKey = KEY, late_s: int = 0
) -> Handler:
    """Return a primary that sends what *change* makes of the messages (unsigned, signed) of a transfer."""

    def handler(request: bytes, _: bool) -> Iterable[Action]:
        verified = verify(request, Keyring({KEY.name: KEY}), int(time.time()))
        assert verified is not None
        signer = StreamSigner(key, verified.mac)
        plain = [part(request, at, at + 20) for at in range(0, len(RECORDS), 20)]
        return change(plain, [signer.sign(octets, int(time.time()) - late_s) for octets in plain])

    return handler


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (signed(lambda plain, _: plain), "is not signed"),
        (signed(lambda plain, good: [*good[:-1], plain[-1]]), "last message of the answer is not signed"),
        (signed(lambda plain, good: [plain[0], *good[1:]]), "is not signed"),
        (signed(lambda plain, good: [good[0], plain[1], *good[2:]]), "signature is wrong"),
        (signed(lambda plain, good: [good[1], good[0], *good[2:]]), "signature is wrong"),
        (signed(lambda plain, good: [good[0], *good[2:]]), "signature is wrong"),
        (signed(lambda plain, good: [good[0], good[0], *good[1:]]), "signature is wrong"),
        (signed(lambda plain, good: [good[0][:60] + b"!" + good[0][61:], *good[1:]]), "is wrong|malformed"),
        (signed(lambda plain, good: good, key=WRONG_KEY), "signature is wrong"),
        (signed(lambda plain, good: good, late_s=1000), "has expired"),
    ],
)  # fmt: skip
def test_forged_streams(handler: Handler, reason: str) -> None:
    failure = fetch(handler, key=KEY)
    assert failure.stage is Stage.TSIG
    assert any(word in failure.detail for word in reason.split("|")), failure.detail


def test_refuses_without_a_signature() -> None:
    failure = fetch(lambda r, _: [message([], message_id=number(r), flags=0x8405)], key=KEY)
    assert (failure.stage, failure.rcode) == (Stage.TSIG, 5)
    assert failure.detail.endswith("the answer to a signed request is not signed (it says REFUSED)")


def test_too_many_unsigned_messages_in_a_row() -> None:
    def handler(request: bytes, _: bool) -> Iterator[Action]:
        verified = verify(request, Keyring({KEY.name: KEY}), int(time.time()))
        assert verified is not None
        yield StreamSigner(KEY, verified.mac).sign(
            message(RECORDS[:1], message_id=number(request)), int(time.time())
        )
        for i in itertools.count():
            owner = names.from_text(f"n{i}.example.")
            yield message([RR(owner, 1, 60, b"abcd")], message_id=number(request))

    failure = fetch(handler, key=KEY)
    assert failure.stage is Stage.TSIG
    assert failure.detail == "sent an answer that is not taken: more than 99 messages in a row are not signed"
    assert failure.records == 100


@pytest.mark.parametrize(
    ("error", "name"),
    [(BADKEY, "BADKEY (it has no key of this name and algorithm)"), (BADTIME, "BADTIME (its clock says ")],
)
def test_does_not_accept_our_signature(error: int, name: str) -> None:
    def handler(request: bytes, _: bool) -> list[Action]:
        ring = Keyring({} if error == BADKEY else {KEY.name: KEY})
        late = 0 if error == BADKEY else 10_000
        with pytest.raises(TsigError) as caught:
            verify(request, ring, int(time.time()) + late)
        return [error_response(request, caught.value, int(time.time()) + late)]

    failure = fetch(handler, key=KEY)
    assert (failure.stage, failure.rcode) == (Stage.TSIG, 9)
    assert failure.detail.startswith(f"does not accept our signature: {name}")
