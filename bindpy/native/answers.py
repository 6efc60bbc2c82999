"""Answers of the engine in machine code, as the seam wants them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, Final

from bindpy.answer.policy import (
    EXPIRED,
    AnswerPolicy,
    Outcome,
    Publication,
    Transport,
    ViewPolicy,
    ZonePolicy,
)
from bindpy.config.model import (
    AddressMatchList,
    MatchBuiltin,
    MatchElement,
    MatchKey,
    MatchNested,
    MatchNetwork,
)
from bindpy.native.zones import RustZone
from bindpy.zone.names import Name

if TYPE_CHECKING:
    import bindpy_engine

OnError = Callable[[bytes, Exception], None]


class EngineFaultError(Exception):
    """A fault in the engine in machine code; the text is what it says of it."""


class RustAnswerer:
    """A `bindpy.engine.Answerer` in machine code."""

    hot: Final = None

    def __init__(self, module: Any, on_error: OnError) -> None:
        def fault(query: bytes, what: str) -> None:
            on_error(query, EngineFaultError(what))

        self.inner: bindpy_engine.Answerer = module.Answerer(fault)
        self._lists: dict[AddressMatchList, list[Any]] = {}

    def configure(self, policy: AnswerPolicy) -> None:
        """Replace the policy. Zones of views that are gone are withdrawn."""
        self._lists.clear()
        self.inner.configure(_plain_policy(policy))

    def publish(self, view: str, zone: RustZone, policy: ZonePolicy) -> None:
        """Serve *zone* in *view* from now on. Raises `KeyError` for a view that the policy does not have."""
        self.publish_all((Publication(view, zone.origin, zone, policy),))

    def unavailable(self, view: str, origin: Name, policy: ZonePolicy, reason: str) -> None:
        """Answer SERVFAIL at and below *origin*. *reason* may be `policy.EXPIRED`, which clients are told."""
        self.publish_all((Publication(view, origin, None, policy, reason),))

    def publish_all(self, publications: Iterable[Publication]) -> None:
        """Serve what *publications* say. Raises `KeyError` for a view that the policy does not have."""
        numbers: dict[int, int] = {}
        policies: list[ZonePolicy] = []  # also keeps them, so that no two get one id
        plain = []
        for view, origin, zone, policy, reason in publications:
            number = numbers.setdefault(id(policy), len(policies))
            if number == len(policies):
                policies.append(policy)
            plain.append((view, origin, zone.inner if zone is not None else reason == EXPIRED, number))
        self.inner.publish([self._allowed(policy) for policy in policies], plain)

    def withdraw(self, view: str, origin: Name) -> None:
        """Stop serving *origin*."""
        self.inner.withdraw(view, origin)

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
        """Return the response to *query*, from address *client* to our address *local*. Never raises."""
        tcp = transport is Transport.TCP
        found = self.inner.answer(query, client, local, tcp, list(keys), reserved_octets)
        if isinstance(found, bytes):
            return found
        return Outcome.DROP if found is None else Outcome.NOT_MINE

    def zone_queries(self, view: str, origin: Name) -> int | None:
        """Return how many queries a zone has had since it was first there."""
        return self.inner.zone_queries(view, origin)

    def view_of(
        self, client: str, local: str, recursion_desired: bool, keys: Collection[str] = ()
    ) -> str | None:
        """Return the name of the view that serves such requests, None where none does."""
        return self.inner.view_of(client, local, recursion_desired, list(keys))

    def _allowed(self, policy: ZonePolicy) -> tuple[list[Any], list[Any]]:
        return self._plain(policy.allow_query), self._plain(policy.allow_query_on)

    def _plain(self, elements: AddressMatchList) -> list[Any]:
        """Return *elements* as plain values; most zones share one list."""
        known = self._lists.get(elements)
        if known is None:
            known = self._lists[elements] = _plain_list(elements)
        return known


def _plain_policy(policy: AnswerPolicy) -> dict[str, object]:
    local = policy.local
    return {
        "views": [_plain_view(view) for view in policy.views],
        "max_udp_size": policy.max_udp_size,
        "edns_udp_size": policy.edns_udp_size,
        "version": policy.version,
        "hostname": policy.hostname,
        "server_id": policy.server_id,
        "blackhole": _plain_list(policy.blackhole),
        "local_hosts": list(local.localhost),
        "local_nets": [(net.network_address, net.prefixlen) for net in local.localnets],
    }


def _plain_view(view: ViewPolicy) -> dict[str, object]:
    return {
        "name": view.name,
        "match_clients": _plain_list(view.match_clients),
        "match_destinations": _plain_list(view.match_destinations),
        "match_recursive_only": view.match_recursive_only,
        "minimal_responses": view.minimal_responses,
        "minimal_any": view.minimal_any,
        "rrset_order": [(rule.order, rule.rtype, rule.name) for rule in view.rrset_order],
    }


def _plain_list(elements: AddressMatchList) -> list[Any]:
    return [_plain_element(element) for element in elements]


def _plain_element(element: MatchElement) -> tuple[str, object, bool]:
    match element:
        case MatchNetwork(network=network):
            return "network", (network.network_address, network.prefixlen), element.negated
        case MatchKey(name=name):
            return "key", name, element.negated
        case MatchNested(elements=nested):
            return "nested", _plain_list(nested), element.negated
        case MatchBuiltin(name=name):
            return name, None, element.negated
