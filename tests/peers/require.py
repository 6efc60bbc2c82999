"""A peer that is not installed is a skip on a developer's machine and a failure in CI."""

from __future__ import annotations

import os

import pytest

from tests.peers.process import installed
from tests.peers.servers import PEERS

REQUIRE_VARIABLE = "BINDPY_REQUIRE_PEERS"


def require_tool(binary: str) -> str:
    """Return the path of *binary*; skip the test if it is missing, or fail it in CI."""
    path = installed(binary)
    if path is None:
        message = f"{binary} is not installed"
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            pytest.fail(f"{message}, and {REQUIRE_VARIABLE}=1 says that it must be")
        pytest.skip(message)
    return path


def require_peer(name: str) -> str:
    """Like `require_tool` for a server by its name in `tests.peers.servers.PEERS`."""

    return require_tool(PEERS[name].binary)
