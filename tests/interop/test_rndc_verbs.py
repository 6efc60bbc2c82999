"""BIND's rndc drives a running bindpy through every verb: effect, text and exit status."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import dns.message
import dns.query
import pytest

from bindpy import __version__
from bindpy.control.catalogue import verbs
from tests.interop import driving
from tests.interop.driving import BROKEN, PRIMARY, done, failed, pair, serving, until, zone_text
from tests.support.controlled import ControlledBindpy
from tests.support.ports import LOOPBACK, free_port

server = driving.server  # the fixture


DRIVEN: set[str] = set()


class Verbs:
    """Which verbs the tests of this module are about."""

    def __init__(self, *names: str) -> None:
        DRIVEN.update(names)

    def __call__(self, test: Callable[..., None]) -> Callable[..., None]:
        return test


# --- files and named.conf ------------------------------------------------------------------------


@Verbs("reload")
def test_reload_of_one_zone(server: ControlledBindpy) -> None:
    done(server.rndc("reload", "example.com"), "zone reload up-to-date")
    server.edit("example.db", zone_text(2))
    done(server.rndc("reload", "example.com", "IN", "_default"), "zone reload successful")
    assert server.serial("example.com") == 2
    server.edit("example.db", BROKEN)
    ran = server.rndc("reload", "example.com")
    assert ran.status == 1
    assert ran.err.startswith("rndc: 'reload' failed: ")
    assert f"{server.directory}/example.db:3:5: " in ran.err
    assert server.serial("example.com") == 2


@Verbs("reload")
def test_reload_of_all_zones_and_named_conf() -> None:
    with serving(files={"other.db": zone_text(7)}) as server:
        server.edit("example.db", zone_text(2))
        server.conf += 'zone "other.example" { type primary; file "@DIRECTORY@/other.db"; };\n'
        server.write_conf(server.directory)
        done(server.rndc("reload"), "server reload successful")
        server.wait_for_serial("example.com", 2)
        server.wait_for_serial("other.example", 7)
        server.edit("other.db", BROKEN)
        ran = server.rndc("reload")
        assert ran.status == 0
        assert ran.out.startswith("server reload successful\nzone other.example/IN: ")


@Verbs("reconfig")
def test_reconfig_takes_over_new_and_removed_zones_only() -> None:
    with serving(files={"other.db": zone_text(7)}) as server:
        server.edit("example.db", zone_text(2))
        server.conf += 'zone "other.example" { type primary; file "@DIRECTORY@/other.db"; };\n'
        server.write_conf(server.directory)
        done(server.rndc("reconfig"), "")
        server.wait_for_serial("other.example", 7)
        assert server.serial("example.com") == 1
        server.conf = server.conf.replace(PRIMARY, "")
        server.write_conf(server.directory)
        done(server.rndc("reconfig"), "")
        server.wait_for_serial("example.com", None)
        assert server.serial("other.example") == 7


@Verbs("reconfig", "reload")
@pytest.mark.parametrize("verb", ["reconfig", "reload"])
def test_a_named_conf_with_errors_changes_nothing(server: ControlledBindpy, verb: str) -> None:
    server.conf += "zone { };\n"
    server.write_conf(server.directory)
    ran = server.rndc(verb)
    assert ran.status == 1
    assert ran.err.startswith(f"rndc: '{verb}' failed: ")
    assert re.search(r"named\.conf:\d+:\d+: ", ran.err)
    assert server.serial("example.com") == 1
    done(server.rndc("ping"), "PONG")


@Verbs("reconfig")
def test_reconfig_takes_over_the_channel_that_it_came_by(server: ControlledBindpy) -> None:
    port = server.control_port
    server.control_port = free_port()
    server.write_conf(server.directory)
    done(server.rndc("reconfig"), "")
    server.wait_for_log(f"stopping command channel on {LOOPBACK}#{port}")
    assert "connection refused" in server.rndc("ping").err
    with server.client() as client:
        assert client.ask("ping").text == "PONG"


@Verbs("reload-now", "rediscover")
def test_the_words_of_powerdns() -> None:
    with serving(files={"other.db": zone_text(7)}) as server:
        server.edit("example.db", zone_text(2))
        ran = server.rndc("bind-reload-now", "example.com")
        assert ran.status == 0
        assert re.fullmatch(r"example\.com: \tparsed into memory at .*\n", ran.out)
        assert server.serial("example.com") == 2
        server.conf += 'zone "other.example" { type primary; file "@DIRECTORY@/other.db"; };\n'
        server.write_conf(server.directory)
        ran = server.rndc("rediscover")
        done(ran, "Done parsing domains, 0 rejected, 1 new, 0 removed")
        server.wait_for_serial("other.example", 7)
        failed(
            server.rndc("reload-now", "nosuch"),
            "reload-now",
            "not found",
            "no matching zone 'nosuch' in any view",
        )


@Verbs("freeze", "thaw", "sync")
def test_freeze_and_thaw() -> None:
    with serving(extra="") as server:  # files are watched: freeze is what keeps the edit away
        done(server.rndc("freeze", "example.com"), "")
        server.edit("example.db", zone_text(2))
        failed(
            server.rndc("freeze", "example.com"),
            "freeze",
            "already frozen",
            "WARNING: The zone was already frozen.\n"
            "Someone else may be editing it or it may still be re-loading.",
        )
        done(server.rndc("sync"), "")
        assert server.serial("example.com") == 1
        done(server.rndc("thaw", "example.com"), "The zone reload and thaw was successful.")
        assert server.serial("example.com") == 2
        done(server.rndc("thaw", "example.com"), "")
        done(server.rndc("freeze"), "")
        server.edit("example.db", zone_text(3))
        done(server.rndc("thaw"), "")
        server.wait_for_serial("example.com", 3)
        done(server.rndc("sync", "-clean", "example.com"), "")


# --- zones at run time ---------------------------------------------------------------------------


@Verbs("addzone")
def test_zones_come_only_where_they_are_allowed_to(server: ControlledBindpy) -> None:
    failed(
        server.rndc("addzone", "new.example", '{ type primary; file "new.db"; };'),
        "addzone",
        "permission denied",
        "Not allowing new zones in view '_default'",
    )


@Verbs("addzone", "modzone", "showzone", "delzone")
def test_zones_come_and_go() -> None:
    with serving(extra="watch no; allow-new-zones yes;", files={"new.db": zone_text(5)}) as server:
        path = f"{server.directory}/new.db"
        body = f'{{ type primary; file "{path}"; }};'
        done(server.rndc("addzone", "new.example", body), "")
        assert server.serial("new.example") == 5
        done(server.rndc("showzone", "new.example"), f'zone "new.example" {body}')
        again = server.rndc("addzone", "new.example", body)
        assert again.err.startswith("rndc: 'addzone' failed: already exists\n")
        changed = f'{{ type primary; file "{path}"; allow-query {{ none; }}; }};'
        done(server.rndc("modzone", "new.example", changed), "zone 'new.example' reconfigured.")
        until(lambda: server.serial("new.example") is None, server)
        assert "allow-query" in server.rndc("showzone", "new.example").out
        done(server.rndc("delzone", "new.example"), "")
        failed(
            server.rndc("zonestatus", "new.example"),
            "zonestatus",
            "not found",
            "no matching zone 'new.example' in any view",
        )
        assert Path(path).exists()
        done(server.rndc("addzone", "new.example", body), "")
        assert server.rndc("delzone", "-clean", "new.example").status == 0
        until(lambda: not Path(path).exists(), server)
        ran = server.rndc("delzone", "example.com")
        assert ran.status == 0
        assert ran.out.startswith("zone 'example.com' is no longer active and will be deleted.\n")
        assert server.serial("example.com") is None


# --- replication ---------------------------------------------------------------------------------


@Verbs("refresh", "retransfer", "notify", "notify-host")
def test_what_a_secondary_is_told() -> None:
    with pair() as (primary, secondary):
        done(secondary.rndc("refresh", "example.com"), "zone refresh queued")
        done(secondary.rndc("reload", "example.com"), "zone refresh queued")
        before = secondary.log_text().count("Transfer status: success")
        done(secondary.rndc("retransfer", "example.com"), "")
        secondary.wait_for_log("Transfer status: success", before + 1)
        done(secondary.rndc("retrieve", "example.com"), "")
        secondary.wait_for_log("Transfer status: success", before + 2)
        done(primary.rndc("notify", "example.com"), "zone notify queued")
        secondary.wait_for_log("zone example.com/IN: notify from 127.0.0.1#")
        done(primary.rndc("notify-host", "example.com", f"localhost#{secondary.port}"), "zone notify queued")
        secondary.wait_for_log("zone example.com/IN: notify from 127.0.0.1#", 2)
        primary.edit("example.db", zone_text(2))
        done(primary.rndc("reload", "example.com"), "zone reload successful")
        secondary.wait_for_serial("example.com", 2)
        for verb in ("refresh", "retransfer"):
            assert primary.rndc(verb, "example.com").status == 1


# --- what is told --------------------------------------------------------------------------------

STATUS_OF_BIND = (
    *("version", "running on", "boot time", "last configured", "configuration file", "CPUs found"),
    *("worker threads", "UDP listeners per interface", "number of zones", "debug level", "xfers running"),
    *("xfers deferred", "soa queries in progress", "recursive clients", "tcp clients", "TCP high-water"),
)
DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")


def pairs(text: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


@Verbs("status")
def test_status(server: ControlledBindpy) -> None:
    ran = server.rndc("status")
    assert (ran.status, ran.err) == (0, "")
    found = pairs(ran.out.replace(f"running on {os.uname().nodename}: ", "running on: "))
    assert [key for key in found if key in STATUS_OF_BIND] == list(STATUS_OF_BIND)
    assert "query logging is OFF" in ran.out.splitlines()
    assert "server is up and running" in ran.out.splitlines()
    assert found["version"].startswith(f"bindpy {__version__}")
    assert found["configuration file"] == str(server.directory / "named.conf")
    assert re.fullmatch(r"1 \(\d+ automatic\)", found["number of zones"])
    assert DATE.fullmatch(found["boot time"])
    assert DATE.fullmatch(found["last configured"])
    server.rndc("querylog", "on")
    assert "query logging is ON" in server.rndc("status").out.splitlines()


@Verbs("zonestatus")
def test_zonestatus(server: ControlledBindpy) -> None:
    ran = server.rndc("zonestatus", "example.com")
    assert (ran.status, ran.err) == (0, "")
    found = pairs(ran.out)
    wanted = {
        "name": "example.com",
        "type": "primary",
        "files": f"{server.directory}/example.db",
        "serial": "1",
        "nodes": "3",
        "secure": "no",
        "dynamic": "no",
        "reconfigurable via modzone": "no",
    }
    assert {key: found[key] for key in wanted} == wanted
    assert DATE.fullmatch(found["last loaded"])
    with serving(files={"example.db": BROKEN}) as broken:
        ran = broken.rndc("zonestatus", "example.com")
        assert ran.status == 1
        assert ran.err.startswith("rndc: 'zonestatus' failed: zone not loaded\n")


@Verbs("zonestatus")
def test_zonestatus_of_a_secondary() -> None:
    with pair() as (_, secondary):
        found = pairs(secondary.rndc("zonestatus", "example.com").out)
        assert (found["type"], found["serial"]) == ("secondary", "1")
        for key in ("next refresh", "expires"):
            assert DATE.fullmatch(found[key])


@Verbs("list-zones", "list-rejects", "find-zones")
def test_lists() -> None:
    with serving(
        PRIMARY + 'zone "broken.example" { type primary; file "@DIRECTORY@/broken.db"; };\n',
        {"broken.db": BROKEN},
    ) as server:
        ran = server.rndc("list-zones")
        assert ran.status == 0
        assert "example.com" in ran.out
        assert "broken.example" in ran.out
        assert server.rndc("find-zones", "EX").out.split() == ["example.com"]
        assert server.rndc("find-zones").out.split() == ["broken.example", "example.com"]
        assert server.rndc("find-zones", "b", "1").out.split() == ["broken.example"]
        assert server.rndc("find-zones", "none").out.split() == []
        for words in (["list-rejects"], ["bind-list-rejects"]):
            ran = server.rndc(*words)
            assert ran.status == 0
            assert "broken.example" in ran.out
            assert "example.com" not in ran.out.replace("broken.example", "")


@Verbs("bind-domain-status")
def test_the_status_of_powerdns(server: ControlledBindpy) -> None:
    for words in (["bind-domain-status"], ["bind-domain-status", "example.com"]):
        ran = server.rndc(*words)
        assert re.fullmatch(r"example\.com: \tparsed into memory at .+\n", ran.out), ran
        assert ran.status == 0


@Verbs("tsig-list")
def test_tsig_list(server: ControlledBindpy) -> None:
    done(server.rndc("tsig-list"), 'view "_default"; type "static"; key "rndc-key";')


@Verbs("ping", "null", "version", "uptime")
def test_signs_of_life(server: ControlledBindpy) -> None:
    done(server.rndc("ping"), "PONG")
    done(server.rndc("null"), "")
    done(server.rndc("version"), f"bindpy {__version__}")
    assert re.fullmatch(r"up .+\n", server.rndc("uptime").out)


@Verbs("querylog")
def test_querylog(server: ControlledBindpy) -> None:
    def logged() -> int:
        count = server.log_text().count("query: www.example.com IN A")
        dns.query.udp(dns.message.make_query("www.example.com", "A"), LOOPBACK, port=server.port, timeout=5)
        server.serial("example.com")
        return count

    logged()
    assert "query: " not in server.log_text()
    for words in (["querylog"], ["querylog", "on"], ["querylog", "YES"]):
        done(server.rndc(*words), "")
    before = logged()
    server.wait_for_log("query: www.example.com IN A", before + 1)
    done(server.rndc("querylog"), "")
    count = server.log_text().count("query: ")
    logged()
    assert server.log_text().count("query: ") == count


@Verbs("trace", "notrace", "loglevel")
def test_debug_messages(server: ControlledBindpy) -> None:
    done(server.rndc("trace"), "")
    done(server.rndc("trace"), "")
    done(server.rndc("loglevel"), "debug level is 2")
    done(server.rndc("trace", "5"), "")
    assert "debug level: 5" in server.rndc("status").out
    done(server.rndc("notrace"), "")
    done(server.rndc("loglevel", "0"), "debug level is 0")


@Verbs("scan")
def test_scan(server: ControlledBindpy) -> None:
    done(server.rndc("scan"), "")
    assert server.serial("example.com") == 1


# --- files for BIND's tools ----------------------------------------------------------------------


@Verbs("stats")
def test_stats() -> None:
    with serving(extra='statistics-file "counted";') as server:
        server.serial("example.com")
        path = server.directory / "counted"
        for times in (1, 2):
            done(server.rndc("stats"), "")
            text = path.read_text()
            assert text.count("+++ Statistics Dump +++ (") == text.count("--- Statistics Dump --- (") == times
        found = dict(line.split(maxsplit=1)[::-1] for line in text.splitlines() if line[0] == " ")
        assert int(found["UDP queries received"]) >= 1
        assert found["zones served"] == "1"
        assert "++ Name Server Statistics ++\n" in server.rndc("stats", "-show").out
        path.unlink()
        path.mkdir()
        failed(server.rndc("stats"), "stats", "failure", f"cannot write {path}: Is a directory")


@Verbs("dumpdb")
def test_dumpdb() -> None:
    with serving(extra='dump-file "dumped";') as server:
        path = server.directory / "dumped"
        for words in (["dumpdb"], ["dumpdb", "-zones"], ["dumpdb", "-all", "_default"]):
            path.unlink(missing_ok=True)
            done(server.rndc(*words), "")
            until(path.exists, server)
            text = path.read_text()
            assert "; Zone dump of 'example.com/IN'\n" in text
            assert "www\tIN\tA\t192.0.2.1\n" in text
            assert text.endswith("; Dump complete\n")
        path.unlink()
        done(server.rndc("dumpdb", "-cache"), "")
        until(path.exists, server)
        assert "example.com" not in path.read_text()
        failed(server.rndc("dumpdb", "nosuch"), "dumpdb", "not found", "no matching view 'nosuch'")


# --- what this server does not do ----------------------------------------------------------------


@Verbs("flush", "flushname", "flushtree")
def test_an_empty_cache_is_flushed(server: ControlledBindpy) -> None:
    for words in (["flush"], ["flush", "_default"], ["flushname", "a.example"], ["flushtree", "a.example"]):
        done(server.rndc(*words), "")


FOREIGN = (
    *("dnssec", "dnstap", "dnstap-reopen", "loadkeys", "managed-keys", "nta", "recursing", "secroots"),
    *("serve-stale", "sign", "signing", "tcp-timeouts", "validation"),
)


@Verbs(*FOREIGN)
def test_what_is_not_done_is_refused_with_the_reason(server: ControlledBindpy) -> None:
    for verb in FOREIGN:
        ran = server.rndc(verb, "example.com")
        assert ran.status == 1
        assert ran.err.startswith(f"rndc: '{verb}' failed: not implemented\n"), ran
        assert len(ran.err.splitlines()) == 2


# --- the end -------------------------------------------------------------------------------------


@Verbs("stop", "halt")
@pytest.mark.parametrize("words", [["stop"], ["halt"], ["stop", "-p"], ["halt", "-p"], ["quit"]])
def test_the_end(server: ControlledBindpy, words: list[str]) -> None:
    pid = server.pid
    done(server.rndc(*words), f"pid: {pid}" if "-p" in words else "")
    assert server.wait_end() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert "connection refused" in server.rndc("ping").err


# --- what is refused -----------------------------------------------------------------------------


def test_a_read_only_channel_only_tells() -> None:
    with serving(read_only=True) as server:
        for words in (["status"], ["zonestatus", "example.com"], ["showzone", "example.com"], ["null"]):
            assert server.rndc(*words).status == 0, words
        for name, verb in verbs().items():
            if verb.changes:
                ran = server.rndc(name)
                assert ran.status == 1, name
                assert ran.err.startswith(f"rndc: '{name}' failed: failure\n"), name
        assert server.serial("example.com") == 1


def test_every_verb_is_driven_here() -> None:
    assert set(verbs()) == DRIVEN
