"""RDATA, types and classes between text and wire."""

# ruff: noqa: E501 - tables

from __future__ import annotations

import re

import pytest

from bindpy.zone import names, rdata
from bindpy.zone.rdata import RdataError, rdata_from_text, rdata_to_text

ORIGIN = names.from_text("example.")
DIGEST = "00" * 32

# Text of each type that named-checkzone 9.18 accepts; "=" where it must come back just so.
GOOD = [
    ("A", "192.0.2.1", "="), ("NS", "ns.example.", "="), ("NS", "ns", "ns.example."), ("NS", "@", "example."),
    ("MB", "b.example.", "="), ("MG", "b.example.", "="), ("MR", "b.example.", "="), ("MINFO", "b. c.", "="),
    ("WKS", "192.0.2.1 tcp 25", "192.0.2.1 6 25"), ("HINFO", "a b", '"a" "b"'), ("RP", "b. c.", "="),
    ("AFSDB", "1 b.", "="), ("X25", "1234", '"1234"'), ("ISDN", "1 2", '"1" "2"'), ("RT", "1 b.", "="),
    ("NSAP", "0x47.0005", "0x470005"), ("NSAP-PTR", "b.", "="), ("PX", "1 b. c.", "="), ("GPOS", "1 2 3", None),
    ("AAAA", "::1.2.3.4", "="), ("AAAA", "2001:DB8::1", "2001:db8::1"), ("LOC", "1 N 1 E 1", None),
    ("NXT", "b. A MX", "="), ("EID", "0102", "="), ("NIMLOC", "0102", "="), ("SRV", "1 2 3 b.", "="),
    ("ATMA", "0102", "="), ("ATMA", "+12", "="), ("NAPTR", '1 2 "u" "E2U+sip" "!^.*$!sip:x@y!" .', "="),
    ("KX", "1 b.", "="), ("CERT", "PKIX 1 RSASHA256 YQ==", None), ("A6", "0 ::1", "="), ("A6", "64 ::1 b.", "="),
    ("DNAME", "b.", "="), ("SINK", "1 2 3 YQ==", "="), ("APL", "1:192.0.2.0/24", "="), ("APL", "", "="),
    ("DS", f"1 RSASHA256 SHA-256 {DIGEST}", None), ("SSHFP", "1 1 " + "00" * 20, None),
    ("IPSECKEY", "1 0 1 . YQ==", "="), ("RRSIG", "A 8 2 300 2030 20200101000000 1 e. YQ==", None),
    ("NSEC", "b. A MX", "="), ("DNSKEY", "257 3 8 AwEAAQ==", "="), ("DHCID", "YQ==", "="),
    ("NSEC3", "1 0 0 - 0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM A", None), ("NSEC3PARAM", "1 0 1 AABB", None),
    ("TLSA", "1 1 1 00", "="), ("SMIMEA", "1 1 1 00", "="), ("HIP", "2 200100107B1A74DF YQ== r.", None),
    ("NINFO", "x", '"x"'), ("RKEY", "0 3 8 YQ==", "="), ("TALINK", "b. c.", "="), ("CDS", "0 0 0 00", "="),
    ("CDNSKEY", "0 3 0 AA==", "="), ("OPENPGPKEY", "YQ==", "="), ("CSYNC", "1 3 A NS", "="),
    ("ZONEMD", "1 1 241 000102030405060708091011", "="), ("SVCB", "1 . alpn=h2", '1 . alpn="h2"'),
    ("HTTPS", '1 . alpn="h2,h3" port=443 ipv4hint=192.0.2.1', None), ("HTTPS", "0 b.", "="), ("SPF", "x", '"x"'),
    ("NID", "1 1:2:3:4", "1 0001:0002:0003:0004"), ("L32", "1 1.2.3.4", "="), ("L64", "1 1:2:3:4", None),
    ("LP", "1 b.", "="), ("EUI48", "00-00-5e-00-53-2a", "="), ("EUI64", "00-00-5e-00-53-2a-00-01", "="),
    ("URI", '1 2 "x"', "="), ("URI", '1 2 ""', "="), ("CAA", "0 issue x", '0 issue "x"'), ("AVC", "x", '"x"'),
    ("DOA", '1 2 3 "x" YQ==', "="), ("AMTRELAY", "10 0 1 192.0.2.1", "="), ("RESINFO", "x", '"x"'),
    ("WALLET", "x y", '"x" "y"'), ("TA", f"1 2 2 {DIGEST}", "="), ("DLV", f"1 2 2 {DIGEST}", None),
    ("KEY", "0 3 8 YQ==", "="), ("SIG", "A 8 2 300 20300101000000 20200101000000 1 e. YQ==", None),
    ("SVCB", "1 . mandatory=ohttp ohttp", '1 . mandatory="key8" key8'), ("HTTPS", "1 . key9", "="),
    ("SVCB", "1 . mandatory=alpn,docpath alpn=h2 docpath=a,bc",
     r'1 . mandatory="alpn,key10" alpn="h2" key10="\001a\002bc"'),
    ("CERT", "PKIX 1 RSASHA256 YQ==", "PKIX 1 8 YQ=="), ("CERT", "1 1 4 YQ==", "PKIX 1 4 YQ=="),
    ("NSEC", "nxname. NXNAME", "nxname. TYPE128"), ("CSYNC", "1 3 A NXNAME", "1 3 A TYPE128"),
    ("RRSIG", "NXNAME 8 2 300 20300101000000 20200101000000 1 e. YQ==",
     "TYPE128 8 2 300 20300101000000 20200101000000 1 e. YQ=="),
    ("BRID", "YQ==", "="), ("DSYNC", "CDS NOTIFY 5300 b.", "="), ("NULL", "\\# 1 00", "="), ("UID", "\\# 0", "="),
]  # fmt: skip


@pytest.mark.parametrize(("type_text", "text", "back"), GOOD)
def test_types_that_bind_reads(type_text: str, text: str, back: str | None) -> None:
    rtype = rdata.type_from_text(type_text)
    assert rtype is not None
    wire = rdata_from_text(rtype, text, ORIGIN)
    shown = rdata_to_text(rtype, wire)
    assert rdata_from_text(rtype, shown, ORIGIN) == wire
    if back is not None:
        assert shown == (text if back == "=" else back)


@pytest.mark.parametrize(
    ("type_text", "text", "token"),
    [
        ("A", "1.2.3.\\052", 0), ("AAAA", ":::", 0), ("MX", "0x10 b", 0), ("MX", '"10" b', 0), ("SOA", "a b 1h 2 3 4 5", 2),
        ("SOA", "a b 4294967296 2 3 4 5", 2), ("SRV", "1 2 3", 3), ("TXT", "", 0), ("HINFO", "a", 1), ("NULL", "x", 0),
        ("RRSIG", "A 8 2 1h 20300101000000 20200101000000 1 e. YQ==", 3),
        ("RRSIG", "A 8 2 300 20301301000000 20200101000000 1 e. YQ==", 4), ("DS", "1 8 2 00", 3), ("DS", "1 8 2 0g", 3),
        ("NSEC", "b. A BLAH", 2), ("CAA", "256 issue x", 0), ("CAA", '0 "issue" x', 1), ("CAA", "0 issue x y", 3),
        ("CAA", '0 is-sue "x"', None), ("URI", "1 2 x", 2), ("X25", "123", 0), ("HIP", "2 2001 AwEAAb== r", 2),
        ("SVCB", "1 . port=a", 2), ("HTTPS", "1 . no-default-alpn", 2), ("OPENPGPKEY", "YQ", None), ("A6", "129 ::1", 0),
        ("A6", "64 ::1", 2), ("NXT", "b. TYPE200", 1), ("MINFO", "b.", 1), ("MINFO", "b. c. d.", 2), ("SINK", "1 2 256 YQ==", 2),
        ("DOA", "1 2 3 x Y", 4), ("EID", "012", 0), ("EID", "", 0), ("L64", "1 1:2:3", 1), ("TLSA", "1 1 1", 3),
        ("A", "\\#", 1), ("A", "\\# x 00", 1), ("A", "\\# 4 0102030", 2), ("NS", "\\# 2 C000", 2), ("MINFO", "\\# 1 00", 2),
    ],
)  # fmt: skip
def test_rdata_that_is_refused_names_its_token(type_text: str, text: str, token: int | None) -> None:
    rtype = rdata.type_from_text(type_text)
    assert rtype is not None
    with pytest.raises(RdataError) as e:
        rdata_from_text(rtype, text, ORIGIN)
    if token is not None:
        assert e.value.token == token


def test_types_and_classes() -> None:
    assert [rdata.type_from_text(t) for t in ("a", "TYPE1", "type001", "NSAP-PTR", "TYPE65535")] == [
        1,
        1,
        1,
        23,
        65535,
    ]
    assert [rdata.type_from_text(t) for t in ("NSAP_PTR", "TYPE65536", "TYPE", "TYPE1x", "TYPE²", "")] == [
        None
    ] * 6
    assert [rdata.type_to_text(n) for n in (1, 23, 31, 65400, 0)] == [
        "A",
        "NSAP-PTR",
        "EID",
        "TYPE65400",
        "TYPE0",
    ]
    assert [rdata.class_from_text(t) for t in ("in", "CHAOS", "CLASS3", "ANY", "IN2")] == [1, 3, 3, 255, None]
    assert [rdata.class_to_text(n) for n in (1, 3, 4, 42)] == ["IN", "CH", "HS", "CLASS42"]


def test_meta_types() -> None:
    assert [n for n in range(260) if rdata.is_meta_type(n)] == [0, 41, *range(128, 256)]


def test_signature_times_wrap_as_serial_numbers() -> None:
    assert rdata.signature_time("19700101000001") == 1
    assert rdata.signature_time("21060207062816") == 0
    assert rdata.signature_time("4294967295") == 0xFFFFFFFF
    for bad in ("19691231235959", "x", "-1", "20300230000000", "20300101000000 ", "²", "4294967296"):
        with pytest.raises(ValueError, match="not a time"):
            rdata.signature_time(bad)


def test_malformed_rdata_is_shown_as_octets() -> None:
    assert rdata_to_text(1, b"\1\2\3") == "\\# 3 010203"
    assert rdata_to_text(14, b"\0") == "\\# 1 00"
    assert rdata_to_text(16, b"") == "\\# 0"


@pytest.mark.parametrize(
    ("rtype", "text", "message"),
    [
        (1, "192.0.2.256", "'192.0.2.256' is not an IPv4 address; four numbers from 0 to 255"),
        (1, "192.0.2.1.", "'192.0.2.1.' is not an IPv4 address"),
        (28, "192.0.2.1", "'192.0.2.1' is not an IPv6 address; up to eight groups"),
    ],
)
def test_a_bad_address_is_told_what_is_expected(rtype: int, text: str, message: str) -> None:
    with pytest.raises(RdataError, match=re.escape(message)):
        rdata_from_text(rtype, text, names.ROOT)
