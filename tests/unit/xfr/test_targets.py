"""Whom a zone's changes are told to."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindpy.config.acl import LocalAddresses, parse_address
from bindpy.config.load import load_config
from bindpy.config.model import ANY_SOURCE, Config, RemoteServer, SourceAddress
from bindpy.reload.table import ZoneEntry, ZoneTable
from bindpy.server.endpoint import Endpoint
from bindpy.xfr.targets import Ourselves, ServedAddresses, Target, Targets, find_targets, route_to
from bindpy.zone import names
from tests.support.zones import zone_from_text

ZONE = zone_from_text(
    "example.com.",
    "@ SOA ns1 host 5 2 3 4 5\n@ NS NS1\n@ NS ns2\n@ NS ns3.example.net.\n@ NS NS3.example.net.\n",
)
KNOWN = {"ns1.example.com.": ("192.0.2.1",), "ns2.example.com.": ("192.0.2.2", "2001:db8::2")}
NOBODY = Ourselves()


def config_of(
    tmp_path: Path, zone: str = "", *, options: str = "", outside: str = "", kind: str = ""
) -> Config:
    """Return a configuration with the zone example.com, *zone* in its statement."""
    kind = kind or "type primary"
    path = tmp_path / "named.conf"
    path.write_text(
        f'options {{ directory "{tmp_path}"; {options} }};\n{outside}\n'
        f'key k1 {{ algorithm hmac-sha256; secret "MDEyMzQ1Njc4OWFiY2RlZg=="; }};\n'
        f'key k2 {{ algorithm hmac-sha256; secret "MDEyMzQ1Njc4OWFiY2RlZg=="; }};\n'
        f'zone "example.com" {{ {kind}; file "example.com.zone"; {zone} }};\n'
    )
    result = load_config(str(path))
    assert result.config is not None, result.diagnostics
    return result.config


def told(
    config: Config, *, ourselves: Ourselves = NOBODY, known: dict[str, tuple[str, ...]] | None = None
) -> list[str]:
    """Return the targets as logs name them."""
    return [target.text for target in found(config, ourselves=ourselves, known=known).known]


def found(
    config: Config, *, ourselves: Ourselves = NOBODY, known: dict[str, tuple[str, ...]] | None = None
) -> Targets:
    addresses = KNOWN if known is None else known
    return find_targets(
        ZONE,
        config.zones()[0],
        port=53,
        ourselves=ourselves,
        addresses_of=lambda name: addresses.get(names.to_text(name).lower(), ()),
    )


def test_every_name_server_but_the_one_that_the_soa_names(tmp_path: Path) -> None:
    targets = found(config_of(tmp_path))
    assert [target.text for target in targets.known] == ["192.0.2.2#53", "2001:db8::2#53"]
    assert [name.lower() for name in targets.unresolved] == [names.from_text("ns3.example.net.")]


def test_notify_to_soa_adds_the_one_that_the_soa_names(tmp_path: Path) -> None:
    assert "192.0.2.1#53" in told(config_of(tmp_path, "notify-to-soa yes;"))


def test_also_notify_comes_first_with_its_port_and_key(tmp_path: Path) -> None:
    config = config_of(tmp_path, "also-notify port 5300 { 192.0.2.9 key k1; 192.0.2.8 port 54; };")
    assert told(config)[:2] == ["192.0.2.9#5300 key k1.", "192.0.2.8#54"]


def test_a_server_is_told_once(tmp_path: Path) -> None:
    config = config_of(tmp_path, "also-notify { 192.0.2.2 key k1; 192.0.2.2 key k1; 2001:DB8:0::2; };")
    assert told(config) == ["192.0.2.2#53 key k1.", "2001:db8::2#53"]


def test_two_keys_for_one_address_are_two_views_of_it(tmp_path: Path) -> None:
    config = config_of(tmp_path, "also-notify { 192.0.2.2 key k1; 192.0.2.2 key k2; };")
    assert told(config)[:2] == ["192.0.2.2#53 key k1.", "192.0.2.2#53 key k2."]


@pytest.mark.parametrize(
    ("kind", "notify", "expected"),
    [
        ("type primary", "yes", ["192.0.2.9#53", "192.0.2.2#53", "2001:db8::2#53"]),
        ("type primary", "no", []),
        ("type primary", "explicit", ["192.0.2.9#53"]),
        ("type primary", "primary-only", ["192.0.2.9#53", "192.0.2.2#53", "2001:db8::2#53"]),
        (
            "type secondary; primaries { 192.0.2.1; }",
            "yes",
            ["192.0.2.9#53", "192.0.2.2#53", "2001:db8::2#53"],
        ),
        ("type secondary; primaries { 192.0.2.1; }", "explicit", ["192.0.2.9#53"]),
        ("type secondary; primaries { 192.0.2.1; }", "primary-only", []),
    ],
)
def test_what_notify_says(tmp_path: Path, kind: str, notify: str, expected: list[str]) -> None:
    config = config_of(tmp_path, options=f"notify {notify}; also-notify {{ 192.0.2.9; }};", kind=kind)
    assert told(config) == expected


def test_a_native_zone_tells_nobody(tmp_path: Path) -> None:
    assert told(config_of(tmp_path, options="also-notify { 192.0.2.9; };", kind="type native")) == []


def test_never_ourselves(tmp_path: Path) -> None:
    local = LocalAddresses(localhost=(parse_address("192.0.2.2"), parse_address("2001:db8::2")))
    config = config_of(tmp_path, "also-notify { 192.0.2.2; 192.0.2.2 port 54; };")
    listening = [Endpoint("0.0.0.0", 53), Endpoint("::1", 53)]
    assert told(config, ourselves=Ourselves(listening, local)) == ["192.0.2.2#54", "2001:db8::2#53"]


def test_a_key_makes_ourselves_another_view(tmp_path: Path) -> None:
    ourselves = Ourselves([Endpoint("192.0.2.2", 53)])
    config = config_of(tmp_path, "notify explicit; also-notify { 192.0.2.2 key k1; };")
    assert told(config, ourselves=ourselves) == ["192.0.2.2#53 key k1."]


def test_addresses_that_are_no_host_are_left_out(tmp_path: Path) -> None:
    known = {"ns2.example.com.": ("0.0.0.0", "224.0.0.1", "::", "192.0.2.7")}
    assert told(config_of(tmp_path), known=known) == ["192.0.2.7#53"]


# --- addresses from our zones ---------------------------------------------------------------------


def served(config: Config, zones: dict[str, str]) -> ServedAddresses:
    """Return the look-up in a table where each of *config*'s zones has its text in *zones*."""
    table = ZoneTable()
    for zone in config.zones():
        entry = ZoneEntry(zone)
        text = zones.get(f"{names.to_text(zone.origin)}{zone.view}")
        if text is not None:
            entry.zone = zone_from_text(names.to_text(zone.origin), f"@ SOA a b 1 2 3 4 5\n{text}")
        table.add(entry)
    return ServedAddresses(table)


def views_config(tmp_path: Path) -> Config:
    path = tmp_path / "named.conf"
    views = "".join(
        f'view {view} {{ zone "example.com" {{ type primary; file "{view}"; }};'
        f'zone "sub.example.com" {{ type primary; file "{view}.sub"; }}; }};\n'
        for view in ("one", "two")
    )
    path.write_text(f'options {{ directory "{tmp_path}"; }};\n{views}')
    result = load_config(str(path))
    assert result.config is not None, result.diagnostics
    return result.config


def test_the_first_view_that_knows_a_name_gives_its_addresses(tmp_path: Path) -> None:
    both = {
        "example.com.one": "ns A 192.0.2.1\nns A 192.0.2.2\nns AAAA 2001:db8::1\n",
        "example.com.two": "ns A 192.0.2.3\nonly A 192.0.2.4\n",
    }
    lookup = served(views_config(tmp_path), both)
    name = names.from_text("NS.example.com.")
    assert lookup.find(name, ["one", "two"]) == ("192.0.2.1", "192.0.2.2", "2001:db8::1")
    assert lookup.find(name, ["two", "one"]) == ("192.0.2.3",)
    assert lookup.find(names.from_text("only.example.com."), ["one", "two"]) == ("192.0.2.4",)
    assert lookup.find(names.from_text("ns.example.org."), ["one", "two"]) == ()


def test_the_zone_closest_to_a_name_knows_it(tmp_path: Path) -> None:
    zones = {
        "example.com.one": "sub NS ns.sub\nns.sub A 192.0.2.1\n",
        "sub.example.com.one": "ns A 192.0.2.2\n",
    }
    name = names.from_text("ns.sub.example.com.")
    assert served(views_config(tmp_path), zones).find(name, ["one"]) == ("192.0.2.2",)


# --- how they are told ----------------------------------------------------------------------------


def test_the_key_of_the_list_goes_before_that_of_the_server_statement(tmp_path: Path) -> None:
    config = config_of(tmp_path, outside="server 192.0.2.0/24 { keys k2; }; server 192.0.2.3 { bogus yes; };")
    view = config.views[0]
    settings = config.zones()[0].settings.notifying
    by_list = route_to(Target(RemoteServer("192.0.2.1", 53, "k1.")), view, settings)
    assert by_list is not None
    assert by_list.key is config.keys["k1."]
    by_server = route_to(Target(RemoteServer("192.0.2.1", 53)), view, settings)
    assert by_server is not None
    assert by_server.key is config.keys["k2."]
    other = route_to(Target(RemoteServer("198.51.100.1", 53)), view, settings)
    assert other is not None
    assert (other.key, other.missing_key, other.source) == (None, "", ANY_SOURCE)
    assert route_to(Target(RemoteServer("192.0.2.3", 53)), view, settings) is None


def test_a_key_that_does_not_exist_is_named(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    settings = config.zones()[0].settings.notifying
    route = route_to(Target(RemoteServer("192.0.2.1", 53, "gone.")), config.views[0], settings)
    assert route is not None
    assert (route.key, route.missing_key) == (None, "gone.")


def test_the_source_of_the_list_then_the_server_statement_then_the_zone(tmp_path: Path) -> None:
    config = config_of(
        tmp_path,
        "notify-source 127.0.0.1; notify-source-v6 ::1;",
        outside="server 192.0.2.2 { notify-source 127.0.0.2; };",
    )
    view, settings = config.views[0], config.zones()[0].settings.notifying

    def source(remote: RemoteServer) -> SourceAddress:
        route = route_to(Target(remote), view, settings)
        assert route is not None
        return route.source

    assert source(RemoteServer("192.0.2.1", 53)).address == "127.0.0.1"
    assert source(RemoteServer("2001:db8::1", 53)).address == "::1"
    assert source(RemoteServer("192.0.2.2", 53)).address == "127.0.0.2"
    assert source(RemoteServer("192.0.2.2", 53, source="127.0.0.3")).address == "127.0.0.3"
