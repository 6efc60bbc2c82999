"""What tells the file of a zone from others, once it has another name."""

from __future__ import annotations

from pathlib import Path

from bindpy.files import FileStamp
from bindpy.state.unwritten import Look


def test_a_look_is_all_of_a_stamp_but_the_time_that_renaming_changes(tmp_path: Path) -> None:
    assert Look.of(FileStamp(1 << 40, 1 << 63, 3, 4, 5)) == Look(1 << 40, 1 << 63, 3, 4)
    path = tmp_path / "zone"
    path.write_text("x")
    before = FileStamp.of(str(path))
    assert before is not None
    path.rename(tmp_path / "other")
    after = FileStamp.of(str(tmp_path / "other"))
    assert after is not None
    assert Look.of(before) == Look.of(after)
