"""Asking other servers: single queries by UDP and TCP, and transfers (RFC 1035, 5936, 1995, 8945).

Everything that goes wrong is an `XferFailure` that names the peer. Nothing of an answer counts before its
signature was checked, nothing of a transfer before its last signature.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from bindpy.config.model import ANY_SOURCE, RemoteServer, SourceAddress, TransferSettings, TsigKey
from bindpy.deferred import dataclass
from bindpy.engine import Zone
from bindpy.reload.collector import without_collector
from bindpy.tsig import Keyring, StreamVerifier, TsigError, sign, verify
from bindpy.xfr.connect import TcpStream, open_udp, peer_text
from bindpy.xfr.failure import Stage, XferFailure, rcode_text
from bindpy.xfr.incoming import Incoming
from bindpy.xfr.wire import MAX_MESSAGE_OCTETS, Message, WireError, read_message
from bindpy.zone.names import to_text

_T = TypeVar("_T")

AT_ONCE_S = 0.1
"""How long a worker thread takes what comes before it says how far it is."""
LARGE_OCTETS = 1 << 20
"""From so much of an answer on, its records are worth keeping Python's collector from."""


@dataclass(frozen=True, slots=True)
class QueryTiming:
    """How long an answer is waited for, in seconds: each UDP attempt, a TCP connection, the answer there."""

    udp_s: float = 3.0
    udp_attempts: int = 3
    connect_s: float = 10.0
    tcp_s: float = 10.0


DEFAULT_TIMING = QueryTiming()


async def query(
    remote: RemoteServer,
    message: bytes,
    *,
    key: TsigKey | None = None,
    source: SourceAddress = ANY_SOURCE,
    tcp: bool = False,
    udp_only: bool = False,
    timing: QueryTiming = DEFAULT_TIMING,
) -> Message:
    """Send *message*, a request of any kind, to *remote* and return the answer, whatever its rcode.

    Each attempt has an ID (those of *message* are replaced) and a source port of its own. By UDP unless
    *tcp*; a truncated answer is asked for again by TCP, unless *udp_only*. With *key* the request is signed,
    and only an answer that is well signed counts. Raises `XferFailure`.
    """
    try:
        if not tcp:
            answer = await _by_udp(remote, message, key, source, timing)
            if udp_only or not answer.is_truncated:
                return answer
        return await _by_tcp(remote, message, key, source, timing)
    except XferFailure as failure:
        raise failure.about(peer_text(remote)) from None


class _Exchange:
    """One request as it is sent, and the check whether something is its answer."""

    def __init__(self, message: bytes, key: TsigKey | None) -> None:
        request = secrets.token_bytes(2) + message[2:]
        self._asked = read_message(request)
        self._key = key
        self._mac = b""
        if key is not None:
            signed = sign(request, key, _now())
            request, self._mac = signed.wire, signed.mac
        self.request = request

    def is_for_us(self, octets: bytes) -> bool:
        """Return whether *octets* may be the answer, by its ID."""
        return octets[:2] == self.request[:2] and len(octets) > 2

    def answer(self, octets: bytes) -> Message:
        """Return the answer that *octets* hold. Raises `XferFailure`."""
        if self._key is not None:
            octets = self._verified(octets, self._key)
        try:
            answer = read_message(octets)
        except WireError as e:
            raise XferFailure(Stage.ANSWER, f"sent an answer that is malformed: {e}") from None
        asked = self._asked
        if not answer.is_response or answer.opcode != asked.opcode:
            raise XferFailure(Stage.ANSWER, "sent a message that is no answer to ours")
        if answer.question is None:
            if not answer.rcode:
                raise XferFailure(Stage.ANSWER, "answered without repeating the question")
        elif asked.question is not None and not answer.question.same_as(asked.question):
            raise XferFailure(Stage.ANSWER, "answered another question than ours")
        return answer

    def _verified(self, octets: bytes, key: TsigKey) -> bytes:
        try:
            verified = verify(octets, Keyring({key.name: key}), _now(), request_mac=self._mac)
        except TsigError as e:
            raise _tsig_failure(e, octets) from None
        if verified is None:
            rcode = _rcode(octets)
            what = f"{rcode_text(rcode)} " if rcode else ""
            raise XferFailure(Stage.TSIG, f"answered {what}without a signature", rcode=rcode)
        return verified.plain


def _tsig_failure(error: TsigError, octets: bytes) -> XferFailure:
    """Return what is told of a bad signature in the answer *octets*."""
    why, rcode = str(error), _rcode(octets)
    if error.from_peer:
        return XferFailure(Stage.TSIG, why.removeprefix("the peer "), rcode=rcode)
    says = f" (it says {rcode_text(rcode)})" if rcode else ""
    return XferFailure(Stage.TSIG, f"sent an answer that is not taken: {why}{says}", rcode=rcode)


def _rcode(octets: bytes) -> int:
    """Return the rcode in the header of *octets*, 0 where there is none."""
    return octets[3] & 0x0F if len(octets) > 3 else 0


def _now() -> int:
    return int(time.time())


async def _by_udp(
    remote: RemoteServer, message: bytes, key: TsigKey | None, source: SourceAddress, timing: QueryTiming
) -> Message:
    for _ in range(timing.udp_attempts):
        exchange = _Exchange(message, key)
        with open_udp(remote, source) as sock:
            wrong: XferFailure | None = None
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(timing.udp_s):
                    await loop.sock_sendall(sock, exchange.request)
                    while True:
                        octets = await loop.sock_recv(sock, MAX_MESSAGE_OCTETS)
                        if not exchange.is_for_us(octets):
                            continue
                        # A stranger may have guessed the ID: the true answer may still come.
                        try:
                            return exchange.answer(octets)
                        except XferFailure as failure:
                            wrong = failure
            except TimeoutError:
                if wrong is not None:
                    raise wrong from None
            except ConnectionRefusedError:
                raise XferFailure(Stage.CONNECT, "refused the UDP packet: no server there") from None
            except OSError as e:
                raise XferFailure(Stage.CONNECT, f"cannot be reached: {e.strerror or e}") from None
    attempts = f"{timing.udp_attempts} times, {timing.udp_s:g} s each"
    raise XferFailure(Stage.WAIT, f"did not answer by UDP (asked {attempts})")


async def _by_tcp(
    remote: RemoteServer, message: bytes, key: TsigKey | None, source: SourceAddress, timing: QueryTiming
) -> Message:
    exchange = _Exchange(message, key)
    with await TcpStream.open(remote, source, timing.connect_s) as stream:
        try:
            async with asyncio.timeout(timing.tcp_s):
                await stream.send(exchange.request)
                while not (messages := stream.messages()):
                    if not await stream.receive():
                        raise XferFailure(Stage.WAIT, "closed the TCP connection without an answer")
        except TimeoutError:
            raise XferFailure(Stage.WAIT, f"did not answer by TCP within {timing.tcp_s:g} s") from None
        except OSError as e:
            raise XferFailure(Stage.WAIT, f"broke the TCP connection: {e.strerror or e}") from None
    if not exchange.is_for_us(messages[0]):
        raise XferFailure(Stage.ANSWER, "sent a message with another ID than ours")
    return exchange.answer(messages[0])


async def transfer(
    remote: RemoteServer,
    incoming: Incoming,
    *,
    key: TsigKey | None = None,
    source: SourceAddress = ANY_SOURCE,
    settings: TransferSettings,
    executor: Executor | None = None,
    connect_s: float = DEFAULT_TIMING.connect_s,
    tsig_start: Callable[[bytes], int | None] | None = None,
    on_connected: Callable[[str], None] | None = None,
    on_progress: Callable[[Incoming], None] | None = None,
) -> Zone:
    """Ask *remote* by TCP for what *incoming* wants, and return the new version of the zone.

    Messages are checked and read in *executor* (None: the loop's own), as many at a time as come;
    *on_connected* is called on the loop with our end of the connection, *on_progress* after each such batch.
    *settings* bound the time in all, the time without a message and the rate. *tsig_start* is as in
    `bindpy.engine.Zones`. Raises `XferFailure`.
    """
    try:
        task = _Transfer(
            incoming,
            key,
            settings,
            executor,
            tsig_start=tsig_start,
            on_connected=on_connected,
            on_progress=on_progress,
        )
        return await task.run(remote, source, connect_s)
    except XferFailure as failure:
        if not failure.messages:
            progress = incoming.progress
            failure.after(progress.messages, progress.records, progress.octets)
        raise failure.about(peer_text(remote), to_text(incoming.origin)) from None


class _Pace:
    """How long a transfer may be silent, and how slow it may be. Times are the loop's, in seconds."""

    def __init__(self, settings: TransferSettings, now: float) -> None:
        self._settings = settings
        self._idle_at = now + settings.max_idle_in_s
        self._window_at = now + settings.min_rate_in_window_s
        self._window_octets = 0

    @property
    def next_check(self) -> float:
        """When to call `note` at the latest."""
        return min(self._idle_at, self._window_at)

    def note(self, now: float, octets: int, messages: int) -> None:
        """Take in what has come since the last call. Raises `XferFailure`."""
        settings = self._settings
        self._window_octets += octets
        if messages:
            self._idle_at = now + settings.max_idle_in_s
        elif now >= self._idle_at:
            detail = f"sent no message for {settings.max_idle_in_s} s (max-transfer-idle-in)"
            raise XferFailure(Stage.WAIT, detail)
        if now >= self._window_at:
            if self._window_octets < settings.min_rate_in_octets:
                limit = f"{settings.min_rate_in_octets} octets in {settings.min_rate_in_window_s} s"
                raise XferFailure(Stage.LIMIT, f"sent fewer than {limit} (min-transfer-rate-in)")
            self._window_at = now + settings.min_rate_in_window_s
            self._window_octets = 0


class _Transfer:
    def __init__(
        self,
        incoming: Incoming,
        key: TsigKey | None,
        settings: TransferSettings,
        executor: Executor | None,
        *,
        tsig_start: Callable[[bytes], int | None] | None,
        on_connected: Callable[[str], None] | None,
        on_progress: Callable[[Incoming], None] | None,
    ) -> None:
        self._incoming = incoming
        self._tsig_start = tsig_start
        self._key = key
        self._settings = settings
        self._executor = executor
        self._on_connected = on_connected
        self._on_progress = on_progress
        self._verifier: StreamVerifier | None = None

    async def run(self, remote: RemoteServer, source: SourceAddress, connect_s: float) -> Zone:
        request = self._incoming.request(secrets.randbits(16))
        if self._key is not None:
            signed = sign(request, self._key, _now())
            request = signed.wire
            self._verifier = StreamVerifier(self._key, signed.mac, self._tsig_start)
        limit_s = self._settings.max_time_in_s
        with await TcpStream.open(remote, source, connect_s) as stream:
            try:
                async with asyncio.timeout(limit_s):
                    if self._on_connected is not None:
                        self._on_connected(stream.local)
                    await stream.send(request)
                    await self._receive(stream)
            except TimeoutError:
                detail = f"did not finish within {limit_s} s (max-transfer-time-in)"
                raise XferFailure(Stage.LIMIT, detail) from None
            except OSError as e:
                raise XferFailure(Stage.WAIT, f"broke the connection: {e.strerror or e}") from None
        return await self._in_worker(self._result)

    async def _receive(self, stream: TcpStream) -> None:
        """Read until the last record has come."""
        clock = asyncio.get_running_loop().time
        pace = _Pace(self._settings, clock())
        is_complete = False
        while not is_complete:
            try:
                async with asyncio.timeout_at(pace.next_check):
                    octets = await stream.receive()
            except TimeoutError:
                octets = -1
            if not octets:
                where = "inside a message" if stream.is_inside_message else "before the end of the zone"
                raise XferFailure(Stage.WAIT, f"closed the connection {where}")
            messages = stream.messages() if octets > 0 else []
            pace.note(clock(), max(octets, 0), len(messages))
            if messages:
                is_complete, octets, count = await self._in_worker(self._feed, stream, messages)
                if count:
                    pace.note(clock(), octets, count)
                if self._on_progress is not None:
                    self._on_progress(self._incoming)

    async def _in_worker(self, function: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)

    def _result(self) -> Zone:
        with self._collector_off():
            return self._incoming.result()

    def _collector_off(self) -> AbstractContextManager[None]:
        """Keep Python's collector away while records of a large zone are made. Once for each batch: an answer
        may take hours, and what others leave behind while the collector is off stays.
        """
        large = self._incoming.progress.octets >= LARGE_OCTETS
        return without_collector() if large and self._incoming.makes_objects else nullcontext()

    def _feed(self, stream: TcpStream, messages: list[bytes]) -> tuple[bool, int, int]:
        """Take *messages*, and then what has come meanwhile: a large zone comes faster than it is taken.

        Return whether the transfer is complete, its last signature included, and how many octets and messages
        there were besides *messages*. Raises `XferFailure` and OSError.
        """
        until = time.monotonic() + AT_ONCE_S
        octets = count = 0
        with self._collector_off():
            while True:
                is_complete = self._take(messages)
                if is_complete or time.monotonic() > until:
                    return is_complete, octets, count
                received = stream.receive_now()
                if not received:
                    return False, octets, count
                messages = stream.messages()
                octets += received
                count += len(messages)

    def _take(self, messages: list[bytes]) -> bool:
        if self._verifier is None:
            return self._incoming.feed_all(messages)
        plain: list[bytes] = []
        message = b""
        try:
            for message in messages:
                plain.append(self._verifier.feed(message, _now()))
        except TsigError as e:
            self._incoming.feed_all(plain)
            self._incoming.discard()
            raise _tsig_failure(e, message) from None
        is_complete = self._incoming.feed_all(plain)
        if is_complete:
            try:
                self._verifier.finish()
            except TsigError as e:
                self._incoming.discard()
                raise _tsig_failure(e, message) from None
        return is_complete
