"""What an autoprimary's NOTIFY leads to: a request that a new zone be added, kept and served.

Replication decides *that* a zone comes to be; whoever composes the server says how (it passes a `Provision`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from bindpy.deferred import dataclass
from bindpy.diagnostics import BindpyError
from bindpy.reload.table import ZoneId
from bindpy.zone.names import Name


@dataclass(frozen=True, slots=True)
class ProvisionRequest:
    """A zone that is to be added to *view* as *statement_text*, a whole ``zone`` statement, says.

    The statement is to be kept in *config_file* (absolute, what ``autoprimary-config`` says; other views than
    the default one have a file beside it), which is read at each start and reload.
    """

    origin: Name
    view: str
    statement_text: str
    config_file: str


class ProvisionError(BindpyError):
    """The zone could not be added; nothing was kept. The message is one line that says why."""


Provision: TypeAlias = Callable[[ProvisionRequest], Awaitable[ZoneId]]
"""Adds the zone lastingly and returns its id when it is in the table. Raises `ProvisionError`."""
