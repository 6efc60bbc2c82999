"""What verbs need of the running server; `bindpy.running.Running` has it all."""

from __future__ import annotations

from typing import Protocol

from bindpy.config.model import Config
from bindpy.control.jobs import Job, Jobs
from bindpy.engine import Engine
from bindpy.newzones.service import NewZones
from bindpy.reload.keeper import ZoneKeeper
from bindpy.server.listeners import Listeners
from bindpy.xfr.service import Replication


class ControlledServer(Protocol):
    """The running server, for verbs. Everything belongs to the event loop's thread. Times are `time.time`'s.

    ``reloading`` is "in progress" while named.conf is reread, "failed" when it could not be used, else "".
    """

    querylog: bool

    @property
    def config(self) -> Config: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def keeper(self) -> ZoneKeeper: ...
    @property
    def replication(self) -> Replication: ...
    @property
    def listeners(self) -> Listeners: ...
    @property
    def new_zones(self) -> NewZones: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def started_at(self) -> float: ...
    @property
    def configured_at(self) -> float: ...
    @property
    def reloading(self) -> str: ...

    async def reload(self) -> Job:
        """Reread named.conf and look at all zone files; return the loading of what differs.

        Raises `bindpy.host.UnusableError`: named.conf cannot be used, and everything stays as it was.
        """

    async def reconfig(self) -> Job:
        """As `reload`, but look only at files of zones whose statements are new or changed."""

    async def scan(self) -> None:
        """Look for other addresses of this host. Raises `bindpy.host.UnusableError`."""

    def stop(self, why: str, *, at_once: bool = False) -> None:
        """Stop; *why* is for the log. *at_once*: finish nothing that can be lost."""
