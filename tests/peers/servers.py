"""How each server is configured: zones from files, one loopback port, no control channel, no rate limit."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.peers.process import LOOPBACK, ServedZone, ServerProcess, installed

NAMED_CONF = """\
options {{
    directory "{directory}";
    listen-on port {port} {{ {address}; }};
    listen-on-v6 {{ none; }};
    pid-file "{directory}/named.pid";
    session-keyfile none;
    recursion no;
    notify no;
    dnssec-validation no;
    empty-zones-enable no;
    check-names primary ignore;
    check-integrity no;
    querylog no;
    {extra}
}};
controls {{ }};
logging {{
    category default {{ {log_channel}; }};
}};
"""


def named_conf(
    zones: Iterable[ServedZone],
    *,
    directory: Path,
    port: int,
    extra: str = "",
    log_channel: str = "default_stderr",
) -> str:
    """Return the text of a named.conf for `named` and `bindpy`; *extra* goes into ``options``."""
    head = NAMED_CONF.format(
        directory=directory, port=port, address=LOOPBACK, extra=extra, log_channel=log_channel
    )
    return head + "".join(f'zone "{z.origin}" {{ type primary; file "{z.path}"; }};\n' for z in zones)


class Named(ServerProcess):
    """ISC BIND. *extra* goes into ``options``."""

    name = "named"
    binary = "named"

    def configure(self, directory: Path) -> list[str]:
        conf = directory / "named.conf"
        conf.write_text(named_conf(self.zones, directory=directory, port=self.port, extra=self.extra))
        return [installed(self.binary) or self.binary, "-g", "-n", str(self.threads), "-c", str(conf)]


class Nsd(ServerProcess):
    """NLnet Labs NSD. *extra* goes into ``server:``."""

    name = "nsd"
    binary = "nsd"

    def configure(self, directory: Path) -> list[str]:
        conf = directory / "nsd.conf"
        zones = "".join(f'zone:\n  name: "{z.origin}"\n  zonefile: "{z.path}"\n' for z in self.zones)
        conf.write_text(f"""\
server:
  ip-address: {LOOPBACK}
  port: {self.port}
  server-count: {self.threads}
  username: ""
  chroot: ""
  database: ""
  pidfile: ""
  zonesdir: "{directory}"
  xfrdfile: "{directory}/xfrd.state"
  xfrdir: "{directory}"
  zonelistfile: "{directory}/zone.list"
  cookie-secret-file: "{directory}/cookies"
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  round-robin: no
  {self.extra}
remote-control:
  control-enable: no
{zones}""")
        return [installed(self.binary) or self.binary, "-d", "-c", str(conf)]


class Knot(ServerProcess):
    """CZ.NIC Knot DNS. *extra* goes into ``server:``."""

    name = "knot"
    binary = "knotd"

    def configure(self, directory: Path) -> list[str]:
        conf = directory / "knot.conf"
        user = pwd.getpwuid(os.geteuid()).pw_name
        zones = "".join(f'  - domain: "{z.origin}"\n    file: "{z.path}"\n' for z in self.zones)
        conf.write_text(f"""\
server:
    rundir: "{directory}"
    user: {user}
    listen: {LOOPBACK}@{self.port}
    udp-workers: {self.threads}
    tcp-workers: {self.threads}
    background-workers: 1
    {self.extra}
control:
    listen: "{directory}/control.sock"
database:
    storage: "{directory}"
log:
  - target: stderr
    any: notice
template:
  - id: default
    storage: "{directory}"
    journal-content: none
    zonefile-load: whole
    zonefile-sync: -1
    semantic-checks: off
zone:
{zones}""")
        return [installed(self.binary) or self.binary, "-c", str(conf)]


class Pdns(ServerProcess):
    """PowerDNS Authoritative Server with its bind backend. *extra* is lines of pdns.conf."""

    name = "pdns"
    binary = "pdns_server"

    def configure(self, directory: Path) -> list[str]:
        zones = directory / "zones.conf"
        zones.write_text(
            f'options {{ directory "{directory}"; }};\n'
            + "".join(
                f'zone "{z.origin[:-1] or "."}" {{ type master; file "{z.path}"; }};\n' for z in self.zones
            )
        )
        (directory / "pdns.conf").write_text(f"""\
launch=bind
bind-config={zones}
bind-check-interval=0
local-address={LOOPBACK}
local-port={self.port}
socket-dir={directory}
daemon=no
guardian=no
setuid=
setgid=
receiver-threads={self.threads}
distributor-threads=1
loglevel=3
log-dns-queries=no
security-poll-suffix=
{self.extra}
""")
        return [installed(self.binary) or self.binary, f"--config-dir={directory}"]


class Bindpy(ServerProcess):
    """``bindpy serve`` of this source tree. *extra* goes into ``options``."""

    name = "bindpy"
    binary = sys.executable

    def configure(self, directory: Path) -> list[str]:
        conf = directory / "named.conf"
        conf.write_text(named_conf(self.zones, directory=directory, port=self.port, extra=self.extra))
        return [sys.executable, "-m", "bindpy.cli.main", "serve", "-c", str(conf)]


PEERS: dict[str, type[ServerProcess]] = {cls.name: cls for cls in (Named, Nsd, Knot, Pdns)}
"""The servers of others, by name."""
