"""Transfers that become zones of the Rust engine, against Python's: the same zones, or the same words."""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bindpy.config.model import TsigKey
from bindpy.diagnostics import SourceSpan
from bindpy.engine import PYTHON_ZONES, MessageTaker, Zones
from bindpy.native.zones import RustZones
from bindpy.tsig import StreamSigner, TsigError
from bindpy.tsig.record import TsigRecord, find_record, record_at
from bindpy.xfr.incoming import Limits
from bindpy.xfr.stream import Packer
from bindpy.zone.diff import Delta
from bindpy.zone.names import Name, from_text
from bindpy.zone.records import IN, RR, RRType
from bindpy.zone.snapshot import MAX_RRSETS, ZoneTooLargeError
from tests.diff import native
from tests.diff.native import (
    DEFAULTS,
    FIRST_SEED,
    SEEDS,
    ZONES,
    by_both,
    packed_by,
    read_alike,
    received_by,
    records_of,
    request_for,
)
from tests.support.transfers import message

rust, worlds = native.rust, native.worlds  # the fixtures


class _RecordByRecord:
    """A builder of Rust zones that takes no messages."""

    def __init__(self, rust: RustZones, origin: Name, rdclass: int) -> None:
        inner = rust.builder(origin, rdclass)
        self._inner = inner
        self.add = inner.add
        self.finish = inner.finish

    @property
    def rr_count(self) -> int:
        return self._inner.rr_count


def _spoilt(rng: random.Random, messages: list[bytes]) -> list[bytes]:
    """Return *messages* with something changed in them."""
    messages = list(messages)
    at = rng.randrange(len(messages))
    octets = bytearray(messages[at])
    match rng.randrange(5):
        case 0:
            messages[at] = bytes(octets[: rng.randrange(len(octets))])
        case 1:
            messages[at] = bytes(octets) + rng.randbytes(rng.randrange(1, 12))
        case 2:
            del messages[at]
        case 3:
            octets[rng.randrange(12)] ^= 1 << rng.randrange(8)
            messages[at] = bytes(octets)
        case _:
            for _ in range(rng.randrange(1, 4)):
                octets[rng.randrange(len(octets))] = rng.choice((0, 1, 6, 0xC0, 0xFF, rng.randrange(256)))
            messages[at] = bytes(octets)
    return messages


def _one_by_one(rust: RustZones) -> Zones:
    """Return *rust*'s zones, but with builders that take no messages."""
    whole = rust.zones()
    assert isinstance(whole.builder(b"\0", IN), MessageTaker)
    single = replace(whole, builder=lambda origin, rdclass: _RecordByRecord(rust, origin, rdclass))
    assert not isinstance(single.builder(b"\0", IN), MessageTaker)
    return single


def test_spoilt_transfers_fail_in_the_same_words(rust: RustZones, worlds: list[tuple[str, str]]) -> None:
    whole, single = rust.zones(), _one_by_one(rust)
    pairs = list(by_both(rust, worlds))
    outcomes: Counter[bool] = Counter()
    for seed in SEEDS:
        rng = random.Random(seed)
        _, zone = rng.choice(pairs)
        packer = Packer(
            request_for(zone, edns=False), zone.origin, IN, limit_octets=rng.choice((200, 700, 3000)),
            edns_octets=1232,
        )  # fmt: skip
        packed = packed_by(whole, zone, packer)
        if isinstance(packed, str):
            continue
        messages = _spoilt(rng, [one.message for one in packed])
        limits = rng.choice((None, Limits(max_records=rng.randrange(1, 2 * zone.rr_count))))
        at_once = rng.choice((1, 3, 1000))
        one = received_by(whole, zone.origin, messages, limits, at_once=at_once)
        two = received_by(single, zone.origin, messages, limits)
        if isinstance(one, str) or isinstance(two, str):
            assert one == two, seed
        else:
            assert records_of(one) == records_of(two), seed
        outcomes[isinstance(one, str)] += 1
    assert min(outcomes[True], outcomes[False]) > ZONES // 50


_FILTER = """
        local n = 0
        function axfrfilter({parameters})
            n = n + 1
            if {qtype} == pdns.SOA then return pdns.PASS, {{}} end
            local what = (n * {seed}) % 29
            if what == 1 then return pdns.DROP, {{}} end
            if what == 2 then return 0, {{{{content = {content}}}}} end
            if what == 3 then return 0, {{{{ttl = n}}, {{qtype = 16, content = "x" .. n}}}} end
            local row = {{qname = "added" .. n .. "." .. zone, qtype = 1, content = "192.0.2.9"}}
            if what == 5 then row.qname = "not.here." end
            if what == 4 or what == 5 then return 1, {{row}} end
            if what == 6 then print(n, {content}) end
            if n == {fails} then {failure} end
            return pdns.PASS, {{}}
        end
"""
_FORMS = {
    "remoteip, zone, record": ("record:qtype()", "record:content()"),
    "remoteip, zone, qname, qtype, ttl, content": ("qtype", "content"),
    "remoteip, zone, qname, qtype, ttl, prio, content": ("qtype", "content"),
}
_FAILURES = (
    "error('no more')",
    "return 7, {}",
    "while true do end",
    "return 0, {{qtype = 1, content = 'no address'}}",
    "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
    "return 0, 'rows'",
)


def test_filtered_transfers_come_to_the_same(
    rust: RustZones, worlds: list[tuple[str, str]], tmp_path: Path
) -> None:
    """Scripts that judge many records at a time decide as they do one by one, and fail in the same words."""
    whole, single = rust.zones(), _one_by_one(rust)
    pairs = list(by_both(rust, worlds))
    path = tmp_path / "f.lua"
    outcomes: Counter[bool] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + max(20, ZONES // 10)):
        rng = random.Random(seed)
        _, zone = rng.choice(pairs)
        parameters = rng.choice(list(_FORMS))
        qtype, content = _FORMS[parameters]
        fails = rng.choice((0, 0, rng.randrange(1, zone.rr_count + 2)))
        path.write_text(
            _FILTER.format(
                parameters=parameters,
                qtype=qtype,
                content=content,
                seed=rng.randrange(1, 29),
                fails=fails,
                failure=rng.choice(_FAILURES),
            )
        )
        packer = Packer(
            request_for(zone, edns=False), zone.origin, IN, limit_octets=rng.choice((300, 3000)),
            edns_octets=1232,
        )  # fmt: skip
        packed = packed_by(whole, zone, packer)
        if isinstance(packed, str):
            continue
        messages = [one.message for one in packed]
        limits = rng.choice((None, Limits(max_records=rng.randrange(1, 2 * zone.rr_count))))
        one, two = (
            received_by(zones, zone.origin, messages, limits, script=path) for zones in (whole, single)
        )
        if isinstance(one, str) or isinstance(two, str):
            assert one == two, seed
        else:
            assert records_of(one) == records_of(two), seed
        outcomes[isinstance(one, str)] += 1
    assert min(outcomes[True], outcomes[False]) > 3


def _messages(records: Sequence[RR]) -> list[bytes]:
    return [message(records[at : at + 100], message_id=4711) for at in range(0, len(records), 100)]


def test_too_many_types_at_one_name_fail_in_the_same_words(rust: RustZones, tmp_path: Path) -> None:
    origin = from_text("large.example.")
    soa = RR(origin, RRType.SOA, 300, origin + b"\x04host\0" + struct.pack("!5I", 1, 2, 3, 4, 5))
    owner = b"\x01a" + origin
    many = [RR(owner, rtype, 300, b"x") for rtype in range(1000, 1000 + MAX_RRSETS)]
    last = RR(owner, 65280, 300, b"y")
    newer = soa._replace(rdata=soa.rdata[:-20] + struct.pack("!5I", 2, 2, 3, 4, 5))
    failed = []
    for zones in (rust.zones(), PYTHON_ZONES):
        most = received_by(zones, origin, _messages([soa, *many, soa]))
        assert not isinstance(most, str), most
        for records in ([soa, *many, last, soa], [soa, last, *many, soa]):
            failed.append(received_by(zones, origin, _messages(records)))
        with pytest.raises(ZoneTooLargeError, match="a name has more than 8192 RRsets"):
            zones.apply(most, [Delta(soa, newer, (), (last,))])
    assert failed[:2] == failed[2:]
    reason = "Stage.LIMIT sent a zone that is too large: a name has more than 8192 RRsets"
    assert all(isinstance(why, str) and why.startswith(reason) for why in failed), failed
    path = tmp_path / "zone"
    lines = [f"a TYPE{rr.rtype} \\# 1 78\n" for rr in (*many, last)]
    path.write_text("$TTL 300\n@ SOA @ host 1 2 3 4 5\n@ NS ns.example.net.\n" + "".join(lines))
    loaded = read_alike(rust, str(path), "large.example.", replace(DEFAULTS, max_types_per_name=0))
    [error] = loaded.diagnostics
    assert str(error).startswith(f"{path}:{len(lines) + 3}:1: error: a name has more than 8192 RRsets")


def test_where_a_signature_is(rust: RustZones, worlds: list[tuple[str, str]]) -> None:
    """Rust finds it in all messages of a transfer, and never where Python would not."""
    key = TsigKey("k.", "hmac-sha256", b"0123456789abcdef", SourceSpan("test"))
    tsig_start = rust.zones().tsig_start
    assert tsig_start is not None
    signed = []
    for _, zone in list(by_both(rust, worlds))[:20]:
        packer = Packer(request_for(zone, edns=True), zone.origin, IN, limit_octets=3000, edns_octets=1232)
        packed = packed_by(rust.zones(), zone, packer)
        signer = StreamSigner(key, b"")
        for one in packed if isinstance(packed, list) else []:
            signed.append(signer.sign(one.message, 1_000_000))
            assert tsig_start(one.message) is None
            assert tsig_start(signed[-1]) == len(one.message)
            assert record_at(signed[-1], len(one.message)) == find_record(signed[-1])
    rng = random.Random(FIRST_SEED)
    outcomes: Counter[bool] = Counter()
    for _ in range(10 * ZONES):
        [octets] = _spoilt(rng, [rng.choice(signed)]) or [b""]
        start = tsig_start(octets)
        outcomes[start is None] += 1
        if start is not None:
            assert _outcome(record_at, octets, start) == _outcome(find_record, octets)
    assert min(outcomes[True], outcomes[False]) > ZONES // 20


def _outcome(read: Callable[..., TsigRecord | None], *arguments: object) -> TsigRecord | str | None:
    try:
        return read(*arguments)
    except TsigError as error:
        return str(error)
