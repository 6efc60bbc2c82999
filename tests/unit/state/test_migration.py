"""Databases of earlier versions are taken over with what they know."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from bindpy.state import schema
from bindpy.state.db import FILE_NAME, StateDb, ZoneTimes

KEY = b"\x07example\x00"


def test_times_of_the_first_version_are_about_zones_as_they_came(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as old:
        old.executescript(schema._MIGRATIONS[0] + "PRAGMA user_version = 1;")
        old.execute("INSERT INTO times VALUES ('_default', ?, 7, 1.5, 2.5, 3.5, '192.0.2.1#53')", (KEY,))
    old.close()

    async def steps() -> tuple[dict[tuple[str, bytes], ZoneTimes], dict[tuple[str, bytes], ZoneTimes]]:
        state = StateDb.open(str(tmp_path))
        before = await state.load_times()
        await state.save_times(
            ZoneTimes(
                "_default", KEY, 8, 1.5, 2.5, 3.5, "x#1", served_serial=2030010101, filtered_by=b"digest"
            )
        )
        after = await state.load_times()
        await state.close()
        return before, after

    before, after = asyncio.run(steps())
    times = before["_default", KEY]
    assert times == ZoneTimes("_default", KEY, 7, 1.5, 2.5, 3.5, "192.0.2.1#53")
    assert (times.is_about(7), times.is_about(8)) == (True, False)
    times = after["_default", KEY]
    assert (times.primary_serial, times.served_serial, times.filtered_by) == (8, 2030010101, b"digest")
    assert (times.is_about(8), times.is_about(2030010101)) == (False, True)
