"""The clauses of the file itself and of every block that is not ``options``, ``view`` or ``zone``."""

from __future__ import annotations

from bindpy.config.clauses import ANYTHING, Clause, Status
from bindpy.config.clauses_options import (
    ANCHORS,
    QUERY_SOURCE,
    QUERY_SOURCE_V6,
    SOURCE,
    SOURCE_V6,
    TRUSTED_KEYS,
)

YES, NO, LATER = Status.SUPPORTED, Status.NO_EFFECT, Status.NOT_YET


def _c(
    name: str,
    value: str,
    status: Status,
    *,
    body: str = "",
    multi: bool = False,
    security: bool = False,
    deprecated: bool = False,
    since: str = "",
) -> Clause:
    return Clause(
        name, "", value, status, body=body, multi=multi, security=security, deprecated=deprecated, since=since
    )


_INET = (
    "( <address> | * ) [ port ( <port> | * ) ] allow <acl> [ keys { <string>; ... } ] [ read-only <boolean> ]"
)
_UNIX = (
    "<quoted> perm <integer> owner <integer> group <integer>"
    " [ keys { <string>; ... } ] [ read-only <boolean> ]"
)
_PLUGIN = "( query ) <string> [ <anything> ]"
_LOG_FILE = (
    "<quoted> [* versions ( unlimited | <integer> ) | size ( unlimited | default | <size> )"
    " | suffix ( increment | timestamp ) *]"
)
_POLICY_KEYS = (
    "{ ( csk | ksk | zsk ) [ ( key-directory | key-store <string> ) ] lifetime ( unlimited | <duration> )"
    " algorithm <bare> [ tag-range <integer> <integer> ] [ <integer> ]; ... }"
)

BLOCKS: dict[str, tuple[Clause, ...]] = {
    "top": (
        _c("acl", "<string> <acl>", YES, multi=True),
        _c("controls", "", YES, body="controls", multi=True),
        _c("dlz", "<string>", LATER, body="dlz", multi=True),
        _c("dnssec-policy", "<string>", LATER, body="dnssec-policy", multi=True, security=True),
        _c("dyndb", "<string> <quoted> <anything>", LATER, multi=True),
        _c("http", "<string>", LATER, body="http", multi=True),
        _c("key", "<string>", YES, body="key", multi=True),
        _c("key-store", "<string>", LATER, body="key-store", multi=True, since="9.20"),
        _c("logging", "", YES, body="logging"),
        _c("managed-keys", ANCHORS, NO, multi=True, deprecated=True),
        _c("options", "", YES, body="options"),
        _c("parental-agents", "<string> <remotes>", LATER, multi=True),
        _c("plugin", _PLUGIN, LATER, multi=True),
        _c("primaries", "<string> <remotes>", YES, multi=True),
        _c("remote-servers", "<string> <remotes>", YES, multi=True, since="9.20"),
        _c("server", "<network>", YES, body="server", multi=True),
        _c("statistics-channels", "", LATER, body="statistics-channels", multi=True),
        _c("tls", "<string>", LATER, body="tls", multi=True, security=True),
        _c("trust-anchors", ANCHORS, NO, multi=True),
        _c("trusted-keys", TRUSTED_KEYS, NO, multi=True, deprecated=True),
        _c("view", "<string> [ <string> ]", YES, body="view", multi=True),
        _c("zone", "<string> [ <string> ]", YES, body="zone", multi=True),
    ),
    "controls": (
        _c("inet", _INET, YES, multi=True),
        _c("unix", _UNIX, YES, multi=True),
    ),
    "statistics-channels": (
        _c("inet", "( <address> | * ) [ port ( <port> | * ) ] [ allow <acl> ]", LATER, multi=True),
    ),
    "key": (
        _c("algorithm", "<string>", YES),
        _c("secret", "<string>", YES),
    ),
    "key-store": (
        _c("directory", "<string>", LATER),
        _c("pkcs11-uri", "<quoted>", LATER),
    ),
    "logging": (
        _c("category", "<string> { <string>; ... }", YES, multi=True),
        _c("channel", "<string>", YES, body="channel", multi=True),
    ),
    "channel": (
        _c("buffered", "<boolean>", YES),
        _c("file", _LOG_FILE, YES),
        _c("null", "", YES),
        _c("print-category", "<boolean>", YES),
        _c("print-severity", "<boolean>", YES),
        _c("print-time", "( iso8601 | iso8601-utc | iso8601-tzinfo | local | <boolean> )", YES),
        _c("severity", "<severity>", YES),
        _c("stderr", "", YES),
        _c("syslog", "[ <string> ]", YES),
    ),
    "server": (
        _c("bogus", "<boolean>", YES),
        _c("edns", "<boolean>", YES),
        _c("edns-udp-size", "<integer>", NO),
        _c("edns-version", "<integer>", NO),
        _c("keys", "<server_key>", YES),
        _c("max-udp-size", "<integer>", LATER),
        _c("notify-source", SOURCE, YES),
        _c("notify-source-v6", SOURCE_V6, YES),
        _c("padding", "<integer>", LATER),
        _c("provide-ixfr", "<boolean>", YES),
        _c("query-source", QUERY_SOURCE, NO),
        _c("query-source-v6", QUERY_SOURCE_V6, NO),
        _c("request-expire", "<boolean>", YES),
        _c("request-ixfr", "<boolean>", YES),
        _c("request-nsid", "<boolean>", NO),
        _c("require-cookie", "<boolean>", LATER, security=True, since="9.20"),
        _c("send-cookie", "<boolean>", NO),
        _c("tcp-keepalive", "<boolean>", LATER),
        _c("tcp-only", "<boolean>", YES),
        _c("transfer-format", "( many-answers | one-answer )", YES),
        _c("transfer-source", SOURCE, YES),
        _c("transfer-source-v6", SOURCE_V6, YES),
        _c("transfers", "<integer>", YES),
    ),
    "tls": (
        _c("ca-file", "<quoted>", LATER),
        _c("cert-file", "<quoted>", LATER),
        _c("cipher-suites", "<string>", LATER, since="9.20"),
        _c("ciphers", "<string>", LATER),
        _c("dhparam-file", "<quoted>", LATER),
        _c("key-file", "<quoted>", LATER),
        _c("prefer-server-ciphers", "<boolean>", LATER),
        _c("protocols", "{ <string>; ... }", LATER),
        _c("remote-hostname", "<quoted>", LATER),
        _c("session-tickets", "<boolean>", LATER),
    ),
    "http": (
        _c("endpoints", "{ <quoted>; ... }", LATER),
        _c("listener-clients", "<integer>", LATER),
        _c("streams-per-connection", "<integer>", LATER),
    ),
    "dlz": (
        _c("database", "<string>", LATER),
        _c("search", "<boolean>", LATER),
    ),
    "dns64": (
        _c("break-dnssec", "<boolean>", NO),
        _c("clients", "<acl>", NO),
        _c("exclude", "<acl>", NO),
        _c("mapped", "<acl>", NO),
        _c("recursive-only", "<boolean>", NO),
        _c("suffix", "<ipv6>", NO),
    ),
    "rate-limit": (
        _c("all-per-second", "<integer>", LATER),
        _c("errors-per-second", "<integer>", LATER),
        _c("exempt-clients", "<acl>", LATER),
        _c("ipv4-prefix-length", "<integer>", LATER),
        _c("ipv6-prefix-length", "<integer>", LATER),
        _c("log-only", "<boolean>", LATER),
        _c("max-table-size", "<integer>", LATER),
        _c("min-table-size", "<integer>", LATER),
        _c("nodata-per-second", "<integer>", LATER),
        _c("nxdomains-per-second", "<integer>", LATER),
        _c("qps-scale", "<integer>", LATER),
        _c("referrals-per-second", "<integer>", LATER),
        _c("responses-per-second", "<integer>", LATER),
        _c("slip", "<integer>", LATER),
        _c("window", "<integer>", LATER),
    ),
    "dnssec-policy": (
        _c("cdnskey", "<boolean>", LATER, since="9.20"),
        _c("cds-digest-types", "{ <string>; ... }", LATER, since="9.20"),
        _c("dnskey-ttl", "<duration>", LATER),
        _c("inline-signing", "<boolean>", LATER, since="9.20"),
        _c("keys", _POLICY_KEYS, LATER),
        _c("manual-mode", "<boolean>", LATER, since="9.20"),
        _c("max-zone-ttl", "<duration>", LATER),
        _c("nsec3param", "[ iterations <integer> ] [ optout <boolean> ] [ salt-length <integer> ]", LATER),
        _c("offline-ksk", "<boolean>", LATER, since="9.20"),
        _c("parent-ds-ttl", "<duration>", LATER),
        _c("parent-propagation-delay", "<duration>", LATER),
        _c("parent-registration-delay", "<duration>", LATER, deprecated=True),
        _c("publish-safety", "<duration>", LATER),
        _c("purge-keys", "<duration>", LATER),
        _c("retire-safety", "<duration>", LATER),
        _c("signatures-jitter", "<duration>", LATER),
        _c("signatures-refresh", "<duration>", LATER),
        _c("signatures-validity", "<duration>", LATER),
        _c("signatures-validity-dnskey", "<duration>", LATER),
        _c("zone-propagation-delay", "<duration>", LATER),
    ),
}


def _removed(names: str, where: str) -> tuple[Clause, ...]:
    return tuple([Clause(name, where, ANYTHING, Status.REMOVED, multi=True) for name in names.split()])


REMOVED_ROWS: tuple[Clause, ...] = (
    *_removed("lwres", "f"),
    *_removed(
        """
        acache-cleaning-interval acache-enable additional-from-auth additional-from-cache allow-v6-synthesis
        cleaning-interval deallocate-on-exit dnssec-enable dnssec-lookaside fake-iquery fetch-glue filter-aaaa
        filter-aaaa-on-v4 filter-aaaa-on-v6 geoip-use-ecs has-old-clients host-statistics host-statistics-max
        max-acache-size min-roots multiple-cnames named-xfer nosit-udp-size queryport-pool-ports
        queryport-pool-updateinterval request-sit rfc2308-type1 serial-queries sit-secret statistics-interval
        topology treat-cr-as-space use-id-pool use-ixfr use-queryport-pool
        """,
        "ov",
    ),
    *_removed("maintain-ixfr-base max-ixfr-log-size", "ovz"),
    *_removed("ixfr-base ixfr-tmp-file pubkey", "z"),
)
"""What BIND had once. ``f`` in ``where`` is the file itself."""
