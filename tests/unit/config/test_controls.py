"""The ``controls`` statement: what it means, and what is said about it."""

from __future__ import annotations

import pytest

from bindpy.config.load import load_config
from bindpy.config.model import ControlChannel
from bindpy.diagnostics import Severity

KEY = 'key "k" { algorithm hmac-sha256; secret "c2VjcmV0"; };\n'


def channels(text: str) -> tuple[ControlChannel, ...]:
    result = load_config("named.conf", text=KEY + text)
    assert result.config is not None, result.diagnostics
    assert result.config.controls is not None
    return result.config.controls


@pytest.mark.parametrize(
    ("written", "port"), [("", 953), ("port *", 953), ("port 0", 953), ("port 1953", 1953)]
)
def test_the_port(written: str, port: int) -> None:
    (channel,) = channels(f"controls {{ inet 127.0.0.1 {written} allow {{ any; }}; }};")
    assert channel.port == port


def test_channels_of_all_statements_come_together() -> None:
    found = channels(
        "controls { inet * allow { any; } keys { K; }; inet ::1 allow { none; } read-only yes; };\n"
        'controls { unix "/run/ctl" perm 0660 owner 1 group 2 keys { }; };\n'
    )
    assert [(one.kind, one.address, one.keys, one.read_only) for one in found] == [
        ("inet", "*", ("k.",), False),
        ("inet", "::1", None, True),
        ("unix", "/run/ctl", (), False),
    ]
    assert (found[2].mode, found[2].owner, found[2].group) == (0o660, 1, 2)
    assert [one.span.line for one in found] == [2, 2, 3]


@pytest.mark.parametrize(
    ("perm", "words"),
    [
        ("0600", ""),
        ("0660", ""),
        ("0200", ""),
        ("384", ""),
        ("0666", "allows access to everyone"),
        ("0602", "allows access to everyone"),
        ("0444", "allows access to nobody"),
        ("0", "allows access to nobody"),
        ("600", "perm 600 is 01130 in octal"),
        ("4294967295", "is 037777777777 in octal"),
    ],
)
def test_what_a_mode_of_a_socket_means(perm: str, words: str) -> None:
    result = load_config("named.conf", text=f'controls {{ unix "/run/ctl" perm {perm} owner 0 group 0; }};')
    assert result.config is not None
    warnings = [one.message for one in result.diagnostics if one.severity is Severity.WARNING]
    assert len(warnings) == bool(words)
    assert not words or words in warnings[0]


@pytest.mark.parametrize("name", ["nosuch", "k.", "kk"])
def test_a_key_that_is_not_defined_is_an_error_at_its_place(name: str) -> None:
    text = f'{KEY}controls {{\n  inet 127.0.0.1 allow {{ any; }}\n    keys {{ "k"; "{name}"; }};\n}};\n'
    result = load_config("named.conf", text=text)
    assert result.config is None
    (error,) = (one for one in result.diagnostics if one.severity is Severity.ERROR)
    assert error.message == f"unknown key '{name}'"
    assert error.span is not None
    assert (error.span.line, error.span.column) == (4, 17)
