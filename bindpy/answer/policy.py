"""What shapes answers besides the zones' data, and the words that an Answerer and a socket share."""

from __future__ import annotations

import enum
from dataclasses import field
from typing import Any, NamedTuple

from bindpy.config.acl import LocalAddresses
from bindpy.config.model import MATCH_ANY, MATCH_NONE, AddressMatchList, OrderRule
from bindpy.deferred import dataclass
from bindpy.zone.names import Name


class Transport(enum.Enum):
    """How a query came. TCP answers are never truncated (RFC 7766)."""

    UDP = "udp"
    TCP = "tcp"


class Outcome(enum.Enum):
    """What an Answerer says besides an answer."""

    DROP = "drop"  # send nothing: not a query, or an answer would do harm
    NOT_MINE = "not-mine"  # NOTIFY, UPDATE, transfers, TSIG: the control plane's


@dataclass(frozen=True, slots=True)
class ZonePolicy:
    """Who may ask for a zone's data."""

    allow_query: AddressMatchList = MATCH_ANY
    allow_query_on: AddressMatchList = MATCH_ANY


class Publication(NamedTuple):
    """What is to be served at and below *origin* in *view*: *zone*, or SERVFAIL while that is None.

    *reason* says why there is none; `EXPIRED` is what clients are told.
    """

    view: str
    origin: Name
    zone: Any
    policy: ZonePolicy
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ViewPolicy:
    """Which clients a view serves, and how. Views are tried in order; the first match serves."""

    name: str
    match_clients: AddressMatchList = MATCH_ANY
    match_destinations: AddressMatchList = MATCH_ANY
    match_recursive_only: bool = False
    minimal_responses: str = "no-auth-recursive"
    minimal_any: bool = False
    rrset_order: tuple[OrderRule, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerPolicy:
    """All that shapes answers besides the zones' data."""

    views: tuple[ViewPolicy, ...] = (ViewPolicy("_default"),)
    max_udp_size: int = 1232
    edns_udp_size: int = 1232
    version: str | None = None
    hostname: str | None = None
    server_id: str | None = None
    blackhole: AddressMatchList = MATCH_NONE
    local: LocalAddresses = field(default_factory=LocalAddresses)
    cache_octets: int = 64 * 1024 * 1024


EXPIRED = "expired"
"""The reason, given to `Answerer.unavailable`, that clients are told apart from all others (RFC 8914)."""
