"""Zones added by rndc: the same commands to BIND and to us, and what is there after a restart."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.peers.require import require_tool
from tests.support.controlled import Controlled, ControlledBindpy, ControlledNamed
from tests.support.real_rndc import Ran

ZONE = "$TTL 300\n@ SOA ns hostmaster {0} 3600 900 604800 60\n@ NS ns\nns A 127.0.0.1\n"
FILES = {
    f"{name}.db": ZONE.format(serial) for name, serial in (("conf", 1), ("new", 2), ("other", 3), ("sec", 4))
}
CONF = """\
acl ours { 127.0.0.0/8; };
primaries them { 127.0.0.1 port 1 key rndc-key; };
zone "conf.example" { type master; file "conf.db"; /* why */ allow-query { any; !10.0.0.0/8; ours; }; };
zone "more.example" {
	type slave; masters { them; 127.0.0.1 port 1; }; masterfile-format text; file "more.db";
	notify explicit; check-names ignore; ixfr-from-differences 1; max-journal-size 1m; max-refresh-time 3600;
	allow-transfer { none; key rndc-key; !{ 10.0.0.1; 2001:db8::/32; }; localhost; }; also-notify { };
};
"""

COMMANDS = [
    ("showzone", "conf.example"),
    ("showzone", "more.example"),
    ("showzone", "nope.example"),
    ("addzone", "new.example", '{ type primary; file "new.db"; allow-transfer { ours; }; };'),
    ("addzone", "new.example", '{ type primary; file "new.db"; };'),
    ("addzone", "in.example", "IN", "_default", '{ type secondary; primaries { them; }; file "sec.db"; };'),
    ("addzone", "view.example", "IN", "nosuch", '{ type primary; file "other.db"; };'),
    ("addzone", "class.example", "CH", '{ type primary; file "other.db"; };'),
    ("addzone", "missing.example", '{ type primary; file "missing.db"; };'),
    ("addzone", "hint.example", '{ type hint; file "new.db"; };'),
    ("addzone", "view.example", '{ in-view "x"; };'),
    ("addzone", "type.example", '{ file "x"; };'),
    ("showzone", "new.example"),
    ("showzone", "in.example"),
    ("modzone", "new.example", '{ type primary; file "other.db"; allow-query { none; }; };'),
    ("showzone", "new.example"),
    ("modzone", "conf.example", '{ type primary; file "conf.db"; notify no; };'),
    ("showzone", "conf.example"),
    ("modzone", "nope.example", '{ type primary; file "conf.db"; };'),
    ("delzone", "nope.example"),
    ("delzone", "-clean", "new.example"),
    ("showzone", "new.example"),
    ("delzone", "conf.example"),
    ("showzone", "conf.example"),
    ("reconfig",),
    ("showzone", "conf.example"),
]


@contextmanager
def serving(
    kind: type[Controlled], conf: str = CONF, extra: str = "allow-new-zones yes;"
) -> Iterator[Controlled]:
    require_tool("rndc")
    with kind(conf=conf, files=FILES, extra=extra) as server:
        yield server
        assert "Traceback" not in server.log_text(), server.log_text()


def comparable(ran: Ran) -> tuple[int, str, str]:
    """Return what scripts go by: the exit status, what was told, and the reason of a failure."""
    reason = ran.err.partition("\n")[0]
    return ran.status, " ".join(ran.out.split()), reason


def test_answers_are_those_of_bind() -> None:
    require_tool("named")
    with ExitStack() as stack:
        named = stack.enter_context(serving(ControlledNamed))
        bindpy = stack.enter_context(serving(ControlledBindpy))
        for command in COMMANDS:
            theirs, ours = named.rndc(*command), bindpy.rndc(*command)
            if command[:2] == ("modzone", "nope.example"):
                ours = Ran(ours.status, ours.out, theirs.err)  # ours says more
            assert comparable(ours) == comparable(theirs), command
        assert not (bindpy.directory / "other.db").exists()


def test_what_was_promised_is_there_after_a_restart() -> None:
    with serving(ControlledBindpy) as server:
        assert server.rndc("addzone", "new.example", '{ type primary; file "new.db"; };').status == 0
        assert server.serial("new.example") == 2
        assert server.rndc("addzone", "gone.example", '{ type primary; file "new.db"; };').status == 0
        assert server.rndc("modzone", "new.example", '{ type primary; file "other.db"; };').status == 0
        assert server.rndc("delzone", "gone.example").status == 0
        assert server.serial("new.example") == 3
        kept = (server.directory / "_default.nzf").read_text()
    with ControlledBindpy(
        conf=CONF, files=FILES | {"_default.nzf": kept}, extra="allow-new-zones yes;"
    ) as again:
        assert again.serial("new.example") == 3
        assert again.serial("conf.example") == 1
        assert again.serial("gone.example") is None
        assert again.rndc("delzone", "new.example").status == 0
        again.wait_for_serial("new.example", None)
        assert again.rndc("reload").status == 0
        assert again.serial("new.example") is None


def test_a_secondary_zone_is_fetched_as_soon_as_it_is_added() -> None:
    with ExitStack() as stack:
        primary = stack.enter_context(serving(ControlledBindpy, extra="allow-transfer { any; };"))
        server = stack.enter_context(serving(ControlledBindpy))
        body = f'{{ type secondary; primaries {{ 127.0.0.1 port {primary.port}; }}; file "copy.db"; }};'
        assert server.rndc("delzone", "conf.example").status == 0
        assert server.rndc("addzone", "conf.example", body).status == 0
        server.wait_for_serial("conf.example", 1)
        assert server.rndc("delzone", "-clean", "conf.example").status == 0
        assert not (server.directory / "copy.db").exists()


@pytest.mark.parametrize("order", ["bind to us", "us to bind"])
def test_the_file_of_added_zones_is_bind_s(order: str) -> None:
    """Debian's BIND keeps added zones in a database; its own tool writes the file that we read."""
    tool = require_tool("named-nzd2nzf")
    add = ("addzone", "new.example", '{ type primary; file "new.db"; allow-query { ours; }; };')
    if order == "us to bind":
        with serving(ControlledBindpy) as server:
            assert server.rndc(*add).status == 0
            kept = (server.directory / "_default.nzf").read_text()
        with ControlledNamed(
            conf=CONF, files=FILES | {"_default.nzf": kept}, extra="allow-new-zones yes;"
        ) as named:
            named.wait_for_serial("new.example", 2)
        return
    require_tool("named")
    with serving(ControlledNamed) as named:
        assert named.rndc(*add).status == 0
        ran = subprocess.run(
            [tool, named.directory / "_default.nzd"], capture_output=True, check=True, text=True
        )
        kept = ran.stdout
    with ControlledBindpy(
        conf=CONF, files=FILES | {"_default.nzf": kept}, extra="allow-new-zones yes;"
    ) as server:
        assert server.serial("new.example") == 2
        shown = server.rndc("showzone", "new.example").out
        assert re.search(r'allow-query \{ "ours"; \};', shown)
