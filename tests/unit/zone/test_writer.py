"""The canonical dump."""

from __future__ import annotations

from bindpy.zone import names
from bindpy.zone.reader import read_zone_text
from bindpy.zone.records import CHAOS
from bindpy.zone.writer import RdataText, dump

ORIGIN = names.from_text("example.")


def _dump(text: str, rdclass: int = 1) -> str:
    zone = read_zone_text("test.zone", ORIGIN, rdclass, text=text.encode())
    assert not zone.has_errors
    return "".join(dump(zone.builder.finish()))


def test_one_record_a_line_in_canonical_order() -> None:
    text = """$TTL 300
b 60 A 192.0.2.9
b    A 192.0.2.10
@ NS ns
@ MX 10 Mail
@ SOA ns h 1 2 3 4 5
a.b TXT "x\\"y" \\000
Ns AAAA 2001:DB8::1
"""
    assert _dump(text) == (
        "example.\t300\tIN\tSOA\tns.example. h.example. 1 2 3 4 5\n"
        "example.\t300\tIN\tNS\tns.example.\n"
        "example.\t300\tIN\tMX\t10 Mail.example.\n"
        "b.example.\t60\tIN\tA\t192.0.2.9\n"
        "b.example.\t60\tIN\tA\t192.0.2.10\n"
        'a.b.example.\t300\tIN\tTXT\t"x\\"y" "\\000"\n'
        "Ns.example.\t300\tIN\tAAAA\t2001:db8::1\n"
    )


def test_the_order_of_the_text_does_not_matter() -> None:
    lines = ["@ SOA ns h 1 2 3 4 5", "a A 192.0.2.1", "a A 192.0.2.2", "a TXT x", "b NS ns", "A MX 1 m"]
    forward = _dump("$TTL 300\n" + "\n".join(lines) + "\n")
    backward = _dump("$TTL 300\n" + "\n".join([lines[0], *reversed(lines[1:5]), lines[5]]) + "\n")
    assert forward == backward


def test_signatures_follow_the_type_that_they_cover() -> None:
    signature = "RRSIG {} 13 1 300 20361101000000 20261122020431 1 example. YWJj\n"
    text = "$TTL 300\n@ SOA ns h 1 2 3 4 5\n@ " + signature.format("SOA") + "@ " + signature.format("NS")
    covered = [line.split("\t")[4].split()[0] for line in _dump(text).splitlines() if "RRSIG" in line]
    assert covered == ["NS", "SOA"]


def test_other_classes() -> None:
    assert _dump("$TTL 300\n@ CH SOA a b 1 2 3 4 5\nversion TXT x\n", CHAOS).splitlines()[1] == (
        'version.example.\t300\tCH\tTXT\t"x"'
    )


def test_malformed_rdata_is_shown_as_octets() -> None:
    to_text = RdataText(1)
    assert to_text(1, b"\1") == "\\# 1 01"
    assert to_text(2, b"\xc0\x0c") == "\\# 2 c00c"
    assert to_text(2, b"\1a\0\0") == "\\# 4 01610000"
    assert to_text(15, b"\0") == "\\# 1 00"
    assert to_text(16, b"\2a") == "\\# 2 0261"
