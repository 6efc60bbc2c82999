"""Domain names: text and wire (RFC 1035 sections 3.1 and 5.1)."""

from __future__ import annotations

import pytest

from bindpy.zone import names
from bindpy.zone.names import BadNameError

ORIGIN = names.from_text("example.com.")


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("www", b"\3www\7example\3com\0"),
        ("www.", b"\3www\0"),
        ("WwW.x", b"\3WwW\1x\7example\3com\0"),
        ("@", b"\7example\3com\0"),
        (".", b"\0"),
        (r"\@", b"\1@\7example\3com\0"),
        (r"a\.b", b"\3a.b\7example\3com\0"),
        (r"a\046b.", b"\3a.b\0"),
        (r"\000\255.", b"\2\0\xff\0"),
        (r"\a.", b"\1a\0"),
        ("_sip._tcp.", b"\4_sip\4_tcp\0"),
        ("*", b"\1*\7example\3com\0"),
        ("\xe9.", b"\1\xe9\0"),
        (r"a\..", b"\2a.\0"),
        ("x" * 63 + ".", b"\x3f" + b"x" * 63 + b"\0"),
    ],
)
def test_text_to_wire(text: str, wire: bytes) -> None:
    assert names.from_text(text, ORIGIN) == wire


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("a..b", 2),
        (".a", 0),
        ("a..", 2),
        ("", 0),
        ("x" * 64, 63),
        ("a\\", 1),
        (r"a\25", 1),
        (r"\256", 0),
        ("\u0101", 0),
    ],
)
def test_bad_text_is_refused_with_its_place(text: str, offset: int) -> None:
    with pytest.raises(BadNameError) as e:
        names.from_text(text, ORIGIN)
    assert e.value.offset == offset


def test_a_name_has_at_most_255_octets() -> None:
    label = "x" * 62
    fits = ".".join([label] * 4) + "."
    assert len(names.from_text(fits)) == 253
    with pytest.raises(BadNameError, match="256 octets"):
        names.from_text("ab." + fits)


def test_a_relative_name_needs_an_origin() -> None:
    with pytest.raises(BadNameError, match="no origin"):
        names.from_text("www", None)


@pytest.mark.parametrize(
    ("wire", "text"),
    [(b"\0", "."), (b"\3a.b\1$\0", r"a\.b.\$."), (b"\3\x00 \xff\0", r"\000\032\255."), (b"\1@\0", r"\@.")],
)
def test_wire_to_text(wire: bytes, text: str) -> None:
    assert names.to_text(wire) == text


def test_relative_text() -> None:
    assert names.to_relative_text(b"\3www\7example\3COM\0", ORIGIN) == "www"
    assert names.to_relative_text(ORIGIN, ORIGIN) == "@"
    assert names.to_relative_text(b"\3www\3net\0", ORIGIN) == "www.net."
    assert names.to_relative_text(b"\3www\0", names.ROOT) == "www."


def test_octets_of_a_label_that_look_like_the_ancestor_do_not_count() -> None:
    assert not names.is_subdomain(b"\x0ax\7example\3com\0"[:1] + b"x\7example\3com\0", ORIGIN)
    assert names.is_subdomain(b"\1x" + ORIGIN, ORIGIN)
    assert names.is_subdomain(ORIGIN, names.ROOT)


def test_canonical_order_of_rfc_4034_section_6_1() -> None:
    ordered = ["example.", "a.example.", "yljkjljk.a.example.", "Z.a.example.", "zABC.a.EXAMPLE.",
               "z.example.", r"\001.z.example.", "*.z.example.", r"\200.z.example."]  # fmt: skip
    keys = [names.canonical_key(names.from_text(text).lower()) for text in ordered]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_parts_of_a_name() -> None:
    name = b"\1a\1b\0"
    assert names.labels(name) == [b"a", b"b"]
    assert names.parent(name) == b"\1b\0"
    assert list(names.ancestors(name)) == [name, b"\1b\0", b"\0"]
    assert names.label_count(name) == 2
    assert names.is_wildcard(b"\1*\0")
    assert not names.is_wildcard(b"\2**\0")
    with pytest.raises(BadNameError):
        names.from_labels([b""])
