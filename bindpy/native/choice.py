"""Which engine serves."""

from __future__ import annotations

import enum
import importlib
from functools import partial
from types import ModuleType

from bindpy import __version__
from bindpy.diagnostics import BindpyError
from bindpy.engine import Engine, python_engine
from bindpy.native.answers import OnError, RustAnswerer
from bindpy.native.service import RustService
from bindpy.native.zones import RustZones


class EngineChoice(enum.Enum):
    """What ``--engine`` may say."""

    AUTO = "auto"
    PYTHON = "python"
    RUST = "rust"


class NoEngineError(BindpyError):
    """The engine in machine code was asked for and cannot be used."""


def choose_engine(choice: EngineChoice, on_error: OnError) -> Engine:
    """Return the engine of *choice*; *on_error* is told of queries that hit a fault of ours.

    AUTO takes the one in machine code where it is installed and of the same version. Raises `NoEngineError`.
    """
    if choice is EngineChoice.PYTHON:
        return python_engine(on_error)
    try:
        return rust_engine(_engine_module(), on_error)
    except NoEngineError:
        if choice is EngineChoice.RUST:
            raise
        return python_engine(on_error)


def _engine_module() -> ModuleType:
    """Return the module `bindpy_engine`. Raises `NoEngineError`."""
    try:
        module = importlib.import_module("bindpy_engine")
    except ImportError as error:
        why = str(error)
    else:
        version: str = module.VERSION
        if version == __version__:
            return module
        why = f"it is of version {version}, this is bindpy {__version__}"
    raise NoEngineError(
        f"the Rust engine cannot be used ({why}); next: make engine, or serve with --engine python"
    )


def rust_engine(module: ModuleType, on_error: OnError) -> Engine:
    """Return the engine of the module `bindpy_engine`."""
    answerer = RustAnswerer(module, on_error)
    return Engine(
        f"Rust engine {module.VERSION}",
        answerer,
        RustZones(module).zones(),
        partial(RustService, module, answerer, on_error),
    )
