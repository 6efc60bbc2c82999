"""The engine in machine code (package ``bindpy-engine``) behind the seam, and the choice between the two.

`bindpy_engine` takes and gives plain values; here they become what the seam says. Where it cannot be
imported, the engine that is written in Python serves.
"""

from __future__ import annotations

from bindpy.native.choice import EngineChoice, NoEngineError, choose_engine, rust_engine

__all__ = ["EngineChoice", "NoEngineError", "choose_engine", "rust_engine"]
