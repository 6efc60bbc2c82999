"""What is said to rndc: BIND's words, where the two say the same."""

from __future__ import annotations

import re

from tests.interop.driving import BROKEN, FILES, zone_text
from tests.peers.require import require_tool
from tests.support.controlled import Controlled, ControlledBindpy, ControlledNamed
from tests.support.real_rndc import Ran

VIEWS = """
view "one" {
    match-clients { 127.0.0.2; };
    zone "both.example" { type primary; file "@DIRECTORY@/example.db"; };
};
view "two" {
    allow-new-zones yes;
    zone "both.example" { type primary; file "@DIRECTORY@/example.db"; };
    zone "plain.example" {
        type primary; file "@DIRECTORY@/plain.db"; notify explicit; also-notify { 127.0.0.1 port 9; };
    };
    zone "broken.example" { type primary; file "@DIRECTORY@/broken.db"; };
    zone "secondary.example" {
        type secondary; file "@DIRECTORY@/secondary.db"; primaries { 127.0.0.1 port 9; };
    };
};
"""
NEW = '{ type primary; file "@DIRECTORY@/example.db"; };'

EQUAL = [
    "RELOAD plain.example",
    "  reload plain.example",
    "reload plain.example IN two",
    "reload plain.example IN one",
    "reload plain.example IN nosuch",
    "reload plain.example CH",
    "reload both.example",
    "reload nosuch",
    "reload .",
    "reload secondary.example",
    "zonestatus both.example",
    "zonestatus nosuch.example",
    "refresh plain.example",
    "refresh secondary.example",
    "retransfer plain.example",
    "retransfer secondary.example",
    "notify plain.example",
    "notify nosuch",
    "querylog off",
    "sync",
    "sync plain.example",
    "sync nosuch",
    "sync -clean",
    "trace 3",
    "notrace",
    "thaw plain.example",
    "freeze nosuch",
    "null",
    "nosuchverb",
    "tsig-list",
    "showzone nosuch",
    "showzone plain.example in two",
    "delzone nosuch",
    f"addzone new.example in one {NEW}",
    f"addzone new.example in two {NEW}",
    "showzone new.example in two",
    f"modzone new.example in two {NEW[:-2]} notify no; }};",
    "showzone new.example in two",
    "delzone new.example in two",
    "delzone plain.example in two",
    "reload plain.example",
]
"""Exit status and texts are BIND's to the letter. In this order: some need those before them."""

SAME_ERROR = [
    "reload plain.example XX",
    "zonestatus",
    "zonestatus broken.example",
    "zonestatus secondary.example",
    "refresh",
    "retransfer",
    "notify",
    "showzone",
    "delzone",
    f"addzone both.example in two {NEW}",
    'addzone new2.example in two { type primary; file "@DIRECTORY@/nosuch.db"; };',
    "addzone new2.example in two { type primary; };",
    f"modzone nosuch in two {NEW}",
]
"""Exit status and error are BIND's, and more is said about it."""


def test_the_texts_are_those_of_bind() -> None:
    require_tool("named")
    files = {"plain.db": zone_text(), "broken.db": BROKEN} | FILES
    conf = VIEWS
    with ControlledNamed(conf=conf, files=files) as named, ControlledBindpy(conf=conf, files=files) as bindpy:
        wrong = []
        for command in (*SAME_ERROR, *EQUAL):
            theirs, ours = (in_one_words(server, command) for server in (named, bindpy))
            if command in SAME_ERROR:
                same = theirs.status == ours.status == 1 and ours.err.startswith(theirs.err.splitlines()[0])
            else:
                same = theirs == ours
            if not same:
                wrong.append(f"{command}\n  BIND:   {theirs}\n  bindpy: {ours}")
        assert not wrong, "\n".join(wrong)


def in_one_words(server: Controlled, command: str) -> Ran:
    """Run a command; the server's directory and the view that only BIND has are not in the result."""
    directory = str(server.directory)
    ran = server.rndc(command.replace("@DIRECTORY@", directory))
    out, err = (text.replace(directory, "@DIRECTORY@") for text in (ran.out, ran.err))
    return Ran(ran.status, re.sub(r'^view "_bind".*\n', "", out, flags=re.MULTILINE), err)
