"""named.conf → Config: defaults, inheritance, names resolved."""

from __future__ import annotations

import os
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from bindpy.config.acl import AddressMatcher, LocalAddresses, parse_address
from bindpy.config.build_options import DEFAULT_VERSION
from bindpy.config.load import MAX_ERRORS, ConfigResult, load_config
from bindpy.config.model import (
    MATCH_ANY,
    MATCH_NONE,
    CheckMode,
    Config,
    ListenOn,
    MatchBuiltin,
    MatchKey,
    MatchNested,
    MatchNetwork,
    OrderRule,
    RemoteServer,
    SourceAddress,
    TransferWay,
    ZoneConfig,
    ZoneType,
)
from bindpy.diagnostics import Severity
from bindpy.zone import names
from bindpy.zone.names import from_text
from bindpy.zone.records import RRType

DATA = Path(__file__).parents[2] / "data" / "conf"


def load(text: str) -> Config:
    result = load_config("named.conf", text=text)
    assert result.config is not None, [str(d) for d in result.diagnostics]
    return result.config


def errors(result: ConfigResult) -> list[str]:
    return [str(d) for d in result.diagnostics if d.severity is Severity.ERROR]


def only_zone(text: str) -> ZoneConfig:
    (zone,) = load(text).zones()
    return zone


def test_rules_of_rrset_order_are_kept_until_one_is_for_everything() -> None:
    config = load(
        """
        options { rrset-order {
            class CH order random;
            class IN type mx name "Www.Example." order random;
            type any name "*.example" order fixed;
            class ANY name "example" order cyclic;
            type TYPE65534 order none;
            order fixed; }; };
        view "a" { };
        view "b" { rrset-order { name "*" order random; name "x" order cyclic; }; };
        view "c" { rrset-order { name "." order cyclic; order none; }; };
        view "d" { rrset-order { order fixed; name "x" order cyclic; }; };
        """
    )
    a, b, c, d = [view.rrset_order for view in config.views]
    assert a == (
        OrderRule("random", RRType.MX, from_text("www.example.")),
        OrderRule("none", None, from_text("*.example.")),
        OrderRule("cyclic", None, from_text("example.")),
    )
    assert b == (OrderRule("random"),)
    assert c == (OrderRule("cyclic", None, from_text(".")),)
    assert d == ()


def test_an_empty_file_has_binds_defaults() -> None:
    config = load("")
    options = config.options
    assert options.listen_on == (ListenOn(53, MATCH_ANY, False), ListenOn(53, MATCH_ANY, True))
    assert (options.directory, options.pid_file) == (str(Path.cwd()), None)
    assert (options.version, options.hostname, options.server_id) == (
        DEFAULT_VERSION,
        os.uname().nodename,
        None,
    )
    assert (options.max_udp_size, options.edns_udp_size, options.tcp_clients) == (1232, 1232, 150)
    assert (options.tcp_idle_timeout, options.blackhole) == (30.0, MATCH_NONE)
    assert config.controls is None
    (view,) = config.views
    assert (view.name, view.rdclass, view.match_clients) == ("_default", 1, MATCH_ANY)
    assert (view.minimal_responses, view.rrset_order) == ("no-auth-recursive", ())
    assert (view.settings.allow_query, view.settings.allow_transfer) == (MATCH_ANY, MATCH_NONE)
    assert config.logging.categories == {}
    assert {"default_syslog", "default_stderr", "null"} <= config.logging.channels.keys()
    assert config.path == str(Path.cwd() / "named.conf")


@pytest.mark.parametrize(
    ("statement", "field", "expected"),
    [
        ("version none;", "version", None),
        ('version "none";', "version", "none"),
        ('version "9";', "version", "9"),
        ("hostname none;", "hostname", None),
        ('hostname "ns1";', "hostname", "ns1"),
        ("server-id none;", "server_id", None),
        ("server-id hostname;", "server_id", os.uname().nodename),
        ('server-id "hostname";', "server_id", "hostname"),
        ("pid-file none;", "pid_file", None),
        ('pid-file "/run/x.pid";', "pid_file", "/run/x.pid"),
        ("max-udp-size 100;", "max_udp_size", 512),
        ("max-udp-size 9000;", "max_udp_size", 4096),
        ("tcp-idle-timeout 50;", "tcp_idle_timeout", 5.0),
        ("querylog yes;", "querylog", True),
        ("port 5300;", "port", 5300),
    ],
)
def test_an_option_is_typed(statement: str, field: str, expected: object) -> None:
    assert getattr(load(f"options {{ {statement} }};").options, field) == expected


def test_port_is_the_default_of_listeners_and_servers() -> None:
    config = load(
        """
        options { port 5300; listen-on { 127.0.0.1; }; listen-on port 54 { any; }; listen-on-v6 { none; }; };
        zone "x" { type secondary; primaries { 192.0.2.1; 192.0.2.2 port 55; }; };
        """
    )
    loopback = (MatchNetwork(IPv4Network("127.0.0.1/32")),)
    assert [(one.port, one.addresses, one.ipv6) for one in config.options.listen_on] == [
        (5300, loopback, False),
        (54, MATCH_ANY, False),
        (5300, MATCH_NONE, True),
    ]
    assert [server.port for server in config.zones()[0].primaries] == [5300, 55]


def test_a_listener_for_tls_is_left_out_with_a_warning() -> None:
    result = load_config(
        "t", text="options { listen-on port 853 tls ephemeral { any; }; listen-on-v6 { none; }; };"
    )
    assert result.config is not None
    assert [one.ipv6 for one in result.config.options.listen_on] == [True]
    assert any("nothing listens for this statement" in str(d) for d in result.diagnostics)


def test_zones_inherit_from_view_and_options() -> None:
    config = load(
        """
        acl inside { 10/8; };
        options { allow-query { inside; }; notify no; max-records 7; check-names primary warn; };
        view "v" {
            match-clients { inside; };
            allow-transfer { key "K."; };
            zone "a" { type primary; file "a"; };
            zone "b" { type primary; file "b"; };
            zone "c" { type primary; file "c"; notify explicit; };
            zone "d" { type secondary; primaries { 192.0.2.1; }; };
        };
        key k { algorithm hmac-sha256; secret "c2VjcmV0"; };
        """
    )
    a, b, c, d = config.zones()
    inside = (MatchNested((MatchNetwork(IPv4Network("10.0.0.0/8")),), name="inside"),)
    assert a.settings is b.settings
    assert a.settings.allow_query == inside
    assert a.settings.allow_transfer == (MatchKey("k."),)
    assert (a.settings.notify, c.settings.notify) == ("no", "explicit")
    assert (a.settings.checks.names, d.settings.checks.names) == (CheckMode.WARN, CheckMode.WARN)
    assert a.settings.checks.max_records == 7
    assert config.views[0].match_clients == inside
    assert config.keys["k."].secret == b"secret"
    assert "secret" not in repr(config.keys)
    assert config.acls == {"inside": (MatchNetwork(IPv4Network("10.0.0.0/8")),)}


def test_check_names_depends_on_the_type() -> None:
    zones = load(
        """
        options { check-names secondary fail; };
        zone "a" { type primary; file "a"; };
        zone "b" { type secondary; primaries { 192.0.2.1; }; };
        zone "c" { type primary; file "c"; check-names ignore; check-mx fail; };
        """
    ).zones()
    assert [zone.settings.checks.names for zone in zones] == [
        CheckMode.FAIL,
        CheckMode.FAIL,
        CheckMode.IGNORE,
    ]
    assert zones[2].settings.checks.mx is CheckMode.FAIL


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("primary", ZoneType.PRIMARY),
        ("master", ZoneType.PRIMARY),
        ("native", ZoneType.NATIVE),
    ],
)
def test_zone_types_have_old_and_new_names(written: str, expected: ZoneType) -> None:
    zone = only_zone(
        f'options {{ directory "/"; }}; zone "Example.COM" {{ type {written}; file "z/x.db"; watch no; }};'
    )
    assert (zone.type, zone.file, zone.settings.watch) == (expected, "/z/x.db", False)
    assert zone.origin == names.from_text("Example.COM")
    assert str(zone.span) == "named.conf:1:29"


def test_octets_of_a_zone_name_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c").write_bytes(b'zone "caf\xc3\xa9\xff.example" { type primary; file "x"; };')
    result = load_config("c")
    assert result.config is not None
    assert result.config.zones()[0].origin == b"\x06caf\xc3\xa9\xff\x07example\0"


def test_types_of_a_resolver_are_left_out_and_said_once() -> None:
    result = load_config(
        "t",
        text="""
        zone "." { type hint; file "h"; };
        zone "b" { type forward; forwarders { }; };
        zone "c" { type forward; forwarders { }; };
        zone "d" { type mirror; primaries { 192.0.2.1; }; };
        """,
    )
    assert result.config is not None
    assert result.config.zones() == []
    assert [str(d).split(": zones of")[0] for d in result.diagnostics] == [
        "t:2:14: note: zone '.'",
        "t:3:14: note: zone 'b'",
        "t:5:14: warning: zone 'd'",
    ]


def test_lists_of_servers_are_resolved_through_each_other() -> None:
    zone = only_zone(
        """
        key "K" { algorithm hmac-md5; secret "eA=="; };
        primaries inner port 54 { 192.0.2.1; 192.0.2.2 port 55 key k; };
        primaries outer { inner; 2001:db8::1; inner; };
        zone "x" { type secondary; primaries { outer; }; };
        """
    )
    assert zone.primaries == (
        RemoteServer("192.0.2.1", 54),
        RemoteServer("192.0.2.2", 55, "k."),
        RemoteServer("2001:db8::1", 53),
    )
    assert zone.file is None


def test_an_unknown_list_that_no_zone_uses_is_a_warning() -> None:
    result = load_config("t", text="options { also-notify { nobody; 192.0.2.1; }; };")
    assert result.config is not None
    assert result.config.views[0].settings.also_notify == (RemoteServer("192.0.2.1", 53),)
    assert str(result.diagnostics[0]).startswith("t:1:25: warning: there is no list of servers 'nobody'")


def test_negation_of_a_named_acl_is_kept() -> None:
    config = load(
        "acl bad { 192.0.2.1; }; key k.e { algorithm hmac-sha1; secret eA==; };"
        " options { allow-query { !bad; !{ localhost; }; key k.e; any; }; };"
    )
    assert config.views[0].settings.allow_query == (
        MatchNested((MatchNetwork(IPv4Network("192.0.2.1/32")),), True, "bad"),
        MatchNested((MatchBuiltin("localhost"),), True),
        MatchKey("k.e."),
        MatchBuiltin("any"),
    )


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ("none; 192.0.2.1;", (False, False)),
        ("192.0.2.1; none; any;", (False, True)),
        ("192.0.2.1; !none;", (True, True)),
        ("{ none; }; 192.0.2.1;", (False, True)),
        ("!{ !none; }; any;", (False, False)),
        ("!{ none; }; any;", (True, True)),
        ("", (False, False)),
    ],
)
def test_none_is_a_negated_any(elements: str, expected: tuple[bool, bool]) -> None:
    text = f"options {{ allow-query {{ {elements} }}; }};"
    matcher = AddressMatcher(load(text).views[0].settings.allow_query, LocalAddresses())
    found = tuple(matcher.matches(parse_address(client)) for client in ("198.51.100.1", "192.0.2.1"))
    assert found == expected
    assert (matcher.matches_all, matcher.matches_none) in (
        (all(found), not any(found)),
        (False, False),  # not plain from the first element
    )


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ("geoip country DE; 192.0.2.1;", (False, True)),
        ("!geoip country DE; any;", (False, False)),
        ("192.0.2.1; !{ 198.51.100.1; geoip asnum 64500; }; any;", (False, True)),
        ("!somewhere; any;", (False, False)),
        ("somewhere; 192.0.2.1;", (False, True)),
    ],
)
def test_what_geoip_would_decide_lets_nobody_pass(elements: str, expected: tuple[bool, bool]) -> None:
    result = load_config(
        "t",
        text=f"acl somewhere {{ inner; }}; acl inner {{ geoip db city city Wien; }};"
        f"options {{ allow-query {{ {elements} }}; }};",
    )
    assert result.config is not None
    matcher = AddressMatcher(result.config.views[0].settings.allow_query, LocalAddresses())
    assert tuple(matcher.matches(parse_address(text)) for text in ("192.0.2.2", "192.0.2.1")) == expected
    assert "there is no geographic database" in str(result.diagnostics[0])


def test_logging_channels_and_categories() -> None:
    logging = load(
        """
        options { directory "/"; };
        logging {
            channel f { file "log/x" versions unlimited size 2m suffix timestamp; severity debug 3;
                        print-time iso8601-utc; print-category yes; print-severity yes; buffered yes; };
            channel s { syslog local3; severity dynamic; };
            category queries { f; s; null; };
        };
        """
    ).logging
    f, s = logging.channels["f"], logging.channels["s"]
    assert (f.destination, f.path, f.versions, f.size, f.suffix) == (
        "file",
        "/log/x",
        -1,
        2 << 20,
        "timestamp",
    )
    assert (f.severity, f.debug_level, f.print_time) == ("debug", 3, "iso8601-utc")
    assert (f.print_category, f.print_severity, f.buffered) == (True, True, True)
    assert (s.destination, s.facility, s.severity) == ("syslog", "local3", "dynamic")
    assert logging.categories == {"queries": ("f", "s", "null")}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ("logging { category queries { default_stderr; }; };", True),
        ("logging { category queries { null; default_stderr; }; };", True),
        ("logging { category default { default_stderr; }; };", False),
        ("logging { category queries { null; }; };", False),
        ("logging { category queries { }; };", False),
        ("options { querylog no; }; logging { category queries { default_stderr; }; };", False),
        ("options { querylog yes; }; logging { category queries { null; }; };", True),
    ],
)
def test_queries_are_logged_where_their_category_goes_somewhere(statements: str, expected: bool) -> None:
    assert load(statements).options.querylog is expected


def test_controls_and_servers() -> None:
    config = load(
        """
        key k { algorithm hmac-sha256; secret "eA=="; };
        controls {
            inet 127.0.0.1 allow { localhost; } keys { "K"; } read-only yes;
            inet * port 9953 allow { any; };
            unix "/run/c" perm 0600 owner 1 group 2;
        };
        server 192.0.2.0/24 { keys k; request-ixfr no; transfer-source 192.0.2.9; };
        """
    )
    assert config.controls is not None
    first, second, third = config.controls
    assert (first.address, first.port, first.keys, first.read_only) == ("127.0.0.1", 953, ("k.",), True)
    assert (second.address, second.port, second.keys) == ("*", 9953, None)
    assert (third.kind, third.address, third.mode, third.owner, third.group) == (
        "unix",
        "/run/c",
        0o600,
        1,
        2,
    )
    (server,) = config.servers
    assert (server.prefix, server.keys, server.request_ixfr) == (IPv4Network("192.0.2.0/24"), ("k.",), False)
    assert (server.provide_ixfr, server.transfer_source) == (None, SourceAddress("192.0.2.9"))
    assert load("controls { };").controls == ()


def test_views_have_their_own_answers() -> None:
    config = load(
        """
        options { minimal-responses yes; rrset-order { order fixed; }; };
        view "a" { minimal-responses no; minimal-any yes; match-recursive-only yes;
            zone "x" { type primary; file "1"; }; };
        view "b" CH { rrset-order { order cyclic; }; };
        """
    )
    a, b = config.views
    assert (a.minimal_responses, a.minimal_any, a.match_recursive_only, a.rrset_order) == (
        "no",
        True,
        True,
        (),
    )
    assert (b.minimal_responses, b.rdclass, b.rrset_order) == ("yes", 3, (OrderRule("cyclic"),))
    assert [zone.view for zone in config.zones()] == ["a"]


def test_what_only_the_whole_server_has_is_warned_about_in_a_view() -> None:
    result = load_config("t", text='view "v" { max-udp-size 600; };')
    assert [str(d) for d in result.diagnostics] == [
        "t:1:12: warning: 'max-udp-size' in a view is not supported yet: that of 'options' holds"
    ]


def test_transfers_by_one_port_or_transport_are_inherited_as_a_whole() -> None:
    zones = load(
        """
        options { allow-transfer port 5300 transport tcp { any; }; };
        zone "a" { type primary; file "a"; };
        zone "b" { type primary; file "b"; allow-transfer port 53 { any; }; };
        zone "c" { type primary; file "c"; allow-transfer { any; }; };
        """
    ).zones()
    ways = [zone.settings.transfer_way for zone in zones]
    assert ways == [TransferWay(5300, True), TransferWay(53), TransferWay()]


def test_a_transfer_that_must_be_encrypted_is_allowed_to_nobody() -> None:
    text = 'zone "x" { type primary; file "x"; allow-transfer port 853 transport tls { any; }; };'
    result = load_config("t", text=text)
    assert result.config is not None
    assert result.config.zones()[0].settings.allow_transfer == MATCH_NONE
    assert "nobody may transfer" in str(result.diagnostics[0])


def test_updates_that_are_not_supported_are_warned_about_once() -> None:
    result = load_config(
        "t",
        text="""
        options { allow-update { none; }; };
        zone "a" { type primary; file "a"; allow-update { any; }; };
        zone "b" { type primary; file "b"; allow-update { any; }; };
        """,
    )
    found = [str(d) for d in result.diagnostics if "dynamic update is refused" in str(d)]
    assert found == ["t:3:44: warning: 'allow-update' is not supported yet: every dynamic update is refused"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('zone "x" { file "x"; };', "no 'type'"),
        ('zone "x" { type primary; file "x"; primaries { 192.0.2.1; }; };', "not allowed in 'primary' zone"),
        ('zone "a..b" { type primary; file "x"; };', "a..b"),
        ('view "v" { }; zone "x" { type primary; file "x"; };', "all zones must be in"),
        ("options { allow-query { nobody; }; };", "undefined ACL 'nobody'"),
        ("acl a { b; }; acl b { a; }; options { allow-query { a; }; };", "loop"),
        ('zone "x" { type secondary; primaries { nobody; }; };', "nobody"),
        ("key k { algorithm hmac-foo; secret eA==; };", "hmac-foo"),
        ('key k { algorithm hmac-md5; secret "!"; };', "base64"),
        ("key k { secret eA==; };", "algorithm"),
        ("logging { channel c { severity info; }; };", "channel 'c'"),
        ("logging { category default { nowhere; }; };", "undefined channel: 'nowhere'"),
    ],
)
def test_what_names_nothing_is_an_error(text: str, part: str) -> None:
    result = load_config("t", text=text)
    assert result.config is None
    assert len(errors(result)) == 1, errors(result)
    assert part in errors(result)[0]
    assert errors(result)[0].startswith("t:1:")


def test_errors_are_shown_up_to_a_limit() -> None:
    result = load_config("t", text="".join(f"nonsense{i};\n" for i in range(MAX_ERRORS + 50)))
    assert len(errors(result)) == MAX_ERRORS + 1
    assert errors(result)[-1] == "error: there are 50 more errors; only the first 100 are shown"


def test_a_packaged_configuration_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DATA / "stock")
    result = load_config("named.conf")
    assert [str(d) for d in result.diagnostics] == [
        "named.conf.options:11:2: note: 'dnssec-validation' has no effect here: "
        "bindpy only answers from its own zones",
        "named.conf.default-zones:2:6: note: zone '.': zones of type 'hint' are left out: "
        "bindpy only answers from its own zones",
    ]
    config = result.config
    assert config is not None
    assert [names.to_text(zone.origin) for zone in config.zones()] == [
        "localhost.",
        "127.in-addr.arpa.",
        "0.in-addr.arpa.",
        "255.in-addr.arpa.",
    ]
    assert [Path(file).name for file in config.files] == [
        "named.conf",
        "named.conf.options",
        "named.conf.local",
        "named.conf.default-zones",
    ]


def test_many_zones_share_their_settings() -> None:
    text = "".join(f'zone "z{i}.example" {{ type primary; file "z{i}.db"; }};\n' for i in range(2000))
    config = load(text)
    zones = config.zones()
    assert len(zones) == 2000
    assert len({id(zone.settings) for zone in zones}) == 1
    assert str(zones[1999].span) == "named.conf:2000:1"
