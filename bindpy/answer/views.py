"""Which view serves a client, and which of the zones' ACLs let it pass.

All clients for which these come out alike are one *client class*: they get the same answers and share a
part of the cache.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Final

from bindpy.answer.policy import AnswerPolicy, ViewPolicy, ZonePolicy
from bindpy.answer.served import ServedZone
from bindpy.config.acl import AddressMatcher, IPAddress, LocalAddresses, parse_address
from bindpy.config.model import AddressMatchList
from bindpy.deferred import dataclass
from bindpy.zone.names import Key

MAX_CLASSED_ACLS: Final = 64
"""So many of the zones' ACLs tell client classes apart; any more are looked at for each query."""

MAX_REMEMBERED_CLIENTS: Final = 50_000


class View:
    """A view at work: its policy, compiled, and its zones."""

    __slots__ = ("_clients", "_destinations", "for_everybody", "policy", "zones")

    def __init__(self, policy: ViewPolicy, local: LocalAddresses, zones: dict[Key, ServedZone]) -> None:
        self.policy = policy
        self.zones = zones
        self._clients = AddressMatcher(policy.match_clients, local)
        self._destinations = AddressMatcher(policy.match_destinations, local)
        self.for_everybody = (
            self._clients.matches_all and self._destinations.matches_all and not policy.match_recursive_only
        )

    def serves(
        self, client: IPAddress, local: IPAddress, recursion_desired: bool, keys: Collection[str] = ()
    ) -> bool:
        """Return whether queries from *client* to *local*, signed with *keys*, are this view's."""
        return (
            (recursion_desired or not self.policy.match_recursive_only)
            and self._clients.matches(client, keys)
            and self._destinations.matches(local, keys)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Acl:
    """An ACL of zones that does not let everybody pass; ``place`` is its number among all such."""

    place: int
    matcher: AddressMatcher
    is_destination: bool

    def admits(self, client: str, local: str, keys: Collection[str] = ()) -> bool:
        """Return whether a query from *client* to our address *local*, signed with *keys*, passes."""
        return self.matcher.matches(parse_address(local if self.is_destination else client), keys)


class AclTable:
    """Every distinct ACL of the zones once. For the one thread that changes the Answerer's state."""

    def __init__(self, local: LocalAddresses) -> None:
        self._local = local
        self._acls: list[Acl] = []
        self._known: dict[tuple[AddressMatchList, bool], Acl | None] = {}
        self._latest: tuple[ZonePolicy | None, tuple[Acl, ...]] = (None, ())

    def of(self, policy: ZonePolicy) -> tuple[Acl, ...]:
        """Return those of the zone's ACLs that do not let everybody pass."""
        if self._latest[0] is not policy:  # most zones share one policy, and hashing lists takes long
            found = (self._intern(policy.allow_query, False), self._intern(policy.allow_query_on, True))
            self._latest = (policy, tuple([acl for acl in found if acl is not None]))
        return self._latest[1]

    def _intern(self, elements: AddressMatchList, is_destination: bool) -> Acl | None:
        which = (elements, is_destination)
        if which in self._known:
            return self._known[which]
        matcher = AddressMatcher(elements, self._local)
        acl = None
        if not matcher.matches_all:
            acl = Acl(len(self._acls), matcher, is_destination)
            self._acls.append(acl)
        self._known[which] = acl
        return acl

    @property
    def count(self) -> int:
        """The number of ACLs so far."""
        return len(self._acls)

    def all(self) -> tuple[Acl, ...]:
        """Return all ACLs so far, in the order of their places."""
        return tuple(self._acls)


@dataclass(frozen=True, slots=True)
class ClientClass:
    """``number`` is unique in its `ClientClasses`. ``view`` is None where no view matches.

    ``allowed`` has bit *i* set when the ACL at place *i* lets the clients pass; places from ``acls`` on are
    not known. ``ignored``: they are blackholed.
    """

    number: int
    view: View | None
    allowed: int = 0
    acls: int = 0
    ignored: bool = False

    def admits(self, acl: Acl) -> bool | None:
        """Return whether *acl* lets the class pass, None when its clients differ in that."""
        return bool(self.allowed >> acl.place & 1) if acl.place < self.acls else None


class ClientClasses:
    """Sorts clients into classes. Fixed, but for what it remembers; safe for many threads."""

    def __init__(self, policy: AnswerPolicy, views: tuple[View, ...], acls: tuple[Acl, ...]) -> None:
        self._views = views
        self._acls = acls[:MAX_CLASSED_ACLS]
        self._blackhole = AddressMatcher(policy.blackhole, policy.local)
        self._known: dict[tuple[str, str, bool], ClientClass] = {}
        self._classes: dict[tuple[int, int, bool], ClientClass] = {}
        self._lock = threading.Lock()  # two classes never get one number
        self.everybody: ClientClass | None = None
        """The class of all clients, where neither views nor ``blackhole`` tell them apart."""
        if views and views[0].for_everybody and self._blackhole.matches_none:
            self.everybody = ClientClass(0, views[0])
        self.acl_count = len(acls)

    def of(self, client: str, local: str, recursion_desired: bool) -> ClientClass:
        """Return the class of queries from *client* to our address *local*."""
        who = (client, local, recursion_desired)
        known = self._known.get(who)
        if known is None:
            if len(self._known) >= MAX_REMEMBERED_CLIENTS:
                self._known.clear()
            known = self._known[who] = self._classify(client, local, recursion_desired)
        return known

    def signed(self, client: str, local: str, recursion_desired: bool, keys: Collection[str]) -> ClientClass:
        """Return a class of its own for one query that was signed with *keys*; it knows no ACL."""
        address, destination = parse_address(client), parse_address(local)
        if self._blackhole.matches(address, keys):
            return ClientClass(-1, None, ignored=True)
        index = self._view_index(address, destination, recursion_desired, keys)
        return ClientClass(-1, self._views[index] if index >= 0 else None)

    def _view_index(
        self, client: IPAddress, local: IPAddress, recursion_desired: bool, keys: Collection[str] = ()
    ) -> int:
        """Return the place of the first view that serves, -1 where none does."""
        for index, view in enumerate(self._views):
            if view.serves(client, local, recursion_desired, keys):
                return index
        return -1

    def _classify(self, client: str, local: str, recursion_desired: bool) -> ClientClass:
        address, destination = parse_address(client), parse_address(local)
        if self._blackhole.matches(address):
            return self._intern(-1, 0, ignored=True)
        index = self._view_index(address, destination, recursion_desired)
        allowed = 0
        for acl in self._acls:
            if acl.matcher.matches(destination if acl.is_destination else address):
                allowed |= 1 << acl.place
        return self._intern(index, allowed, ignored=False)

    def _intern(self, index: int, allowed: int, *, ignored: bool) -> ClientClass:
        which = (index, allowed, ignored)
        found = self._classes.get(which)
        if found is None:
            view = self._views[index] if index >= 0 else None
            with self._lock:
                number = len(self._classes) + 1
                made = ClientClass(number, view, allowed, len(self._acls), ignored)
                found = self._classes.setdefault(which, made)
        return found
