"""A new primary zone: its file, and its statement in the configuration."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from bindpy.config.load import load_config
from bindpy.config.model import Config, ZoneConfig
from bindpy.diagnostics import Severity
from bindpy.edit.document import read_file, write_file
from bindpy.edit.errors import EditError
from bindpy.edit.find import find_zone
from bindpy.edit.serial import next_serial
from bindpy.files import FileStamp
from bindpy.zone.load import load_zone_octets
from bindpy.zone.names import BadNameError, Name, from_text, to_relative_text, to_text

_ZONE_NAME = re.compile(r"[A-Za-z0-9_./-]+")
_UNFIT_FOR_PATH = re.compile(r'["\\\x00-\x1f\x7f]')


@dataclass(frozen=True, slots=True)
class NewZone:
    """A zone that may be created: what is to be written, all of it checked."""

    zone: ZoneConfig
    path: str
    text: str
    conf_path: str
    conf_stamp: FileStamp
    conf_before: bytes
    statement: str

    def write(self) -> None:
        """Write the zone file and then the statement; without the one there is not the other.

        Raises `EditError` and `ReplaceError`.
        """
        write_file(self.path, self.text.encode("ascii"), None)
        try:
            octets = _with_statement(self.conf_before, self.statement)
            write_file(self.conf_path, octets, self.conf_stamp)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(self.path).unlink()
            raise


def plan_zone(
    config: Config,
    origin: Name,
    *,
    file: str | None,
    conf_file: str | None,
    servers: Sequence[str],
    mail: str,
    now_s: float,
) -> NewZone:
    """Return the zone *origin* as it may be added to *config*.

    *file* is relative to the configuration's ``directory``; *conf_file* is the configuration or a file that
    it includes. *servers* are NAME or NAME=ADDRESS[,ADDRESS], the first is the SOA's; *mail* is the SOA's
    mail address as a name. Names are relative to the zone. Raises `EditError`.
    """
    name = to_text(origin)
    shown = name if name == "." else name[:-1]
    if _ZONE_NAME.fullmatch(shown) is None:
        raise EditError(f"'{shown}' has characters that a zone statement here cannot have; write it by hand")
    if len(config.views) != 1 or config.views[0].name != "_default":
        raise EditError(f"{config.path} has views: write the zone statement into the views that it is for")
    if any(zone.origin.lower() == origin.lower() for zone in config.zones()):
        raise EditError(f"there is a zone '{name}' already in {config.path}")
    conf_path = os.path.realpath(conf_file or config.path)
    if conf_path not in {os.path.realpath(path) for path in config.files}:
        raise EditError(f"{conf_path} is neither {config.path} nor a file that it includes")
    default = "db." + ("root" if name == "." else shown.replace("/", "_"))
    path = str(Path(config.options.directory) / (file or default))
    if _UNFIT_FOR_PATH.search(path):
        raise EditError(f"the file name {path!r} has characters that a zone statement here cannot have")
    if FileStamp.of(path) is not None:
        raise EditError(f"{path} exists already; name another file with --file")
    statement = f'zone "{shown}" {{\n\ttype primary;\n\tfile "{file or default}";\n}};\n'
    stamp, before = read_file(conf_path)
    zone = _checked_zone(config, origin, statement)
    serial = next_serial(0, zone.settings.serial_update_method, now_s)
    text = _zone_text(origin, servers, mail, serial)
    loaded = load_zone_octets(
        path,
        text.encode("ascii"),
        origin,
        zone.rdclass,
        zone.settings.checks,
        directory=config.options.directory,
    )
    if loaded.zone is None:
        raise EditError("the new zone would not load; nothing was written", loaded.diagnostics)
    return NewZone(zone, path, text, conf_path, stamp, before, statement)


def _checked_zone(config: Config, origin: Name, statement: str) -> ZoneConfig:
    """Return the zone as the configuration would have it with *statement* at its end."""
    octets = _with_statement(read_file(config.path)[1], statement)
    result = load_config(config.path, text=octets.decode("utf-8", "surrogateescape"))
    if result.config is None:
        errors = [item for item in result.diagnostics if item.severity is Severity.ERROR]
        raise EditError(f"{config.path} would not be good any more; nothing was written", errors)
    return find_zone(result.config, origin, None)


def _with_statement(conf: bytes, statement: str) -> bytes:
    gap = b"\n" if not conf or conf.endswith(b"\n") else b"\n\n"
    return conf + gap + statement.encode()


def _zone_text(origin: Name, servers: Sequence[str], mail: str, serial: int) -> str:
    """Return the text of a zone file with a SOA, *servers* and their addresses."""
    names: list[str] = []
    addresses: list[str] = []
    for server in servers:
        host, _, listed = server.partition("=")
        owner = _name(host, origin)
        names.append(owner)
        for address in filter(None, listed.split(",")):
            try:
                number = ip_address(address)
            except ValueError:
                raise EditError(f"'{address}' is not an address; write --ns NAME=ADDRESS") from None
            addresses.append(f"{owner}\tIN {'A' if number.version == 4 else 'AAAA'}\t{number}\n")
    soa = (
        "$TTL 3600\n"
        f"@\tIN SOA\t{names[0]} {_name(mail, origin)} (\n"
        f"\t\t{serial}\t; serial\n"
        "\t\t4h\t; refresh\n"
        "\t\t1h\t; retry\n"
        "\t\t2w\t; expire\n"
        "\t\t10m )\t; negative answers are kept this long\n"
    )
    return soa + "".join(f"\tIN NS\t{name}\n" for name in names) + "".join(addresses)


def _name(text: str, origin: Name) -> str:
    try:
        return to_relative_text(from_text(text, origin), origin)
    except BadNameError as e:
        raise EditError(f"'{text}' is not a name: {e}") from None
