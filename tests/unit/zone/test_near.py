"""Names that may be meant by one that is wrong."""

from __future__ import annotations

import pytest

from bindpy.zone.names import from_text
from bindpy.zone.near import names_near


@pytest.mark.parametrize(
    "written", ["www.example.com", "exmple.com", "exampel.com", "example.con", "exxample.com", "exbmple.com"]
)
def test_a_name_that_may_be_meant(written: str) -> None:
    assert from_text("example.com") in set(names_near(from_text(written)))


def test_names_near_are_names_and_not_too_many() -> None:
    longest = from_text("x" * 63 + ".example")
    near = list(names_near(longest))
    assert all(len(name) <= len(longest) + 1 for name in near)
    assert from_text("x" * 62 + ".example") in near
    assert len(near) < 6000
    assert list(names_near(b"\0")) == []


def test_a_name_is_not_near_itself() -> None:
    assert from_text("aa.example.com") not in set(names_near(from_text("aa.example.com")))
