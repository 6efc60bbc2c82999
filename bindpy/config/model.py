"""What named.conf means, typed and frozen. Inheritance (options → view → zone) is already applied.

Times are seconds, sizes are octets, paths are absolute (joined to ``directory``), names are wire form.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, TypeAlias

from bindpy.deferred import dataclass
from bindpy.diagnostics import SourceSpan
from bindpy.files import FileStamp
from bindpy.zone.names import Key, Name, is_subdomain, is_wildcard, parent

# --- address match lists -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MatchNetwork:
    """An address or prefix. A host address is a /32 or /128."""

    network: IPv4Network | IPv6Network
    negated: bool = False


@dataclass(frozen=True, slots=True)
class MatchKey:
    """``key NAME``: a request signed with that TSIG key. ``name`` is the lower-cased absolute text."""

    name: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class MatchBuiltin:
    """``any``, ``localhost`` or ``localnets``; ``none`` is a negated ``any``, as in BIND."""

    name: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class MatchNested:
    """A list in braces or a named ``acl`` (then ``name`` is its name), already resolved."""

    elements: AddressMatchList
    negated: bool = False
    name: str = ""


MatchElement: TypeAlias = MatchNetwork | MatchKey | MatchBuiltin | MatchNested
AddressMatchList: TypeAlias = tuple[MatchElement, ...]

MATCH_ANY: AddressMatchList = (MatchBuiltin("any"),)
MATCH_NONE: AddressMatchList = (MatchBuiltin("any", negated=True),)

# --- keys, servers, remote lists -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class TsigKey:
    """A ``key`` statement. ``name`` is the lower-cased absolute text; the secret never gets into a repr."""

    name: str
    algorithm: str  # "hmac-sha256", …; a truncated form as "hmac-sha256-128"
    secret: bytes
    span: SourceSpan

    def __repr__(self) -> str:
        return f"TsigKey({self.name!r}, {self.algorithm!r})"


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """Where our messages come from: "" is any address, 0 any port."""

    address: str = ""
    port: int = 0


ANY_SOURCE = SourceAddress()


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """One address of a primaries or also-notify list, named lists resolved. ``port`` is the effective one.

    ``key`` is a key's lower-cased absolute name, which need not exist: then nothing may be sent there.
    ``source`` is the address that the list wants messages sent from, "" where it says nothing. Servers to
    be reached by TLS are left out of every list, with a warning.
    """

    address: str
    port: int
    key: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class ServerStatement:
    """A ``server ADDRESS { … }`` statement; None where the statement is silent.

    `servers.server_for` finds the one that holds for an address.
    """

    prefix: IPv4Network | IPv6Network
    keys: tuple[str, ...]
    bogus: bool | None
    edns: bool | None
    provide_ixfr: bool | None
    request_ixfr: bool | None
    request_expire: bool | None
    tcp_only: bool | None
    transfer_format: str | None  # many-answers, one-answer
    transfers: int | None  # instead of transfers-per-ns
    notify_source: SourceAddress | None
    notify_source_v6: SourceAddress | None
    transfer_source: SourceAddress | None
    transfer_source_v6: SourceAddress | None
    span: SourceSpan


# --- listeners, controls, logging ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListenOn:
    """One ``listen-on`` or ``listen-on-v6`` statement, port resolved."""

    port: int
    addresses: AddressMatchList
    ipv6: bool
    span: SourceSpan | None = None


@dataclass(frozen=True, slots=True)
class ControlChannel:
    """One ``inet`` or ``unix`` phrase of ``controls``; ``keys`` is None where none are named."""

    kind: str  # "inet" or "unix"
    address: str  # an address, "*" or a path
    port: int
    allow: AddressMatchList
    keys: tuple[str, ...] | None
    read_only: bool
    span: SourceSpan
    mode: int | None = None
    owner: int | None = None
    group: int | None = None


@dataclass(frozen=True, slots=True)
class ControlSocket:
    """The ``control-socket`` statement. ``group`` may use it besides the server's own user and root."""

    path: str | None  # None: `control-socket none`
    group: str | None
    span: SourceSpan


@dataclass(frozen=True, slots=True)
class LogChannel:
    """A ``logging`` channel, or one of BIND's built-in ones."""

    name: str
    destination: str  # "file", "syslog", "stderr" or "null"
    path: str = ""
    versions: int | None = None  # None: no roll-over; -1: unlimited
    size: int | None = None
    suffix: str = "increment"  # or "timestamp"
    facility: str = "daemon"
    severity: str = "info"  # critical, error, warning, notice, info, debug, dynamic
    debug_level: int = 0
    print_time: str = "no"  # no, local, iso8601, iso8601-utc
    print_category: bool = False
    print_severity: bool = False
    buffered: bool = False


@dataclass(frozen=True, slots=True)
class LoggingConfig:
    """All channels by name, and for each category (``default`` included) the names of its channels."""

    channels: dict[str, LogChannel]
    categories: dict[str, tuple[str, ...]]


# --- autoprimaries -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Autoprimary:
    """A server whose NOTIFYs may make new secondary zones, where ``nameserver`` is among a zone's NS names.

    ``port`` is where it is asked, ``key`` the lower-cased absolute name of the key that all of that must be
    signed with, "" for none. An address may have several entries.
    """

    address: str
    port: int
    key: str
    nameserver: Name
    account: str
    span: SourceSpan = field(compare=False)


@dataclass(frozen=True, slots=True)
class AutoprimaryFile:
    """A list of autoprimaries in PowerDNS' form as it was read; ``stamp`` says how the file was then."""

    path: str
    port: int
    entries: tuple[Autoprimary, ...]
    stamp: FileStamp


# --- zones, views, options -----------------------------------------------------------------------


class ZoneType(enum.Enum):
    """The zone types that are served."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    NATIVE = "native"


class CheckMode(enum.Enum):
    """BIND's ``fail | warn | ignore``."""

    FAIL = "fail"
    WARN = "warn"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class ZoneChecks:
    """How strictly a zone's content is judged; defaults are BIND 9.18's for a primary.

    Where ``primary`` is False, faults that only the primary's operator can mend do not refuse the zone.
    ``ns`` (NS holds an address) has no word in named.conf, only in the tools.
    """

    names: CheckMode = CheckMode.FAIL  # check-names
    mx: CheckMode = CheckMode.WARN
    mx_cname: CheckMode = CheckMode.WARN
    srv_cname: CheckMode = CheckMode.WARN
    dup_records: CheckMode = CheckMode.WARN
    spf: CheckMode = CheckMode.WARN
    integrity: bool = True
    sibling: bool = True
    wildcard: bool = True
    max_zone_ttl: int | None = None
    max_records: int = 0
    max_records_per_type: int = 100
    max_types_per_name: int = 100
    ns: CheckMode = CheckMode.WARN
    primary: bool = True


@dataclass(frozen=True, slots=True)
class NotifySettings:
    """How the servers of a zone are told of a change; whom is in `ZoneSettings`."""

    to_soa: bool = False  # notify-to-soa: the SOA MNAME too
    delay_s: int = 5  # the least time between two NOTIFYs of one zone to one target
    source: SourceAddress = ANY_SOURCE
    source_v6: SourceAddress = ANY_SOURCE


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """How a zone is transferred, in and out. A ``server`` statement may say otherwise for its addresses."""

    format: str = "many-answers"  # or one-answer
    provide_ixfr: bool = True
    request_ixfr: bool = True
    request_expire: bool = True  # EDNS EXPIRE, RFC 7314
    source: SourceAddress = ANY_SOURCE
    source_v6: SourceAddress = ANY_SOURCE
    max_time_in_s: int = 7200
    max_time_out_s: int = 7200
    max_idle_in_s: int = 3600
    max_idle_out_s: int = 3600
    min_rate_in_octets: int = 10240  # in each min_rate_in_window_s
    min_rate_in_window_s: int = 300


@dataclass(frozen=True, slots=True)
class RefreshSettings:
    """The bounds of a secondary's SOA timers, and how its primaries are asked."""

    min_refresh_s: int = 300
    max_refresh_s: int = 2419200
    min_retry_s: int = 500
    max_retry_s: int = 1209600
    try_tcp: bool = True  # try-tcp-refresh: ask for the SOA by TCP where UDP has no answer
    multi_primary: bool = False  # multi-master: primaries' serials need not agree


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """What is kept to answer IXFR from.

    ``from_differences`` is already the one of the zone's type. BIND's default is no, since a zone there
    changes by dynamic updates; here it changes by its file, so without it nobody could take IXFR from a
    primary.
    """

    from_differences: bool = True
    max_octets: int | None = None  # None: twice the size of the zone
    max_ratio_percent: int | None = 100  # of the AXFR's size, above which AXFR is sent; None: unlimited


@dataclass(frozen=True, slots=True)
class TransferWay:
    """How a request has to come for ``allow-transfer`` to look at it; 0 and False: it does not matter."""

    port: int = 0  # of ours
    tcp_only: bool = False


@dataclass(frozen=True, slots=True)
class ZoneSettings:
    """What a zone inherits from its view and the options. Zones that change nothing share one object."""

    allow_query: AddressMatchList = MATCH_ANY
    allow_query_on: AddressMatchList = MATCH_ANY
    allow_transfer: AddressMatchList = MATCH_NONE
    transfer_way: TransferWay = TransferWay()
    allow_notify: AddressMatchList = MATCH_NONE
    allow_update: AddressMatchList = MATCH_NONE
    also_notify: tuple[RemoteServer, ...] = ()
    notify: str = "yes"  # yes, no, explicit, primary-only
    notifying: NotifySettings = NotifySettings()
    transfer: TransferSettings = TransferSettings()
    refresh: RefreshSettings = RefreshSettings()
    journal: JournalSettings = JournalSettings()
    checks: ZoneChecks = ZoneChecks()
    serial_update_method: str = "increment"  # increment, unixtime, date
    masterfile_format: str = "text"
    watch: bool = True
    lua_axfr_script: str | None = None  # absolute path; None: transfers are not filtered


@dataclass(frozen=True, slots=True)
class ProvisionedBy:
    """The autoprimary whose NOTIFY made a zone, and the account that its list gave for it, "" for none."""

    address: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class ZoneConfig:
    """One ``zone`` statement that is served. ``file`` is None where a secondary keeps no file.

    ``kept_in`` is the file that the server itself keeps the statement in, because the zone was added while
    it ran; "" where people write it. A statement that has only moved is equal to what it was.
    """

    origin: Name
    rdclass: int
    view: str
    type: ZoneType
    file: str | None
    primaries: tuple[RemoteServer, ...]
    settings: ZoneSettings
    span: SourceSpan = field(compare=False)
    kept_in: str = ""
    provisioned_by: ProvisionedBy | None = None  # None: somebody configured it

    @property
    def id(self) -> tuple[str, Key]:
        """View name and the origin's key."""
        origin, key = self.origin, self.origin.lower()
        return self.view, origin if origin == key else key  # one object, mostly: there may be many


@dataclass(frozen=True, slots=True)
class OrderRule:
    """One rule of ``rrset-order``: RRsets of *rtype* (None: of all) with such an owner stand in *order*.

    The owner is *name*; where that is a wildcard, any name below the wildcard's parent; where it is None,
    any name at all.
    """

    order: Literal["none", "cyclic", "random"]
    rtype: int | None = None
    name: Key | None = None

    def matches(self, owner: Key, rtype: int) -> bool:
        """Return whether the rule is for RRsets of *owner* and *rtype*."""
        if self.rtype not in (None, rtype):
            return False
        if self.name is None or not is_wildcard(self.name):
            return self.name in (None, owner)
        above = parent(self.name)
        return len(owner) > len(above) and is_subdomain(owner, above)


@dataclass(frozen=True, slots=True)
class ViewConfig:
    """One view; a configuration without ``view`` statements has one, ``_default``, that matches everybody.

    ``keys`` are those that can be used in the view, its own before those outside of views. ``servers`` are
    its own ``server`` statements, or where it has none, those outside of views.
    """

    name: str
    rdclass: int
    match_clients: AddressMatchList
    match_destinations: AddressMatchList
    match_recursive_only: bool
    minimal_responses: str  # yes, no, no-auth, no-auth-recursive
    minimal_any: bool
    rrset_order: tuple[OrderRule, ...]
    settings: ZoneSettings
    zones: tuple[ZoneConfig, ...]
    keys: Mapping[str, TsigKey]
    servers: tuple[ServerStatement, ...]
    span: SourceSpan | None = None
    allow_new_zones: bool = False
    new_zones_path: str = ""  # where the statements of zones are kept that are added while the server runs


@dataclass(frozen=True, slots=True)
class Options:
    """What is set once for the whole server; defaults are BIND 9.18's unless the field says otherwise."""

    directory: str
    listen_on: tuple[ListenOn, ...]
    port: int = 53
    pid_file: str | None = None  # None: no pid file
    control_socket: ControlSocket | None = None  # None: not said
    version: str | None = None  # answer to version.bind; None: `version none`; see DEFAULT_VERSION
    hostname: str | None = None
    server_id: str | None = None
    max_udp_size: int = 1232
    edns_udp_size: int = 1232
    tcp_clients: int = 150
    tcp_listen_queue: int = 10
    tcp_initial_timeout: float = 30.0
    tcp_idle_timeout: float = 30.0
    querylog: bool = False
    blackhole: AddressMatchList = MATCH_NONE
    state_directory: str | None = None  # None: not said, as for the two below
    statistics_file: str | None = None
    dump_file: str | None = None
    transfers_in: int = 10
    transfers_out: int = 10
    transfers_per_ns: int = 2
    transfer_message_size: int = 20480  # uncompressed octets of one message of a transfer
    serial_query_rate: int = 20  # a second, as the rates below
    notify_rate: int = 20
    startup_notify_rate: int = 20
    autoprimaries: tuple[Autoprimary, ...] = ()  # those that named.conf holds itself
    autoprimary_files: tuple[AutoprimaryFile, ...] = ()
    autoprimary_directory: str | None = None  # for the files of new zones
    autoprimary_config: str | None = None  # for their statements


@dataclass(frozen=True, slots=True)
class Config:
    """A named.conf that was read whole and found good."""

    path: str
    files: tuple[str, ...]  # the file itself and all it includes, absolute
    options: Options
    views: tuple[ViewConfig, ...]
    keys: dict[str, TsigKey]  # outside of views
    acls: dict[str, AddressMatchList]
    servers: tuple[ServerStatement, ...]  # outside of views
    controls: tuple[ControlChannel, ...] | None  # None: no `controls` statement; empty: `controls { };`
    logging: LoggingConfig

    def zones(self) -> list[ZoneConfig]:
        """Return the zones of all views."""
        return [zone for view in self.views for zone in view.zones]
