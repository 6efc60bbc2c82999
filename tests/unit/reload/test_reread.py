"""named.conf read again: what is different, and that comparing what is the same costs little."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

from bindpy.config import plain_values
from bindpy.config.changes import zone_changes
from bindpy.config.load import load_config
from bindpy.config.model import Config
from bindpy.config.scanner import PlainZone
from bindpy.reload.reread import NewConfig, reread
from bindpy.zone.names import from_text

CONF = """\
options {{ directory "{dir}"; }};
zone "a" {{ type primary; file "a"; notify explicit; }};
zone "b" {{ type primary; file "b"; }};
zone "c" {{ type secondary; primaries {{ 192.0.2.1; }}; }};
"""


def conf(directory: Path, text: str = CONF) -> Path:
    path = directory / "named.conf"
    path.write_text(text.format(dir=directory))
    return path


def load(path: Path) -> Config:
    config = load_config(str(path)).config
    assert config is not None
    return config


def read_again(running: Config) -> NewConfig:
    new, found = reread(running, Path("/"))
    assert new is not None, [str(item) for item in found]
    return new


def test_what_only_moved_is_not_a_change(tmp_path: Path) -> None:
    running = load(conf(tmp_path))
    conf(tmp_path, "# a line\n" + CONF.replace('zone "c"', '\n\nzone "c"'))
    new = read_again(running)
    assert not new.changes.put
    assert not new.changes.removed
    assert [zone.span.line for zone in new.config.zones()] == [3, 4, 7]


def test_new_changed_and_removed_zones_are_found(tmp_path: Path) -> None:
    running = load(conf(tmp_path))
    text = CONF.replace("notify explicit; ", "").replace('zone "b"', 'zone "d"').replace('"b"', '"d"')
    conf(tmp_path, text)
    new = read_again(running)
    assert [zone.id[1] for zone in new.changes.put] == [from_text("a."), from_text("d.")]
    assert new.changes.removed == (("_default", from_text("b.")),)
    assert new.changes.ids == [zone.id for zone in new.changes.put] + [("_default", from_text("b."))]


def test_a_setting_of_the_options_changes_all_that_inherit_it(tmp_path: Path) -> None:
    running = load(conf(tmp_path))
    conf(tmp_path, CONF.replace('"{dir}";', '"{dir}"; notify explicit;'))
    assert [zone.id[1] for zone in read_again(running).changes.put] == [from_text("b."), from_text("c.")]


def test_settings_that_are_the_same_are_the_same_object(tmp_path: Path) -> None:
    running = load(conf(tmp_path))
    again = read_again(running).config
    for before, after in zip(running.zones(), again.zones(), strict=True):
        assert before is not after
        assert before.settings is after.settings
    alone = load(tmp_path / "named.conf")
    assert alone.zones()[0].settings is not running.zones()[0].settings
    assert not zone_changes(running, alone).ids, "equal all the same"


def test_errors_are_told_and_nothing_is_new(tmp_path: Path) -> None:
    running = load(conf(tmp_path))
    conf(tmp_path, CONF + "nonsense;\n")
    new, found = reread(running, Path("/"))
    assert new is None
    assert "nonsense" in str(found[0])


def test_a_zone_that_was_removed_is_new_again(tmp_path: Path) -> None:
    running = load(conf(tmp_path))
    views = tuple(replace(view, zones=view.zones[1:]) for view in running.views)
    new = read_again(replace(running, views=views))
    assert [zone.id[1] for zone in new.changes.put] == [from_text("a.")]


def test_nothing_of_the_text_stays(tmp_path: Path) -> None:
    """What pyparsing leaves behind has the tree of statements in it, which is large."""
    text = CONF.replace('"{dir}"', '"{dir}"; allow-query {{ !geoip country DE; !key k; any; }}', 1)
    text = 'key "k" {{ algorithm hmac-sha256; secret "aaaa"; }};\n' + text
    running = load(conf(tmp_path, text))
    gc.collect()
    conf(tmp_path, text + "".join(f'zone "z{n}" {{{{ type primary; file "{n}"; }}}};\n' for n in range(50)))
    plain_values.parse_value.cache_clear()  # read as if for the first time
    new = read_again(running)
    gc.unfreeze()
    assert len(new.changes.put) == 50
    assert not [item for item in gc.get_objects() if isinstance(item, PlainZone)]
