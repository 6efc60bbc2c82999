"""The tests of rndc once more, by ``bindpy ctl`` over the local socket: same effects, same words.

Each test of `test_rndc_verbs` that is not about rndc itself runs here, with the servers' ``rndc`` being
``bindpy ctl``. What is said on standard error is compared in rndc's form.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from bindpy.cli.main import main
from bindpy.control.catalogue import verbs
from tests.interop import test_rndc_verbs as by_rndc
from tests.interop.driving import BROKEN, done, failed, pair, serving, zone_text
from tests.support.controlled import Controlled, ControlledBindpy
from tests.support.real_rndc import Ran

ABOUT_RNDC = {
    "test_reconfig_takes_over_the_channel_that_it_came_by",
    "test_the_end",  # below: rndc says in its own words that nobody is there
    "test_a_read_only_channel_only_tells",
    "test_every_verb_is_driven_here",
}
COMPLETING = """\
from bindpy.cli import control_common
from bindpy.cli.main import main
control_common.COMPLETE_WITHIN_S = 30
main(prog_name='bindpy')
"""
"""bindpy, more patient with its server than people at a prompt would be: the machine has other work."""
server = by_rndc.server  # the fixture
TESTS = {name: test for name, test in vars(by_rndc).items() if name.startswith("test_")}
globals().update({name: test for name, test in TESTS.items() if name not in ABOUT_RNDC})


def ctl(server: Controlled, *arguments: str) -> Ran:
    """Run ``bindpy ctl``; its words on standard error become rndc's."""
    conf = str(server.directory / "named.conf")
    ran = CliRunner().invoke(main, ["ctl", *arguments, "-c", conf])
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    err = ran.stderr
    if err.startswith("error: "):
        err = f"rndc: '{arguments[0]}' failed: {err.removeprefix('error: ')}"
    return Ran(ran.exit_code, ran.stdout, err)


@pytest.fixture(autouse=True)
def by_ctl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ControlledBindpy, "rndc", ctl)


def test_no_test_of_rndc_is_forgotten() -> None:
    assert set(TESTS) > ABOUT_RNDC
    assert set(verbs()) >= by_rndc.DRIVEN


@pytest.mark.parametrize("words", [["stop"], ["halt"], ["stop", "-p"], ["QUIT"]])
def test_the_end_of_the_server(server: ControlledBindpy, words: list[str]) -> None:
    pid = server.pid
    done(server.rndc(*words), f"pid: {pid}" if "-p" in words else "")
    assert server.wait_end() == 0
    ran = server.rndc("ping")
    assert ran.status == 1
    assert "no server is running here" in ran.err


def test_wrong_usage_reaches_no_server(server: ControlledBindpy) -> None:
    for words in (
        ["nonsense"],
        ["refresh"],
        ["ping", "x"],
        ["stop", "-x"],
        ["zonestatus", "a", "IN", "v", "x"],
    ):
        assert server.rndc(*words).status == 2, words


def test_waiting_for_the_end_and_json(server: ControlledBindpy) -> None:
    server.edit("example.db", zone_text(2))
    ran = server.rndc("reload", "--wait")
    assert (ran.status, ran.out) == (0, "server reload successful\n1 of 1 zones have data\n")
    assert server.serial("example.com") == 2
    server.edit("example.db", BROKEN)
    ran = server.rndc("reload", "--wait")
    assert ran.status == 1
    assert "example.db:3:5: " in ran.err
    status = json.loads(server.rndc("zonestatus", "example.com", "--json").out)
    assert status["data"]["serial"] == 2
    assert status["data"]["errors"][0]["line"] == 3


def test_waiting_for_a_transfer() -> None:
    with pair() as (primary, secondary):
        ran = secondary.rndc("retransfer", "example.com", "--wait")
        assert ran.status == 0
        assert f"serial 1 from 127.0.0.1#{primary.port} by AXFR" in ran.out
        primary.stop()
        ran = secondary.rndc("retransfer", "example.com", "--wait")
        assert ran.status == 1
        assert f"127.0.0.1#{primary.port}" in ran.err


def test_zones_with_odd_names() -> None:
    conf = 'zone "a b\\".example" { type primary; file "@DIRECTORY@/example.db"; };\n'
    with serving(conf) as server:
        assert server.rndc("zonestatus", r"a\032b\".example").status == 0
        failed(
            server.rndc("zonestatus", 'x "y'),
            "zonestatus",
            "not found",
            "no matching zone 'x \"y' in any view",
        )


def people(server: Controlled, *arguments: str) -> Ran:
    conf = str(server.directory / "named.conf")
    ran = CliRunner().invoke(main, [*arguments, "-c", conf])
    return Ran(ran.exit_code, ran.stdout, ran.stderr)


def test_the_short_forms_for_people(server: ControlledBindpy) -> None:
    ran = people(server, "status")
    assert (ran.status, ran.err) == (0, "")
    assert "zones          1, all with data" in ran.out.splitlines()
    assert f"process {server.pid}" in ran.out
    assert "\x1b" not in ran.out
    assert "\x1b[1m" in people(server, "status", "--color", "always").out
    assert json.loads(people(server, "status", "--json").out)["zones"]["served"] == 1
    ran = people(server, "zonestatus", "example.com")
    assert (ran.status, ran.err) == (0, "")
    assert "state      served" in ran.out.splitlines()
    assert "serial     1" in ran.out.splitlines()
    assert json.loads(people(server, "zonestatus", "example.com", "--json").out)["records"] == 4
    assert people(server, "zonestatus", "nosuch") == Ran(
        1, "", "error: not found\nno matching zone 'nosuch' in any view\n"
    )


def test_a_zone_without_data_is_shown_all_the_same() -> None:
    with serving(files={"example.db": BROKEN}) as server:
        ran = people(server, "zonestatus", "example.com", "--view", "_default")
        assert ran.status == 1
        assert "state      failed" in ran.out.splitlines()
        assert "example.db:3:5: " in ran.out
        assert json.loads(people(server, "zonestatus", "example.com", "--json").out)["state"] == "failed"
        assert "1 failed" in people(server, "status").out


def test_zones_are_completed_by_the_shell(server: ControlledBindpy) -> None:
    conf = str(server.directory / "named.conf")

    def completed(*words: str) -> list[str]:
        environment = {
            "_BINDPY_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["bindpy", *words]),
            "COMP_CWORD": str(len(words)),
        }
        ran = subprocess.run(
            [sys.executable, "-c", COMPLETING],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return [line.removeprefix("plain,") for line in ran.stdout.splitlines() if line]

    assert completed("ctl", "-c", conf, "reload", "EX") == ["example.com"]
    assert completed("ctl", "reload", "-c", conf, "x") == []
    assert completed("ctl", "reload", "-c", conf, "example.com", "I") == ["IN"]
    assert completed("zonestatus", "-c", conf, "e") == ["example.com"]
    assert completed("ctl", "list-zones", "-c", conf, "n") == ["native"]
    assert completed("ctl", "relo") == ["reload", "reload-now"]
    server.stop()
    assert completed("ctl", "reload", "-c", conf, "e") == []
