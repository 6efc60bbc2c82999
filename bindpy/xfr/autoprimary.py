"""Zones that other servers provide: a NOTIFY for a zone that we do not have, from an autoprimary.

Taken is what fulfils all of this, and nothing else: the source is on the list; where its entry names a key,
the NOTIFY is signed with it; the source answers, with authority, for the zone's SOA; the NS RRset that it
answers with holds the entry's name for us; and the zone takes nothing away from the zones that we have.
A NOTIFY is answered before all of that is known: the source has been heard and need not send it again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from bindpy.answer.query import Rcode
from bindpy.config.acl import parse_address
from bindpy.config.model import (
    Autoprimary,
    Config,
    Options,
    ProvisionedBy,
    RemoteServer,
    ViewConfig,
    ZoneConfig,
    ZoneType,
)
from bindpy.config.new_zones import autoprimary_path
from bindpy.deferred import dataclass
from bindpy.diagnostics import SourceSpan
from bindpy.logs.levels import NOTICE
from bindpy.reload.table import ZoneEntry, ZoneId, ZoneTable
from bindpy.server.ratelog import RateLimitedLog
from bindpy.server.request import CheckedRequest
from bindpy.server.tasks import TaskSet
from bindpy.xfr.autoprimary_check import CHECK_TIMING, Provided, ask_provider
from bindpy.xfr.autoprimary_list import AutoprimaryList
from bindpy.xfr.autoprimary_queue import Candidate, CandidateQueue, Offer, Result
from bindpy.xfr.autoprimary_statement import zone_file_name, zone_label, zone_statement
from bindpy.xfr.client import QueryTiming
from bindpy.xfr.failure import Stage, XferFailure
from bindpy.xfr.peers import primaries_of
from bindpy.xfr.provision import Provision, ProvisionError, ProvisionRequest
from bindpy.zone.names import ROOT, Name, ancestors, to_text
from bindpy.zone.records import IN, RRType

log = logging.getLogger("bindpy.notify")

OnAdded = Callable[[ZoneId, str], None]
_NO_ANSWER = frozenset((Stage.CONNECT, Stage.WAIT))


@dataclass(frozen=True, slots=True)
class Reception:
    """What a NOTIFY is answered with: ``refusal`` says why, for the log, "" where there is nothing to say.

    ``rcode`` None is no answer at all: there is no room for it now, and the source will send it again.
    """

    rcode: Rcode | None
    refusal: str = ""


HEARD = Reception(Rcode.NOERROR)


@dataclass(frozen=True, slots=True)
class _Found:
    """Who provides the zone, by which entry, and what it has."""

    entry: Autoprimary
    remote: RemoteServer
    provided: Provided


class AutoprimaryZones:
    """Decides which zones are provided, and has them added by *provision*. Belongs to the event loop.

    *on_added* is told of each, with the address of its autoprimary, once it is kept: only then may it be
    transferred.
    """

    def __init__(
        self,
        table: ZoneTable,
        provision: Provision,
        on_added: OnAdded,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        timing: QueryTiming = CHECK_TIMING,
    ) -> None:
        self._table = table
        self._provision = provision
        self._on_added = on_added
        self._clock = clock
        self._wall_clock = wall_clock
        self._timing = timing
        self._queue = CandidateQueue(20)
        self._list = AutoprimaryList(self._others_listed, clock)
        self._options: Options | None = None
        self._views: dict[str, ViewConfig] = {}
        self._changed = asyncio.Event()
        self._tasks = TaskSet(log)
        self._being_added: dict[ZoneId, str] = {}
        # A flood from a listed address must not fill a disk; how many zones are added is bounded anyway.
        self._heard_log = RateLimitedLog(log, burst=1000, lines_per_s=20)
        self._failed_log = RateLimitedLog(log, burst=1000, lines_per_s=20)

    def configure(self, config: Config) -> None:
        """Take over *config*."""
        self._options = config.options
        self._views = {view.name: view for view in config.views}
        self._queue.per_s = max(1, config.options.serial_query_rate)
        self._list.configure(config.options)
        self._others_listed()

    def _others_listed(self) -> None:
        self._queue.forget()
        self._changed.set()

    # --- what a NOTIFY is told --------------------------------------------------------------------

    async def notified(self, request: CheckedRequest, name: Name, view: str) -> Reception | None:
        """Take note of a NOTIFY for the zone *name* of class IN, which *view* does not have.

        None: it is not from an autoprimary.
        """
        await self._list.look_at_files()
        candidate = Candidate(
            name.lower(), view, str(parse_address(request.client.address)), request.key or ""
        )
        refusal = self._refusal(candidate)
        if refusal is not None:
            return refusal
        if not self._list.of(candidate.source):
            return None
        offer = self._queue.offer(candidate, self._clock())
        if offer is Offer.FULL:
            return Reception(None)
        if offer is Offer.QUEUED:
            self._changed.set()
            self._heard_log.log(
                logging.INFO,
                "zone %s: received NOTIFY from %s for which we are not authoritative, trying autoprimary",
                zone_label(candidate.origin, view),
                request.client,
            )
        return HEARD

    def is_adding(self, zone_id: ZoneId) -> bool:
        """Return whether a zone is being added, and might still not be."""
        return zone_id in self._being_added

    def is_listed(self, address: str) -> bool:
        """Return whether *address* is an autoprimary's."""
        return bool(self._list.of(str(parse_address(address))))

    def _refusal(self, candidate: Candidate) -> Reception | None:
        """Return what is said at once to a candidate that cannot be taken, None where it may be."""
        listed = self._list.of(candidate.source)
        if not listed:
            return None
        if candidate.view not in self._views or self._views[candidate.view].rdclass != IN:
            return Reception(Rcode.NOTAUTH, "autoprimaries provide zones of class IN only")
        if not _entries(listed, candidate.key):
            keys = " or ".join(sorted({f"'{entry.key.rstrip('.')}'" for entry in listed}))
            how = f"signed with '{candidate.key.rstrip('.')}'" if candidate.key else "not signed"
            return Reception(
                Rcode.REFUSED, f"autoprimary {candidate.source} has to sign with {keys}: it is {how}"
            )
        why = self._conflict(candidate)
        return None if why is None else Reception(Rcode.REFUSED, why)

    def _conflict(self, candidate: Candidate) -> str | None:
        """Return why the zone would take something away from what we have, None where it does not."""
        if candidate.origin == ROOT:
            return "the root zone is not taken from an autoprimary; write a zone statement for it"
        above: list[Name] = []
        for ancestor in ancestors(candidate.origin):
            parent = self._table.get((candidate.view, ancestor))
            if parent is not None and ancestor != candidate.origin:
                return self._conflict_with(parent, candidate, above)
            above.append(ancestor)
        return None

    def _conflict_with(self, parent: ZoneEntry, candidate: Candidate, below: list[Name]) -> str | None:
        """Return why *candidate* may not be cut out of *parent*; *below* are the names between the two.

        Otherwise one customer's autoprimary could take over names of another's zone.
        """
        if any(str(parse_address(one.address)) == candidate.source for one in parent.config.primaries):
            return None
        zone = parent.zone
        if zone is not None and any(zone.get(name, RRType.NS) is not None for name in below):
            return None
        reason = "has no data yet" if zone is None else "does not delegate it"
        return f"it is inside of our zone {parent.label}, which is not from there and {reason}"

    # --- looking into it --------------------------------------------------------------------------

    async def run(self) -> None:
        """Look into what was heard of, until cancelled."""
        try:
            while True:
                self._changed.clear()
                now = self._clock()
                while (candidate := self._queue.take(now)) is not None:
                    what = (
                        f"autoprimary {candidate.source} with {zone_label(candidate.origin, candidate.view)}"
                    )
                    self._tasks.spawn(self._look_into(candidate), what)
                wake_at = self._queue.next_wake(now)
                try:
                    async with asyncio.timeout(None if wake_at is None else max(0.0, wake_at - now)):
                        await self._changed.wait()
                except TimeoutError:
                    pass
        finally:
            await self._tasks.close()

    async def _look_into(self, candidate: Candidate) -> None:
        result = Result.SILENT
        try:
            result = await self._result(candidate)
        finally:
            self._queue.done(candidate, result, self._clock())
            self._changed.set()

    async def _result(self, candidate: Candidate) -> Result:
        if self._is_there(candidate) or self._refusal(candidate) is not None:
            return Result.DONE  # since the NOTIFY came; the next one is told why
        try:
            found = await self._ask(candidate)
        except XferFailure as failure:
            self._log_failed(candidate, str(failure))
            silent = failure.stage in _NO_ANSWER or failure.rcode == Rcode.SERVFAIL
            return Result.SILENT if silent else Result.NO
        if self._is_there(candidate) or self._refusal(candidate) is not None:
            return Result.DONE
        try:
            await self._add(candidate, found)
        except ProvisionError as error:
            self._log_failed(candidate, str(error))
            return Result.SILENT
        return Result.DONE

    def _is_there(self, candidate: Candidate) -> bool:
        """Return whether the zone is there by now, or is being added; the first wins."""
        first = self._being_added.get(candidate.zone_id)
        entry = self._table.get(candidate.zone_id)
        if first is None and entry is not None:
            by = entry.config.provisioned_by
            first = by.address if by is not None else ""
        if first is None:
            return False
        if first != candidate.source:
            whence = f"created from autoprimary {first}, which was first" if first else "configured"
            self._log_failed(candidate, f"the zone was {whence}")
        return True

    async def _ask(self, candidate: Candidate) -> _Found:
        """Ask the source as its entries say. Raises `XferFailure`, the last one where there are several."""
        groups: dict[RemoteServer, list[Autoprimary]] = {}
        for entry in _entries(self._list.of(candidate.source), candidate.key):
            remote = RemoteServer(entry.address, entry.port, entry.key or candidate.key)
            groups.setdefault(remote, []).append(entry)
        failure = XferFailure(Stage.ANSWER, "is not an autoprimary any more")
        for remote, entries in groups.items():
            try:
                return await self._ask_one(candidate, remote, entries)
            except XferFailure as one:
                failure = one
        raise failure

    async def _ask_one(
        self, candidate: Candidate, remote: RemoteServer, entries: list[Autoprimary]
    ) -> _Found:
        view = self._views[candidate.view]
        primaries = primaries_of(_as_zone(candidate, remote, view), view, 1)
        if not primaries:
            raise XferFailure(Stage.ANSWER, "is bogus, as its 'server' statement says").about(remote.address)
        wanted = {entry.nameserver.lower(): entry for entry in reversed(entries)}
        provided = await ask_provider(primaries[0], candidate.origin, wanted.keys(), self._timing)
        return _Found(wanted[provided.nameserver], remote, provided)

    async def _add(self, candidate: Candidate, found: _Found) -> None:
        """Have the zone added. Raises `ProvisionError`."""
        options = self._options
        assert options is not None, "candidates come from a configuration"
        if options.autoprimary_directory is None or options.autoprimary_config is None:
            raise ProvisionError("autoprimary-directory or autoprimary-config is gone")
        self._being_added[candidate.zone_id] = candidate.source
        try:
            file = await self._file(candidate, options.autoprimary_directory)
            by = ProvisionedBy(candidate.source, found.entry.account)
            statement = zone_statement(candidate.origin, found.remote, file, by, self._wall_clock())
            kept_in = options.autoprimary_config
            request = ProvisionRequest(candidate.origin, candidate.view, statement, kept_in)
            await self._provision(request)
        finally:
            del self._being_added[candidate.zone_id]
        log.info(
            "zone %s: created new secondary zone from autoprimary %s%s: it has serial %d and %s among its NS "
            "records; the statement is in %s",
            zone_label(candidate.origin, candidate.view),
            candidate.source,
            f" (account '{by.account}')" if by.account else "",
            found.provided.serial,
            to_text(found.provided.nameserver),
            autoprimary_path(kept_in, candidate.view),
        )
        self._on_added(candidate.zone_id, candidate.source)

    async def _file(self, candidate: Candidate, directory: str) -> str:
        """Return the path of the zone's file, in a directory that is there. Raises `ProvisionError`."""
        path = str(Path(directory) / zone_file_name(candidate.origin, candidate.view))
        for other in self._table.made_of([path]):
            raise ProvisionError(f"{path} is a file of zone {zone_label(other[1], other[0])} already")
        try:
            await asyncio.to_thread(Path(directory).mkdir, parents=True, exist_ok=True)
        except OSError as error:
            raise ProvisionError(f"cannot make the directory {directory}: {error.strerror}") from None
        return path

    def _log_failed(self, candidate: Candidate, why: str) -> None:
        self._failed_log.log(
            NOTICE,
            "zone %s: not created from autoprimary %s: %s",
            zone_label(candidate.origin, candidate.view),
            candidate.source,
            why,
        )


def _entries(listed: list[Autoprimary], key: str) -> list[Autoprimary]:
    """Return those of *listed* that a NOTIFY signed with *key* ("": not signed) may count on."""
    return [entry for entry in listed if not entry.key or entry.key == key]


def _as_zone(candidate: Candidate, remote: RemoteServer, view: ViewConfig) -> ZoneConfig:
    """Return the zone as far as asking its primary is concerned."""
    return ZoneConfig(
        candidate.origin,
        IN,
        candidate.view,
        ZoneType.SECONDARY,
        None,
        (remote,),
        view.settings,
        SourceSpan(""),
    )
