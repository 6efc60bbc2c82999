"""The control channels that ``controls`` asks for: opened, kept over a reload, closed.

How the server is put together with it::

    channels = Channels(lambda line, who, read_only: execute(server, line, who, read_only=read_only))
    await channels.apply(config, host.local())   # while still root, and again after each reload
    await channels.close()                       # commands that are being done have a moment to finish
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_network

from bindpy.config.acl import AddressMatcher, LocalAddresses
from bindpy.config.build_options import DEFAULT_CONTROL_PORT
from bindpy.config.model import AddressMatchList, Config, ControlChannel, MatchNetwork, TsigKey
from bindpy.control.rndc_channel import (
    ChannelContext,
    ChannelLimits,
    ChannelSettings,
    Execute,
    RndcListener,
)
from bindpy.control.rndc_keyfile import KEY_FILES, KeyFileError, find_key_file
from bindpy.control.rndc_sockets import ChannelError, Place, UnixPlace, in_the_way, open_place
from bindpy.deferred import dataclass
from bindpy.server.endpoint import IPV4_WILDCARD, Endpoint

log = logging.getLogger("bindpy.general")

DEFAULT_ADDRESSES = ("127.0.0.1", "::1")
"""Where the channel is when there is no ``controls`` statement; each takes commands from itself only."""
_NO_SUCH_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A channel that is to be. ``keys`` are None where the key file has the key."""

    place: Place
    allow: AddressMatchList
    keys: tuple[TsigKey, ...] | None
    read_only: bool
    where: str  # in the configuration, "" when it says nothing

    def __str__(self) -> str:
        return str(self.place)


class Channels:
    """Owns the control channels. Made and used on the event loop's thread.

    *execute* does the commands, several at once. Nothing here ends the server: a channel that cannot be
    opened is a line in the log, and the zones are served without it.
    """

    def __init__(
        self,
        execute: Execute,
        *,
        key_files: Sequence[str] = KEY_FILES,
        limits: ChannelLimits | None = None,
    ) -> None:
        self._key_files = key_files
        self._context = ChannelContext(execute, limits or ChannelLimits())
        self._listeners: dict[Place, RndcListener] = {}

    def bound(self) -> tuple[Place, ...]:
        """Return where the open channels are."""
        return tuple(self._listeners)

    async def apply(self, config: Config, local: LocalAddresses) -> None:
        """Open what *config* asks for, keep what stays, close the rest; *local* is for its access lists.

        Call it while the rights for ports below 1024 are there, and after each reload. What stays keeps its
        connections, to which new keys and access lists apply at once. Where something cannot be opened, or
        the key file cannot be read, nothing old is closed, so that a slip locks nobody out. Never raises.
        """
        wanted = list(_without_doubles(_wanted(config)))
        complete = True
        if any(one.keys is None for one in wanted):
            key = self._key_of_file(config)
            complete = key is not None
            wanted = list(_with_key(wanted, key))
        reasons: dict[str, list[_Wanted]] = {}
        for one in wanted:
            settings = ChannelSettings(AddressMatcher(one.allow, local), one.keys or (), one.read_only)
            listener = self._listeners.get(one.place)
            if listener is not None:
                listener.settings = settings
                continue
            try:
                await self._open(one, settings, {other.place for other in wanted})
            except ChannelError as error:
                if one.where or error.errno not in _NO_SUCH_FAMILY:
                    reasons.setdefault(str(error), []).append(one)
        for reason, those in reasons.items():
            where = f"{those[0].where}: " if those[0].where else ""
            log.error("%scouldn't add command channel %s: %s", where, _listed(those), reason)
        old = [place for place in self._listeners if place not in {one.place for one in wanted}]
        if old and (reasons or not complete):
            log.warning("not closing command channel %s as long as others cannot be opened", _listed(old))
            return
        for place in old:
            await self._close_one(place)

    def _key_of_file(self, config: Config) -> TsigKey | None:
        """Return the key of the key file; None, and a line in the log, when there is none."""
        try:
            found = find_key_file(self._key_files)
        except KeyFileError as error:
            log.error("no command channel with the key of the key file: %s", error)
            return None
        if found is None:
            log.log(
                logging.INFO if config.controls is None else logging.ERROR,
                "no command channel with the key of a key file: there is no %s ('bindpy rndc-confgen -a' "
                "makes one)",
                " or ".join(self._key_files),
            )
            return None
        log.info("configuring command channel from '%s'", found.path)
        if found.is_open_to_all:
            log.warning("key file '%s' can be read by everybody: 'chmod o= %s'", found.path, found.path)
        return found.key

    async def _open(self, one: _Wanted, settings: ChannelSettings, wanted: set[Place]) -> None:
        """Open a channel, closing one of ours that is in its way and not wanted. Raises `ChannelError`."""
        try:
            self._serve(one.place, settings)
        except ChannelError as error:
            blocking = [p for p in self._listeners if p not in wanted and in_the_way(p, one.place)]
            if error.errno != errno.EADDRINUSE or not blocking:
                raise
            await self._open_instead(one.place, settings, blocking)

    async def _open_instead(self, place: Place, settings: ChannelSettings, blocking: list[Place]) -> None:
        """Close what is *blocking* and open *place*, or nothing of that. Raises `ChannelError`."""
        before = {old: self._listeners[old].settings for old in blocking}
        for old in blocking:
            await self._close_one(old)
        try:
            self._serve(place, settings)
        except ChannelError:
            for old, old_settings in before.items():
                try:
                    self._serve(old, old_settings)
                except ChannelError as error:
                    log.error("couldn't add command channel %s again: %s", old, error)
            raise

    def _serve(self, place: Place, settings: ChannelSettings) -> None:
        self._listeners[place] = RndcListener(open_place(place), settings, self._context)
        log.info("command channel listening on %s", place)

    async def _close_one(self, place: Place) -> None:
        log.info("stopping command channel on %s", place)
        await self._listeners.pop(place).close()

    async def close(self) -> None:
        """Close all channels; commands that are being done have a moment to finish."""
        for place in self.bound():
            await self._close_one(place)
        await self._context.tasks.finish(self._context.limits.finish_s)


def _wanted(config: Config) -> Iterator[_Wanted]:
    """Yield what ``controls`` asks for, or what holds when there is no such statement."""
    if config.controls is None:
        for address in DEFAULT_ADDRESSES:
            itself = (MatchNetwork(ip_network(address)),)
            yield _Wanted(Endpoint(address, DEFAULT_CONTROL_PORT), itself, None, False, "")
        return
    for channel in config.controls:
        # As in BIND, naming no key between the braces is like having no braces.
        named = [config.keys[name] for name in channel.keys or () if name in config.keys]
        keys = tuple(named) if channel.keys else None
        yield _Wanted(_place(channel), channel.allow, keys, channel.read_only, str(channel.span))


def _place(channel: ControlChannel) -> Place:
    if channel.kind == "unix":
        mode = (channel.mode or 0) & 0o7777
        return UnixPlace(channel.address, mode, channel.owner or 0, channel.group or 0)
    return Endpoint(IPV4_WILDCARD if channel.address == "*" else channel.address, channel.port)


def _without_doubles(wanted: Iterable[_Wanted]) -> Iterator[_Wanted]:
    seen: set[Place] = set()
    for one in wanted:
        if one.place in seen:
            log.warning("%s: command channel %s is there twice: the first one holds", one.where, one)
        else:
            seen.add(one.place)
            yield one


def _with_key(wanted: Iterable[_Wanted], key: TsigKey | None) -> Iterator[_Wanted]:
    """Yield *wanted*, those that want the key of the key file with it, or not at all."""
    for one in wanted:
        if one.keys is not None:
            yield one
        elif key is not None:
            yield _Wanted(one.place, one.allow, (key,), one.read_only, one.where)


def _listed(places: Iterable[object]) -> str:
    return " and ".join(str(place) for place in places)
