"""One NOTIFY to one server, and its answer (RFC 1996)."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from ipaddress import ip_address

from bindpy.config.model import NotifySettings, RemoteServer, ViewConfig
from bindpy.diagnostics import BindpyError
from bindpy.engine import Zone
from bindpy.xfr.client import QueryTiming, query
from bindpy.xfr.connect import peer_text
from bindpy.xfr.failure import Stage, XferFailure, rcode_text
from bindpy.xfr.resolver import Lookup, system_addresses
from bindpy.xfr.targets import Target, apex_rrset, route_to
from bindpy.xfr.wire import AA, Question, build_query
from bindpy.zone.records import RRType

ONCE = QueryTiming(udp_s=3.0, udp_attempts=3, connect_s=5.0, tcp_s=5.0)
"""How long an operator's NOTIFY is tried."""

_OPCODE_NOTIFY = 4 << 11
_MAX_UDP_OCTETS = 512
_NOERROR = 0
_MEANINGS = {
    1: "it cannot read our NOTIFY",
    2: "it could not process our NOTIFY",
    4: "it does not know NOTIFY",
    5: "it takes no NOTIFY for this zone from us; see its allow-notify and its list of primaries",
    9: "it does not serve this zone, or does not take our key",
}


class GivenUpError(BindpyError):
    """No other try would help; the text says why."""


class RefusedError(BindpyError):
    """The target understood and said no; the text says what that means. It may be about to get the zone."""


class NotNotifiedError(BindpyError):
    """A server that an operator wanted to be told did not acknowledge; the text says why."""


async def exchange(
    target: Target, view: ViewConfig, settings: NotifySettings, zone: Zone, timing: QueryTiming
) -> None:
    """Return when *target* has acknowledged *zone*. Raises `XferFailure`, `RefusedError`, `GivenUpError`."""
    route = route_to(target, view, settings)
    if route is None:
        raise GivenUpError("a server statement says that it is bogus")
    if route.missing_key:
        raise GivenUpError(f"there is no 'key' statement for \"{route.missing_key}\"")
    message = notify_message(zone)
    answer = await query(
        target.remote, message, key=route.key, source=route.source, tcp=route.tcp_only, timing=timing
    )
    if answer.rcode != _NOERROR:
        meaning = _MEANINGS.get(answer.rcode, "it does not take our NOTIFY")
        raise RefusedError(f"{rcode_text(answer.rcode)}: {meaning}")


def reason(failure: XferFailure) -> str:
    """Return why there was no answer to a NOTIFY, for people who know to whom it was sent."""
    return "timed out" if failure.stage is Stage.WAIT else failure.detail


def notify_message(zone: Zone) -> bytes:
    """Return a NOTIFY with the zone's SOA (RFC 1996 section 3.7), without it if UDP could not carry it."""
    question = Question(zone.origin, RRType.SOA, zone.rdclass)
    flags = _OPCODE_NOTIFY | AA
    soa = apex_rrset(zone, RRType.SOA)
    if soa is not None:
        record = (zone.origin, RRType.SOA, zone.rdclass, soa.ttl, soa.rdatas[0])
        message = build_query(question, flags=flags, answer=(record,))
        if len(message) <= _MAX_UDP_OCTETS:
            return message
    return build_query(question, flags=flags)


async def notify_host(
    server: RemoteServer,
    zone: Zone,
    view: ViewConfig,
    settings: NotifySettings,
    *,
    lookup: Lookup = system_addresses,
    timing: QueryTiming = ONCE,
) -> list[str]:
    """Tell *server* of *zone*; return which of its addresses acknowledged. Raises `NotNotifiedError`.

    Its address may also be a name. A name may have many addresses, as a server has IPv4 and IPv6: it is
    enough that one acknowledges.
    """
    addresses = await _addresses(server.address, lookup)
    targets = [Target(replace(server, address=address)) for address in addresses]
    tries = [_tell(target, view, settings, zone, timing) for target in targets]
    failures = await asyncio.gather(*tries)
    reached = [one.text for one, failure in zip(targets, failures, strict=True) if not failure]
    if not reached:
        raise NotNotifiedError("; ".join(failures))
    return reached


async def _tell(
    target: Target, view: ViewConfig, settings: NotifySettings, zone: Zone, timing: QueryTiming
) -> str:
    """Return why *target* could not be told, "" when it has acknowledged."""
    try:
        await exchange(target, view, settings, zone, timing)
    except (GivenUpError, RefusedError) as error:
        return f"{peer_text(target.remote)}: {error}"
    except XferFailure as failure:
        return f"{peer_text(target.remote)}: {reason(failure)}"
    return ""


async def _addresses(host: str, lookup: Lookup) -> tuple[str, ...]:
    """Return the addresses of *host*, the system's for a name. Raises `NotNotifiedError`."""
    try:
        return (str(ip_address(host)),)
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    found: asyncio.Future[tuple[str, ...]] = loop.create_future()

    def tell(addresses: tuple[str, ...], why: str) -> None:
        if not found.done():
            if addresses:
                found.set_result(addresses)
            else:
                found.set_exception(NotNotifiedError(f"{host} cannot be resolved: {why}"))

    def look() -> None:
        addresses: tuple[str, ...] = ()
        why = "it has no address"
        try:
            addresses = lookup(host)
        except UnicodeError:
            why = "it is no host name"
        except OSError as error:
            why = error.strerror or str(error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, addresses, why)

    # A look-up cannot be interrupted: the end of the process must not wait for it.
    threading.Thread(target=look, name="resolver", daemon=True).start()
    return await found
