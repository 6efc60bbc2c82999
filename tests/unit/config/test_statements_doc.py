"""docs/statements.md says what the clause table says."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from bindpy.config.clause_table import contexts
from bindpy.config.model import Options
from bindpy.config.statements_doc import statements_markdown

TOP = Path(__file__).parents[3]
PAGE = TOP / "docs" / "statements.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == statements_markdown(), (
        "run: python -m bindpy.config.statements_doc > docs/statements.md"
    )


def test_the_page_has_every_statement() -> None:
    page = statements_markdown()
    for context, clauses in contexts().items():
        for name in clauses:
            assert f"\n| `{name}` |" in page, (context, name)


def test_what_an_option_sets_is_used_somewhere() -> None:
    """An option that is read and then forgotten is not supported, whatever the page says."""
    modules = [path for path in (TOP / "bindpy").rglob("*.py") if path.parent.name != "config"]
    words = set(re.findall(r"\w+", " ".join(path.read_text() for path in modules)))
    assert [field.name for field in dataclasses.fields(Options) if field.name not in words] == []
