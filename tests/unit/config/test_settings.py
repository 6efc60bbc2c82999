"""What zones inherit for replication: options → view → zone, each level over the one before."""

from __future__ import annotations

from operator import attrgetter

import pytest

from bindpy.config.load import load_config
from bindpy.config.model import Config, NotifySettings, RemoteServer, SourceAddress, ZoneSettings
from bindpy.diagnostics import Severity

V4, V4_PORT = SourceAddress("192.0.2.1"), SourceAddress("192.0.2.2", 5353)
V6, V6_PORT = SourceAddress("2001:db8::1"), SourceAddress("", 5353)

Case = tuple[str, str, object, tuple[tuple[str, object], tuple[str, object], tuple[str, object]]]
"""Clause, field, default, and three values as written and as the model has them."""

YES_NO_YES = (("yes", True), ("no", False), ("true", True))
NO_YES_NO = (("no", False), ("yes", True), ("0", False))
MINUTES = (("1", 60), ("0", 0), ("40320", 2419200))
SECONDS = (("60", 60), ("1", 1), ("4294967295", 4294967295))
SOURCES = (("192.0.2.1", V4), ("*", SourceAddress()), ("192.0.2.2 port 5353", V4_PORT))
SOURCES_V6 = (("2001:db8::1", V6), ("* port *", SourceAddress()), ("* port 5353", V6_PORT))

EVERYWHERE: list[Case] = [
    (
        "notify",
        "notify",
        "yes",
        (("explicit", "explicit"), ("no", "no"), ("master-only", "primary-only")),
    ),
    (
        "also-notify",
        "also_notify",
        (),
        (
            ("{ 192.0.2.1; }", (RemoteServer("192.0.2.1", 53),)),
            ("port 54 { 192.0.2.1; }", (RemoteServer("192.0.2.1", 54),)),
            ("{ }", ()),
        ),
    ),
    ("notify-to-soa", "notifying.to_soa", False, YES_NO_YES),
    ("notify-delay", "notifying.delay_s", 5, (("0", 0), ("10", 10), ("1", 1))),
    ("notify-source", "notifying.source", SourceAddress(), SOURCES),
    ("notify-source-v6", "notifying.source_v6", SourceAddress(), SOURCES_V6),
    ("request-ixfr", "transfer.request_ixfr", True, NO_YES_NO),
    ("request-expire", "transfer.request_expire", True, NO_YES_NO),
    ("transfer-source", "transfer.source", SourceAddress(), SOURCES),
    ("transfer-source-v6", "transfer.source_v6", SourceAddress(), SOURCES_V6),
    ("max-transfer-time-in", "transfer.max_time_in_s", 7200, MINUTES),
    ("max-transfer-time-out", "transfer.max_time_out_s", 7200, MINUTES),
    ("max-transfer-idle-in", "transfer.max_idle_in_s", 3600, MINUTES),
    ("max-transfer-idle-out", "transfer.max_idle_out_s", 3600, MINUTES),
    ("min-transfer-rate-in", "transfer.min_rate_in_octets", 10240, (("1 2", 1), ("10 1", 10), ("2 9", 2))),
    ("min-transfer-rate-in", "transfer.min_rate_in_window_s", 300, (("1 2", 120), ("9 1", 60), ("2 9", 540))),
    ("min-refresh-time", "refresh.min_refresh_s", 300, SECONDS),
    ("max-refresh-time", "refresh.max_refresh_s", 2419200, SECONDS),
    ("min-retry-time", "refresh.min_retry_s", 500, SECONDS),
    ("max-retry-time", "refresh.max_retry_s", 1209600, SECONDS),
    ("try-tcp-refresh", "refresh.try_tcp", True, NO_YES_NO),
    ("multi-master", "refresh.multi_primary", False, YES_NO_YES),
    ("ixfr-from-differences", "journal.from_differences", True, NO_YES_NO),
    (
        "max-journal-size",
        "journal.max_octets",
        None,
        (("1k", 1024), ("default", None), ("unlimited", (1 << 31) - 1)),
    ),
    ("max-ixfr-ratio", "journal.max_ratio_percent", 100, (("50%", 50), ("unlimited", None), ("300%", 300))),
    ("max-records", "checks.max_records", 0, (("7", 7), ("0", 0), ("1", 1))),
]
PRIMARY_ONLY: list[Case] = [
    (
        "serial-update-method",
        "serial_update_method",
        "increment",
        (("date", "date"), ("unixtime", "unixtime"), ("increment", "increment")),
    ),
]
NOT_IN_ZONES: list[Case] = [
    (
        "transfer-format",
        "transfer.format",
        "many-answers",
        (("one-answer", "one-answer"), ("many-answers", "many-answers"), ("one-answer", "one-answer")),
    ),
    ("provide-ixfr", "transfer.provide_ixfr", True, NO_YES_NO),
]
SECONDARY = 'zone "x" {{ type secondary; primaries {{ 192.0.2.9; }}; {} }};'
PRIMARY = 'zone "x" {{ type primary; file "x"; {} }};'


def load(text: str) -> Config:
    result = load_config("named.conf", text=text)
    assert result.config is not None, [str(d) for d in result.diagnostics]
    return result.config


def settings(zone: str, options: str = "", view: str = "", own: str = "") -> ZoneSettings:
    """Return what the one zone has when each level says that."""
    text = f"options {{ {options} }}; view v {{ {view} {zone.format(own)} }};"
    (built,) = load(text).zones()
    return built.settings


def case_id(value: object) -> str | None:
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(("clause", "field", "default", "values"), EVERYWHERE + NOT_IN_ZONES, ids=case_id)
def test_a_view_overrides_options(
    clause: str, field: str, default: object, values: tuple[tuple[str, object], ...]
) -> None:
    value = attrgetter(field)
    (first, first_value), (second, second_value), (third, third_value) = values
    assert value(settings(SECONDARY)) == default
    assert value(settings(SECONDARY, f"{clause} {first};")) == first_value
    assert value(settings(SECONDARY, "", f"{clause} {third};")) == third_value
    assert value(settings(SECONDARY, f"{clause} {first};", f"{clause} {second};")) == second_value


@pytest.mark.parametrize(
    ("zone", "clause", "field", "values"),
    [(SECONDARY, clause, field, values) for clause, field, _, values in EVERYWHERE]
    + [(PRIMARY, clause, field, values) for clause, field, _, values in PRIMARY_ONLY],
    ids=case_id,
)
def test_a_zone_overrides_its_view(
    zone: str, clause: str, field: str, values: tuple[tuple[str, object], ...]
) -> None:
    value = attrgetter(field)
    for first, second, third in (values, values[1:] + values[:1], values[2:] + values[:2]):
        got = settings(zone, f"{clause} {first[0]};", f"{clause} {second[0]};", f"{clause} {third[0]};")
        assert value(got) == third[1]


@pytest.mark.parametrize(
    ("written", "primary", "secondary", "native"),
    [
        ("yes", True, True, True),
        ("no", False, False, False),
        ("primary", True, False, True),
        ("master", True, False, True),
        ("secondary", False, True, False),
        ("slave", False, True, False),
    ],
)
def test_differences_are_kept_by_the_type_of_the_zone(
    written: str, primary: bool, secondary: bool, native: bool
) -> None:
    config = load(
        f"""
        options {{ ixfr-from-differences {written}; }};
        zone "p" {{ type primary; file "p"; }};
        zone "s" {{ type secondary; primaries {{ 192.0.2.9; }}; }};
        zone "n" {{ type native; file "n"; }};
        """
    )
    assert [zone.settings.journal.from_differences for zone in config.zones()] == [primary, secondary, native]


def test_the_word_of_a_view_replaces_that_of_options() -> None:
    got = settings(SECONDARY, "ixfr-from-differences secondary;", "ixfr-from-differences primary;")
    assert got.journal.from_differences is False


def test_a_level_that_says_the_same_shares_what_it_got() -> None:
    config = load(
        """
        options { notify-delay 7; };
        zone "a" { type primary; file "a"; notify-delay 7; };
        zone "b" { type primary; file "b"; };
        zone "c" { type primary; file "c"; notify-delay 8; };
        """
    )
    a, b, c = [zone.settings for zone in config.zones()]
    assert a is b
    assert c.notifying == NotifySettings(delay_s=8)
    assert (c.transfer, c.refresh, c.journal) == (a.transfer, a.refresh, a.journal)
    assert c.transfer is a.transfer


def test_zones_that_say_the_same_share_what_they_get() -> None:
    config = load(
        """
        view v {
            zone "a" { type primary; file "a"; notify-delay 7; also-notify { 192.0.2.1; }; };
            zone "b" { type primary; file "b"; notify-delay 7; also-notify { 192.0.2.1; }; };
            zone "c" { type primary; file "c"; notify-delay 8; also-notify { 192.0.2.1; }; };
        };
        view w {
            max-records 5;
            zone "a" { type primary; file "a"; notify-delay 7; also-notify { 192.0.2.1; }; };
        };
        """
    )
    a, b, c, other = [zone.settings for zone in config.zones()]
    assert a is b
    assert [one.notifying.delay_s for one in (a, c, other)] == [7, 8, 7]
    assert [one.checks.max_records for one in (a, c, other)] == [0, 0, 5]


@pytest.mark.parametrize(
    ("statement", "field", "expected"),
    [
        ("", "transfers_in", 10),
        ("", "transfers_out", 10),
        ("", "transfers_per_ns", 2),
        ("", "transfer_message_size", 20480),
        ("", "serial_query_rate", 20),
        ("", "notify_rate", 20),
        ("", "startup_notify_rate", 20),
        ("", "state_directory", None),
        ("transfers-in 3;", "transfers_in", 3),
        ("transfers-out 4;", "transfers_out", 4),
        ("transfers-per-ns 5;", "transfers_per_ns", 5),
        ("transfer-message-size 1000;", "transfer_message_size", 1000),
        ("transfer-message-size 1;", "transfer_message_size", 512),
        ("transfer-message-size 70000;", "transfer_message_size", 65535),
        ("serial-query-rate 6;", "serial_query_rate", 6),
        ("notify-rate 7;", "notify_rate", 7),
        ("startup-notify-rate 8;", "startup_notify_rate", 8),
        ('directory "/etc"; state-directory "s";', "state_directory", "/etc/s"),
        ('directory "/etc"; state-directory "/var/s";', "state_directory", "/var/s"),
    ],
)
def test_limits_are_set_for_the_whole_server(statement: str, field: str, expected: object) -> None:
    assert getattr(load(f"options {{ {statement} }};").options, field) == expected


def test_what_is_used_is_not_reported() -> None:
    clauses = {clause: f"{clause} {values[0][0]};" for clause, _, _, values in EVERYWHERE + NOT_IN_ZONES}
    text = f"options {{ {' '.join(clauses.values())} transfers-in 5; notify-rate 5; }};"
    result = load_config("t", text=text)
    assert [str(d) for d in result.diagnostics] == []


def test_a_server_that_needs_tls_is_left_out_and_said_once() -> None:
    result = load_config(
        "t",
        text="""
        tls t { };
        primaries p { 192.0.2.1 tls t; 192.0.2.2 port 54; };
        zone "a" { type secondary; primaries { p; 192.0.2.3 tls ephemeral; }; };
        zone "b" { type secondary; primaries { p; }; also-notify { p; }; };
        """,
    )
    assert result.config is not None
    a, b = result.config.zones()
    assert a.primaries == b.primaries == b.settings.also_notify == (RemoteServer("192.0.2.2", 54),)
    warned = [str(d) for d in result.diagnostics if "is left out" in str(d)]
    assert warned == [
        "t:3:37: warning: server 192.0.2.1 is left out of the list: 'tls' is not supported yet",
        "t:4:65: warning: server 192.0.2.3 is left out of the list: 'tls' is not supported yet",
    ]


def test_a_list_says_where_messages_come_from() -> None:
    config = load(
        """
        zone "a" { type secondary; primaries source 192.0.2.5 source-v6 * { 192.0.2.1; 2001:db8::1; }; };
        """
    )
    assert config.zones()[0].primaries == (
        RemoteServer("192.0.2.1", 53, source="192.0.2.5"),
        RemoteServer("2001:db8::1", 53),
    )


def test_keys_of_a_view_are_seen_in_that_view_only() -> None:
    config = load(
        """
        key k { algorithm hmac-sha256; secret "YQ=="; };
        view a { key own { algorithm hmac-sha1; secret "Yg=="; }; };
        view b { key own { algorithm hmac-md5; secret "Yw=="; }; };
        view c { };
        """
    )
    a, b, c = config.views
    assert [sorted(view.keys) for view in config.views] == [["k.", "own."], ["k.", "own."], ["k."]]
    assert (a.keys["own."].secret, b.keys["own."].secret) == (b"b", b"c")
    assert sorted(config.keys) == ["k."]
    assert c.keys["k."] is config.keys["k."]


def test_servers_of_a_view_stand_instead_of_the_others() -> None:
    config = load(
        """
        server 192.0.2.1 { bogus yes; };
        view a { server 192.0.2.2 { tcp-only yes; request-expire no; }; };
        view b { };
        """
    )
    a, b = config.views
    assert [str(server.prefix) for server in a.servers] == ["192.0.2.2/32"]
    assert (a.servers[0].tcp_only, a.servers[0].request_expire, a.servers[0].bogus) == (True, False, None)
    assert b.servers == config.servers
    assert [str(server.prefix) for server in b.servers] == ["192.0.2.1/32"]


def test_without_views_everything_is_in_the_default_view() -> None:
    config = load('key k { algorithm hmac-sha256; secret "YQ=="; }; server 192.0.2.1 { keys k; };')
    assert config.views[0].keys == config.keys
    assert config.views[0].servers == config.servers


def test_an_unknown_key_of_an_outer_server_is_reported_once() -> None:
    result = load_config("t", text="server 192.0.2.1 { keys k; }; view a { }; view b { };")
    assert [str(d) for d in result.diagnostics if d.severity is Severity.ERROR] == [
        "t:1:25: error: unknown key 'k'"
    ]
