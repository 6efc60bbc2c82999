"""Many commands by rndc, one after the other and at the same time, and a client that hangs."""

from __future__ import annotations

import threading

from tests.interop import driving
from tests.interop.driving import DEADLINE_S, done, zone_text
from tests.support.controlled import ControlledBindpy
from tests.support.real_rndc import Ran

server = driving.server  # the fixture


def test_10000_times_status_in_a_row(server: ControlledBindpy) -> None:
    with server.client() as client:
        first = client.ask("status")
        for _ in range(9999):
            assert client.ask("status").err is None
    assert "server is up and running" in first.text
    assert server.serial("example.com") == 1


def test_commands_at_once_and_during_reloads(server: ControlledBindpy) -> None:
    """Two dozen commands, most of them reloads, at the same time, while the zone is edited."""
    commands = [
        ["reload"],
        ["reload", "example.com"],
        ["reconfig"],
        ["status"],
        ["zonestatus", "example.com"],
    ]
    results: list[Ran] = []

    def drive(number: int) -> None:
        results.append(server.rndc(*commands[number % len(commands)]))

    threads = [threading.Thread(target=drive, args=(number,)) for number in range(25)]
    for serial, thread in enumerate(threads, 2):
        server.edit("example.db", zone_text(serial))
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert [ran.err for ran in results] == [""] * 25
    done(server.rndc("reload"), "server reload successful")
    server.wait_for_serial("example.com", 26)


def test_a_client_that_hangs_holds_up_nobody(server: ControlledBindpy) -> None:
    with server.client() as hanging:
        hanging.sock.sendall(b"\0\0\1\0\0\0\0\1\5_auth")
        done(server.rndc("ping"), "PONG")
        done(server.rndc("stop"), "")
        assert server.wait_end() == 0
