"""Ports for servers that a test starts by number: nobody takes one between the choice and the start."""

from __future__ import annotations

import os
import socket
from itertools import cycle
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_FIRST: Final = 10_000
_BLOCK: Final = 500
_BLOCKS: Final = 44
"""All of them end below 32768, where the ports begin that the kernel gives to clients, whoever they are."""


def _claimed_block() -> range:
    """Return a block of ports for this process alone, until it ends.

    The claim is an abstract socket that is never closed; other processes that run tests find its name taken.
    """
    for turn in range(_BLOCKS):
        number = (os.getpid() + turn) % _BLOCKS
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0bindpy-tests-ports-{number}")
        except OSError:
            claim.close()
            continue
        claim.detach()
        return range(_FIRST + number * _BLOCK, _FIRST + (number + 1) * _BLOCK)
    raise RuntimeError("all blocks of ports are claimed by other test processes")


_ports = cycle(_claimed_block())


def free_port() -> int:
    """Return a port that is free for UDP and TCP, and that no other test process is given.

    This process gets it again only after some hundred others.
    """
    for port in _ports:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        ):
            try:
                udp.bind((LOOPBACK, port))
                tcp.bind((LOOPBACK, port))
            except OSError:
                continue
        return port
    raise AssertionError("a cycle has no end")
