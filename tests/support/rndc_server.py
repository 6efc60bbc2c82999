"""Control channels on an event loop in a thread, with commands that a test can look into and hold up."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self, TypeVar

from bindpy.config.acl import LocalAddresses
from bindpy.config.load import load_config
from bindpy.config.model import Config, TsigKey
from bindpy.control.channels import Channels
from bindpy.control.errors import VerbError
from bindpy.control.registry import Result
from bindpy.control.rndc_channel import ChannelLimits
from bindpy.control.verb import Caller
from tests.support.rndc import rndc_key

T = TypeVar("T")
DEADLINE_S = 30.0


def key_statement(key: TsigKey) -> str:
    """Return the ``key`` statement that makes *key*."""
    secret = base64.b64encode(key.secret).decode()
    return f'key "{key.name.removesuffix(".")}" {{ algorithm {key.algorithm}; secret "{secret}"; }};\n'


def conf(controls: str | None, *keys: TsigKey) -> Config:
    """Return a configuration: what is between the braces of ``controls``, None for no such statement."""
    text = "".join(key_statement(key) for key in keys or (rndc_key(),))
    if controls is not None:
        text += f"controls {{ {controls} }};\n"
    result = load_config("named.conf", text=text)
    assert result.config is not None, result.diagnostics
    return result.config


class ControlServer:
    """Executes ``echo WORDS``, ``fail``, ``long N``, ``wait`` (until `release`), and ``stop``."""

    def __init__(self, *, key_files: Sequence[str | Path] = (), limits: ChannelLimits | None = None) -> None:
        self.calls: list[tuple[str, Caller, bool]] = []
        self.waiting = threading.Semaphore(0)
        self.stopped = threading.Event()
        self._released = asyncio.Event()
        self._ready = threading.Event()
        self._end = asyncio.Event()
        self._key_files = [str(path) for path in key_files]
        self._limits = limits
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="control server")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(DEADLINE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.channels = Channels(self._execute, key_files=self._key_files, limits=self._limits)
        self._ready.set()
        await self._end.wait()
        self._released.set()
        await self.channels.close()

    def _do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result(DEADLINE_S)

    def apply(self, config: Config) -> None:
        """Have the channels that *config* asks for."""
        self._do(self.channels.apply(config, LocalAddresses()))

    def close(self) -> None:
        """Close the channels."""
        self._do(self.channels.close())

    def release(self) -> None:
        """Let the commands go on that wait."""
        self._loop.call_soon_threadsafe(self._released.set)

    async def _execute(self, line: str, who: Caller, read_only: bool) -> Result:
        self.calls.append((line, who, read_only))
        verb, _, rest = line.partition(" ")
        match verb:
            case "echo":
                return Result(rest)
            case "long":
                return Result("\n".join(f"line {number}" for number in range(int(rest))))
            case "wait":
                self.waiting.release()
                await self._released.wait()
                return Result("waited")
            case "stop":
                return Result(then=self.stopped.set)
            case _:
                raise VerbError("not found", f"no matching zone '{rest}' in any view")
