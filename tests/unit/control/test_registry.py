"""What holds for every verb: how a line is read, who may say it, and that nothing but VerbError comes out."""

from __future__ import annotations

import asyncio
import logging

import pytest

from bindpy import __version__
from bindpy.control import registry
from bindpy.control.catalogue import find_verb, verbs
from bindpy.control.errors import VerbError
from bindpy.control.jobs import Jobs
from bindpy.control.registry import Result, execute
from bindpy.control.server import ControlledServer
from bindpy.control.verb import CLASS, OPTIONAL_ZONE, VIEW, ZONE, Call, Caller, Kind, Parameter, Verb, flag
from bindpy.control.words import quoted, split

WHO = Caller("rndc", "192.0.2.1#999", "key k")


class Nobody:
    """A server for verbs that need none."""

    @property
    def jobs(self) -> Jobs:
        raise AssertionError("not asked for")


async def _run(server: ControlledServer, call: Call) -> Result:
    return Result(" ".join(call.words))


def make(*parameters: Parameter) -> Verb:
    return Verb("v", (), parameters, "", True)


def tell(line: str, *, read_only: bool = False) -> Result:
    return asyncio.run(execute(Nobody(), line, WHO, read_only=read_only))  # type: ignore[arg-type]


def refusal(line: str, *, read_only: bool = False) -> VerbError:
    with pytest.raises(VerbError) as refused:
        tell(line, read_only=read_only)
    return refused.value


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("reload", ()),
        ("  reload \t example.com  IN\n", ("example.com", "IN")),
        ('reload "my zone" IN', ("my zone", "IN")),
        (r'loglevel "a \"b\" c\d"', ('a "b" c\\d',)),
        (r"reload a\.b.example a\ b", (r"a\.b.example", r"a\ b")),
        ('reload x"y z"', ("x", "y z")),
        ('reload "" x', ("", "x")),
        ("reload {a}", ("{a}",)),
    ],
)
def test_a_line_is_split_into_words_and_quoted_strings(line: str, words: tuple[str, ...]) -> None:
    assert split(line).words == words


def test_configuration_text_stays_as_it_came() -> None:
    line = split('addzone "a b" IN v {type primary; file "x { }"; };', with_config=True)
    assert line.words == ("a b", "IN", "v")
    assert line.config == '{type primary; file "x { }"; };'
    assert line.rest.startswith('"a b"')
    assert split("addzone x{ };", with_config=True).words == ("x",)


def test_a_quoted_string_without_end_is_refused() -> None:
    assert refusal('ping "x').err == "unbalanced quotes"


@pytest.mark.parametrize("word", ["a", "", 'a "b', "{x", r"a\.b", "a b"])
def test_a_quoted_word_is_one_word_again(word: str) -> None:
    assert split(f"v {quoted(word)} z", with_config=True).words == (word, "z")


def test_parameters_take_words_in_turn_and_flags_anywhere() -> None:
    verb = make(flag("-clean"), ZONE, CLASS, VIEW)
    call = verb.read(split("v a.example -CLEAN ch inside"), WHO)
    assert (call["zone"], call["class"], call["view"], call.has("-clean")) == (
        "a.example",
        "ch",
        "inside",
        True,
    )
    assert verb.usage == "v [-clean] ZONE [CLASS [VIEW]]"
    bare = verb.read(split("v a.example"), WHO)
    assert (bare.get("class"), bare.has("-clean"), bare.who) == (None, False, WHO)


def test_what_is_missing_or_too_much_is_refused_with_the_usage() -> None:
    with pytest.raises(VerbError) as missing:
        make(ZONE, CLASS).read(split("v"), WHO)
    assert (missing.value.err, missing.value.code) == ("unexpected end of input", 24)
    assert missing.value.text == "usage: v ZONE [CLASS]"
    with pytest.raises(VerbError) as more:
        make(OPTIONAL_ZONE).read(split("v a b"), WHO)
    assert (more.value.err, more.value.text) == ("extra input text", "'b' is too much; usage: v [ZONE]")


def test_words_for_a_parameter_that_takes_many() -> None:
    verb = make(Parameter("zone", Kind.ZONE, optional=True, many=True))
    assert verb.read(split("v a b c"), WHO).many("zone") == ("a", "b", "c")
    assert verb.usage == "v [ZONE…]"
    with pytest.raises(VerbError):
        make(Parameter("zone", Kind.ZONE, many=True)).read(split("v"), WHO)


def test_choices_and_numbers_are_checked() -> None:
    switch = make(Parameter("switch", Kind.WORD, optional=True, choices=("on", "off")))
    assert switch.read(split("v ON"), WHO)["switch"] == "on"
    assert switch.usage == "v [on|off]"
    with pytest.raises(VerbError, match="'maybe' is none of: on, off"):
        switch.read(split("v maybe"), WHO)
    number = make(Parameter("level", Kind.NUMBER))
    assert number.read(split("v 7"), WHO)["level"] == "7"
    for bad in ("-1", "x", "1234567890", "٣"):
        with pytest.raises(VerbError, match="not a valid number"):
            number.read(split(f"v {bad}"), WHO)


def test_configuration_text_is_an_argument() -> None:
    verb = make(ZONE, CLASS, VIEW, Parameter("config", Kind.CONFIG))
    call = verb.read(split("v a.example { type primary; };", with_config=True), WHO)
    assert (call["zone"], call["config"]) == ("a.example", "{ type primary; };")
    assert verb.usage == "v ZONE [CLASS [VIEW]] { CONFIG }"
    with pytest.raises(VerbError):
        verb.read(split("v a.example", with_config=True), WHO)


def test_verbs_are_found_by_name_and_alias_in_any_case() -> None:
    ping = find_verb("ping")
    assert ping is not None
    assert find_verb("RPing") is ping
    assert find_verb("pin") is None


def test_no_word_names_two_verbs() -> None:
    words = [word for verb in verbs().values() for word in (verb.name, *verb.aliases)]
    assert sorted(words) == sorted(set(words))
    assert all(word == word.lower() for word in words)
    assert list(verbs()) == sorted(verbs())


def test_every_verb_says_what_it_does() -> None:
    for verb in verbs().values():
        assert verb.help.endswith("."), verb.name


def test_every_verb_of_the_catalogue_does_something() -> None:
    assert sorted(registry.all_runs()) == list(verbs())


def test_ping_and_version() -> None:
    assert tell(" PING ").text == "PONG"
    assert tell("version") == Result(f"bindpy {__version__}", {"version": __version__})


def test_an_unknown_word_and_no_word(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "bindpy.general"):
        unknown = refusal("frobnicate example.com")
    assert (unknown.err, unknown.text, unknown.code) == ("unknown command", "", 172)
    line = "received control channel command 'frobnicate example.com' (rndc 192.0.2.1#999 key k)"
    assert caplog.messages == [line]
    assert refusal(" ").err == refusal("").err == "failure"


def test_a_channel_that_only_reads_refuses_what_changes(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "find_verb", lambda word: make(OPTIONAL_ZONE))
    monkeypatch.setattr(registry, "all_runs", lambda: {"v": _run})
    assert tell("v a").text == "a"
    with caplog.at_level(logging.INFO, "bindpy.general"):
        assert (error := refusal("v a", read_only=True)).err == "failure"
    assert error.code == 25
    assert "rejecting restricted control channel command 'v a'" in caplog.text
    monkeypatch.undo()
    assert tell("ping", read_only=True).text == "PONG"
    assert refusal("frobnicate", read_only=True).err == "failure"


def test_a_fault_of_ours_is_logged_and_becomes_a_failure(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(server: ControlledServer, call: Call) -> Result:
        raise ZeroDivisionError

    monkeypatch.setattr(registry, "find_verb", lambda word: Verb("v", (), (), "", False))
    monkeypatch.setattr(registry, "all_runs", lambda: {"v": broken})
    error = refusal("v")
    assert (error.err, error.code) == ("failure", 25)
    assert "ZeroDivisionError" in caplog.text
    assert "please report it" in caplog.text


def test_a_long_command_is_logged_in_part(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "bindpy.general"):
        refusal("frobnicate " + "x" * 30000)
    assert len(caplog.messages[0]) < registry.MAX_LOGGED + 100
