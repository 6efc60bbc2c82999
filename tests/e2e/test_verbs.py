"""Verbs on a running server, as programs use them: what they do, their data, and how their work ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bindpy.control.errors import VerbError
from bindpy.control.socket_client import SocketClient
from tests.e2e.daemon import DEADLINE_S, Daemon, daemon, wait_until, zone_text
from tests.support.ports import free_port

PRIMARY = 'zone "a.example" { type primary; file "a.db"; notify explicit; };\n'
EXTRA = 'control-socket "c.sock"; watch no; notify-delay 0;'
FILES: dict[str, str | bytes] = {"a.db": zone_text()}
BROKEN = zone_text().replace("NS ns", "NS")
PLACE_OF_ERROR = "bad.db:3:8: "


class Told:
    """All that the server said to one command."""

    def __init__(self, replies: list[dict[str, Any]]) -> None:
        self.progress = [reply for reply in replies if reply["type"] == "progress"]
        self.text: str = replies[-1]["text"]
        self.data: Any = replies[-1]["data"]


def tell(server: Daemon, command: str, *, wait: bool = False) -> Told:
    """Give a command; with *wait*, until its work has ended. Raises `VerbError`."""
    with SocketClient(str(server.folder / "c.sock"), timeout_s=DEADLINE_S) as client:
        return Told([dict(reply) for reply in client.request(command, wait=wait)])


def refusal(server: Daemon, command: str, *, wait: bool = False) -> VerbError:
    """Give a command that is not done, or whose work fails; return why."""
    with pytest.raises(VerbError) as refused:
        tell(server, command, wait=wait)
    return refused.value


def status(server: Daemon, zone: str = "a.example") -> Any:
    return tell(server, f"zonestatus {zone}").data


@contextmanager
def pair(tmp_path: Path, *, primary: str = "", secondary: str = "") -> Iterator[tuple[Daemon, Daemon]]:
    """A primary of a.example, with *primary* in its statement, and a secondary with *secondary* in its."""
    folders = tmp_path / "primary", tmp_path / "secondary"
    for folder in folders:
        folder.mkdir()
    port = free_port()
    conf = PRIMARY.replace(
        "};", f"allow-transfer {{ any; }}; also-notify {{ 127.0.0.1 port {port}; }}; {primary} }};"
    )
    with daemon(folders[0], conf, FILES, extra=EXTRA) as one:
        conf = (
            'zone "a.example" { type secondary; file "copy.db"; notify no; '
            f"primaries {{ 127.0.0.1 port {one.port}; }}; {secondary} }};\n"
        )
        with daemon(folders[1], conf, {}, extra=EXTRA, port=port) as other:
            yield one, other


def wait_for_serial(server: Daemon, serial: int) -> None:
    def seen() -> bool:
        found = tell(server, "list-zones").data["zones"]
        return any(zone["name"] == "a.example" and zone["serial"] == serial for zone in found)

    wait_until(seen, lambda: server.log)


# --- reloading ------------------------------------------------------------------------------------


def test_a_reload_is_followed_to_its_end_and_names_zones_with_errors(tmp_path: Path) -> None:
    conf = PRIMARY + 'zone "bad.example" { type primary; file "bad.db"; notify no; };\n'
    files = FILES | {"bad.db": zone_text()}
    with daemon(tmp_path, conf, files, extra=EXTRA) as server:
        (tmp_path / "a.db").write_text(zone_text(2))
        good = tell(server, "reload", wait=True)
        assert good.text == "2 of 2 zones have data"
        last = good.progress[-1]
        assert (last["done"], last["total"], last["unit"]) == (2, 2, "zones")
        (tmp_path / "bad.db").write_text(BROKEN)
        error = refusal(server, "reload", wait=True)
        assert error.err == "failure"
        assert PLACE_OF_ERROR in error.text
        assert tell(server, "reload").text.startswith("server reload successful\nzone bad.example/IN: ")
        # What is not about this command is not told again.
        assert tell(server, "reconfig", wait=True).text == "2 of 2 zones have data"
        assert PLACE_OF_ERROR in refusal(server, "reload bad.example").text
        lines = refusal(server, "reload-now bad.example a.example").text.splitlines()
        assert lines[0].startswith("bad.example: \t[rejected] ")
        assert "zone bad.example/IN: still serving serial 1" in lines
        assert lines[-1].startswith("a.example: \tparsed into memory at ")


def test_the_state_of_a_zone_with_errors(tmp_path: Path) -> None:
    conf = PRIMARY + 'zone "bad.example" { type primary; file "bad.db"; notify no; };\n'
    with daemon(tmp_path, conf, FILES | {"bad.db": BROKEN}, extra=EXTRA) as server:
        error = refusal(server, "zonestatus bad.example")
        assert (error.err, error.code) == ("zone not loaded", 123)
        assert PLACE_OF_ERROR in error.text
        assert error.data is not None
        assert (error.data["state"], error.data["serial"]) == ("failed", None)
        found = error.data["errors"][0]
        assert (found["severity"], found["line"], found["column"]) == ("error", 3, 8)
        rejects = tell(server, "list-rejects").data["zones"]
        assert [zone["name"] for zone in rejects] == ["bad.example"]
        assert tell(server, "status").data["zones"]["failed"] == 1
        assert "[rejected]" in tell(server, "bind-domain-status bad.example nosuch").text
        assert "nosuch no such domain" in tell(server, "bind-domain-status bad.example nosuch").text
        (tmp_path / "bad.db").write_text(zone_text())
        assert tell(server, "reload bad.example").text == "zone reload successful"
        assert tell(server, "list-rejects").text == ""


def test_many_reloads_at_once_are_few(tmp_path: Path) -> None:
    with daemon(tmp_path, PRIMARY, FILES, extra=EXTRA) as server:
        (tmp_path / "a.db").write_text(zone_text(2))
        texts: list[str] = []

        def one(number: int) -> None:
            texts.append(tell(server, "reload" if number % 2 else "reconfig", wait=True).text)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert texts == ["1 of 1 zones have data"] * 24
        begun = server.log.count("general: info: reloading /") + server.log.count("info: rereading /")
        assert 1 <= begun < 24
        assert status(server)["serial"] == 2
        assert tell(server, "status").data["reload"] is None


def test_a_named_conf_that_cannot_be_used(tmp_path: Path) -> None:
    with daemon(tmp_path, PRIMARY, FILES, extra=EXTRA) as server:
        conf = (tmp_path / "named.conf").read_text()
        (tmp_path / "named.conf").write_text(conf + "zone { };\n")
        line = conf.count("\n") + 1
        for command in ("reload", "reconfig", "rediscover"):
            error = refusal(server, command)
            assert error.err == "failure"
            assert f"named.conf:{line}:8: error: " in error.text
        data = tell(server, "status").data
        assert data["reload"] == "failed"
        assert data["zones"]["served"] == 1
        (tmp_path / "named.conf").write_text(conf)
        tell(server, "reconfig")
        assert tell(server, "status").data["reload"] is None


def test_zones_that_come_and_go_are_counted(tmp_path: Path) -> None:
    with daemon(tmp_path, PRIMARY, FILES, extra=EXTRA) as server:
        conf = (tmp_path / "named.conf").read_text()
        (tmp_path / "named.conf").write_text(conf.replace("a.example", "b.example"))
        told = tell(server, "rediscover")
        assert told.text == "Done parsing domains, 0 rejected, 1 new, 1 removed"
        assert told.data == {"zones": 1, "new": 1, "removed": 1}


def test_commands_while_a_large_zone_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINDPY_ENGINE", "python")  # the other one is done before anybody could ask
    large = zone_text() + "$GENERATE 1-400000 host-$ A 192.0.2.1\n"
    conf = PRIMARY + 'zone "large.example" { type primary; file "large.db"; notify no; };\n'
    with daemon(tmp_path, conf, FILES | {"large.db": zone_text()}, extra=EXTRA) as server:
        (tmp_path / "large.db").write_text(large)
        (tmp_path / "a.db").write_text(zone_text(2))
        assert tell(server, "reload large.example").text == "zone reload queued"
        assert tell(server, "status").data["zones"]["loading"] >= 1
        assert tell(server, "zonestatus large.example").data["serial"] == 1
        assert refusal(server, "refresh large.example").err == "failure"
        tell(server, "stop")
        assert server.wait_end() == 0, "a load holds up nothing"


def test_the_query_log_is_the_operator_s_until_named_conf_says_otherwise(tmp_path: Path) -> None:
    with daemon(tmp_path, PRIMARY, FILES, extra=EXTRA) as server:
        assert tell(server, "querylog").data == {"querylog": True}
        tell(server, "reload")
        assert tell(server, "status").data["querylog"] is True
        conf = (tmp_path / "named.conf").read_text()
        for setting, wanted in (("yes", True), ("no", False)):
            (tmp_path / "named.conf").write_text(conf.replace("watch no;", f"watch no; querylog {setting};"))
            tell(server, "reconfig")
            assert tell(server, "status").data["querylog"] is wanted


# --- editing in peace -----------------------------------------------------------------------------


def test_a_frozen_secondary_takes_nothing(tmp_path: Path) -> None:
    with pair(tmp_path) as (primary, secondary):
        wait_for_serial(secondary, 1)
        tell(secondary, "freeze a.example")
        found = status(secondary)
        assert (found["frozen"], found["watched"]) == (True, False)
        (primary.folder / "a.db").write_text(zone_text(2))
        tell(primary, "reload a.example")
        secondary.wait_for_log("zone a.example/IN: notify from 127.0.0.1#")
        assert "thaw it first" in refusal(secondary, "refresh a.example").text
        copy = (secondary.folder / "copy.db").read_text()
        assert status(secondary)["serial"] == 1
        assert tell(secondary, "thaw a.example").text == "The zone reload and thaw was successful."
        wait_for_serial(secondary, 2)
        assert (secondary.folder / "copy.db").read_text() != copy


def test_an_edit_in_peace_with_an_error(tmp_path: Path) -> None:
    with daemon(tmp_path, PRIMARY, FILES, extra='control-socket "c.sock";') as server:
        tell(server, "freeze a.example")
        (tmp_path / "a.db").write_text(BROKEN)
        error = refusal(server, "thaw a.example")
        assert "a.db:3:8: " in error.text
        assert "zone a.example/IN: still serving serial 1" in error.text
        assert status(server)["frozen"] is False
        (tmp_path / "a.db").write_text(zone_text(2))
        wait_for_serial(server, 2)


def test_all_zones_are_frozen_and_thawed(tmp_path: Path) -> None:
    conf = PRIMARY + 'zone "b.example" { type primary; file "b.db"; notify no; };\n'
    with daemon(tmp_path, conf, FILES | {"b.db": zone_text()}, extra=EXTRA) as server:
        tell(server, "freeze b.example")
        tell(server, "freeze")
        assert [status(server, zone)["frozen"] for zone in ("a.example", "b.example")] == [True, True]
        (tmp_path / "a.db").write_text(zone_text(2))
        (tmp_path / "b.db").write_text(BROKEN)
        error = refusal(server, "thaw")
        assert "b.db:3:8: " in error.text
        assert status(server)["serial"] == 2
        (tmp_path / "b.db").write_text(zone_text(2))
        tell(server, "freeze")
        assert tell(server, "thaw", wait=True).text == "2 zones"
        assert status(server, "b.example")["serial"] == 2


# --- other servers --------------------------------------------------------------------------------


def test_a_transfer_is_followed_to_its_end(tmp_path: Path) -> None:
    with pair(tmp_path) as (primary, secondary):
        wait_for_serial(secondary, 1)
        told = tell(secondary, "retransfer a.example", wait=True)
        by = f"127.0.0.1#{primary.port}"
        assert told.text.startswith(f"zone a.example/IN: serial 1 from {by} by AXFR: 1 messages, 5 records, ")
        assert told.progress[-1]["unit"] == "bytes"
        assert told.progress[-1]["done"] == told.progress[-1]["total"] > 0
        found = status(secondary)["secondary"]
        transfer = found["transfer"]
        assert (transfer["primary"], transfer["how"], transfer["records"]) == (by, "AXFR", 5)
        assert transfer["octets"] == told.progress[-1]["done"]
        assert (found["state"], found["primaries"], found["last_primary"]) == ("fresh", [by], by)
        assert found["refreshed_at"] <= found["next_refresh_at"] <= found["expires_at"]
        assert tell(secondary, "refresh a.example", wait=True).text == (
            f"zone a.example/IN: {by} has nothing newer than serial 1"
        )
        primary.stop()
        error = refusal(secondary, "retransfer a.example", wait=True)
        assert error.err == "failure"
        assert error.text.startswith(f"zone a.example/IN: {by} ")
        found = status(secondary)
        assert found["secondary"]["state"] == "stale"
        assert found["error"] == found["secondary"]["trouble"]
        assert tell(secondary, "reload a.example").text == "zone refresh queued"


def test_who_was_told_and_what_they_know(tmp_path: Path) -> None:
    with pair(tmp_path) as (primary, secondary):
        wait_for_serial(secondary, 1)
        (primary.folder / "a.db").write_text(zone_text(2))
        tell(primary, "reload a.example")
        wait_for_serial(secondary, 2)

        def target() -> Any:
            found = status(primary)["notify"]
            assert found["mode"] == "explicit"
            return found["targets"][0]

        wait_until(lambda: target()["acknowledged"] == 2, lambda: primary.log)
        assert target()["target"] == f"127.0.0.1#{secondary.port}"
        assert (target()["state"], target()["serial"], target()["reason"]) == ("acknowledged", 2, None)
        before = secondary.log.count("notify from 127.0.0.1#")
        tell(primary, "notify a.example")
        secondary.wait_for_log("notify from 127.0.0.1#", before + 1)
        journal = status(primary)["journal"]
        assert (journal["deltas"], journal["from_serial"], journal["to_serial"]) == (1, 1, 2)
        tell(primary, "sync -clean a.example")
        assert status(primary)["journal"] is None
        told = tell(primary, "notify *")
        assert (told.text, told.data) == ("zone notify queued", {"zones": 1})
        secondary.wait_for_log("notify from 127.0.0.1#", before + 2)
        assert tell(secondary, "notify *").data == {"zones": 0}


def test_any_server_is_told_by_name_or_address(tmp_path: Path) -> None:
    key = 'key "k." { algorithm hmac-sha256; secret "c2VjcmV0LXNlY3JldC1zZWNyZXQ="; };\n'
    with pair(tmp_path) as (primary, secondary):
        conf = primary.folder / "named.conf"
        conf.write_text(key + conf.read_text())
        tell(primary, "reconfig")
        to = f"127.0.0.1#{secondary.port}"
        for words in (f"localhost {secondary.port}", to, f"127.0.0.1 {secondary.port} -"):
            told = tell(primary, f"notify-host a.example {words}", wait=True)
            assert to in told.text
            assert told.text.startswith("acknowledged by ")
        refused = {
            f"notify-host a.example 127.0.0.1 {secondary.port} k": f"{to}: ",
            f"notify-host a.example 127.0.0.1 {secondary.port} nosuch": "there is no 'key' statement",
            f"notify-host a.example ::1 {secondary.port}": f"::1#{secondary.port}: ",
            "notify-host a.example no-such-host.invalid": "no-such-host.invalid cannot be resolved: ",
            'notify-host a.example "b\u00e4d host"': "cannot be resolved: it is no host name",
        }
        for command, why in refused.items():
            assert why in refusal(primary, command, wait=True).text, command
        assert refusal(primary, "notify-host a.example localhost 99999").err == "not a valid number"
        assert refusal(primary, "notify-host a.example localhost 0").err == "not a valid number"
        assert refusal(primary, "notify-host nosuch localhost").err == "not found"
        conf.write_text(conf.read_text().replace("notify explicit", "notify no"))
        tell(primary, "reconfig")
        assert "nobody is told" in refusal(primary, "notify a.example").text


def test_a_script_that_fails_is_the_reason(tmp_path: Path) -> None:
    with pair(tmp_path, secondary='lua-axfr-script "filter.lua";') as (_, secondary):
        script = secondary.folder / "filter.lua"
        script.write_text("function axfrfilter(ip, zone, record) error('no way') end\n")
        error = refusal(secondary, "retransfer a.example", wait=True)
        assert "no way" in error.text
        error = refusal(secondary, "zonestatus a.example")
        assert error.data is not None
        assert error.data["filter"]["script"] == str(script)
        assert "no way" in error.data["filter"]["error"]
        script.write_text("function axfrfilter(ip, zone, record) return -1, {} end\n")
        tell(secondary, "retransfer a.example", wait=True)
        assert status(secondary)["filter"] == {"script": str(script), "error": None}


# --- files ----------------------------------------------------------------------------------------


def test_counters_are_shown_and_written(tmp_path: Path) -> None:
    with daemon(tmp_path, PRIMARY, FILES, extra=EXTRA) as server:
        for _ in range(5):
            server.ask("www.a.example")
        server.ask("www.a.example", tcp=True)
        shown = tell(server, "stats -show")
        assert shown.data["server"]["queries_udp"] >= 5
        assert shown.data["server"]["queries_tcp"] == shown.data["sockets"]["tcp_high_water"] == 1
        assert shown.data["server"]["responses"] >= 6
        assert shown.data["zones"] == {"waiting": 0, "served": 1, "expired": 0, "failed": 0}
        assert "                   1 TCP queries received" in shown.text.splitlines()
        assert not (tmp_path / "named.stats").exists()
        assert tell(server, "stats").data["file"] == str(tmp_path / "named.stats")
        assert "1 TCP queries received\n" in (tmp_path / "named.stats").read_text()


def test_a_dump_is_whole_or_not_there(tmp_path: Path) -> None:
    with daemon(tmp_path, PRIMARY, FILES, extra=EXTRA + 'dump-file "no/such/folder";') as server:
        assert "cannot write into the directory" in refusal(server, "dumpdb", wait=True).text
    other = tmp_path / "other"
    other.mkdir()
    with daemon(other, PRIMARY, FILES, extra=EXTRA) as server:
        assert tell(server, "dumpdb", wait=True).text == f"1 zone in {other}/named_dump.db"
        assert "; Start view _default\n" in (other / "named_dump.db").read_text()
        assert sorted(path.name for path in other.glob(".*bindpy-????????????")) == []
