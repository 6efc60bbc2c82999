"""Our verdict on a named.conf against named-checkconf's.

``tests/data/conf`` holds the corpus: ``good`` and ``bad`` files have the same verdict from both; ``ext`` and
``removed`` are refused by BIND and accepted here, ``strict`` the other way round, each for the reason that
its first line gives. The generated texts find what nobody thought of.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bindpy.config.load import load_config
from bindpy.diagnostics import Severity
from tests.diff.confgen import ConfGenerator
from tests.peers.require import require_tool

DATA = Path(__file__).parent.parent / "data" / "conf"
FIRST_SEED = int(os.environ.get("BINDPY_CONF_SEED", "0"))
EXAMPLES = int(os.environ.get("BINDPY_CONF_EXAMPLES", "150"))

ACCEPTED = (
    # Our word for it, and why the difference stays; tests/data/conf/strict has a file for each.
    "undefined ACL",  # in options that no zone uses: refused with the first zone
    "expected ';', found 'key'",  # after a list's name, in a list that no zone uses
    "expected ';', found 'tls'",
    "port value '70000' is out of range",  # the default port of a list
    "'rrset-order': invalid",  # of options, where there are views: named ends with a failed assertion
    "found '!'",  # twice the sign of negation, in an acl that nothing uses
    "expected one of default, unlimited, size, found '-1'",  # BIND takes it for the largest number
    "'18446744073709551616' is out of range",  # likewise
    "found '-5%'",  # likewise
    "key name 'a..b' is not",  # in response-padding: named does not start
    "found 'P'",  # an ISO 8601 duration without a number
    "invalid class 'any'",  # of a view: named does not start
    "undefined channel",  # in other capitals than the channel: named does not start
)


def corpus(kind: str) -> list[Path]:
    return sorted((DATA / kind).glob("*.conf"))


def peer_says(checker: str, path: Path) -> tuple[bool, str]:
    """Return whether named-checkconf accepts *path*, and what it prints."""
    run = subprocess.run(
        [checker, path.name],
        check=False,
        cwd=path.parent,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
    )
    return run.returncode == 0, run.stdout + run.stderr


def we_say(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, list[str]]:
    """Return whether we accept *path*, and our errors."""
    monkeypatch.chdir(path.parent)
    found = load_config(path.name).diagnostics
    errors = [str(item) for item in found if item.severity is Severity.ERROR]
    return not errors, errors


@pytest.mark.parametrize(
    "path", [*corpus("good"), *corpus("bad")], ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_our_verdict_is_named_checkconfs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, said = peer_says(require_tool("named-checkconf"), path)
    assert theirs is (path.parent.name == "good"), said
    ours, errors = we_say(path, monkeypatch)
    assert ours is theirs, (errors, said)


@pytest.mark.parametrize("path", [*corpus("ext"), *corpus("removed")], ids=lambda path: path.stem)
def test_bind_refuses_what_is_ours_or_was_removed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, said = peer_says(require_tool("named-checkconf"), path)
    assert not theirs, said
    ours, errors = we_say(path, monkeypatch)
    assert ours, errors


@pytest.mark.parametrize("path", corpus("strict"), ids=lambda path: path.stem)
def test_some_of_what_named_checkconf_passes_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, said = peer_says(require_tool("named-checkconf"), path)
    assert theirs, said
    ours, errors = we_say(path, monkeypatch)
    assert not ours
    assert any(word in error for word in ACCEPTED for error in errors), errors


@pytest.mark.parametrize("block", range(10))
def test_generated_configurations_have_the_same_verdict(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checker = require_tool("named-checkconf")
    path = tmp_path / "named.conf"
    size = EXAMPLES // 10
    accepted = 0
    for seed in range(FIRST_SEED + block * size, FIRST_SEED + (block + 1) * size):
        path.write_text(text := ConfGenerator(seed).conf())
        theirs, said = peer_says(checker, path)
        ours, errors = we_say(path, monkeypatch)
        accepted += theirs
        if ours is not theirs and not (theirs and _all_accepted(errors)):
            pytest.fail(
                f"seed {seed}: we say {errors or 'good'}\nnamed-checkconf says {said or 'good'}\n{text}"
            )
    assert 0 < accepted < size, "the generator makes only good or only bad texts"


def _all_accepted(errors: list[str]) -> bool:
    return all(any(word in error for word in ACCEPTED) for error in errors)
