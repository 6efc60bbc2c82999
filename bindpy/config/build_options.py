"""``options``, ``controls``, ``key`` and ``server`` statements → their typed values."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from bindpy import __version__
from bindpy.config.build_autoprimaries import build_autoprimaries
from bindpy.config.model import (
    MATCH_ANY,
    MATCH_NONE,
    AddressMatchList,
    ControlChannel,
    ControlSocket,
    ListenOn,
    Options,
    ServerStatement,
    SourceAddress,
    TsigKey,
)
from bindpy.config.resolve import Resolver, key_name
from bindpy.config.sections import Entry, Section
from bindpy.config.tree import Token
from bindpy.config.values import Value
from bindpy.zone import names

DEFAULT_PORT = 53
DEFAULT_CONTROL_PORT = 953
DEFAULT_VERSION = f"bindpy {__version__}"

_DIGEST_BITS = {
    "hmac-md5": 128,
    "hmac-sha1": 160,
    "hmac-sha224": 224,
    "hmac-sha256": 256,
    "hmac-sha384": 384,
    "hmac-sha512": 512,
}
_MIN_MESSAGE, _MAX_UDP_SIZE, _MAX_MESSAGE = 512, 4096, 65535


def scalar(section: Section, name: str, default: Any) -> Any:
    """Return the first argument of clause *name*, or *default* where it is not given."""
    entry = section.first(name)
    return default if entry is None else entry.value.args[0]


def match_list(
    section: Section, name: str, default: AddressMatchList, resolver: Resolver
) -> AddressMatchList:
    """Return the address match list of clause *name*, or *default* where it is not given."""
    entry = section.first(name)
    return default if entry is None else resolver.match_list(entry.value.args[0], entry.statement)


def source_address(value: Value) -> SourceAddress:
    """Return what ``( ADDRESS | * ) [ port ( PORT | * ) ]`` means."""
    address, port = value.args[0], value.named.get("port", "*")
    return SourceAddress("" if address == "*" else address, 0 if port == "*" else port)


def build_options(section: Section, resolver: Resolver, *, logs_queries: bool = False) -> Options:
    """Return what is set once for the server. *section* is empty without an ``options`` statement.

    *logs_queries*: whether queries are logged where ``querylog`` is not given.
    """
    hostname = os.uname().nodename
    autoprimaries, autoprimary_files = build_autoprimaries(section, resolver)
    return Options(
        directory=resolver.directory,
        listen_on=_listeners(section, resolver),
        port=resolver.port,
        pid_file=_path_or_none(section, "pid-file", resolver),
        control_socket=_control_socket(section, resolver),
        version=_text_or_none(section, "version", DEFAULT_VERSION),
        hostname=_text_or_none(section, "hostname", hostname),
        server_id=_server_id(section, hostname),
        max_udp_size=_message_size(section, "max-udp-size", 1232, _MAX_UDP_SIZE),
        edns_udp_size=_message_size(section, "edns-udp-size", 1232, _MAX_UDP_SIZE),
        tcp_clients=scalar(section, "tcp-clients", 150),
        tcp_listen_queue=scalar(section, "tcp-listen-queue", 10),
        tcp_initial_timeout=scalar(section, "tcp-initial-timeout", 300) / 10,
        tcp_idle_timeout=scalar(section, "tcp-idle-timeout", 300) / 10,
        querylog=scalar(section, "querylog", logs_queries),
        blackhole=match_list(section, "blackhole", MATCH_NONE, resolver),
        state_directory=_path_or_none(section, "state-directory", resolver),
        statistics_file=_path_or_none(section, "statistics-file", resolver),
        dump_file=_path_or_none(section, "dump-file", resolver),
        transfers_in=scalar(section, "transfers-in", 10),
        transfers_out=scalar(section, "transfers-out", 10),
        transfers_per_ns=scalar(section, "transfers-per-ns", 2),
        transfer_message_size=_message_size(section, "transfer-message-size", 20480, _MAX_MESSAGE),
        serial_query_rate=scalar(section, "serial-query-rate", 20),
        notify_rate=scalar(section, "notify-rate", 20),
        startup_notify_rate=scalar(section, "startup-notify-rate", 20),
        autoprimaries=autoprimaries,
        autoprimary_files=autoprimary_files,
        autoprimary_directory=_path_or_none(section, "autoprimary-directory", resolver),
        autoprimary_config=_path_or_none(section, "autoprimary-config", resolver),
    )


def _is_word(section: Section, name: str, word: str) -> bool:
    """Return whether clause *name* is given as the bare *word* (a quoted one is just text)."""
    entry = section.first(name)
    if entry is None:
        return False
    token = entry.statement.items[1]
    return isinstance(token, Token) and not token.quoted and entry.value.args[0] == word


def _server_id(section: Section, hostname: str) -> str | None:
    entry = section.first("server-id")
    if entry is None or _is_word(section, "server-id", "none"):
        return None
    return hostname if _is_word(section, "server-id", "hostname") else str(entry.value.args[0])


def _text_or_none(section: Section, name: str, default: str) -> str | None:
    entry = section.first(name)
    if entry is None:
        return default
    return None if _is_word(section, name, "none") else str(entry.value.args[0])


def _path_or_none(section: Section, name: str, resolver: Resolver) -> str | None:
    entry = section.first(name)
    if entry is None or _is_word(section, name, "none"):
        return None
    return resolver.path(entry.value.args[0])


def _control_socket(section: Section, resolver: Resolver) -> ControlSocket | None:
    entry = section.first("control-socket")
    if entry is None:
        return None
    path = _path_or_none(section, "control-socket", resolver)
    return ControlSocket(path, entry.value.named.get("group"), entry.span)


def _message_size(section: Section, name: str, default: int, most: int) -> int:
    """Return a message size as BIND takes it: values out of bounds count as the nearest bound."""
    size: int = scalar(section, name, default)
    return min(max(size, _MIN_MESSAGE), most)


def _listeners(section: Section, resolver: Resolver) -> tuple[ListenOn, ...]:
    listeners = []
    for name, ipv6 in (("listen-on", False), ("listen-on-v6", True)):
        entries = section.all(name)
        if not entries:
            listeners.append(ListenOn(resolver.port, MATCH_ANY, ipv6))
        for entry in entries:
            named = entry.value.named
            secured = [word for word in ("tls", "http", "proxy") if named.get(word, "none") != "none"]
            if secured:
                # Serving plain DNS on a port that is meant for something else would be worse than not
                # listening.
                resolver.warning(
                    entry.statement,
                    f"'{name}' with '{secured[0]}' is not supported yet: nothing listens for this statement",
                )
                continue
            addresses = resolver.match_list(entry.value.args[0], entry.statement)
            listeners.append(ListenOn(named.get("port", resolver.port), addresses, ipv6, entry.span))
    return tuple(listeners)


# --- keys ----------------------------------------------------------------------------------------


def build_keys(section: Section, resolver: Resolver) -> dict[str, TsigKey]:
    """Return the ``key`` statements of *section* (a view's, or the file itself) by name."""
    keys: dict[str, TsigKey] = {}
    for entry, inner in section.sections("key"):
        key = _key(entry, inner, resolver)
        if key is not None:
            keys.setdefault(key.name, key)
    return keys


def _key(entry: Entry, inner: Section, resolver: Resolver) -> TsigKey | None:
    written = entry.value.args[0]
    algorithm_entry, secret_entry = inner.first("algorithm"), inner.first("secret")
    try:
        name = key_name(written)
    except names.BadNameError as exc:
        resolver.error(entry.statement, f"'{written}' is not a key name: {exc}", written)
        return None
    if algorithm_entry is None or secret_entry is None:
        missing = " and ".join(
            w for w, e in (("algorithm", algorithm_entry), ("secret", secret_entry)) if e is None
        )
        resolver.error(entry.statement, f"key '{written}' has no {missing}: it needs both", written)
        return None
    algorithm = _algorithm(algorithm_entry.value.args[0].lower())
    if algorithm is None:
        shown = algorithm_entry.value.args[0]
        resolver.error(
            algorithm_entry.statement,
            f"unknown algorithm '{shown}'",
            shown,
            hint=f"one of {', '.join(_DIGEST_BITS)}, or one of these with a number of bits",
        )
    try:
        # BIND takes white space within a secret. The secret itself never gets into a message.
        secret = base64.b64decode("".join(secret_entry.value.args[0].split()), validate=True)
    except (binascii.Error, ValueError):
        resolver.error(
            secret_entry.statement,
            f"the secret of key '{written}' is not base64",
            hint="'bindpy rndc-confgen' or 'tsig-keygen' makes one",
        )
        return None
    return None if algorithm is None else TsigKey(name, algorithm, secret, entry.span)


def _algorithm(word: str) -> str | None:
    """Return the algorithm's name as the model has it, or None.

    A number of bits that is too small means the least that there may be (`check_keys` warns of it), which is
    what BIND comes to: no server takes a shorter MAC. None at all means the whole one.
    """
    word = word.removesuffix(".").removesuffix(".sig-alg.reg.int")
    if word in _DIGEST_BITS:
        return word
    base, _, bits = word.rpartition("-")
    full = _DIGEST_BITS.get(base)
    if full is None or not (bits.isascii() and bits.isdigit()):
        return None
    kept = int(bits.lstrip("0")[:6] or 0)
    if kept in (0, full):
        return base
    return f"{base}-{max(kept, 80, full // 2)}" if kept < full and kept % 8 == 0 else None


# --- servers and controls ------------------------------------------------------------------------


def build_servers(section: Section, resolver: Resolver) -> tuple[ServerStatement, ...]:
    """Return the ``server`` statements of *section*."""
    return tuple([_server(entry, inner, resolver) for entry, inner in section.sections("server")])


def _server(entry: Entry, inner: Section, resolver: Resolver) -> ServerStatement:
    network: IPv4Network | IPv6Network = entry.value.args[0].network
    keys: list[str] = []
    if (keys_entry := inner.first("keys")) is not None:
        keys = _key_names(keys_entry.value.args, keys_entry, resolver)
    return ServerStatement(
        prefix=network,
        keys=tuple(keys),
        bogus=scalar(inner, "bogus", None),
        edns=scalar(inner, "edns", None),
        provide_ixfr=scalar(inner, "provide-ixfr", None),
        request_ixfr=scalar(inner, "request-ixfr", None),
        request_expire=scalar(inner, "request-expire", None),
        tcp_only=scalar(inner, "tcp-only", None),
        transfer_format=scalar(inner, "transfer-format", None),
        transfers=scalar(inner, "transfers", None),
        notify_source=_source(inner, "notify-source"),
        notify_source_v6=_source(inner, "notify-source-v6"),
        transfer_source=_source(inner, "transfer-source"),
        transfer_source_v6=_source(inner, "transfer-source-v6"),
        span=entry.span,
    )


def _source(section: Section, name: str) -> SourceAddress | None:
    entry = section.first(name)
    return None if entry is None else source_address(entry.value)


def build_controls(top: Section, resolver: Resolver) -> tuple[ControlChannel, ...] | None:
    """Return the channels of all ``controls`` statements, None where there is no such statement."""
    statements = top.all("controls")
    if not statements:
        return None
    channels: list[ControlChannel] = []
    for _, section in top.sections("controls"):
        for entry in section.all("inet"):
            address, allow = entry.value.args[0], entry.value.named.get("allow", ())
            port = entry.value.named.get("port", "*")
            port = DEFAULT_CONTROL_PORT if port in ("*", 0) else port
            channels.append(
                ControlChannel(
                    "inet",
                    address,
                    port,
                    resolver.match_list(allow, entry.statement),
                    _control_keys(entry, resolver),
                    entry.value.named.get("read-only", False),
                    entry.span,
                )
            )
        for entry in section.all("unix"):
            named = entry.value.named
            channels.append(
                ControlChannel(
                    "unix",
                    resolver.path(entry.value.args[0]),
                    0,
                    MATCH_ANY,
                    _control_keys(entry, resolver),
                    named.get("read-only", False),
                    entry.span,
                    named.get("perm"),
                    named.get("owner"),
                    named.get("group"),
                )
            )
    return tuple(channels)


def _control_keys(entry: Entry, resolver: Resolver) -> tuple[str, ...] | None:
    if "keys" not in entry.value.named:
        return None
    return tuple(_key_names(entry.value.named["keys"], entry, resolver))


def _key_names(given: Iterable[str], entry: Entry, resolver: Resolver) -> list[str]:
    result = []
    for name in given:
        try:
            result.append(key_name(name))
        except names.BadNameError as exc:
            resolver.error(entry.statement, f"'{name}' is not a key name: {exc}", name)
    return result
