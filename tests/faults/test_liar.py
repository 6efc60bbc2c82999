"""A primary that lies in nine rounds of ten, always otherwise: the old zone stays until the next truth."""

from __future__ import annotations

import asyncio
import base64
import itertools
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import dns.message
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import pytest

from bindpy.answer.policy import Transport
from bindpy.config.model import TsigKey
from bindpy.diagnostics import SourceSpan
from bindpy.server.endpoint import Endpoint
from bindpy.server.request import Request
from bindpy.tsig import Keyring, StreamSigner, verify
from bindpy.xfr.service import Replication
from bindpy.xfr.wire import read_message
from bindpy.zone import names
from bindpy.zone.records import RR, RRType, Soa
from tests.faults.primary import Action, Cut, FaultyPrimary, Raw, Reset
from tests.faults.rising import RisingZone
from tests.support.transfers import IXFR, message
from tests.unit.xfr.test_service import replication

SEED = int(os.environ.get("BINDPY_FAULTS_SEED", "20261122"))
ROUNDS = 500
TRUTH_EVERY = 10
COUNT_EVERY = 50
HOSTS = 100
MAX_RECORDS = 300
ZONE = RisingZone("example.", HOSTS)
ID = ("_default", ZONE.origin)
KEY = TsigKey("k.", "hmac-sha256", b"secret of the tests", SourceSpan("test"))
SECRET = base64.b64encode(KEY.secret).decode()
WRONG_KEY = TsigKey("k.", "hmac-sha256", b"secret of strangers", SourceSpan("test"))
TRUNCATED = 0x8600
OTHER_NAME = names.from_text("other.test.")
CHAOS = 3

Lie = Callable[["Liar", "Asked"], Iterator[Action]]


class Asked:
    """One request, and the messages that would answer it truly, unsigned."""

    def __init__(self, liar: Liar, request: bytes) -> None:
        verified = verify(request, Keyring({KEY.name: KEY}), int(time.time()))
        assert verified is not None, "a request is not signed"
        asked = read_message(verified.plain)
        assert asked.question is not None
        self.id, self.mac, self.qtype = asked.id, verified.mac, asked.question.rtype
        self.question = (ZONE.origin, self.qtype, 1)
        old = Soa.from_rdata(asked.authority[0][4]).serial if asked.authority else 0
        self.records = self.records_of(liar.serial, old)

    def records_of(self, serial: int, old: int) -> list[RR]:
        if self.qtype == RRType.SOA:
            return [ZONE.soa(serial)]
        if self.qtype == IXFR:
            return ZONE.ixfr(old, serial)
        return [*ZONE.records(serial), ZONE.soa(serial)]

    def messages(self, records: list[RR], **other: object) -> list[bytes]:
        """Return *records* in several messages, with the right ID and question unless *other* says else."""
        told = {"message_id": self.id, "question": self.question, **other}
        step = max(1, len(records) // 3)
        return [message(records[at : at + step], **told) for at in range(0, len(records), step)]  # type: ignore[arg-type]

    def signed(self, messages: Iterable[bytes], key: TsigKey = KEY) -> Iterator[bytes]:
        signer = StreamSigner(key, self.mac)
        for octets in messages:
            yield signer.sign(octets, int(time.time()))


def dies(liar: Liar, asked: Asked) -> Iterator[Action]:
    good = list(asked.signed(asked.messages(asked.records)))
    yield from good[: liar.rng.randrange(len(good))]
    if liar.rng.random() < 0.5:
        part = len(good[-1]).to_bytes(2) + good[-1]
        yield Raw(part[: liar.rng.randrange(len(part))])
    yield liar.rng.choice((Cut(), Reset()))


def sends_garbage(liar: Liar, asked: Asked) -> Iterator[Action]:
    good = list(asked.signed(asked.messages(asked.records)))
    yield from good[: liar.rng.randrange(len(good))]
    yield Raw(liar.rng.randbytes(liar.rng.randrange(1, 5000)))
    yield Cut()


def changes_an_octet(liar: Liar, asked: Asked) -> Iterator[Action]:
    good = list(asked.signed(asked.messages(asked.records)))
    victim = liar.rng.randrange(len(good))
    octets = bytearray(good[victim])
    octets[liar.rng.randrange(2, len(octets))] ^= liar.rng.randrange(1, 256)
    yield from [*good[:victim], bytes(octets), *good[victim + 1 :]]
    yield Cut()


def answers_another_question(liar: Liar, asked: Asked) -> Iterator[Action]:
    name = liar.rng.choice((OTHER_NAME, ZONE.origin))
    question = (name, RRType.MX if name == ZONE.origin else asked.qtype, 1)
    yield from asked.signed(asked.messages(asked.records, question=question))


def takes_the_signature_off(liar: Liar, asked: Asked) -> Iterator[Action]:
    plain = asked.messages(asked.records)
    kept = liar.rng.randrange(len(plain))
    yield from [*list(asked.signed(plain))[:kept], *plain[kept:]]


def signs_with_another_key(_: Liar, asked: Asked) -> Iterator[Action]:
    yield from asked.signed(asked.messages(asked.records), WRONG_KEY)


def never_ends(liar: Liar, asked: Asked) -> Iterator[Action]:
    def stream() -> Iterator[bytes]:
        yield message([ZONE.soa(liar.serial)], message_id=asked.id, question=asked.question)
        for first in itertools.count(step=50):
            owners = [names.from_text(f"n{first + i}.example.") for i in range(50)]
            yield message([RR(owner, RRType.A, 60, b"abcd") for owner in owners], message_id=asked.id)

    if asked.qtype == RRType.SOA:
        yield Cut()
    else:
        yield from asked.signed(stream())


def goes_down(liar: Liar, asked: Asked) -> Iterator[Action]:
    serial = liar.rng.randrange(1, liar.true_serial)
    yield from asked.signed(asked.messages(asked.records_of(serial, liar.true_serial)))


def ends_with_another_serial(liar: Liar, asked: Asked) -> Iterator[Action]:
    if asked.qtype == RRType.SOA:
        yield from asked.signed(asked.messages([ZONE.soa(liar.serial), ZONE.soa(liar.serial + 1)]))
    else:
        yield from asked.signed(asked.messages([*asked.records[:-1], ZONE.soa(liar.serial + 1)]))
    yield Cut()


def refuses(liar: Liar, asked: Asked) -> Iterator[Action]:
    flags = 0x8400 | liar.rng.choice((1, 2, 4, 5, 9))
    yield from asked.signed(asked.messages([ZONE.soa(liar.serial)], flags=flags))


def tells_of_another_zone(liar: Liar, asked: Asked) -> Iterator[Action]:
    stranger = RR(OTHER_NAME, RRType.A, 60, b"abcd")
    at = liar.rng.randrange(len(asked.records))
    records = [*asked.records[:at], stranger, *asked.records[at:]]
    if asked.qtype == RRType.SOA:
        records = [stranger]
    yield from asked.signed(asked.messages(records))
    yield Cut()


def tells_of_another_class(_: Liar, asked: Asked) -> Iterator[Action]:
    yield from asked.signed(asked.messages(asked.records, rdclass=CHAOS))


LIES: tuple[Lie, ...] = (
    dies, sends_garbage, changes_an_octet, answers_another_question, takes_the_signature_off,
    signs_with_another_key, never_ends, goes_down, ends_with_another_serial, refuses, tells_of_another_zone,
    tells_of_another_class,
)  # fmt: skip


class Liar(FaultyPrimary):
    """Tells of ``serial``; truly while ``is_honest``. ``true_serial`` is what the secondary has by right.

    By UDP it says nothing but truths, one of which is that the answer is to be had by TCP: what is wrong in
    a datagram may be a stranger's, and the true answer is waited for.
    """

    def __init__(self, rng: random.Random) -> None:
        super().__init__(self._answer)
        self.rng = rng
        self.serial = self.true_serial = 2
        self.is_honest = True
        self.told: Counter[str] = Counter()

    def _answer(self, request: bytes, over_tcp: bool) -> Iterable[Action]:
        asked = Asked(self, request)
        if not over_tcp and not self.is_honest and self.rng.random() < 0.4:
            return asked.signed([message([], message_id=asked.id, question=asked.question, flags=TRUNCATED)])
        if self.is_honest or not over_tcp:
            return asked.signed(asked.messages(asked.records))
        lie = self.rng.choice(LIES)
        self.told[lie.__name__] += 1
        return lie(self, asked)


async def served_serial(service: Replication) -> int:
    """Return the serial that a client is answered with now."""
    query = dns.message.make_query("example.", "SOA", use_edns=False)
    query.use_tsig(dns.tsigkeyring.from_text({"k.": SECRET}), algorithm=dns.tsig.HMAC_SHA256)
    request = Request(query.to_wire(), Endpoint("127.0.0.1", 4321), "192.0.2.1", Transport.TCP)
    reply = await service.handler.handle(request)
    assert isinstance(reply, bytes)
    answer = dns.message.from_wire(reply, keyring=query.keyring, request_mac=query.mac)
    (rrset,) = answer.answer
    assert rrset.rdtype == dns.rdatatype.SOA
    serial = rrset[0].serial
    assert isinstance(serial, int)
    return serial


async def settled(service: Replication) -> None:
    """Have the zone refreshed and wait for the end of it."""
    assert service.refresh(ID)
    while True:
        status = service.status(ID).secondary
        assert status is not None
        if status.next_refresh_at is not None and not status.is_refreshing:
            return
        await asyncio.sleep(0.001)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - they are no paths of interest


async def until_no_more_than(tasks: int, open_files: int) -> None:
    async with asyncio.timeout(20):
        while len(asyncio.all_tasks()) > tasks or descriptors() > open_files:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def test_a_primary_that_lies(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    print(f"seed {SEED}")
    caplog.set_level(logging.INFO)
    rng = random.Random(SEED)
    file = tmp_path / "copy.db"

    async def steps() -> Liar:
        async with Liar(rng) as primary:
            conf = (
                f'key "k" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n'
                f'zone "example" {{ type secondary; file "copy.db"; max-records {MAX_RECORDS}; '
                f"primaries {{ 127.0.0.1 port {primary.remote.port} key k; }}; }};"
            )
            async with replication(tmp_path, conf, "serial-query-rate 10000;") as (service, keeper):
                await settled(service)
                assert await served_serial(service) == 2
                entry = keeper.table.get(ID)
                assert entry is not None
                tasks, open_before = len(asyncio.all_tasks()), descriptors()
                for number in range(1, ROUNDS + 1):
                    primary.is_honest = number % TRUTH_EVERY == 0
                    primary.serial += 1
                    data, stamp = entry.zone, file.stat()
                    await settled(service)
                    context = f"seed {SEED}, round {number}, {caplog.messages[-8:]}"
                    if primary.is_honest:
                        primary.true_serial = primary.serial
                    else:
                        assert entry.zone is data, context
                        assert file.stat() == stamp, context
                    assert await served_serial(service) == primary.true_serial, context
                    assert "fault in bindpy" not in caplog.text, context
                    caplog.clear()
                    if number % COUNT_EVERY == 0:
                        await until_no_more_than(tasks, open_before)
            return primary

    primary = asyncio.run(steps())
    print(f"{ROUNDS} rounds, {sum(primary.told.values())} lies: {dict(primary.told)}")
    assert set(primary.told) == {lie.__name__ for lie in LIES}
    assert sum(primary.told.values()) >= ROUNDS
    assert sorted(path.name for path in tmp_path.iterdir() if "copy" in path.name) == ["copy.db"]
