"""The options alone: of files that are large, or in error, or include the one that has them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bindpy.config.load import load_config
from bindpy.config.load_options import load_options
from bindpy.config.model import Options
from bindpy.config.scanner import end_of_block


def options(folder: Path, text: str, **files: str) -> Options:
    (folder / "named.conf").write_text(text)
    for name, content in files.items():
        (folder / f"{name}.conf").write_text(content)
    found = load_options("named.conf", base=folder)
    assert found is not None
    return found


def test_the_same_as_in_the_whole_configuration(tmp_path: Path) -> None:
    (tmp_path / "zones").mkdir()
    text = """
        key k { algorithm hmac-sha256; secret "MTIz"; };  # "options" { is no statement here
        options {
            directory "zones"; pid-file "x.pid"; control-socket "s" group "adm"; listen-on { 127.0.0.1; };
        };
        zone "a.example" { type primary; file "a"; };
    """
    found = options(tmp_path, text)
    whole = load_config("named.conf", base=tmp_path).config
    assert whole is not None
    assert found == whole.options
    assert found.control_socket is not None
    assert found.control_socket.path == str(tmp_path / "zones/s")
    assert found.control_socket.group == "adm"


@pytest.mark.parametrize(
    "text",
    [
        'include "o.conf"; include "missing.conf"; zone {',
        'options { include "inner.conf"; };',
        'OPTIONS { pid-file "/p"; nonsense; listen-on { unknown; }; }; options { pid-file "/q"; };',
        '/* options { pid-file "/no"; }; */ include "missing.conf"; options { pid-file "/p"; }; }}} "',
        'view "options" { zone "options" { type primary; }; }; options { pid-file "/p"; };',
    ],
)
def test_found_wherever_they_are_and_whatever_else_is_wrong(tmp_path: Path, text: str) -> None:
    assert options(tmp_path, text, o='options { pid-file "/p"; };', inner='pid-file "/p";').pid_file == "/p"


def test_without_options_the_defaults_hold(tmp_path: Path) -> None:
    assert options(tmp_path, 'zone "a" { type primary; file "a"; };').control_socket is None


def test_none_is_not_a_path(tmp_path: Path) -> None:
    found = options(tmp_path, "options { control-socket none; };").control_socket
    assert found is not None
    assert found.path is None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert load_options("named.conf", base=tmp_path) is None


def test_what_comes_after_is_not_read(tmp_path: Path) -> None:
    zones = "".join(f'zone "z{i}.example" {{ type primary; file "z{i}"; }};\n' for i in range(50_000))
    began = time.process_time()  # the machine has other work too
    first = options(tmp_path, f'options {{ pid-file "/p"; }};\n{zones}')
    included = options(
        tmp_path, 'include "o.conf";\ninclude "z.conf";', o='options { pid-file "/p"; };', z=zones
    )
    taken = time.process_time() - began
    assert first.pid_file == included.pid_file == "/p"
    began = time.process_time()
    load_config("named.conf", base=tmp_path)
    assert taken < (time.process_time() - began) / 4


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("", None),
        ("options", None),
        ("options { };", 12),
        ("a b; options { x { y; }; }; c;", 27),
        ("a { options { }; };", None),
        ("a options { };", None),
        ("} ; options { };", 16),
        ("options { } } ; x", 15),
    ],
)
def test_end_of_block(text: str, end: int | None) -> None:
    assert end_of_block(text, "options") == end
