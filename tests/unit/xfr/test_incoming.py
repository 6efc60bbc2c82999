"""Answers to AXFR and IXFR: which become a new version of the zone, and which are refused with what words."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindpy.engine import Zone
from bindpy.xfr.failure import Stage, XferFailure
from bindpy.xfr.incoming import Incoming, Limits, Style
from bindpy.xfr.wire import read_message
from bindpy.zone import names
from bindpy.zone.diff import soa_record
from bindpy.zone.records import RR, RRType
from bindpy.zone.snapshot import ZoneSnapshot, build_snapshot
from tests.support.engines import make_engine, zone_of
from tests.support.transfers import AXFR, IXFR, axfr_records, ixfr_records, message
from tests.support.zones import zone_from_text

pytestmark = pytest.mark.usefixtures("engine")

ORIGIN = names.from_text("example.")
ID = 4711


def version(serial: int, text: str = "") -> ZoneSnapshot:
    return zone_from_text("example.", f"@ SOA ns host {serial} 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n{text}")


ONE = version(1, "a A 192.0.2.2\nb TXT b\n")
TWO = version(2, "a A 192.0.2.3\nb TXT b\nc.d MX 10 a\n")
THREE = version(3, "b 60 TXT b\n")


def receive(incoming: Incoming, records: Sequence[RR], per_message: int = 1000, **how: object) -> Zone:
    incoming.request(ID)
    done = False
    for at in range(0, len(records), per_message):
        part = records[at : at + per_message]
        done = incoming.feed(message(part, message_id=ID, **how))  # type: ignore[arg-type]
        assert done == (at + per_message >= len(records))
    assert done
    return incoming.result()


def feed(incoming: Incoming, records: Sequence[RR], per_message: int = 1000, **how: object) -> ZoneSnapshot:
    zone = receive(incoming, records, per_message, **how)
    return build_snapshot(zone.origin, zone.rrs())


def axfr(**how: object) -> Incoming:
    return Incoming(ORIGIN, zones=make_engine().zones, **how)  # type: ignore[arg-type]


def ours(snapshot: ZoneSnapshot) -> Zone:
    return zone_of(make_engine(), snapshot)


def ixfr(base: ZoneSnapshot = ONE, **how: object) -> Incoming:
    zones = make_engine().zones
    return Incoming(ORIGIN, kind=IXFR, base=ours(base), zones=zones, **how)  # type: ignore[arg-type]


def record(text: str, origin: str = "example.") -> RR:
    zone = zone_from_text(origin, f"@ SOA ns host 1 2 3 4 5\n{text}\n")
    return next(rr for rr in zone.rrs() if rr.rtype != RRType.SOA)


# --- what is taken ----------------------------------------------------------------------------------


@pytest.mark.parametrize("per_message", [1, 2, 3, 1000])
def test_axfr(per_message: int) -> None:
    incoming = axfr()
    zone = feed(incoming, axfr_records(TWO), per_message)
    assert zone.same_data(TWO)
    assert (incoming.style, incoming.serial) == (Style.WHOLE, 2)
    assert incoming.progress.records == TWO.rr_count + 1
    assert incoming.progress.messages == -(-incoming.progress.records // per_message)


@pytest.mark.parametrize("per_message", [1, 2, 5, 1000])
def test_ixfr_of_several_deltas(per_message: int) -> None:
    incoming = ixfr()
    zone = feed(incoming, ixfr_records([ONE, TWO, THREE]), per_message)
    assert zone.same_data(THREE)
    assert incoming.style is Style.DELTAS
    assert [(d.old_serial, d.new_serial) for d in incoming.deltas] == [(1, 2), (2, 3)]
    assert ONE.same_data(version(1, "a A 192.0.2.2\nb TXT b\n")), "the base is never changed"


@pytest.mark.parametrize("per_message", [1, 1000])
def test_ixfr_answered_with_the_whole_zone(per_message: int) -> None:
    incoming = ixfr()
    assert feed(incoming, axfr_records(THREE), per_message).same_data(THREE)
    assert incoming.style is Style.WHOLE


def test_a_transfer_is_freed_by_counting_references() -> None:
    zones, base = make_engine().zones, ours(ONE)

    def run() -> None:
        receive(Incoming(ORIGIN, zones=zones), axfr_records(TWO), 2)
        receive(Incoming(ORIGIN, kind=IXFR, base=base, zones=zones), ixfr_records([ONE, TWO, THREE]), 2)
        broken_off = Incoming(ORIGIN, kind=IXFR, base=base, zones=zones)
        broken_off.request(ID)
        broken_off.feed(message(ixfr_records([ONE, TWO])[:3], message_id=ID))

    run()  # what is remembered for all transfers is made by now
    gc.collect()
    gc.disable()
    try:
        run()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_ixfr_when_we_have_it() -> None:
    base, zones = ours(ONE), make_engine().zones
    incoming = Incoming(ORIGIN, kind=IXFR, base=base, zones=zones)
    assert receive(incoming, [soa_record(ONE)]) is base
    assert incoming.style is Style.CURRENT


def test_ixfr_when_we_have_it_said_twice() -> None:
    base, zones = ours(ONE), make_engine().zones
    incoming = Incoming(ORIGIN, kind=IXFR, base=base, zones=zones)
    assert receive(incoming, [soa_record(ONE)] * 2) is base
    assert incoming.style is Style.CURRENT


def test_zone_of_nothing_but_its_soa() -> None:
    bare = zone_from_text("example.", "@ SOA ns host 9 2 3 4 5\n")
    for incoming in (axfr(), ixfr()):
        assert feed(incoming, [soa_record(bare)] * 2).same_data(bare)
        assert incoming.style is Style.WHOLE


def test_serials_wrap_around() -> None:
    old, new = version(0xFFFFFFFF), version(0, "x A 192.0.2.9")
    assert feed(ixfr(old), ixfr_records([old, new])).same_data(new)


def test_duplicate_records_are_taken_once() -> None:
    records = axfr_records(TWO)
    assert feed(axfr(), [*records[:-1], records[2], records[-1]]).same_data(TWO)


def test_case_of_names_does_not_matter() -> None:
    records = [RR(rr.owner.upper(), *rr[1:]) for rr in axfr_records(TWO)]
    soa = records[-1]
    records[-1] = RR(soa.owner, soa.rtype, soa.ttl, soa.rdata[:-20].upper() + soa.rdata[-20:])
    assert feed(axfr(), records, question=(ORIGIN.upper(), AXFR, 1)).same_data(TWO)


def test_request_for_ixfr_tells_what_we_have() -> None:
    asked = read_message(ixfr().request(7))
    assert (asked.id, asked.question and asked.question.rtype) == (7, IXFR)
    assert [(rr[1], rr[4]) for rr in asked.authority] == [(RRType.SOA, ONE.soa_rrset.rdatas[0])]
    assert read_message(axfr().request(8)).authority == []


# --- what is refused --------------------------------------------------------------------------------

SOA_1, SOA_2, SOA_3 = soa_record(ONE), soa_record(TWO), soa_record(THREE)
A_RECORD = record("a A 192.0.2.2")
NEW_RECORD = record("new A 192.0.2.2")


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([A_RECORD], "does not begin with the zone's SOA"),
        ([SOA_1, A_RECORD, SOA_2], "another SOA at the end than at the beginning .serial 2, the first one 1"),
        ([SOA_1, A_RECORD, SOA_1, A_RECORD], "more records after the end"),
        ([SOA_1, A_RECORD, SOA_1, SOA_1], "more records after the end"),
        ([SOA_1, record("www A 192.0.2.1", "other."), SOA_1], "not in the zone: www.other. A"),
        ([SOA_1, RR(names.from_text("sub.example."), *SOA_1[1:])], "SOA record at sub.example."),
        ([SOA_1, RR(ORIGIN, RRType.TSIG, 0, b"x"), SOA_1], "type TSIG, which is no data"),
        ([SOA_1, RR(ORIGIN, RRType.OPT, 0, b""), SOA_1], "type OPT, which is no data"),
        ([SOA_1, RR(ORIGIN, RRType.A, 0, b"abc"), SOA_1], "malformed: .* not 4"),
        ([], "without records"),
    ],
)
def test_axfr_that_is_none(records: list[RR], reason: str) -> None:
    incoming = axfr()
    incoming.request(ID)
    with pytest.raises(XferFailure, match=reason) as caught:
        incoming.feed(message(records, message_id=ID))
    assert caught.value.stage is Stage.DATA
    with pytest.raises(ValueError, match="not complete"):
        incoming.result()


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([SOA_3, SOA_2, SOA_3, SOA_3], "IXFR from serial 2; we have 1"),
        ([SOA_3, SOA_1, SOA_1], "does not rise: from 1 to 1"),
        ([SOA_3, SOA_1, SOA_2, SOA_1], "gap: from 2 to 1"),
        ([SOA_3, SOA_1, SOA_2, SOA_3], "gap: from 2 to 3"),
        ([SOA_3, SOA_1, RR(names.from_text("a.other."), 1, 0, b"abcd")], "not in the zone: a.other. A"),
        ([SOA_3, SOA_1, SOA_2, RR(names.from_text("a.other."), 1, 0, b"abcd")], "not in the zone"),
        ([SOA_2, SOA_1, SOA_2, SOA_2, A_RECORD], "after the end"),
        ([SOA_2, SOA_1, SOA_2, RR(ORIGIN, 6, 0, SOA_2.rdata[:-1] + b"\x09")], "another SOA at the end"),
    ],
)
def test_ixfr_that_is_none(records: list[RR], reason: str) -> None:
    incoming = ixfr()
    incoming.request(ID)
    with pytest.raises(XferFailure, match=reason) as caught:
        incoming.feed(message(records, message_id=ID))
    assert caught.value.stage is Stage.DATA


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([SOA_2, SOA_1, NEW_RECORD, SOA_2, SOA_2], "removes a record of type 1 that is not there"),
        (
            [SOA_2, SOA_1, SOA_2, A_RECORD._replace(ttl=A_RECORD.ttl + 1), SOA_2],
            "adds a record of type 1 that is there already",
        ),
    ],
)
def test_ixfr_that_does_not_fit(records: list[RR], reason: str) -> None:
    incoming = ixfr()
    with pytest.raises(XferFailure, match=reason) as caught:
        feed(incoming, records)
    assert (caught.value.stage, caught.value.records) == (Stage.DATA, 5)


def test_ixfr_that_adds_what_is_there_already() -> None:
    incoming = ixfr()
    assert feed(incoming, [SOA_2, SOA_1, SOA_2, A_RECORD, SOA_2]).rr_count == ONE.rr_count


@pytest.mark.parametrize(
    ("how", "stage", "reason"),
    [
        ({"message_id": ID + 1}, Stage.ANSWER, "with the ID 4712, not 4711"),
        ({"flags": 0x0400}, Stage.ANSWER, "no answer to a query"),
        ({"flags": 0xA400}, Stage.ANSWER, "no answer to a query"),
        ({"flags": 0x8600}, Stage.ANSWER, "truncated"),
        (
            {"flags": 0x8405},
            Stage.ANSWER,
            "answered REFUSED: it does not give us the zone: see its allow-transfer",
        ),
        ({"flags": 0x8409}, Stage.ANSWER, "answered NOTAUTH: it does not serve the zone"),
        ({"question": (names.from_text("other."), AXFR, 1)}, Stage.ANSWER, "another question"),
        ({"question": (ORIGIN, IXFR, 1)}, Stage.ANSWER, "another question"),
        ({"question": (ORIGIN, AXFR, 3)}, Stage.ANSWER, "another question"),
        ({"rdclass": 3}, Stage.DATA, r"example\. SOA of the class CH"),
    ],
)
def test_wrong_heads(how: dict[str, object], stage: Stage, reason: str) -> None:
    incoming = axfr()
    incoming.request(ID)
    octets = message(axfr_records(ONE)[:2], **{"message_id": ID} | how)  # type: ignore[arg-type]
    with pytest.raises(XferFailure, match=reason) as caught:
        incoming.feed(octets)
    failure = caught.value
    assert (failure.stage, failure.messages, failure.octets) == (stage, 1, len(octets))
    assert failure.rcode == (int(how.get("flags", 0)) & 15 or None)  # type: ignore[call-overload]


def test_wrong_heads_later_in_the_stream() -> None:
    incoming = axfr()
    incoming.request(ID)
    records = axfr_records(ONE)
    incoming.feed(message(records[:2], message_id=ID, question=(ORIGIN, AXFR, 1)))
    with pytest.raises(XferFailure, match="another question") as caught:
        incoming.feed(message(records[2:], message_id=ID, question=(names.from_text("x."), AXFR, 1)))
    assert str(caught.value.about("192.0.2.1#53")) == (
        f"192.0.2.1#53 answered another question than ours "
        f"(after 2 messages, 2 records, {caught.value.octets} octets)"
    )


def test_message_after_the_end() -> None:
    incoming = axfr()
    feed(incoming, axfr_records(ONE))
    with pytest.raises(XferFailure, match="more after the end"):
        incoming.feed(message([A_RECORD], message_id=ID))


@pytest.mark.parametrize("least", [3, 2**31 + 2])
def test_older_serial_than_expected(least: int) -> None:
    with pytest.raises(XferFailure, match=f"serial 2, which is not newer than {least}") as caught:
        feed(axfr(least_serial=least), axfr_records(TWO))
    assert caught.value.stage is Stage.SERIAL
    assert feed(axfr(least_serial=2), axfr_records(TWO)).serial == 2
    assert feed(axfr(least_serial=None), axfr_records(TWO)).serial == 2


def test_ixfr_to_an_older_version() -> None:
    with pytest.raises(XferFailure, match="serial 1, which is not newer than 2"):
        feed(ixfr(TWO), [SOA_1])


def test_max_records() -> None:
    exact = Limits(max_records=TWO.rr_count)
    assert feed(axfr(limits=exact), axfr_records(TWO)).same_data(TWO)
    assert feed(ixfr(limits=exact), ixfr_records([ONE, TWO])).same_data(TWO)
    for incoming, records in ((axfr, axfr_records(TWO)), (ixfr, ixfr_records([ONE, TWO]))):
        with pytest.raises(XferFailure, match=r"more than 5 records \(max-records") as caught:
            feed(incoming(limits=Limits(max_records=TWO.rr_count - 1)), records)
        assert caught.value.stage is Stage.LIMIT


def test_endless_streams_end() -> None:
    for limits in (Limits(max_messages=10), Limits(max_octets=1000)):
        incoming = axfr(limits=limits)
        incoming.request(ID)
        incoming.feed(message([SOA_1], message_id=ID))
        failure = None
        while failure is None:
            try:
                incoming.feed(message([A_RECORD], message_id=ID))
            except XferFailure as e:
                failure = e
        assert (failure.stage, failure.detail) == (Stage.LIMIT, "sent more than is taken of one zone")


def test_ixfr_needs_a_base() -> None:
    with pytest.raises(ValueError, match="IXFR needs"):
        Incoming(ORIGIN, kind=IXFR)


# --- all at once ------------------------------------------------------------------------------------

contents = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "*", "x.y"]),
        st.sampled_from(["A 192.0.2.1", "A 192.0.2.2", "TXT t", "60 MX 1 a"]),
    ),
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(contents, min_size=2, max_size=4), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_any_history_arrives(history: list[list[tuple[str, str]]], per_message: int, first: int) -> None:
    versions = [
        version((first + i) % 2**32, "".join(f"{owner} {rest}\n" for owner, rest in content))
        for i, content in enumerate(history)
    ]
    zone = feed(ixfr(versions[0]), ixfr_records(versions), per_message)
    assert zone.same_data(versions[-1])
    assert feed(axfr(), axfr_records(zone), per_message).same_data(zone)
