"""``server`` statements: the longest prefix holds."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from bindpy.config.load import load_config
from bindpy.config.model import ServerStatement, SourceAddress
from bindpy.config.servers import server_for


def servers(text: str) -> tuple[ServerStatement, ...]:
    result = load_config("named.conf", text=text)
    assert result.config is not None, [str(d) for d in result.diagnostics]
    return result.config.views[0].servers


NESTED = servers(
    """
    server 192.0.2.0/24 { transfers 24; };
    server 192.0.2.1 { transfers 32; };
    server 0/0 { transfers 0; };
    server 192.0.2.0/25 { transfers 25; };
    server 2001:db8::/32 { transfers 132; };
    server 2001:db8::1 { transfers 228; };
    """
)


@pytest.mark.parametrize(
    ("address", "transfers"),
    [
        ("192.0.2.1", 32),
        ("192.0.2.2", 25),
        ("192.0.2.200", 24),
        ("198.51.100.1", 0),
        ("::ffff:192.0.2.1", 32),
        ("2001:db8::1", 228),
        ("2001:db8::2", 132),
        ("2001:db8::1%eth0", 228),
    ],
)
def test_the_longest_prefix_holds(address: str, transfers: int) -> None:
    found = server_for(NESTED, address)
    assert found is not None
    assert found.transfers == transfers


def test_an_address_in_no_prefix_has_no_statement() -> None:
    assert server_for(NESTED, "2001:db9::1") is None
    assert server_for((), "192.0.2.1") is None


def test_an_address_need_not_be_text() -> None:
    assert server_for(NESTED, ip_address("192.0.2.1")) is NESTED[1]


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="ns1"):
        server_for(NESTED, "ns1.example")


def test_everything_that_a_statement_says() -> None:
    (server,) = servers(
        """
        key k { algorithm hmac-sha256; secret "YQ=="; };
        server 192.0.2.1 {
            keys { "K"; }; bogus yes; edns no; provide-ixfr no; request-ixfr yes; request-expire no;
            tcp-only yes; transfer-format one-answer;
            transfers 3; notify-source 192.0.2.3 port 5; transfer-source *;
        };
        """
    )
    assert server.keys == ("k.",)
    assert (server.bogus, server.edns, server.tcp_only) == (True, False, True)
    assert (server.provide_ixfr, server.request_ixfr, server.request_expire) == (False, True, False)
    assert (server.transfer_format, server.transfers) == ("one-answer", 3)
    assert (server.notify_source, server.transfer_source) == (SourceAddress("192.0.2.3", 5), SourceAddress())
    assert (server.notify_source_v6, server.transfer_source_v6) == (None, None)


def test_a_statement_that_is_silent() -> None:
    (server,) = servers("server 2001:db8::/32 { };")
    assert server.keys == ()
    values = {getattr(server, name) for name in server.__slots__ if name not in ("prefix", "keys", "span")}
    assert values == {None}
