"""How each server is configured: zones from files, one loopback port, no rate limit.

A control channel is there only for zones with `Replication`.
"""

from __future__ import annotations

import os
import pwd
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from tests.peers.client import Address
from tests.peers.process import Key, PeerError, Replication, ServedZone, ServerProcess, installed, keys_of
from tests.support.ports import LOOPBACK, free_port

CONTROL_KEY = Key("rndc-key", "hmac-sha256", "cHJpdmF0ZSB0byBvbmUgdGVzdCBydW4=")

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
{keys}{controls}
logging {{
    category default {{ {log_channel}; }};
}};
"""


def named_conf(
    zones: Iterable[ServedZone],
    *,
    directory: Path,
    port: int,
    host: str = LOOPBACK,
    extra: str = "",
    log_channel: str = "default_stderr",
    controls: str = "controls { };",
) -> str:
    """Return the text of a named.conf for `named` and `bindpy`; *extra* goes into ``options``."""
    zones = list(zones)
    head = NAMED_CONF.format(
        directory=directory,
        port=port,
        address=host,
        extra=extra,
        keys="".join(named_key(key) for key in keys_of(zones)),
        controls=controls,
        log_channel=log_channel,
    )
    return head + "".join(_named_zone(zone) for zone in zones)


def named_key(key: Key) -> str:
    """Return a ``key`` statement."""
    return f'key "{key.name}" {{ algorithm {key.algorithm}; secret "{key.secret}"; }};\n'


def _named_zone(zone: ServedZone) -> str:
    how = zone.replication
    if how is None:
        return f'zone "{zone.origin}" {{ type primary; file "{zone.path}"; }};\n'
    outward = how.key_of_secondaries or how.key
    who = LOOPBACK if outward is None else f'key "{outward.name}"'
    body = f'file "{zone.path}"; allow-transfer {{ {who}; }}; ixfr-from-differences yes; '
    if how.primary is None:
        body = f"type primary; {body}"
    else:
        body = f"type secondary; masterfile-format text; {body}"
        body += f"primaries {{ {_remote(how.primary, how.key)} }}; "
    if how.notify:
        body += f"also-notify {{ {' '.join(_remote(target, outward) for target in how.notify)} }}; "
    if how.notify or how.notify_name_servers:
        body += f"notify {'yes' if how.notify_name_servers else 'explicit'}; "
    return f'zone "{zone.origin}" {{ {body}}};\n'


def _remote(address: Address, key: Key | None) -> str:
    signed = "" if key is None else f' key "{key.name}"'
    return f"{address[0]} port {address[1]}{signed};"


class Named(ServerProcess):
    """ISC BIND. *extra* goes into ``options``."""

    name = "named"
    binary = "named"

    def configure(self, directory: Path) -> list[str]:
        conf = directory / "named.conf"
        controls = "controls { };"
        if any(zone.replication is not None for zone in self.zones):
            self._control_port = free_port()
            (directory / "rndc.key").write_text(named_key(CONTROL_KEY))
            controls = named_key(CONTROL_KEY) + (
                f"controls {{ inet {LOOPBACK} port {self._control_port} "
                f'allow {{ {LOOPBACK}; }} keys {{ "{CONTROL_KEY.name}"; }}; }};'
            )
        text = named_conf(
            self.zones,
            directory=directory,
            port=self.port,
            host=self.host,
            extra=self.extra,
            controls=controls,
        )
        conf.write_text(text)
        return [installed(self.binary) or self.binary, "-g", "-n", str(self.threads), "-c", str(conf)]

    def edit_commands(self, origin: str) -> list[list[str]]:
        rndc = [installed("rndc") or "rndc", "-k", str(self.directory / "rndc.key")]
        return [[*rndc, "-s", LOOPBACK, "-p", str(self._control_port), "reload", origin]]


class Nsd(ServerProcess):
    """NLnet Labs NSD. *extra* goes into ``server:``."""

    name = "nsd"
    binary = "nsd"

    def configure(self, directory: Path) -> list[str]:
        conf = directory / "nsd.conf"
        zones = "".join(map(_nsd_zone, self.zones))
        keys = "".join(
            f'key:\n  name: "{key.name}"\n  algorithm: {key.algorithm}\n  secret: "{key.secret}"\n'
            for key in keys_of(self.zones)
        )
        control = "control-enable: no"
        if any(zone.replication is not None for zone in self.zones):
            control = f'control-enable: yes\n  control-interface: "{directory}/control.sock"'
        conf.write_text(f"""\
server:
  ip-address: {self.host}
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
  {control}
{keys}{zones}""")
        return [installed(self.binary) or self.binary, "-d", "-c", str(conf)]

    def edit_commands(self, origin: str) -> list[list[str]]:
        control = [installed("nsd-control") or "nsd-control", "-c", str(self.directory / "nsd.conf")]
        return [[*control, "reload", origin]]


def _nsd_zone(zone: ServedZone) -> str:
    lines = [f'name: "{zone.origin}"', f'zonefile: "{zone.path}"']
    how = zone.replication
    if how is not None:
        key = "NOKEY" if how.key is None else how.key.name
        lines.append(f"provide-xfr: {LOOPBACK} {key}")
        if how.primary is None:
            lines += ["store-ixfr: yes", "create-ixfr: yes"]
        else:
            host, port = how.primary
            lines += [f"request-xfr: {host}@{port} {key}", f"allow-notify: {host} {key}"]
        lines += [f"notify: {host}@{port} {key}" for host, port in how.notify]
    return "zone:\n" + "".join(f"  {line}\n" for line in lines)


class Knot(ServerProcess):
    """CZ.NIC Knot DNS. *extra* goes into ``server:``."""

    name = "knot"
    binary = "knotd"

    def configure(self, directory: Path) -> list[str]:
        conf = directory / "knot.conf"
        user = pwd.getpwuid(os.geteuid()).pw_name
        replication, zones = _knot_sections(self.zones)
        conf.write_text(f"""\
server:
    rundir: "{directory}"
    user: {user}
    listen: {self.host}@{self.port}
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
{replication}zone:
{zones}""")
        return [installed(self.binary) or self.binary, "-c", str(conf)]

    def edit_commands(self, origin: str) -> list[list[str]]:
        control = [installed("knotc") or "knotc", "-s", str(self.directory / "control.sock")]
        return [[*control, "zone-reload", origin]]


def _knot_sections(zones: Iterable[ServedZone]) -> tuple[str, str]:
    """Return the keys, remotes and ACLs that *zones* need, and the items of the ``zone`` section."""
    keys: dict[str, str] = {}
    remotes: dict[str, str] = {}
    rules: dict[str, str] = {}
    items = []
    for zone in zones:
        lines = [f'domain: "{zone.origin}"', f'file: "{zone.path}"']
        if (how := zone.replication) is not None:
            signed = ""
            if how.key is not None:
                keys[how.key.name] = f'algorithm: {how.key.algorithm}\n    secret: "{how.key.secret}"'
                signed = f"\n    key: {how.key.name}"
            key = "plain" if how.key is None else how.key.name
            rules[f"rule-{key}"] = f"address: {LOOPBACK}{signed}\n    action: [transfer, notify]"
            lines.append(f"acl: rule-{key}")

            def remote(address: Address, key: str = key, signed: str = signed) -> str:
                name = f"remote-{address[1]}-{key}"
                remotes[name] = f"address: {address[0]}@{address[1]}{signed}"
                return name

            if how.primary is None:
                lines += ["journal-content: changes", "zonefile-load: difference"]
            else:
                lines += [f"master: {remote(how.primary)}", "journal-content: changes"]
            if how.notify:
                lines.append(f"notify: [{', '.join(remote(target) for target in how.notify)}]")
        items.append("  - " + "\n    ".join(lines) + "\n")
    sections = {"key": keys, "remote": remotes, "acl": rules}
    text = "".join(
        f"{title}:\n" + "".join(f"  - id: {name}\n    {body}\n" for name, body in entries.items())
        for title, entries in sections.items()
        if entries
    )
    return text, "".join(items)


class Pdns(ServerProcess):
    """PowerDNS Authoritative Server with its bind backend. *extra* is lines of pdns.conf."""

    name = "pdns"
    binary = "pdns_server"

    def configure(self, directory: Path) -> list[str]:
        zones = directory / "zones.conf"
        zones.write_text(
            f'options {{ directory "{directory}"; }};\n' + "".join(_pdns_zone(z) for z in self.zones)
        )
        extra = self.extra
        replicated = {z.origin: z.replication for z in self.zones if z.replication is not None}
        if replicated:
            database = directory / "bind.sqlite"
            _pdns_keys(database, replicated)
            told = dict.fromkeys(f"{host}:{port}" for r in replicated.values() for host, port in r.notify)
            extra += f"""
bind-dnssec-db={database}
primary=yes
secondary=yes
allow-axfr-ips={LOOPBACK}
allow-notify-from={LOOPBACK}
only-notify=127.0.0.0/8
also-notify={", ".join(told)}
send-signed-notify=yes
xfr-cycle-interval=1
"""
        (directory / "pdns.conf").write_text(f"""\
launch=bind
bind-config={zones}
bind-check-interval=0
local-address={self.host}
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
{extra}
""")
        return [installed(self.binary) or self.binary, f"--config-dir={directory}"]

    def edit_commands(self, origin: str) -> list[list[str]]:
        control = [installed("pdns_control") or "pdns_control", f"--config-dir={self.directory}"]
        control.append(f"--socket-dir={self.directory}")
        name = origin.rstrip(".")
        return [[*control, "bind-reload-now", name], [*control, "notify", name]]


def _pdns_zone(zone: ServedZone) -> str:
    kind = "type master;"
    if zone.replication is not None and zone.replication.primary is not None:
        host, port = zone.replication.primary
        kind = f"type slave; masters {{ {host}:{port}; }};"
    return f'zone "{zone.origin[:-1] or "."}" {{ {kind} file "{zone.path}"; }};\n'


def _pdns_keys(database: Path, zones: dict[str, Replication]) -> None:
    """Make the database of the bind backend that holds what BIND's own configuration has no words for."""
    command = [installed("pdnsutil") or "pdnsutil", "--config-dir=" + str(database.parent)]
    (database.parent / "pdns.conf").write_text("launch=bind\n")
    done = subprocess.run(
        [*command, "create-bind-db", str(database)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PeerError(f"pdnsutil create-bind-db: {done.stdout}{done.stderr}")
    with closing(sqlite3.connect(database)) as connection, connection:
        for key in {r.key.name: r.key for r in zones.values() if r.key is not None}.values():
            connection.execute(
                "INSERT INTO tsigkeys (name, algorithm, secret) VALUES (?, ?, ?)",
                (key.name, key.algorithm, key.secret),
            )
        for origin, replication in zones.items():
            if replication.key is None:
                continue
            for kind in ("TSIG-ALLOW-AXFR", "AXFR-MASTER-TSIG"):
                connection.execute(
                    "INSERT INTO domainmetadata (domain, kind, content) VALUES (?, ?, ?)",
                    (origin.rstrip("."), kind, replication.key.name),
                )


class Bindpy(ServerProcess):
    """``bindpy serve`` of this source tree. *extra* goes into ``options``."""

    name = "bindpy"
    binary = sys.executable

    def configure(self, directory: Path) -> list[str]:
        conf = directory / "named.conf"
        conf.write_text(
            named_conf(self.zones, directory=directory, port=self.port, host=self.host, extra=self.extra)
        )
        return [sys.executable, "-m", "bindpy.cli.main", "serve", "-c", str(conf)]


PEERS: dict[str, type[ServerProcess]] = {cls.name: cls for cls in (Named, Nsd, Knot, Pdns)}
"""The servers of others, by name."""
