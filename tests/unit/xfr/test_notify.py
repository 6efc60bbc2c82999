"""How one server is told of a change: sent again, signed, acknowledged, refused."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from bindpy.xfr.notify_exchange import notify_message
from bindpy.xfr.notify_queue import NotifyState
from bindpy.xfr.wire import read_message
from bindpy.zone.records import RRType
from tests.support.zones import zone_from_text
from tests.unit.xfr import notifying
from tests.unit.xfr.notifying import (
    ALSO,
    QUICK_S,
    ZONE_ID,
    Answer,
    noerror,
    one_zone,
    refusing,
    signing,
    silent,
    unsigned,
    world,
    zone,
)

keys = notifying.keys  # the fixture


def test_a_change_is_told_with_its_soa_and_acknowledged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> int:
        async with world(tmp_path) as w:
            w.publish(zone(5))
            await w.until_acknowledged(5)
            (message,) = w.receiver.messages
            assert (message.opcode, message.is_response, bool(message.flags & 0x0400)) == (4, False, True)
            assert message.question is not None
            assert (message.question.name, message.question.rtype) == (ZONE_ID[1], RRType.SOA)
            assert w.receiver.serials == [5]
            assert w.status.state is NotifyState.ACKNOWLEDGED
            return w.receiver.port

    with caplog.at_level(logging.INFO, "bindpy.notify"):
        port = asyncio.run(run())
    assert caplog.messages == [
        "zone example.com/IN: sending notifies (serial 5)",
        f"zone example.com/IN: notify to 127.0.0.1#{port}: acknowledged (serial 5)",
    ]


def test_lost_packets_are_sent_again_until_it_is_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> int:
        async with world(tmp_path, pauses_s=QUICK_S) as w:
            w.receiver.answer = silent
            w.publish(zone(5))
            await w.until_failed()
            assert len(w.receiver.packets) == len(QUICK_S)
            assert (w.status.reason, w.status.tries) == ("timed out", 3)
            ids = {message.id for message in w.receiver.messages}
            assert len(ids) > 1
            w.receiver.answer = noerror
            w.publish(zone(6))
            await w.until_acknowledged(6)
            return w.receiver.port

    with caplog.at_level(logging.WARNING, "bindpy.notify"):
        port = asyncio.run(run())
    assert caplog.messages == [
        f"zone example.com/IN: notify to 127.0.0.1#{port} failed: timed out (given up after 3 tries)"
    ]


def test_a_second_try_is_enough(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, pauses_s=(0.05, 10.0)) as w:
            w.receiver.answer = lambda packet: noerror(packet) if len(w.receiver.packets) > 1 else None
            w.publish(zone(5))
            await w.until_acknowledged(5)
            assert len(w.receiver.packets) == 2

    asyncio.run(run())


@pytest.mark.parametrize(
    ("rcode", "expected"),
    [
        (5, "REFUSED: it takes no NOTIFY for this zone from us"),
        (9, "NOTAUTH: it does not serve this zone"),
        (4, "NOTIMP: it does not know NOTIFY"),
        (2, "SERVFAIL: it could not process our NOTIFY"),
        (3, "NXDOMAIN: it does not take our NOTIFY"),
    ],
)
def test_a_refusal_is_explained_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, rcode: int, expected: str
) -> None:
    async def run() -> None:
        async with world(tmp_path, pauses_s=QUICK_S) as w:
            w.receiver.answer = refusing(rcode)
            w.publish(zone(5))
            await w.until_failed()
            assert len(w.receiver.packets) == len(QUICK_S)
            assert w.status.reason.startswith(expected)

    asyncio.run(run())
    assert len(caplog.messages) == 1
    assert expected in caplog.text
    assert caplog.messages[0].endswith("; trying again")


def test_a_server_that_gets_the_zone_in_the_meantime_is_told(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, pauses_s=QUICK_S) as w:
            first = refusing(9)
            w.receiver.answer = lambda p: noerror(p) if len(w.receiver.packets) > 1 else first(p)
            w.publish(zone(5))
            await w.until_acknowledged(5)

    asyncio.run(run())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda packet: bytes([packet[0] ^ 1]) + noerror(packet)[1:],
        lambda packet: noerror(packet).replace(b"\x07example", b"\x07exemple", 1),
        lambda packet: packet,
        lambda packet: noerror(packet)[:11],
    ],
    ids=["another ID", "another question", "a request", "cut short"],
)
def test_what_is_no_answer_to_us_acknowledges_nothing(tmp_path: Path, spoil: Answer) -> None:
    async def run() -> None:
        async with world(tmp_path, pauses_s=QUICK_S) as w:
            w.receiver.answer = spoil
            w.publish(zone(5))
            await w.until_failed()
            assert w.status.acknowledged is None

    asyncio.run(run())


def test_an_answer_from_another_source_counts_for_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, pauses_s=QUICK_S) as w:
            w.receiver.from_elsewhere = True
            w.publish(zone(5))
            await w.until_failed()
            assert (w.status.acknowledged, w.status.reason) == (None, "timed out")

    asyncio.run(run())


def test_signed_with_the_key_of_the_list(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, one_zone("also-notify { 127.0.0.1 port PORT key k1; };")) as w:
            w.receiver.answer = signing
            w.publish(zone(5))
            await w.until_acknowledged(5)
            assert w.status.target == f"127.0.0.1#{w.receiver.port} key k1."

    asyncio.run(run())


def test_signed_with_the_key_of_the_server_statement(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, "server 127.0.0.0/8 { keys k1; };\n" + ALSO) as w:
            w.receiver.answer = signing
            w.publish(zone(5))
            await w.until_acknowledged(5)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda packet: signing(packet, answer_secret=b"x" * 16), "the signature is wrong"),
        (unsigned, "without a signature"),
    ],
    ids=["signed wrongly", "unsigned"],
)
def test_a_badly_signed_answer_is_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: Answer, reason: str
) -> None:
    async def run() -> None:
        async with world(
            tmp_path, one_zone("also-notify { 127.0.0.1 port PORT key k1; };"), pauses_s=QUICK_S
        ) as w:
            w.receiver.answer = answer
            w.publish(zone(5))
            await w.until_failed()
            assert w.status.acknowledged is None
            assert w.status.tries == 3
            assert reason in w.status.reason

    asyncio.run(run())
    assert len(caplog.messages) == 1
    assert reason in caplog.text


def test_from_the_source_that_is_configured(tmp_path: Path) -> None:
    async def run() -> None:
        conf = one_zone("notify-source 127.0.0.2; also-notify { 127.0.0.1 port PORT; };")
        async with world(tmp_path, conf) as w:
            w.publish(zone(5))
            await w.until_acknowledged(5)
            assert w.receiver.senders == ["127.0.0.2"]

    asyncio.run(run())


def test_a_source_that_is_not_ours_is_said(tmp_path: Path) -> None:
    async def run() -> None:
        conf = one_zone("notify-source 192.0.2.1; also-notify { 127.0.0.1 port PORT; };")
        async with world(tmp_path, conf, pauses_s=QUICK_S) as w:
            w.publish(zone(5))
            await w.until_failed()
            assert "cannot be asked from 192.0.2.1" in w.status.reason

    asyncio.run(run())


def test_an_soa_that_udp_cannot_carry_stays_at_home() -> None:
    long = ".".join(["x" * 60] * 3) + ".example."
    big = zone_from_text(long, "@ SOA ns host 5 2 3 4 5\n@ NS ns\n")
    message = notify_message(big)
    assert len(message) <= 512
    assert read_message(message).question is not None
    assert read_message(message).answer == []
    assert len(read_message(notify_message(zone(5))).answer) == 1
