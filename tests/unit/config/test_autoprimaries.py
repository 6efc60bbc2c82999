"""``autoprimaries``: the statement, PowerDNS' form of the list, and what must stand beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindpy.config.autoprimaries_file import MAX_OCTETS, autoprimary_lines, read_autoprimaries_file
from bindpy.config.load import load_config
from bindpy.config.load_options import load_options
from bindpy.config.model import ProvisionedBy
from bindpy.diagnostics import Diagnostics
from bindpy.files import FileStamp
from bindpy.zone.names import from_text, to_text

KEY = 'key "K" { algorithm hmac-sha256; secret "c2VjcmV0"; };\n'
BESIDE = 'autoprimary-directory "auto"; autoprimary-config "auto.conf";'


def load(folder: Path, options: str, more: str = "") -> list[str]:
    """Return what is found wrong, without the path; the configuration is left in *folder*."""
    conf = folder / "named.conf"
    conf.write_text(f'options {{ directory "{folder}";\n{options}\n}};\n{more}')
    result = load_config(str(conf))
    return [str(item).replace(f"{folder}/", "") for item in result.diagnostics]


def test_the_statement_means_its_entries(tmp_path: Path) -> None:
    options = (
        'port 5300; autoprimaries { 192.0.2.1 nameserver "ns2.Example"; '
        f'::1 port 53 key "k" nameserver "ns2.example." account "a b"; }}; {BESIDE}'
    )
    assert load(tmp_path, options, KEY) == []
    config = load_config(str(tmp_path / "named.conf")).config
    assert config is not None
    first, second = config.options.autoprimaries
    assert (first.address, first.port, first.key, first.account) == ("192.0.2.1", 5300, "", "")
    assert first.nameserver == from_text("ns2.Example")
    assert (second.address, second.port, second.key, second.account) == ("::1", 53, "k.", "a b")
    assert str(second.span).endswith("named.conf:2:64")
    assert config.options.autoprimary_directory == str(tmp_path / "auto")
    assert config.options.autoprimary_config == str(tmp_path / "auto.conf")
    assert load_options(str(tmp_path / "named.conf")) == config.options


def test_statements_add_up(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("192.0.2.3 ns2.example\n")
    one = '192.0.2.1 nameserver "ns2.example";'
    options = f'autoprimaries {{ {one} }}; autoprimaries {{ {one} ::1 nameserver "b"; }};'
    assert load(tmp_path, f'{options} autoprimaries file "list"; {BESIDE}') == []
    config = load_config(str(tmp_path / "named.conf")).config
    assert config is not None
    assert [one.address for one in config.options.autoprimaries] == ["192.0.2.1", "192.0.2.1", "::1"]
    (file,) = config.options.autoprimary_files
    assert file.path == str(tmp_path / "list")
    assert [one.address for one in file.entries] == ["192.0.2.3"]
    assert file.stamp == FileStamp.of(str(tmp_path / "list"))


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (
            'autoprimaries { 192.0.2.1 nameserver "a"; };',
            [
                "named.conf:2:1: error: 'autoprimaries' without 'autoprimary-directory'; add it; it is the "
                "directory for the files of new zones",
                "named.conf:2:1: error: 'autoprimaries' without 'autoprimary-config'; add it; it is the file "
                "that their statements are written to",
            ],
        ),
        (
            f'autoprimaries {{ 192.0.2.1 key other nameserver "a"; }}; {BESIDE}',
            [
                "named.conf:2:17: error: key 'other' of autoprimary 192.0.2.1 is not defined; define it with "
                "a 'key' statement"
            ],
        ),
        (
            f'autoprimaries {{ 192.0.2.1 nameserver "a..b"; }}; {BESIDE}',
            ["named.conf:2:38: error: 'a..b' is not a name: 'a..b' has an empty label"],
        ),
        (
            f'autoprimaries {{ 192.0.2.1 nameserver "a" account "x\\"y"; }}; {BESIDE}',
            ["named.conf:2:50: error: the account has a quote, a backslash or a control character"],
        ),
        (
            f'autoprimaries {{ 192.0.2.1 port 0 nameserver "a"; }}; {BESIDE}',
            ["named.conf:2:32: error: an autoprimary is not asked on port 0"],
        ),
        (
            'autoprimaries { 192.0.2.1 nameserver "a"; }; autoprimary-directory "a\\"b"; '
            'autoprimary-config "c";',
            [
                "named.conf:2:46: error: 'autoprimary-directory' has a quote, a backslash or a control "
                "character, which statements of zones cannot hold"
            ],
        ),
        (
            f'autoprimaries file "none"; {BESIDE}',
            ["none: error: cannot read the list of autoprimaries: no such file or directory"],
        ),
    ],
)
def test_what_could_not_work_is_an_error(tmp_path: Path, options: str, found: list[str]) -> None:
    assert load(tmp_path, options, KEY) == found


def test_an_error_in_the_list_has_its_place_and_says_who_named_it(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("192.0.2.1 ns2.example\n192.0.2.256 ns2.example\n")
    conf = tmp_path / "named.conf"
    conf.write_text(f'options {{ directory "{tmp_path}";\nautoprimaries file "list"; {BESIDE} }};')
    (found,) = load_config(str(conf)).diagnostics
    assert list(found.lines()) == [
        f"{tmp_path}/list:2:1: error: '192.0.2.256' is not an address; a line is 'ADDRESS NAME [ACCOUNT]'",
        f"{conf}:2:1: note: the file is named here",
    ]


def test_the_form_of_powerdns() -> None:
    text = (
        "# PowerDNS\n\n192.0.2.1 ns2.example.org customer1 # said so\n"
        "192.0.2.2:5300\tns2.example.org. ; no account\n  [2001:db8::1]:54 ns#2.example x//y\r\n"
        "// nobody\n2001:DB8::0:2 ns2.example.org"
    )
    diagnostics = Diagnostics()
    lines = autoprimary_lines(text, "list", 53, diagnostics)
    assert diagnostics.items == []
    assert [
        (one.entry.address, one.entry.port, to_text(one.entry.nameserver), one.entry.account) for one in lines
    ] == [
        ("192.0.2.1", 53, "ns2.example.org.", "customer1"),
        ("192.0.2.2", 5300, "ns2.example.org.", ""),
        ("2001:db8::1", 54, "ns#2.example.", "x//y"),
        ("2001:db8::2", 53, "ns2.example.org.", ""),
    ]
    assert [text[one.start : one.end].split()[0] for one in lines] == [
        "192.0.2.1",
        "192.0.2.2:5300",
        "[2001:db8::1]:54",
        "2001:DB8::0:2",
    ]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("nonsense a.b", "l:1:1: error: 'nonsense' is not an address; a line is 'ADDRESS NAME [ACCOUNT]'"),
        ("192.0.2.1:0 a.b", "l:1:1: error: '192.0.2.1:0' is not an address; a line is"),
        ("192.0.2.1:65536 a.b", "l:1:1: error: '192.0.2.1:65536' is not an address; a line is"),
        ("192.0.2.1 # a.b", "l:1:1: error: the entry of 192.0.2.1 ends too early; our own name"),
        ("192.0.2.1 a.b c d", "l:1:17: error: 'd' is one word too many"),
        ("192.0.2.1 " + "a" * 64, f"l:1:11: error: '{'a' * 64}' is not a name: "),
        ('192.0.2.1 a.b c"', "l:1:15: error: the account has a quote"),
        ("192.0.2.1 a.b c\\", "l:1:15: error: the account has a quote"),
        ("192.0.2.1 a.b " + "c" * 256, "l:1:15: error: the account is over 255 characters long"),
        ("192.0.2.1 customer", "l:1:11: warning: 'customer' is taken for our own name among the NS records"),
    ],
)
def test_every_mistake_in_the_list_has_its_place(line: str, found: str) -> None:
    diagnostics = Diagnostics()
    autoprimary_lines(f"{line}\n192.0.2.9 good.example\n", "l", 53, diagnostics)
    assert [str(item)[: len(found)] for item in diagnostics.items] == [found]


@given(st.text(alphabet=st.characters(codec="utf-8")) | st.text('12.:[] \n#;/\\"ab\t\0'))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    diagnostics = Diagnostics()
    for line in autoprimary_lines(text, "l", 53, diagnostics):
        assert line.entry.address in text.replace("::ffff:", "") or ":" in line.entry.address
        assert 0 <= line.start < line.end <= len(text)


def test_what_is_no_list_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", Path("nul\0")):
        file, findings = read_autoprimaries_file(str(path), 53)
        assert file is None
        assert "cannot read the list of autoprimaries" in str(findings[0])
    large = tmp_path / "large"
    large.write_bytes(b"#" * (MAX_OCTETS + 1))
    assert read_autoprimaries_file(str(large), 53)[0] is None


def test_a_zone_says_who_made_it(tmp_path: Path) -> None:
    zone = 'zone "x" { type secondary; primaries { ::1; }; provisioned-by ::1 account "them"; };\n'
    assert load(tmp_path, "", zone) == []
    config = load_config(str(tmp_path / "named.conf")).config
    assert config is not None
    assert config.zones()[0].provisioned_by == ProvisionedBy("::1", "them")
    wrong = 'zone "x" { type primary; file "f"; provisioned-by ::1; };'
    assert "'provisioned-by' is not allowed in 'primary' zone 'x'" in load(tmp_path, "", wrong)[0]
