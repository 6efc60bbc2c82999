"""One refresh of one secondary zone: its primaries in order, until one's newer version is in place."""

from __future__ import annotations

import asyncio
import enum
import functools
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor

from bindpy.answer.query import Rcode
from bindpy.config.model import RemoteServer
from bindpy.deferred import dataclass
from bindpy.engine import Zone, Zones
from bindpy.filter.script import NO_SCRIPT, script_digest
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneEntry
from bindpy.xfr.behind import WriteBehind
from bindpy.xfr.by_datagram import ask_by_datagram, can_be_asked
from bindpy.xfr.failure import Stage, XferFailure
from bindpy.xfr.fetch import Received, Wish, fetch
from bindpy.xfr.peers import Primary
from bindpy.xfr.quotas import QueryRate, TransferSlots
from bindpy.xfr.refresh import Life, Wanted
from bindpy.xfr.report import OnBegin, TransferReport
from bindpy.xfr.soaquery import PrimaryVersion, ask_version
from bindpy.xfr.store import StoreError, make_lasting, store_zone
from bindpy.zone.loaded import LoadedZone
from bindpy.zone.records import RRset, RRType, Soa

log = logging.getLogger("bindpy.general")
transfer_log = logging.getLogger("bindpy.xfer-in")

NO_DATAGRAMS_S = 3600.0
"""How long a primary is not asked by UDP that did not answer so once."""
_OTHER_SCRIPT = "and another script filters it now"
_NO_ANSWER = frozenset((Stage.CONNECT, Stage.WAIT))


class _End(enum.Enum):
    """What came of one primary that answered."""

    TRANSFERRED = enum.auto()
    CURRENT = enum.auto()  # it has the version that we have
    OLDER = enum.auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a refresh; the zone's `Life` knows it already.

    ``primary`` is the one that confirmed or sent the zone, "" when none did. ``trouble`` says why then, or
    why what is served is not what the zone's script would make of it now; ``by_script``: the script is to
    blame. ``transfer`` is the one that brought the zone.
    """

    primary: str = ""
    trouble: str = ""
    by_script: bool = False
    transfer: TransferReport | None = None


def soa_rrset(zone: Zone) -> RRset:
    """Return the SOA RRset of *zone*, with its signatures."""
    rrset = zone.get(zone.key, RRType.SOA)
    assert rrset is not None, "a zone has a SOA"
    return rrset


def soa_of(zone: Zone) -> Soa:
    """Return the fields of *zone*'s SOA."""
    return Soa.from_rdata(soa_rrset(zone).rdatas[0])


class Refresher:
    """Does refreshes, within the quotas that all of them share. Belongs to the event loop.

    *executor* is where transfers are read and stored, *clock* the one that each `Life` goes by.
    """

    def __init__(
        self,
        keeper: ZoneKeeper,
        rate: QueryRate,
        slots: TransferSlots,
        executor: Executor,
        zones: Zones,
        *,
        behind: WriteBehind,
        clock: Callable[[], float],
    ) -> None:
        self._keeper = keeper
        self._behind = behind
        self._rate = rate
        self._slots = slots
        self._executor = executor
        self._zones = zones
        self._clock = clock
        self._no_datagrams: dict[RemoteServer, float] = {}
        """When those that did not answer IXFR by UDP with anything useful are asked so again."""

    async def refresh(
        self,
        entry: ZoneEntry,
        life: Life,
        job: Wanted,
        primaries: list[Primary],
        *,
        on_begin: OnBegin | None = None,
    ) -> Outcome:
        """Do *job*, which *life* has begun, and tell *life* how it ended; *on_begin* is told of transfers.

        All *primaries* are asked until one has a newer version: one that lags behind must not hide another.
        """
        attempt = _Attempt(entry, life, job, has_other_script=await self._has_other_script(entry, life))
        attempt.on_begin = on_begin
        current: tuple[Primary, int | None] | None = None
        trouble = "" if primaries else "no primary is configured that may be asked"
        answered = cut_off = by_script = False
        for primary in primaries:
            try:
                end = await self._try(attempt, primary)
            except XferFailure as failure:
                trouble, by_script = str(failure), failure.stage is Stage.FILTER
                answered = answered or failure.stage not in _NO_ANSWER or bool(failure.messages)
                cut_off = cut_off or (failure.stage in _NO_ANSWER and attempt.is_behind)
                continue
            except StoreError as error:
                trouble, by_script = str(error), False
                answered = True
                continue
            answered = True
            if end is _End.TRANSFERRED:
                return Outcome(primary.text, transfer=attempt.report)
            if end is _End.CURRENT and current is None:
                current = primary, attempt.expire_s
            elif end is _End.OLDER:
                trouble = trouble or f"primary {primary.text} has an older version"
        if current is not None:
            life.confirmed(self._clock(), current[1])
            return Outcome(current[0].text, attempt.script_trouble, by_script=bool(attempt.script_trouble))
        delay_s = life.failed(self._clock(), answered=answered, cut_off=cut_off)
        log.warning("zone %s: refresh failed: %s; next try in %d s", entry.label, trouble, delay_s)
        return Outcome(trouble=trouble, by_script=by_script)

    async def _try(self, attempt: _Attempt, primary: Primary) -> _End:
        """Ask *primary*, and transfer from it what is newer. Raises `XferFailure` and `StoreError`."""
        attempt.expire_s = None
        version = None
        if attempt.is_behind and self._no_datagrams.get(primary.remote, 0.0) <= time.monotonic():
            end, version = await self._try_datagram(attempt, primary)
            if end is not None:
                return end
        if version is None and not attempt.job.whole:
            version = await self._version(attempt, primary)
        changed = ""
        if version is not None:
            attempt.expire_s = version.expire_s
            if not attempt.life.accepts(version.serial):
                if version.serial != attempt.life.serial:
                    _log_older(attempt, primary, version.serial)
                    return _End.OLDER
                changed = attempt.what_changed(version)
                if not changed:
                    return _End.CURRENT
                log.info(
                    "zone %s: refresh: %s has serial %d, too, %s: transferring it",
                    attempt.entry.label,
                    primary.text,
                    version.serial,
                    changed,
                )
            attempt.is_behind = True
        try:
            return await self._transfer(attempt, primary, version, is_again=bool(changed))
        except (XferFailure, StoreError) as failure:
            if changed != _OTHER_SCRIPT:
                raise
            # The script is bad, say: what is served is still what the primary has, as filtered before.
            attempt.script_trouble = str(failure)
            return _End.CURRENT

    async def _try_datagram(
        self, attempt: _Attempt, primary: Primary
    ) -> tuple[_End | None, PrimaryVersion | None]:
        """Ask *primary* by UDP for what is newer, if that may be. Raises `StoreError`.

        Returns the end, or the newer version that there is to be had by TCP, or neither.
        """
        wish = attempt.wish(None, is_whole=False)
        if not can_be_asked(primary, wish):
            return None, None
        await self._rate.turn(attempt.job.cause)
        async with self._slots.place(primary.remote.address, primary.transfers, attempt.job.cause):
            try:
                answer = await ask_by_datagram(primary, wish, self._executor, self._zones)
            except XferFailure as failure:
                log.debug("zone %s: refresh: no IXFR by UDP: %s", attempt.entry.label, failure)
                self._no_datagrams[primary.remote] = time.monotonic() + NO_DATAGRAMS_S
                return None, None
            if not attempt.life.accepts(answer.version.serial):
                return None, None  # somebody was wrong about it: the SOA query tells, its signature included
            if answer.received is None:
                return None, answer.version
            attempt.expire_s = answer.version.expire_s
            await self._install(attempt, primary, answer.received)
            attempt.report = answer.received.report
            return _End.TRANSFERRED, None

    async def _transfer(
        self, attempt: _Attempt, primary: Primary, version: PrimaryVersion | None, *, is_again: bool
    ) -> _End:
        """Transfer the zone; *is_again*: though we have its serial already."""
        async with self._slots.place(primary.remote.address, primary.transfers, attempt.job.cause):
            wish = attempt.wish(version, is_whole=is_again)
            received = await fetch(primary, wish, self._executor, self._zones)
            is_taken = is_again or attempt.has_other_script or attempt.life.accepts(received.serial)
            if not is_taken:
                return _End.CURRENT  # older ones do not get here: `Wish.least_serial`
            await self._install(attempt, primary, received)
            attempt.report = received.report
            return _End.TRANSFERRED

    async def _has_other_script(self, entry: ZoneEntry, life: Life) -> bool:
        """Return whether another script than today's, or none, made what is served."""
        path = entry.config.settings.lua_axfr_script
        digest: bytes | None = NO_SCRIPT
        if path is not None:
            loop = asyncio.get_running_loop()
            digest = await loop.run_in_executor(self._executor, script_digest, path)
        return life.serial is not None and digest != life.filtered_by

    async def _version(self, attempt: _Attempt, primary: Primary) -> PrimaryVersion | None:
        """Return what *primary* says it has; None: it refuses to say, but may allow a transfer."""
        entry = attempt.entry
        await self._rate.turn(attempt.job.cause)
        try:
            return await ask_version(
                primary,
                entry.config.origin,
                entry.config.rdclass,
                signed=attempt.signatures is not None,
                try_tcp=entry.config.settings.refresh.try_tcp,
            )
        except XferFailure as failure:
            log.info(
                "zone %s: refresh: failure trying primary %s (source %s#%d): %s",
                entry.label,
                primary.text,
                primary.source.address or ("::" if ":" in primary.remote.address else "0.0.0.0"),
                primary.source.port,
                failure.detail,
            )
            if failure.rcode == Rcode.REFUSED and failure.stage is Stage.ANSWER:
                return None
            raise

    async def _install(self, attempt: _Attempt, primary: Primary, received: Received) -> None:
        """Store the version, then serve it. Raises `StoreError`."""
        config = attempt.entry.config
        now = self._keeper.table.get(attempt.entry.id)
        if now is not None and now.frozen:
            raise StoreError("the zone was frozen meanwhile, so that its file can be edited")
        with self._keeper.storing(attempt.entry.id):
            zone: Zone = received.zone
            loaded = None
            is_noted = False
            if now is not None and now.zone is attempt.base:
                is_noted = await self._behind.note(now, zone, received.deltas)
            if not is_noted:
                await self._behind.rest(attempt.entry.id)
                loaded = await self._store(attempt, primary, received)
                await self._behind.replaced(attempt.entry.id)
            if loaded is not None and loaded.zone is not None:
                zone = loaded.zone
            now = self._keeper.table.get(attempt.entry.id)
            if now is None or now.config.file != config.file:
                await self._behind.replaced(attempt.entry.id)
                raise StoreError("the zone's statement was changed meanwhile")
            attempt.life.transferred(
                self._clock(),
                soa_of(zone),
                attempt.expire_s,
                serial=received.serial,
                filtered_by=received.filtered_by,
            )
            self._keeper.take(attempt.entry.id, zone, loaded)
            if is_noted:
                self._behind.begin(now)
        if loaded is not None and config.file is not None:
            self._executor.submit(_make_lasting, attempt.entry.label, config.file)
        signed = f": TSIG '{primary.key.name.rstrip('.')}'" if primary.key is not None else ""
        sent = f" ({received.serial} at the primary)" if received.serial != zone.serial else ""
        transfer_log.info(
            "zone %s: transferred serial %d%s%s", attempt.entry.label, zone.serial, sent, signed
        )

    async def _store(self, attempt: _Attempt, primary: Primary, received: Received) -> LoadedZone | None:
        config = attempt.entry.config
        if config.file is None:
            return None
        store = functools.partial(
            store_zone,
            received.zone,
            config.file,
            zones=self._zones,
            checks=config.settings.checks,
            origin_of_data=f"{primary.text} by {received.how}",
            raw=config.settings.masterfile_format == "raw",
        )
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, store)
        except StoreError as error:
            transfer_log.error(
                "zone %s: serial %d from %s was not stored: %s; %s",
                attempt.entry.label,
                received.zone.serial,
                primary.text,
                error,
                attempt.what_stays,
            )
            raise


class _Attempt:
    """One refresh of one zone, and the facts that it goes by."""

    def __init__(self, entry: ZoneEntry, life: Life, job: Wanted, *, has_other_script: bool) -> None:
        self.entry = entry
        self.life = life
        self.job = job
        self.has_other_script = has_other_script
        self.script_trouble = ""  # why it was not made anew with today's script
        self.report: TransferReport | None = None
        self.on_begin: OnBegin | None = None
        self.base: Zone | None = None  # what IXFR was asked to lead on from
        self.expire_s: int | None = None  # what the primary that is being asked said
        self.is_behind = life.is_behind(job)  # somebody has told of a version that we should have

    @property
    def signatures(self) -> frozenset[bytes] | None:
        """The RRSIGs of our SOA; None where the zone is not signed, or not there."""
        if self.life.serial is None or self.entry.zone is None or self.entry.config.settings.lua_axfr_script:
            return None
        return frozenset(soa_rrset(self.entry.zone).sigs) or None

    @property
    def what_stays(self) -> str:
        """What is served if nothing comes of this, for logs."""
        serial = self.life.serial
        return "nothing is served yet" if serial is None else f"serial {serial} stays served"

    def what_changed(self, version: PrimaryVersion) -> str:
        """Return why *version*, which has our serial, is not what we have, "" where it is."""
        if self.has_other_script and not self.script_trouble:
            return _OTHER_SCRIPT
        ours = self.signatures  # keys may roll without a new serial
        is_resigned = ours is not None and bool(version.signatures) and version.signatures != ours
        return "with other signatures" if is_resigned else ""

    def wish(self, version: PrimaryVersion | None, *, is_whole: bool) -> Wish:
        """Return what to ask for. IXFR only leads on from a version that is served as it came."""
        config, serial = self.entry.config, self.life.serial
        base = None
        is_filtered = self.has_other_script or config.settings.lua_axfr_script is not None
        if serial is not None and not is_whole and not self.job.whole and not is_filtered:
            base = self.entry.zone
        self.base = base
        least_serial = None
        if not self.job.whole:
            least_serial = version.serial if version is not None else serial
        return Wish(
            self.entry.label,
            config.origin,
            config.rdclass,
            base,
            least_serial,
            newer_than_base=version is not None,
            max_records=config.settings.checks.max_records,
            settings=config.settings.transfer,
            script=config.settings.lua_axfr_script,
            on_begin=self.on_begin,
        )


def _make_lasting(label: str, path: str) -> None:
    """Flush what is served already: until then, a power cut would have us fetch it again."""
    try:
        make_lasting(path)
    except StoreError as error:
        transfer_log.warning("zone %s: %s", label, error)


def _log_older(attempt: _Attempt, primary: Primary, serial: int) -> None:
    multi_primary = attempt.entry.config.settings.refresh.multi_primary
    log.log(
        logging.DEBUG if multi_primary else logging.INFO,
        "zone %s: serial number (%d) received from primary %s < ours (%s)",
        attempt.entry.label,
        serial,
        primary.text,
        attempt.life.serial,
    )


def in_order(primaries: Iterable[Primary], good: str, source: str) -> list[Primary]:
    """Return *primaries* with the one at the address *source*, then *good*, before the others."""
    return sorted(primaries, key=lambda one: (one.remote.address != source, one.text != good))
