"""Event loops for tests that are coroutines."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from typing import Any


def run_debugged(test: Coroutine[Any, Any, None]) -> None:
    """Run *test* on an event loop of its own, in debug mode.

    Of what that finds, only slow callbacks go unsaid: how long one takes depends on what else the machine
    does, and tests look at what has been logged.
    """

    async def patiently() -> None:
        asyncio.get_running_loop().slow_callback_duration = math.inf
        await test

    asyncio.run(patiently(), debug=True)
