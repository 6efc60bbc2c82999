"""Every file of the corpus gets its verdict and exactly the findings that it announces."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bindpy.cli.checkzone import command
from tests.data.zones.corpus import ZoneFile, zone_files


def test_corpus_is_there() -> None:
    kinds = [file.kind for file in zone_files()]
    assert min(kinds.count(kind) for kind in ("good", "warn", "bad")) >= 50


@pytest.mark.parametrize("file", zone_files(), ids=str)
def test_verdict_and_findings(file: ZoneFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.path.parent)
    name = file.path.name
    result = CliRunner().invoke(command, [*file.options, file.origin, name])
    findings = [
        line.removeprefix(f"{name}:") for line in result.stderr.splitlines() if ": note: " not in line
    ]
    refused = file.kind == "bad"
    if refused:
        assert findings.pop().startswith("zone ")  # "not loaded due to errors."
        assert result.stdout == ""
    else:
        assert result.stdout.endswith("OK\n")
    assert result.exit_code == (1 if refused else 0), result.output
    assert [bool(regexp.match(line)) for regexp, line in zip(file.expected, findings, strict=True)] == [
        True
    ] * len(findings), findings
    assert any("error: " in line for line in findings) == refused
    assert file.kind == "good" or findings


def test_messages_name_files_as_given(tmp_path: Path) -> None:
    path = tmp_path / "db.example"
    path.write_text("$TTL 60\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\n")
    result = CliRunner().invoke(command, ["example.com", str(path)])
    assert result.stderr.startswith(f"{path}:3:1: error: NS 'ns1.example.com.' has no address records")
