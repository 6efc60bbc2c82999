"""A zone statement as BIND prints it; tests/interop/test_new_zones.py compares with BIND itself."""

from __future__ import annotations

import pytest

from bindpy.config.one_zone import zone_statement
from bindpy.newzones.show import bind_text


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (
            'zone example.com IN { file "f"; notify 1; type master; };',
            'zone "example.com" { type master; file "f"; notify yes; };',
        ),
        ('zone "x" CH { type native; file "a\\"b"; };', 'zone "x" CH { type native; file "a\\"b"; };'),
        (
            "zone x { type primary; /* c */ allow-query { !192.0.2.1; 10/8; { key k; any; }; }; };",
            'zone "x" { type primary; allow-query { !192.0.2.1/32; 10.0.0.0/8; { key "k"; "any"; }; }; };',
        ),
        (
            "zone x { type slave; masters port 54 { a; ::1 port 5 key k; }; check-names warn; };",
            'zone "x" { type slave; check-names warn; masters port 54 { "a"; ::1 port 5 key "k"; }; };',
        ),
        (
            "zone x { type primary; max-journal-size 2k; };",
            'zone "x" { type primary; max-journal-size 2048; };',
        ),
    ],
)
def test_a_statement_in_one_line(written: str, shown: str) -> None:
    statement, findings = zone_statement(written, "x")
    assert statement is not None, findings
    assert bind_text(statement) == shown


def test_what_is_shown_reads_back_and_is_shown_the_same() -> None:
    text = 'zone "x" { type primary; file "x;{}"; update-policy { grant k zonesub ANY; }; notify no; };'
    statement, _ = zone_statement(text, "x")
    assert statement is not None
    again, findings = zone_statement(bind_text(statement), "x")
    assert again is not None, findings
    assert bind_text(again) == bind_text(statement)
