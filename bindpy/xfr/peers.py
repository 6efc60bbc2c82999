"""A zone's primaries with all that holds for asking them: key, source address, their server statements."""

from __future__ import annotations

from collections.abc import Mapping

from bindpy.config.model import (
    ANY_SOURCE,
    RemoteServer,
    ServerStatement,
    SourceAddress,
    TransferSettings,
    TsigKey,
    ViewConfig,
    ZoneConfig,
)
from bindpy.config.servers import server_for
from bindpy.deferred import dataclass
from bindpy.xfr.connect import peer_text
from bindpy.xfr.failure import Stage, XferFailure


@dataclass(frozen=True, slots=True)
class Primary:
    """One primary of one zone. ``missing_key`` names the key that is configured and does not exist."""

    remote: RemoteServer
    key: TsigKey | None
    missing_key: str
    source: SourceAddress
    edns: bool
    tcp_only: bool
    request_ixfr: bool
    request_expire: bool
    transfers: int

    @property
    def text(self) -> str:
        """The primary as logs name it."""
        return peer_text(self.remote)

    def check_key(self) -> None:
        """Raise `XferFailure` when nothing may be sent there, as it could not be signed."""
        if self.missing_key:
            detail = f"was not asked: there is no 'key' statement for \"{self.missing_key}\""
            raise XferFailure(Stage.TSIG, detail).about(self.text)


def primaries_of(zone: ZoneConfig, view: ViewConfig, transfers_per_ns: int) -> list[Primary]:
    """Return the primaries of *zone* in their order, those left out that a server statement calls bogus."""
    found = []
    for remote in zone.primaries:
        server = server_for(view.servers, remote.address)
        if server is None or not server.bogus:
            found.append(_primary(remote, server, view.keys, zone.settings.transfer, transfers_per_ns))
    return found


def _primary(
    remote: RemoteServer,
    server: ServerStatement | None,
    keys: Mapping[str, TsigKey],
    transfer: TransferSettings,
    transfers_per_ns: int,
) -> Primary:
    key_name = remote.key or (server.keys[0] if server is not None and server.keys else "")
    key = keys.get(key_name)
    return Primary(
        remote=remote,
        key=key,
        missing_key=key_name if key is None else "",
        source=_source(remote, server, transfer),
        edns=_said(server.edns if server is not None else None, True),
        tcp_only=_said(server.tcp_only if server is not None else None, False),
        request_ixfr=_said(server.request_ixfr if server is not None else None, transfer.request_ixfr),
        request_expire=_said(server.request_expire if server is not None else None, transfer.request_expire),
        transfers=(server.transfers if server is not None else None) or transfers_per_ns,
    )


def _said(by_server: bool | None, by_zone: bool) -> bool:
    return by_zone if by_server is None else by_server


def _source(remote: RemoteServer, server: ServerStatement | None, zone: TransferSettings) -> SourceAddress:
    """The primaries list has the first word, then the server statement, then the zone."""
    if remote.source:
        return SourceAddress(remote.source)
    is_v6 = ":" in remote.address
    by_server = None if server is None else server.transfer_source_v6 if is_v6 else server.transfer_source
    if by_server is not None and by_server != ANY_SOURCE:
        return by_server
    return zone.source_v6 if is_v6 else zone.source
