"""A new zone: its file where it is primary here, and its statement in the configuration."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from bindpy.config.load import ConfigResult, load_config
from bindpy.config.model import Config, ZoneConfig, ZoneType
from bindpy.config.new_zones import DEFAULT_VIEW
from bindpy.config.tree import Statement, Token
from bindpy.deferred import dataclass
from bindpy.diagnostics import Severity
from bindpy.edit.document import read_file, write_file
from bindpy.edit.errors import EditError
from bindpy.edit.serial import next_serial
from bindpy.files import FileStamp
from bindpy.zone.load import load_zone_octets
from bindpy.zone.names import BadNameError, Name, from_text, to_relative_text, to_text

_ZONE_NAME = re.compile(r"[A-Za-z0-9_./-]+")
_UNFIT_FOR_PATH = re.compile(r'["\\\x00-\x1f\x7f]')
_PRIMARY = re.compile(r"[A-Za-z0-9_.: -]+")


@dataclass(frozen=True, slots=True)
class WantedZone:
    """A zone that somebody wants. Names are relative to it.

    *file* is relative to the configuration's ``directory``. A primary or native zone has *servers*, NAME or
    NAME=ADDRESS[,ADDRESS], the first is the SOA's, and *mail*, the SOA's mail address as a name; a secondary
    zone has *primaries*, each as a list of servers has it.
    """

    origin: Name
    type: ZoneType
    file: str | None = None
    servers: tuple[str, ...] = ()
    mail: str = "hostmaster"
    primaries: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The name as statements have it."""
        name = to_text(self.origin)
        return name if name == "." else name[:-1]

    @property
    def file_name(self) -> str:
        """The file as the statement names it."""
        default = "root" if self.shown == "." else self.shown.replace("/", "_")
        return self.file or f"db.{default}"

    def statement(self, indent: str) -> str:
        """Return the ``zone`` statement, each line after *indent*."""
        lines = [f'zone "{self.shown}" {{', f"\ttype {self.type.value};"]
        if self.primaries:
            lines.append(f"\tprimaries {{ {' '.join(f'{one};' for one in self.primaries)} }};")
        lines += [f'\tfile "{self.file_name}";', "};"]
        return "".join([f"{indent}{line}\n" for line in lines])


@dataclass(frozen=True, slots=True)
class NewZone:
    """A zone that may be created: what is to be written, all of it checked.

    ``text`` is the zone file's, None for a secondary zone: its data comes from its primaries.
    """

    zone: ZoneConfig
    path: str
    text: str | None
    conf_path: str
    conf_stamp: FileStamp
    conf_after: bytes
    statement: str

    def write(self) -> None:
        """Write the zone file and then the statement; without the one there is not the other.

        Raises `EditError` and `ReplaceError`.
        """
        if self.text is not None:
            write_file(self.path, self.text.encode("ascii"), None)
        try:
            write_file(self.conf_path, self.conf_after, self.conf_stamp)
        except BaseException:
            if self.text is not None:
                with contextlib.suppress(OSError):
                    Path(self.path).unlink()
            raise


def plan_zone(
    result: ConfigResult, wanted: WantedZone, *, view: str | None, conf_file: str | None, now_s: float
) -> NewZone:
    """Return the zone *wanted* as it may be added to the configuration that *result* has.

    *view* need not be named where there is one only; *conf_file* is the configuration or a file that it
    includes where zones of that view may stand. Raises `EditError`.
    """
    config = result.config
    assert config is not None, "there is no configuration"
    if _ZONE_NAME.fullmatch(wanted.shown) is None:
        raise EditError(
            f"'{wanted.shown}' has characters that a zone statement here cannot have; write it by hand"
        )
    for primary in wanted.primaries:
        if _PRIMARY.fullmatch(primary) is None:
            raise EditError(f"'{primary}' is no server; write ADDRESS [port PORT] [key NAME]")
    path = str(Path(config.options.directory) / wanted.file_name)
    if _UNFIT_FOR_PATH.search(path):
        raise EditError(f"the file name {path!r} has characters that a zone statement here cannot have")
    view = _view(config, view)
    if any(zone.view == view and zone.origin.lower() == wanted.origin.lower() for zone in config.zones()):
        where = config.path if view == DEFAULT_VIEW else f"view '{view}' of {config.path}"
        raise EditError(f"there is a zone '{to_text(wanted.origin)}' already in {where}")
    if FileStamp.of(path) is not None:
        raise EditError(f"{path} exists already; name another file with --file")
    place = _place(result, view, conf_file)
    stamp, before = read_file(place.path)
    statement = wanted.statement(place.indent)
    after = place.put(before, statement)
    zone = _checked_zone(config, view, wanted, place.path, after)
    text = None
    if wanted.type is not ZoneType.SECONDARY:
        text = _checked_text(zone, wanted, path, config.options.directory, now_s)
    return NewZone(zone, path, text, place.path, stamp, after, statement)


def _view(config: Config, view: str | None) -> str:
    names = [one.name for one in config.views]
    if view is None and len(names) == 1:
        return names[0]
    if view in names:
        return view
    if view is None:
        raise EditError(f"{config.path} has several views ({', '.join(names)}); name one with --view")
    raise EditError(f"{config.path} has no view '{view}'; there is: {', '.join(names)}")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a statement goes: to the end of the file *path*, or before the brace at *offset*."""

    path: str
    offset: int | None
    indent: str

    def put(self, octets: bytes, statement: str) -> bytes:
        """Return the file's *octets* with *statement*."""
        if self.offset is None:
            apart = b"\n" if not octets or octets.endswith(b"\n") else b"\n\n"
            return octets + apart + statement.encode()
        text = octets.decode("utf-8", "surrogateescape")
        before, brace = text[: self.offset].rstrip(" \t"), text[self.offset :]
        gap = "" if before.endswith("\n") else "\n"
        return f"{before}{gap}{statement}{brace}".encode("utf-8", "surrogateescape")


def _place(result: ConfigResult, view: str, conf_file: str | None) -> _Place:
    """Return where a statement for *view* goes. Raises `EditError`."""
    config = result.config
    assert config is not None, "there is no configuration"
    block = next((one for one in result.tree if _is_view(one, view)), None)
    body = None if block is None else block.body()
    home = os.path.realpath(config.path if block is None else block.source.path)
    path = os.path.realpath(conf_file or home)
    if path not in {os.path.realpath(one) for one in config.files}:
        raise EditError(f"{path} is neither {config.path} nor a file that it includes")
    if body is not None and path == home:
        return _Place(path, body.end, "\t")
    return _Place(path, None, "")


def _is_view(statement: Statement, name: str) -> bool:
    match statement.items:
        case [_, Token(text=text), *_] if statement.keyword == "view":
            return text == name
    return False


def _checked_zone(config: Config, view: str, wanted: WantedZone, path: str, after: bytes) -> ZoneConfig:
    """Return the zone as the configuration has it with *after* in the file *path*. Raises `EditError`."""
    result = load_config(config.path, texts={path: after.decode("utf-8", "surrogateescape")}, like=config)
    if result.config is None:
        errors = [item for item in result.diagnostics if item.severity is Severity.ERROR]
        raise EditError(f"{config.path} would not be good any more; nothing was written", errors)
    there = {zone.id for zone in config.zones()}
    new = [zone for zone in result.config.zones() if zone.id not in there]
    if [zone.id for zone in new] != [(view, wanted.origin.lower())]:
        seen = ", ".join(f"'{zone.view}'" for zone in new) or "none"
        raise EditError(f"at the end of {path} the zone would not be in view '{view}' only, but in: {seen}")
    return new[0]


def _checked_text(zone: ZoneConfig, wanted: WantedZone, path: str, directory: str, now_s: float) -> str:
    """Return the text of the zone file, which loads. Raises `EditError`."""
    serial = next_serial(0, zone.settings.serial_update_method, now_s)
    text = _zone_text(zone.origin, wanted.servers, wanted.mail, serial)
    octets = text.encode("ascii")
    loaded = load_zone_octets(
        path, octets, zone.origin, zone.rdclass, zone.settings.checks, directory=directory
    )
    if loaded.zone is None:
        raise EditError("the new zone would not load; nothing was written", loaded.diagnostics)
    return text


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
