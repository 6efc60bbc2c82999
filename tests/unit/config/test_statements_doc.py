"""docs/statements.md says what the clause table says."""

from __future__ import annotations

from pathlib import Path

from bindpy.config.clause_table import contexts
from bindpy.config.statements_doc import statements_markdown

PAGE = Path(__file__).parents[3] / "docs" / "statements.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == statements_markdown(), (
        "run: python -m bindpy.config.statements_doc > docs/statements.md"
    )


def test_the_page_has_every_statement() -> None:
    page = statements_markdown()
    for context, clauses in contexts().items():
        for name in clauses:
            assert f"\n| `{name}` |" in page, (context, name)
