"""Asking other servers: UDP and TCP, IDs, retries, signatures, and transfers that go well."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from bindpy.config.model import RemoteServer, SourceAddress, TransferSettings, TsigKey
from bindpy.diagnostics import SourceSpan
from bindpy.engine import Zone
from bindpy.tsig import Keyring, StreamSigner, sign, verify
from bindpy.xfr import client, connect
from bindpy.xfr.client import QueryTiming, query, transfer
from bindpy.xfr.connect import TcpStream
from bindpy.xfr.failure import Stage, XferFailure
from bindpy.xfr.incoming import Incoming, Style
from bindpy.xfr.wire import Message, Question, build_query, read_message
from bindpy.zone import names
from bindpy.zone.diff import soa_record
from bindpy.zone.records import RRType
from bindpy.zone.snapshot import ZoneSnapshot
from tests.faults.primary import Action, Cut, FaultyPrimary, Handler
from tests.support.engines import make_engine, zone_of
from tests.support.ports import LOOPBACK, free_port
from tests.support.transfers import AXFR, IXFR, axfr_records, ixfr_records, message
from tests.support.zones import zone_from_text

ORIGIN = names.from_text("example.")
SOA_QUESTION = (ORIGIN, int(RRType.SOA), 1)
SOA_QUERY = build_query(Question(*SOA_QUESTION), edns_payload_octets=1232)
QUICK = QueryTiming(udp_s=0.2, udp_attempts=2, connect_s=2, tcp_s=2)
KEY = TsigKey("k.", "hmac-sha256", b"0123456789abcdef", SourceSpan("test"))
OTHER_KEY = TsigKey("k.", "hmac-sha256", b"fedcba9876543210", SourceSpan("test"))

ONE = zone_from_text("example.", "@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n")
TWO = zone_from_text(
    "example.",
    "@ SOA ns host 2 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n" + "".join(f"h{i} A 192.0.2.2\n" for i in range(500)),
)


def now() -> int:
    return int(time.time())


def number(request: bytes) -> int:
    return int.from_bytes(request[:2])


def soa_answer(request: bytes, **how: int) -> bytes:
    return message([soa_record(ONE)], message_id=number(request), question=SOA_QUESTION, **how)


def ask(handler: Handler, **how: object) -> tuple[Message, FaultyPrimary]:
    async def run() -> tuple[Message, FaultyPrimary]:
        async with FaultyPrimary(handler) as primary:
            return await query(primary.remote, SOA_QUERY, timing=QUICK, **how), primary  # type: ignore[arg-type]

    return asyncio.run(run())


def refused(handler: Handler, **how: object) -> XferFailure:
    with pytest.raises(XferFailure) as caught:
        ask(handler, **how)
    assert caught.value.peer.startswith("127.0.0.1#")
    return caught.value


def fetch(handler: Handler, incoming: Incoming, key: TsigKey | None = None) -> ZoneSnapshot:
    async def run() -> ZoneSnapshot:
        async with FaultyPrimary(handler) as primary:
            settings, tsig_start = TransferSettings(), make_engine().zones.tsig_start
            return await transfer(primary.remote, incoming, key=key, settings=settings, tsig_start=tsig_start)

    return asyncio.run(run())


# --- queries ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tcp", [False, True])
def test_query(tcp: bool) -> None:
    answer, primary = ask(lambda request, _: [soa_answer(request)], tcp=tcp)
    assert [rr[1] for rr in answer.answer] == [RRType.SOA]
    [(request, over_tcp)] = primary.requests
    assert over_tcp == tcp
    assert request[2:] == SOA_QUERY[2:]


def test_truncated_answers_are_asked_for_by_tcp() -> None:
    answer, primary = ask(lambda request, tcp: [soa_answer(request, flags=0x8400 if tcp else 0x8600)])
    assert not answer.is_truncated
    assert [tcp for _, tcp in primary.requests] == [False, True]


def test_silence_is_asked_again_with_another_id() -> None:
    seen: list[int] = []

    def handler(request: bytes, _: bool) -> list[Action]:
        seen.append(number(request))
        return [soa_answer(request)] if len(seen) > 1 else []

    answer, _ = ask(handler)
    assert answer.id == seen[1]
    failure = refused(lambda request, _: [])
    assert (failure.stage, failure.detail) == (
        Stage.WAIT,
        "did not answer by UDP (asked 2 times, 0.2 s each)",
    )


def test_strangers_are_not_listened_to() -> None:
    def handler(request: bytes, _: bool) -> Iterator[Action]:
        wrong = (number(request) + 1) & 0xFFFF
        yield message([soa_record(TWO)], message_id=wrong, question=SOA_QUESTION)
        yield message([soa_record(TWO)], message_id=number(request), question=(ORIGIN, 1, 1))
        yield request  # not an answer at all
        yield request[:2] + b"rubbish"
        yield request[:1]
        yield soa_answer(request)

    answer, _ = ask(handler)
    assert answer.answer[0][4] == soa_record(ONE).rdata


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda r: message([], message_id=number(r), question=(ORIGIN, 1, 1)), "another question"),
        (lambda r: message([], message_id=number(r)), "without repeating the question"),
        (lambda r: r[:2] + b"rubbish", "malformed: the message is shorter"),
        (lambda r: r, "no answer to ours"),
    ],
)
@pytest.mark.parametrize("tcp", [False, True])
def test_what_is_no_answer(answer: object, reason: str, tcp: bool) -> None:
    failure = refused(lambda request, _: [answer(request)], tcp=tcp)  # type: ignore[operator]
    assert failure.stage is Stage.ANSWER
    assert reason in failure.detail


def test_errors_may_come_without_the_question() -> None:
    answer, _ = ask(lambda request, _: [message([], message_id=number(request), flags=0x8001)])
    assert answer.rcode == 1


def test_wrong_id_by_tcp() -> None:
    failure = refused(lambda r, _: [soa_answer(bytes([r[0] ^ 1]) + r[1:])], tcp=True)
    assert failure.detail == "sent a message with another ID than ours"


def test_nobody_there() -> None:
    remote = RemoteServer(LOOPBACK, free_port())
    for tcp, detail in (
        (False, "refused the UDP packet: no server there"),
        (True, "refused the TCP connection"),
    ):
        with pytest.raises(XferFailure) as caught:
            asyncio.run(query(remote, SOA_QUERY, tcp=tcp, timing=QUICK))
        assert (caught.value.stage, caught.value.detail) == (Stage.CONNECT, detail)
        assert str(caught.value) == f"127.0.0.1#{remote.port} {detail}"


def test_source_address() -> None:
    clients: list[str] = []

    async def run() -> None:
        async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            clients.append(writer.get_extra_info("peername")[0])
            await reader.readexactly(2 + len(SOA_QUERY))
            writer.close()

        async with await asyncio.start_server(served, LOOPBACK, 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(XferFailure, match="closed the TCP connection without an answer"):
                await query(
                    RemoteServer(LOOPBACK, port), SOA_QUERY, source=SourceAddress("127.0.0.9", 53), tcp=True
                )

    asyncio.run(run())
    assert clients == ["127.0.0.9"]
    failure = refused(lambda request, _: [soa_answer(request)], source=SourceAddress("192.0.2.77"))
    assert failure.stage is Stage.CONNECT
    assert failure.detail.startswith("cannot be asked from 192.0.2.77: ")


def test_source_port_in_use_gives_way() -> None:
    ports: list[int] = []

    async def run() -> None:
        async with FaultyPrimary(lambda request, _: [soa_answer(request)]) as primary:
            source = SourceAddress(LOOPBACK, primary.remote.port)  # the primary itself has it
            ports.append((await query(primary.remote, SOA_QUERY, source=source, timing=QUICK)).rcode)

    asyncio.run(run())
    assert ports == [0]


# --- signatures of queries --------------------------------------------------------------------------


def signed_answer(request: bytes, key: TsigKey) -> bytes:
    verified = verify(request, Keyring({KEY.name: KEY}), now())
    assert verified is not None
    return sign(soa_answer(request), key, now(), request_mac=verified.mac).wire


@pytest.mark.parametrize("tcp", [False, True])
def test_signed_query(tcp: bool) -> None:
    answer, _ = ask(lambda request, _: [signed_answer(request, KEY)], key=KEY, tcp=tcp)
    assert answer.answer[0][4] == soa_record(ONE).rdata


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (soa_answer, "answered without a signature"),
        (lambda request: soa_answer(request, flags=0x8405), "answered REFUSED without a signature"),
        (lambda request: signed_answer(request, OTHER_KEY), "not taken: the signature is wrong"),
    ],
)
@pytest.mark.parametrize("tcp", [False, True])
def test_badly_signed_answers(answer: object, reason: str, tcp: bool) -> None:
    failure = refused(lambda request, _: [answer(request)], key=KEY, tcp=tcp)  # type: ignore[operator]
    assert failure.stage is Stage.TSIG
    assert reason in failure.detail


def test_forged_answers_do_not_keep_the_signed_one_out() -> None:
    answer, _ = ask(lambda r, _: [soa_answer(r), signed_answer(r, OTHER_KEY), signed_answer(r, KEY)], key=KEY)
    assert answer.answer[0][4] == soa_record(ONE).rdata


# --- transfers --------------------------------------------------------------------------------------


def stream(
    request: bytes, zone: ZoneSnapshot, per_message: int, signer: StreamSigner | None = None
) -> Iterator[bytes]:
    records = axfr_records(zone)
    for at in range(0, len(records), per_message):
        question = (ORIGIN, AXFR, 1) if not at else None
        octets = message(records[at : at + per_message], message_id=number(request), question=question)
        yield signer.sign(octets, now()) if signer is not None else octets


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("per_message", [1, 100, 1000])
@pytest.mark.parametrize("key", [None, KEY])
def test_transfer(per_message: int, key: TsigKey | None) -> None:
    def handler(request: bytes, tcp: bool) -> Iterator[bytes]:
        assert tcp
        signer = None
        if key is not None:
            verified = verify(request, Keyring({key.name: key}), now())
            assert verified is not None
            signer = StreamSigner(key, verified.mac)
        return stream(request, TWO, per_message, signer)

    engine = make_engine()
    incoming = Incoming(ORIGIN, zones=engine.zones)
    assert fetch(handler, incoming, key).same_data(zone_of(engine, TWO))
    assert incoming.progress.records == TWO.rr_count + 1


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("spoilt", [1, 20, 501])
def test_a_bad_signature_anywhere_fails_all_of_it(spoilt: int) -> None:
    """The records before it count as having come, and nothing of them is used."""

    def handler(request: bytes, _: bool) -> Iterator[bytes]:
        verified = verify(request, Keyring({KEY.name: KEY}), now())
        assert verified is not None
        messages = stream(request, TWO, 1, StreamSigner(KEY, verified.mac))
        for place, octets in enumerate(messages):
            yield octets[:-20] + b"x" + octets[-19:] if place == spoilt else octets

    incoming = Incoming(ORIGIN, zones=make_engine().zones)
    with pytest.raises(XferFailure) as caught:
        fetch(handler, incoming, KEY)
    assert (caught.value.stage, incoming.progress.records) == (Stage.TSIG, spoilt)
    with pytest.raises(ValueError, match="not complete, or it failed"):
        incoming.result()


@pytest.mark.usefixtures("engine")
def test_a_primary_that_closes_the_connection_when_all_is_sent() -> None:
    """What has come by then is looked at to its end."""

    def handler(request: bytes, _: bool) -> Iterator[Action]:
        yield from stream(request, TWO, 10)
        yield Cut()

    engine = make_engine()
    assert fetch(handler, Incoming(ORIGIN, zones=engine.zones)).same_data(zone_of(engine, TWO))


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("at_once_s", [-1.0, 60.0])
def test_what_comes_while_records_are_taken(monkeypatch: pytest.MonkeyPatch, at_once_s: float) -> None:
    """It is taken by the same worker, which tells how far it is now and then."""
    engine = make_engine()
    incoming = Incoming(ORIGIN, zones=engine.zones)
    seen: list[int] = []

    async def run() -> Zone:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs, TcpStream(ours) as opened:
            for octets in stream(bytes(2), TWO, 10):
                theirs.sendall(len(octets).to_bytes(2) + octets)
            monkeypatch.setattr(TcpStream, "open", lambda *_: asyncio.sleep(0, opened))
            return await transfer(
                RemoteServer(LOOPBACK, 1),
                incoming,
                settings=TransferSettings(),
                on_progress=lambda it: seen.append(it.progress.records),
            )

    monkeypatch.setattr(client, "AT_ONCE_S", at_once_s)
    monkeypatch.setattr(connect, "_RECEIVE_OCTETS", 1000)
    monkeypatch.setattr("secrets.randbits", lambda _: 0)
    monkeypatch.setattr(TcpStream, "local", "ours")
    assert asyncio.run(run()).same_data(zone_of(engine, TWO))
    assert seen[-1] == TWO.rr_count + 1
    assert seen == sorted(seen)
    assert (len(seen) == 1) == (at_once_s > 0)


def test_incremental_transfer_and_progress() -> None:
    seen: list[int] = []

    async def run() -> ZoneSnapshot:
        def handler(request: bytes, _: bool) -> list[Action]:
            assert read_message(request).authority[0][4] == soa_record(ONE).rdata
            question = (ORIGIN, IXFR, 1)
            return [message(ixfr_records([ONE, TWO]), message_id=number(request), question=question)]

        async with FaultyPrimary(handler) as primary:
            incoming = Incoming(ORIGIN, kind=IXFR, base=ONE)
            zone = await transfer(
                primary.remote,
                incoming,
                settings=TransferSettings(),
                on_progress=lambda it: seen.append(it.progress.records),
            )
            assert incoming.style is Style.DELTAS
            return zone

    assert asyncio.run(run()).same_data(TWO)
    assert seen[-1] == 500 + 4


def test_cancelled_transfer_closes_the_connection() -> None:
    async def run() -> None:
        began = asyncio.Event()

        def handler(request: bytes, _: bool) -> Iterator[Action]:
            began.set()
            yield message([soa_record(TWO)], message_id=number(request))

        async with FaultyPrimary(handler) as primary:
            task = asyncio.create_task(
                transfer(primary.remote, Incoming(ORIGIN), settings=TransferSettings())
            )
            await began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(20):
                await primary.closed.wait()

    asyncio.run(run())
