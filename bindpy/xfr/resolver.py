"""Addresses of other servers' names from the system resolver, which may be slow, wrong or dead.

Look-ups run in a few threads and never hold the event loop up, nor the end of the process: `getaddrinfo`
cannot be interrupted, so its threads are daemons.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import re
import socket
import threading
from collections.abc import Callable
from typing import TypeAlias

from bindpy.deferred import dataclass
from bindpy.zone.names import Name, to_text

log = logging.getLogger("bindpy.notify")

THREADS = 4
GOOD_FOR_S = 300.0
RETRY_S = (5.0, 15.0, 60.0, 300.0, 3600.0)
"""The pauses after a failure, before the next look-up; the last one repeats while the name is wanted."""
MAX_NAMES = 10_000
"""Above this, names whose addresses have become old are dropped."""

Lookup: TypeAlias = Callable[[str], tuple[str, ...]]
"""Returns a host's addresses; raises `OSError`. Blocks."""

_HOST_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def system_addresses(host: str) -> tuple[str, ...]:
    """Return the addresses of *host*, ``/etc/hosts`` included. Raises `OSError`. Blocks."""
    # ASCII octets, so that no IDNA encoding gets in between.
    found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_DGRAM)
    return tuple(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


@dataclass(slots=True)
class _Entry:
    addresses: tuple[str, ...] = ()
    running: bool = False
    failures: int = 0
    due_at: float = 0.0  # when to look again
    is_wanted: bool = True  # asked for since the last look-up


class Resolver:
    """A cache before the system resolver.

    *on_answer* is called with a name when it has other addresses than before, and after each look-up that
    failed: who still wants the name has to ask for it then. All methods belong to the event loop's thread.
    """

    def __init__(self, on_answer: Callable[[Name], None], lookup: Lookup = system_addresses) -> None:
        self._on_answer = on_answer
        self._lookup = lookup
        self._entries: dict[Name, _Entry] = {}
        self._timers: dict[Name, asyncio.TimerHandle] = {}
        self._jobs: queue.SimpleQueue[tuple[Name, str] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def addresses(self, name: Name) -> tuple[str, ...]:
        """Return the addresses of *name* that are known now, without waiting.

        What is unknown or old is looked up meanwhile; what is old is returned once more.
        """
        loop = self._loop = asyncio.get_running_loop()
        name = name.lower()
        entry = self._entries.get(name)
        if entry is None:
            self._make_room(loop.time())
            entry = self._entries[name] = _Entry()
        entry.is_wanted = True
        if loop.time() >= entry.due_at:
            self._start(name, entry)
        return entry.addresses

    def close(self) -> None:
        """End the threads as soon as they are free, without waiting for them."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._entries.clear()
        for _ in self._threads:
            self._jobs.put(None)
        self._threads.clear()

    def _start(self, name: Name, entry: _Entry) -> None:
        if entry.running:
            return
        entry.running = True
        # With a dot at its end a name would not be found in /etc/hosts.
        text = to_text(name).rstrip(".")
        self._jobs.put((name, text))
        if len(self._threads) < THREADS:
            thread = threading.Thread(target=self._work, name="resolver", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        """Look names up until told to end. Runs in a thread of its own."""
        while (job := self._jobs.get()) is not None:
            name, text = job
            found: tuple[str, ...] = ()
            reason = "it has no address"
            try:
                if _HOST_NAME.fullmatch(text):
                    found = self._lookup(text)
                else:
                    reason = "it is no host name"
            except OSError as error:
                reason = error.strerror or str(error)
            loop = self._loop
            assert loop is not None  # there is no job without it
            try:
                loop.call_soon_threadsafe(self._found, name, found, reason)
            except RuntimeError:  # the loop has ended
                return

    def _found(self, name: Name, found: tuple[str, ...], reason: str) -> None:
        entry = self._entries.get(name)
        if entry is None:
            return
        loop = asyncio.get_running_loop()
        entry.running = entry.is_wanted = False
        if found:
            changed = set(found) != set(entry.addresses)
            if entry.failures:
                log.info("name server %s: has addresses again: %s", to_text(name), ", ".join(found))
            entry.addresses, entry.failures = found, 0
            entry.due_at = loop.time() + GOOD_FOR_S
            if changed:
                self._on_answer(name)
        else:
            self._failed(name, entry, reason)
            self._on_answer(name)

    def _failed(self, name: Name, entry: _Entry, reason: str) -> None:
        if not entry.failures:
            keeping = ", ".join(entry.addresses)
            log.warning(
                "name server %s: cannot be resolved: %s; %s",
                to_text(name),
                reason,
                f"still notifying {keeping}" if keeping else "it gets no NOTIFY until it can",
            )
        pause_s = RETRY_S[min(entry.failures, len(RETRY_S) - 1)]
        entry.failures += 1
        loop = asyncio.get_running_loop()
        entry.due_at = loop.time() + pause_s
        if (timer := self._timers.get(name)) is not None:
            timer.cancel()
        self._timers[name] = loop.call_later(pause_s, self._retry, name)

    def _retry(self, name: Name) -> None:
        self._timers.pop(name, None)
        entry = self._entries.get(name)
        if entry is None:
            return
        if entry.is_wanted:
            self._start(name, entry)
        elif not entry.running:
            del self._entries[name]

    def _make_room(self, now: float) -> None:
        if len(self._entries) >= MAX_NAMES:
            old = [name for name, one in self._entries.items() if one.due_at < now and not one.running]
            for name in old:
                del self._entries[name]
