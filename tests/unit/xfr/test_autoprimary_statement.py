"""File names and statements of provided zones: whatever the zone's name, it is the zone and nothing else."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindpy.config.load import load_config
from bindpy.config.model import ProvisionedBy, RemoteServer, ZoneType
from bindpy.xfr.autoprimary_statement import (
    MAX_FILE_NAME_OCTETS,
    zone_file_name,
    zone_label,
    zone_statement,
)
from bindpy.zone.names import ROOT, from_labels, from_text, to_text

LABELS = st.binary(min_size=1, max_size=63) | st.sampled_from(
    [b"..", b".", b"../..", b'"', b'";};', b"\0", b"\n", b"\\", b"%2f", b"%%", b"%@", b"-rf", b"a", b"A"]
)
NAMES = st.lists(LABELS, min_size=1, max_size=8).filter(lambda parts: sum(map(len, parts)) < 240)
LONGEST = from_labels([b"\xff" * 63, b"\xff" * 63, b"\xff" * 63, b"\xff" * 61])


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Example.ORG", "example.org"),
        ("0/25.2.0.192.in-addr.arpa", "0%2f25.2.0.192.in-addr.arpa"),
        (r"..\/etc".replace("..", r"\.\."), "%2e%2e%2fetc"),
        (r"a\000b\010\".org", "a%00b%0a%22.org"),
        ("100%.org", "100%25.org"),
        (".", "%root"),
        ("_dmarc.xn--e1afmkfd.org", "_dmarc.xn--e1afmkfd.org"),
    ],
)
def test_file_names_stay_readable(name: str, file: str) -> None:
    assert zone_file_name(from_text(name), "_default") == file


def test_each_view_has_its_own_file() -> None:
    org = from_text("example.org")
    assert zone_file_name(org, "Inside") == "example.org%@%49nside"
    assert len({zone_file_name(org, view) for view in ("_default", "a", "A", "example.org")}) == 4


def test_the_longest_names_have_a_digest() -> None:
    file = zone_file_name(LONGEST, "_default")
    assert len(file) <= MAX_FILE_NAME_OCTETS
    assert re.fullmatch(r"(%ff)+%?.*%%[0-9a-f]{64}", file)
    other = LONGEST[:-2] + b"\xfe\0"
    assert zone_file_name(other, "_default") != file


@given(NAMES, st.sampled_from(["_default", "view", "other view", "../x"]))
def test_no_file_name_leaves_its_directory(parts: list[bytes], view: str) -> None:
    file = zone_file_name(from_labels(parts), view)
    assert re.fullmatch(r"[a-z0-9%_-][a-z0-9%@._-]*", file)
    assert ".." not in file
    assert len(file) <= MAX_FILE_NAME_OCTETS


@given(NAMES, NAMES, st.sampled_from(["_default", "v"]), st.sampled_from(["_default", "v"]))
def test_two_zones_never_share_a_file(a: list[bytes], b: list[bytes], in_a: str, in_b: str) -> None:
    one, other = from_labels(a).lower(), from_labels(b).lower()
    same = (one, in_a) == (other, in_b)
    assert (zone_file_name(one, in_a) == zone_file_name(other, in_b)) is same


@given(NAMES.map(from_labels) | st.sampled_from([ROOT, LONGEST]), NAMES.map(from_labels))
def test_a_statement_means_the_zone_and_nothing_else(origin: bytes, key: bytes) -> None:
    remote = RemoteServer("2001:db8::1", 5300, zone_key_text(key))
    by = ProvisionedBy("2001:db8::1", "them; & {co}")
    statement = zone_statement(origin, remote, "/zones/file", by, 1_700_000_000)
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder) / "named.conf"
        result = load_config(str(conf), text=statement)
    assert [str(item) for item in result.diagnostics if "is not defined" not in str(item)] == []
    assert result.config is not None
    (zone,) = result.config.zones()
    assert zone.origin == origin.lower()
    assert zone.type is ZoneType.SECONDARY
    assert zone.file == "/zones/file"
    assert zone.primaries == (remote,)
    assert zone.provisioned_by == by


def zone_key_text(key: bytes) -> str:
    """Return a key's name as the configuration's reader would have it."""
    return to_text(key.lower()).lower()


def test_a_statement_is_fit_for_people() -> None:
    remote = RemoteServer("192.0.2.1", 53, "k.")
    by = ProvisionedBy("192.0.2.1", "customer 7")
    assert zone_statement(from_text("example.org"), remote, "/z/example.org", by, 1_700_000_000) == (
        "# created 2023-11-14T22:13:20Z from autoprimary 192.0.2.1\n"
        'zone "example.org" {\n'
        "\ttype secondary;\n"
        '\tprimaries { 192.0.2.1 port 53 key "k"; };\n'
        '\tfile "/z/example.org";\n'
        '\tprovisioned-by 192.0.2.1 account "customer 7";\n'
        "};\n"
    )
    assert zone_label(from_text("example.org"), "_default") == "example.org/IN"
    assert zone_label(ROOT, "inside") == "./IN/inside"
