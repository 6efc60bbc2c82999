"""The pages that list the verbs say what the registry says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindpy.control.catalogue import verbs
from bindpy.control.verbs_doc import BEGIN, END, table_in, verbs_markdown, with_table

ROOT = Path(__file__).parents[3]
PAGES = ("docs/verbs.md", "README.md")


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_current(name: str) -> None:
    table = table_in((ROOT / name).read_text())
    if table is None and name == "README.md":
        assert BEGIN not in (ROOT / name).read_text()
        return
    assert table == verbs_markdown(), f"run: python -m bindpy.control.verbs_doc {name}"


def test_every_verb_and_alias_is_in_the_table() -> None:
    table = verbs_markdown()
    for one in verbs().values():
        assert f"\n| `{one.name}" in table, one.name
        assert all(f"`{alias}`" in table for alias in one.aliases), one.name


def test_a_table_is_put_between_the_markers() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert with_table(page) == f"before\n{BEGIN}\n{verbs_markdown()}{END}\nafter\n"
    assert with_table(with_table(page)) == with_table(page)
    assert table_in("nothing") is None
