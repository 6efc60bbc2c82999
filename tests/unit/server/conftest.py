"""Tests that are coroutines run on an event loop of their own, in debug mode."""

from __future__ import annotations

import inspect

import pytest

from tests.support.loops import run_debugged


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test; leave the others to pytest."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    run_debugged(pyfuncitem.obj(**arguments))
    return True
