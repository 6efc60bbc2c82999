"""Imports point downwards only (ARCHITECTURE.md, "Rooms"); this test is what keeps it so."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import bindpy

PACKAGE = Path(bindpy.__file__).parent

# From the ground up: a room may import from its own and from those that stand before it.
FLOORS = [
    {"deferred", "without_ssl"},
    {"diagnostics", "files"},
    {"replacing", "zone.names", "zone.records"},
    {"config"},
    {"zone"},
    {"tsig", "filter"},
    {"answer", "edit"},
    {"serving"},
    {"engine"},
    {"logs", "watch", "server", "policy", "native"},
    {"reload", "state", "host"},
    {"newzones"},
    {"xfr"},
    {"control"},
    {"running"},
    {"app"},
    {"cli"},
]
# What must work without sockets, an event loop, threads or logging: plain functions of values.
PURE = ("config", "zone", "tsig", "filter", "answer")
# Conversions of addresses and a lock open no socket and start no thread.
HARMLESS = {
    "socket": {"AF_INET", "AF_INET6", "inet_aton", "inet_ntoa", "inet_ntop", "inet_pton"},
    "threading": {"Lock"},
}
IMPURE_MODULES = {"asyncio", "socket", "selectors", "threading", "logging", "signal", "watchdog", "psutil"}


def _floor(module: str) -> int:
    found = -1
    for number, rooms in enumerate(FLOORS):
        for room in rooms:
            exact = module == room or module.startswith(room + ".")
            if exact and (found < 0 or "." in room):
                found = number
                if "." in room:
                    return number
    assert found >= 0, f"{module} is in no room that this test knows; add it to FLOORS"
    return found


def _modules() -> list[tuple[str, Path]]:
    out = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        if name not in ("__init__", "__main__"):
            out.append((name, path))
    return out


KNOWN = {f"bindpy.{name}" for name, _ in _modules()}


def _imports(path: Path) -> set[str]:
    """Return the modules that *path* imports; ``from package import module`` is the module alone."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in KNOWN else node.module)
    return found


@pytest.mark.parametrize(("module", "path"), _modules(), ids=str)
def test_imports_point_downwards(module: str, path: Path) -> None:
    here = _floor(module)
    for imported in _imports(path):
        local = imported.removeprefix("bindpy.")
        if imported in KNOWN and local.split(".")[0] != module.split(".")[0]:
            assert _floor(local) < here, f"{module} imports {local}, which stands higher or on the same floor"


@pytest.mark.parametrize(("module", "path"), _modules(), ids=str)
def test_data_rooms_do_no_io_of_their_own(module: str, path: Path) -> None:
    if module.split(".")[0] in PURE:
        used = {use for use in _uses(path, IMPURE_MODULES) if use[1] not in HARMLESS.get(use[0], set())}
        assert not used, f"{module} uses {used}"


def _uses(path: Path, modules: set[str]) -> set[tuple[str, str]]:
    """Return (module, member) for all that *path* uses of *modules*; "" stands for the import itself."""
    used: set[tuple[str, str]] = set()
    aliases: dict[str, str] = {}
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                if top in modules:
                    aliases[alias.asname or top] = top
                    if top not in HARMLESS:
                        used.add((top, ""))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in modules:
            used |= {((node.module or "").split(".")[0], alias.name) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            used.add((aliases[node.value.id], node.attr))
    return used


def test_the_test_can_fail(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import socket\nfrom bindpy.app import Server\n")
    bad.write_text(bad.read_text() + "socket.socket()\nsocket.inet_aton('::')\n")
    assert "bindpy.app" in _imports(bad)
    assert _uses(bad, IMPURE_MODULES) == {("socket", "socket"), ("socket", "inet_aton")}
    assert _floor("app") > _floor("zone.snapshot") > _floor("zone.names")
