"""The Lua runtime of one script, and the limits that it runs within; ``sandbox.lua`` keeps them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from lupa import lua54

from bindpy.deferred import dataclass

MAX_MEMORY_OCTETS = 64 << 20
"""What one runtime may allocate, that is one transfer."""
_LIMITS = {
    # Over one record: instructions, seconds, errors that the script catches.
    "call_instructions": 10_000_000,
    "call_s": 5,
    "caught": 1000,
    # Over one transfer: so many, and so many more for each record. The seconds are those of the process's CPU
    # in calls of more than a thousand instructions.
    "transfer_instructions": 1_000_000_000,
    "record_instructions": 50_000,
    "transfer_s": 60,
    "record_s": 0.001,
    # Seconds of that kind after which a call asks whether anybody still waits for it.
    "unasked_s": 0.2,
    # Steps of one match of a pattern, at worst: a few seconds.
    "steps": 1e9,
    "memory": MAX_MEMORY_OCTETS,
    # Records in place of one, and in the whole transfer so many and so many more for each record.
    "rows": 1000,
    "made": 100_000,
    "made_for_record": 10,
    # Lines for the log in the whole transfer, octets of each.
    "log_lines": 100,
    "log_octets": 400,
}

Answer: TypeAlias = Any
"""A code, or a tuple of a code and what belongs to it; ``False`` and a reason for a script that failed."""

SCRIPT_PLACE = "SCRIPT:"
"""What reasons begin with where they know the script's line: this, the line, and a colon."""

LuaError = lua54.LuaError
LuaMemoryError = lua54.LuaMemoryError
"""What the functions of a `Sandbox` raise where the memory did not last even for an answer: a `LuaError`."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Functions of Lua's in one runtime; not for two threads at once. Strings are octets as Latin-1.

    ``open(source)`` runs a script and returns how many parameters its ``axfrfilter`` has, -1 where there is
    no such function, -2 where their number is open.

    ``call`` takes what ``axfrfilter`` gets; ``call_with_record`` address, zone and the fields of the record:
    owner, type, TTL, content, class. Both return -1 (keep), -2 (drop), or 0 (replace by) or 1 (append) with
    qname, qtype, ttl, content and prio of each row, False where it does not say. Codes are 10 lower while
    ``logged()`` has lines to return, which it forgets.

    ``call_all`` takes address, zone, class and many records as octets (`bindpy.filter.script.Shown`). It and
    ``call_next()``, which goes on, return the number of a record and what ``call`` would; in between records
    may have been kept. None after the last. ``reached()`` is the number of the record that was judged last.
    """

    open: Callable[[str], Answer]
    call: Callable[..., Answer]
    call_with_record: Callable[..., Answer]
    call_all: Callable[[str, str, int, bytes], Answer]
    call_next: Callable[[], Answer]
    reached: Callable[[], int]
    logged: Callable[[], str]


def new_sandbox(types: dict[str, int], is_abandoned: Callable[[], bool]) -> Sandbox:
    """Return a fresh sandbox, in which ``pdns`` holds *types*, numbers by name.

    *is_abandoned*, which must not raise, is asked now and then in calls that take long; the script is halted
    once it says so.
    """
    lua = lua54.LuaRuntime(
        register_eval=False,
        register_builtins=False,
        encoding="latin-1",
        source_encoding="latin-1",
        max_memory=MAX_MEMORY_OCTETS,
    )
    cost_of = lua.execute(_source("patterns.lua"))
    limits, numbers = lua.table_from(_LIMITS), lua.table_from(types)
    return Sandbox(*lua.execute(_source("sandbox.lua"), limits, numbers, cost_of, is_abandoned))


@cache
def _source(name: str) -> str:
    return Path(__file__).with_name(name).read_text("ascii")
