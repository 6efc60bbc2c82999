"""What holds for asking a primary: the list, the server statement, the zone, in this order."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindpy.config.model import SourceAddress
from bindpy.xfr.peers import Primary, primaries_of
from tests.unit.server.test_control_plane import configuration


def primaries(folder: Path, servers: str, remotes: str, zone: str = "") -> list[Primary]:
    keys = "".join(
        f'key "{name}" {{ algorithm hmac-sha256; secret "c2VjcmV0"; }};\n' for name in ("one", "two")
    )
    text = f'{keys}{servers}\nzone "a.test" {{ type secondary; primaries {{ {remotes} }}; {zone} }};'
    config = configuration(folder, text)
    return primaries_of(config.zones()[0], config.views[0], 2)


def test_without_more_words(tmp_path: Path) -> None:
    (one,) = primaries(tmp_path, "", "192.0.2.1;")
    assert one.text == "192.0.2.1#53"
    assert (one.key, one.missing_key, one.source) == (None, "", SourceAddress())
    assert (one.edns, one.tcp_only, one.request_ixfr, one.request_expire) == (True, False, True, True)
    assert one.transfers == 2


def test_the_server_statement_has_a_word(tmp_path: Path) -> None:
    said = 'keys "one"; edns no; tcp-only yes; request-ixfr no; request-expire no; transfers 7;'
    (one,) = primaries(tmp_path, f"server 192.0.2.0/24 {{ {said} }};", "192.0.2.1;")
    assert one.key is not None
    assert one.key.name == "one."
    assert (one.edns, one.tcp_only, one.request_ixfr, one.request_expire) == (False, True, False, False)
    assert one.transfers == 7


def test_the_key_of_the_list_comes_first(tmp_path: Path) -> None:
    (one,) = primaries(tmp_path, 'server 192.0.2.1 { keys "one"; };', '192.0.2.1 key "two";')
    assert one.key is not None
    assert one.key.name == "two."


def test_a_bogus_server_is_not_asked(tmp_path: Path) -> None:
    found = primaries(tmp_path, "server 192.0.2.1 { bogus yes; };", "192.0.2.1; 192.0.2.2;")
    assert [one.text for one in found] == ["192.0.2.2#53"]


@pytest.mark.parametrize(
    ("servers", "zone", "v4", "v6"),
    [
        ("", "", "", ""),
        ("", "transfer-source 192.0.2.8; transfer-source-v6 2001:db8::8;", "192.0.2.8", "2001:db8::8"),
        (
            "server 192.0.2.1 { transfer-source 192.0.2.9; };",
            "transfer-source 192.0.2.8; transfer-source-v6 2001:db8::8;",
            "192.0.2.9",
            "2001:db8::8",
        ),
    ],
)
def test_the_source_address(tmp_path: Path, servers: str, zone: str, v4: str, v6: str) -> None:
    found = primaries(tmp_path, servers, "192.0.2.1; 2001:db8::1;", zone)
    assert [one.source.address for one in found] == [v4, v6]
