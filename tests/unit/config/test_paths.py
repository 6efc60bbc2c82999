"""Paths of named.conf, without pathlib for nearly all of them."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from bindpy.config.resolve import absolute_path


@pytest.mark.parametrize("directory", ["/", "/zones", "/zones/of.all"])
def test_a_path_is_made_absolute_as_pathlib_does(directory: str) -> None:
    for length in range(6):
        for characters in itertools.product("/.a\n", repeat=length):
            text = "".join(characters)
            assert absolute_path(directory, text) == str(Path(directory) / text)
