"""Names of zones that were begun, and those that were meant."""

from __future__ import annotations

import pytest

from bindpy.control.zone_names import names_beginning, spread
from bindpy.zone.names import from_text

NAMES = ["example.com", "example.org", "Exotic.example", "a.b.example", r"ex\.a.example", "."]
ORIGINS = [from_text(name) for name in NAMES]


@pytest.mark.parametrize(
    ("beginning", "found"),
    [
        ("", [".", "Exotic.example", "a.b.example", r"ex\.a.example", "example.com", "example.org"]),
        ("ex", ["Exotic.example", r"ex\.a.example", "example.com", "example.org"]),
        ("EXO", ["Exotic.example"]),
        ("example.", ["example.com", "example.org"]),
        ("example.o", ["example.org"]),
        ("a.b", ["a.b.example"]),
        ("exam.", []),
        (r"ex\.", [r"ex\.a.example"]),
        ("é", []),
        (".", ["."]),
    ],
)
def test_names_that_begin_so(beginning: str, found: list[str]) -> None:
    assert names_beginning(ORIGINS, beginning) == found


def common(names: list[str]) -> str:
    """Return what all of *names* begin with."""
    length = 0
    while all(name.startswith(names[0][: length + 1]) for name in names) and length < len(names[0]):
        length += 1
    return names[0][:length]


def test_names_are_found_once_however_many_views_have_them() -> None:
    assert names_beginning(ORIGINS * 2, "example.c") == ["example.com"]


@pytest.mark.parametrize(("number", "bound"), [(0, 5), (5, 5), (6, 5), (1000, 7), (1000, 2), (3, 1), (3, 0)])
def test_what_is_shown_of_many_begins_as_all_of_them_do(number: int, bound: int) -> None:
    names = sorted(f"zone{place}.example" for place in range(number))
    shown = spread(names, bound)
    assert len(shown) == min(number, bound)
    assert shown == sorted(set(shown))
    if bound > 1 and names:
        assert common(shown) == common(names)
