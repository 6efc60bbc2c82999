"""The pure-Python `Answerer`: zones by view, a cache of whole answers, and one function for a query.

What it holds is replaced, never edited, as far as a query could notice: a query takes the state once and
each zone once, so it sees a publication wholly or not at all.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Final

from bindpy.answer.cache import AnswerCache, Table, TableKey
from bindpy.answer.chaos import ChaosZones
from bindpy.answer.encode import encode, encode_refusal
from bindpy.answer.order import Turns
from bindpy.answer.policy import AnswerPolicy, Outcome, Publication, Transport, ZonePolicy
from bindpy.answer.query import HEADER_OCTETS, Query, Rcode, Refusal, parse
from bindpy.answer.response import Response
from bindpy.answer.served import ServedZone
from bindpy.answer.stages import fill_for, respond
from bindpy.answer.views import AclTable, ClientClass, ClientClasses, View
from bindpy.deferred import dataclass
from bindpy.zone.names import Name
from bindpy.zone.records import ANY_CLASS, CHAOS, IN
from bindpy.zone.snapshot import ZoneSnapshot

OnError = Callable[[bytes, Exception], None]
"""Told of a query that could not be answered because of a fault in the program."""

TCP_LIMIT_OCTETS: Final = 65535

_SHARED_UDP: Final[TableKey] = (0, Transport.UDP)


@dataclass(slots=True)
class _State:
    """What a query is answered from, replaced whole by each change; only the dicts of zones live on.

    Not frozen, which would make it three times as slow to make: there is one for each zone published.
    """

    policy: AnswerPolicy
    views: dict[str, View]
    acls: AclTable
    classes: ClientClasses
    chaos: ChaosZones
    nsid: bytes | None
    cache: AnswerCache


class PythonAnswerer:
    """Implements `bindpy.engine.Answerer`.

    ``hot`` is for the UDP service: where it is not None, the answer to a packet ``data`` of 12 octets or more
    is ``data[:2] + hot[data[2:]]`` if that key is there, whoever asks. Another dictionary is bound to it when
    what is in the old one may be outdated; whoever still holds the old one may finish with it.

    ``counters`` counts the answers that were made, by RCODE (those from the cache are not made).
    """

    def __init__(self, policy: AnswerPolicy, on_error: OnError) -> None:
        self.hot: Table | None = None
        self.counters: Counter[Rcode] = Counter()
        self._on_error = on_error
        self._lock = threading.Lock()  # for whoever changes state; no query waits for it
        self._turns = Turns()
        self._state: _State
        self._bind(_configured(policy, {}))

    # --- changes ------------------------------------------------------------------------------------

    def configure(self, policy: AnswerPolicy) -> None:
        """Replace the policy. Zones of views that are gone are withdrawn."""
        with self._lock:
            self._bind(_configured(policy, self._state.views))

    def publish(self, view: str, zone: ZoneSnapshot, policy: ZonePolicy) -> None:
        """Serve *zone* in *view* from now on. Raises `KeyError` for a view that the policy does not have."""
        self.publish_all((Publication(view, zone.origin, zone, policy),))

    def unavailable(self, view: str, origin: Name, policy: ZonePolicy, reason: str) -> None:
        """Answer SERVFAIL at and below *origin*. *reason* may be `policy.EXPIRED`, which clients are told."""
        self.publish_all((Publication(view, origin, None, policy, reason),))

    def publish_all(self, publications: Iterable[Publication]) -> None:
        """Serve what *publications* say. Raises `KeyError` for a view that the policy does not have."""
        with self._lock:
            state = self._state
            try:
                for view, origin, zone, policy, reason in publications:
                    served = ServedZone(origin, zone, policy, state.acls.of(policy), reason)
                    state.views[view].zones[served.key] = served
            finally:
                self._bind(_renewed(state))

    def withdraw(self, view: str, origin: Name) -> None:
        """Stop serving *origin*."""
        with self._lock:
            self._state.views[view].zones.pop(origin.lower(), None)
            self._bind(_renewed(self._state))

    def _bind(self, state: _State) -> None:
        """Answer from *state*. Its cache is empty, and whoever fills it sees its zones or later ones."""
        self._state = state
        self.hot = state.cache.table(_SHARED_UDP) if state.classes.everybody is not None else None

    # --- queries ------------------------------------------------------------------------------------

    def answer(
        self,
        query: bytes,
        client: str,
        local: str,
        transport: Transport,
        *,
        keys: Collection[str] = (),
        reserved_octets: int = 0,
    ) -> bytes | Outcome:
        """Return the response to *query*, from address *client* to our address *local*. Never raises.

        *keys* names the keys that the query, whose signature was taken off, was signed with; the response
        leaves *reserved_octets* of the message free, for its own. Signed queries are not remembered.
        """
        try:
            return self._answer(query, client, local, transport, keys=keys, reserved_octets=reserved_octets)
        except Exception as exc:  # noqa: BLE001 - the last guard: told to on_error, never hidden
            self._on_error(query, exc)
            flags = query[2] << 8 | query[3]
            return encode_refusal(query, Refusal(Rcode.SERVFAIL, flags), 0)

    def _answer(
        self,
        data: bytes,
        client: str,
        local: str,
        transport: Transport,
        *,
        keys: Collection[str],
        reserved_octets: int,
    ) -> bytes | Outcome:
        if len(data) < HEADER_OCTETS:
            return Outcome.DROP
        state = self._state
        client_class = state.classes.everybody
        if keys:
            client_class = state.classes.signed(client, local, bool(data[2] & 1), keys)
        elif client_class is None or state.classes.acl_count:
            client_class = state.classes.of(client, local, bool(data[2] & 1))
        if client_class.ignored:
            return Outcome.DROP
        found = self._recall(state, data[2:], client_class, transport) if not keys else None
        if found is not None:
            return data[:2] + found
        query = parse(data)
        if isinstance(query, Query):
            return self._answer_query(
                state,
                query,
                client_class,
                client=client,
                local=local,
                transport=transport,
                keys=keys,
                reserved_octets=reserved_octets,
            )
        if isinstance(query, Refusal):
            self.counters[query.rcode] += 1
            return encode_refusal(data, query, state.policy.edns_udp_size)
        return query

    def zone_queries(self, view: str, origin: Name) -> int | None:
        """Return None: queries are not counted by zone, as most are answered without looking for one."""

    def view_of(
        self, client: str, local: str, recursion_desired: bool, keys: Collection[str] = ()
    ) -> str | None:
        """Return the name of the view that serves such requests, None where none does."""
        classes = self._state.classes
        view = classes.signed(client, local, recursion_desired, keys).view
        return view.policy.name if view is not None else None

    def _recall(
        self, state: _State, question: bytes, client_class: ClientClass, transport: Transport
    ) -> bytes | None:
        """Return the answer to *question*, if it is known; the one for everybody is looked for first."""
        found = None
        if state.classes.everybody is not None:
            found = state.cache.get((0, transport), question)
            if found is not None:
                self._refresh_hot(state.cache)
        if found is None and client_class.number:
            found = state.cache.get((client_class.number, transport), question)
        return found

    def _answer_query(
        self,
        state: _State,
        query: Query,
        client_class: ClientClass,
        *,
        client: str,
        local: str,
        transport: Transport,
        keys: Collection[str],
        reserved_octets: int,
    ) -> bytes:
        cache_key = query.common_octets() if not keys else None
        if cache_key is not None and len(cache_key) != len(query.data) - 2:
            found = self._recall(state, cache_key, client_class, transport)
            if found is not None:
                return query.data[:2] + found
        consulted = False

        def admit(served: ServedZone, response: Response) -> bool:
            nonlocal consulted
            consulted = True
            for acl in served.acls:
                admitted = client_class.admits(acl)
                if admitted is None:
                    response.varies = True
                    admitted = acl.admits(client, local, keys)
                if not admitted:
                    return False
            return True

        policy = state.policy
        view = client_class.view
        if query.qclass == CHAOS and view is not None:
            response = state.chaos.respond(query)
        elif query.qclass not in (IN, ANY_CLASS) or view is None:
            response = Response(query.dnssec_ok)
            response.refuse(Rcode.REFUSED)
        else:
            response = respond(view.zones, query, fill_for(view.policy, query, transport), admit)
            if view.policy.rrset_order:
                self._turns.arrange(view.policy.rrset_order, response)
        self.counters[response.rcode] += 1
        limit = TCP_LIMIT_OCTETS
        if transport is Transport.UDP:
            limit = min(query.payload_octets, max(policy.max_udp_size, 512))
        limit -= reserved_octets
        message = encode(query, response, limit, edns_octets=policy.edns_udp_size, nsid=state.nsid)
        if cache_key is not None and not response.varies:
            number = 0 if state.classes.everybody is not None and not consulted else client_class.number
            state.cache.put((number, transport), cache_key, message[2:])
            self._refresh_hot(state.cache)
        return message

    def _refresh_hot(self, cache: AnswerCache) -> None:
        """Follow the cache when its halves have changed places."""
        if self.hot is None or cache.table(_SHARED_UDP) is self.hot:
            return
        with self._lock:
            if self._state.cache is cache and self._state.classes.everybody is not None:
                self.hot = cache.table(_SHARED_UDP)


def _configured(policy: AnswerPolicy, old_views: dict[str, View]) -> _State:
    """Return the state for *policy* with the zones of *old_views*, where the views are still there."""
    acls = AclTable(policy.local)
    views = {}
    for view_policy in policy.views:
        zones = {}
        old = old_views.get(view_policy.name)
        for key, served in old.zones.items() if old is not None else ():
            zones[key] = ServedZone(
                served.origin, served.zone, served.policy, acls.of(served.policy), served.reason
            )
        views[view_policy.name] = View(view_policy, policy.local, zones)
    return _State(
        policy=policy,
        views=views,
        acls=acls,
        classes=ClientClasses(policy, tuple(views.values()), acls.all()),
        chaos=ChaosZones(policy),
        nsid=policy.server_id.encode("utf-8") if policy.server_id is not None else None,
        cache=AnswerCache(policy.cache_octets),
    )


def _renewed(state: _State) -> _State:
    """Return *state* with nothing cached, and with client classes that know all ACLs."""
    classes = state.classes
    if state.acls.count != classes.acl_count:
        classes = ClientClasses(state.policy, tuple(state.views.values()), state.acls.all())
    return _State(
        policy=state.policy,
        views=state.views,
        acls=state.acls,
        classes=classes,
        chaos=state.chaos,
        nsid=state.nsid,
        cache=AnswerCache(state.policy.cache_octets),
    )
