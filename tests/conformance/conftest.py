"""What the RFCs say holds for both engines."""

from __future__ import annotations

import pytest

from bindpy.native import EngineChoice


@pytest.fixture(scope="module", autouse=True)
def both_engines(engine: EngineChoice) -> EngineChoice:
    """Run every test of this folder with each engine."""
    return engine
