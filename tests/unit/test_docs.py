"""Documents must not lie about what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
DOCUMENTS = [PROJECT / "README.md", PROJECT / "ARCHITECTURE.md", *sorted((PROJECT / "docs").glob("*.md"))]
FOLDERS = r"(?:bindpy|tests|benchmarks|docs|examples|zones|\.ci)"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_paths_and_links_exist(document: Path) -> None:
    text = document.read_text()
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    missing = [link for link in links if not (document.parent / link).exists()]
    named = re.findall(rf"`({FOLDERS}/[\w./-]*)`", text)
    missing += [path for path in named if not (PROJECT / path).exists()]
    assert missing == []


def test_no_document_is_missing() -> None:
    for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE"):
        assert (PROJECT / name).is_file()
