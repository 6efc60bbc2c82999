"""pyparsing grammars for clause values: what is wrong with a value is said here.

Nearly all values are right, and `bindpy.config.plain_values` reads those; the notation stands there.
"""

from __future__ import annotations

import re
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import pyparsing as pp

from bindpy.config import kinds
from bindpy.config.values import BadValueError, Named, Value
from bindpy.config.words import ANY_TOKEN

KINDS = kinds.KINDS

_NOTATION = re.compile(r"\s*(<[a-z0-9_]+>|\[\*|\*\]|\.\.\.|[\[\](){}|;]|[^\s\[\](){}|;<>]+)")
_CLOSERS = frozenset(("|", ")", "]", ";", "}", "*]"))


def value_by_grammar(notation: str, text: str) -> Value:
    """Return what the canonical *text* means under *notation*. Raises `BadValueError`."""
    try:
        return _collect(_compiled(notation).parse_string(text, parse_all=True))
    except pp.ParseBaseException as exc:
        raise BadValueError(_explain(exc, text), _place(exc, text)) from None


def _collect(tokens: Any) -> Value:
    named = {token.keyword: token.value for token in tokens if isinstance(token, Named)}
    args = tuple([token for token in tokens if not isinstance(token, Named)])
    return Value(args, MappingProxyType(named))


def _place(exc: pp.ParseBaseException, text: str) -> int:
    """Return where the offending token starts: pyparsing may stop at the space before it."""
    at = min(exc.loc, len(text))
    while at < len(text) and text[at] == " ":
        at += 1
    return at


def _explain(exc: pp.ParseBaseException, text: str) -> str:
    if not exc.msg.startswith("Expected "):
        return exc.msg  # the token is of the right kind, its value is not: the kind says why
    found = ANY_TOKEN.match(text, _place(exc, text))
    what = f"found {_quote(found[0])}" if found else "found nothing more"
    if exc.msg == "Expected end of text":
        return f"unexpected {_quote(found[0])}" if found else "unexpected end"
    return f"{exc.msg[0].lower()}{exc.msg[1:]}, {what}"


def _quote(token: str) -> str:
    shown = token if len(token) <= 60 else token[:57] + "…"
    return shown if shown.startswith('"') else f"'{shown}'"


@lru_cache(maxsize=512)
def _compiled(notation: str) -> pp.ParserElement:
    reader = _NotationReader(notation)
    return reader.alternatives()


class _NotationReader:
    """Recursive descent over a notation. A notation that is wrong is our own mistake: ValueError."""

    def __init__(self, notation: str) -> None:
        self.words = _NOTATION.findall(notation)
        if "".join(self.words) != re.sub(r"\s", "", notation):
            raise ValueError(f"bad notation: {notation}")
        self.at = 0

    def peek(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def take(self, expected: str = "") -> str:
        word = self.peek()
        if expected and word != expected:
            raise ValueError(f"{expected!r} expected, {word!r} found in {' '.join(self.words)}")
        self.at += 1
        return word

    def alternatives(self) -> pp.ParserElement:
        start = self.at
        choices = [self.sequence()]
        while self.peek() == "|":
            self.take()
            choices.append(self.sequence())
        if len(choices) == 1:
            return choices[0]
        shown = " ".join(self.words[start : self.at])
        return pp.MatchFirst(choices).set_name(_readable(shown))

    def sequence(self) -> pp.ParserElement:
        parts: list[pp.ParserElement] = []
        while (word := self.peek()) and word not in _CLOSERS:
            if self._is_word(word) and self._announces():
                self.take()
                following = self.item()
                parts.append(_announced(word, following))
            else:
                parts.append(self.item())
        if not parts:
            return pp.Empty()
        return parts[0] if len(parts) == 1 else pp.And(parts)

    def _is_word(self, word: str) -> bool:
        return word[0] not in "<[({"

    def _announces(self) -> bool:
        following = self.words[self.at + 1] if self.at + 1 < len(self.words) else ""
        return following in ("(", "{") or following.startswith("<")

    def item(self) -> pp.ParserElement:
        word = self.take()
        if word.startswith("<"):
            return KINDS[word[1:-1]]
        if word == "(":
            inner = self.alternatives()
            self.take(")")
            return inner
        if word == "[":
            inner = self.alternatives()
            self.take("]")
            return pp.Opt(inner)
        if word == "[*":
            choices = [pp.Opt(self.sequence())]
            while self.peek() == "|":
                self.take()
                choices.append(pp.Opt(self.sequence()))
            self.take("*]")
            return pp.Each(choices)
        if word == "{":
            inner = self.alternatives()
            self.take(";")
            self.take("...")
            self.take("}")
            return _braced(inner)
        return kinds.keyword(word)


def _announced(word: str, following: pp.ParserElement) -> pp.ParserElement:
    def named(tokens: pp.ParseResults) -> Named:
        values = list(tokens)
        return Named(word, values[0] if len(values) == 1 else tuple(values))

    announced = kinds.keyword(word).suppress() + following
    return announced.set_parse_action(named)


def _braced(inner: pp.ParserElement) -> pp.ParserElement:
    def element(tokens: pp.ParseResults) -> Any:
        value = _collect(tokens)
        return value.args[0] if len(value.args) == 1 and not value.named else value

    one = pp.And([inner]).set_parse_action(element)
    body = pp.ZeroOrMore(pp.NotAny(kinds.CLOSE) - one - kinds.SEMICOLON)
    return (kinds.OPEN + body + kinds.CLOSE).set_parse_action(kinds.as_tuple)


def _readable(notation: str) -> str:
    return (
        notation.replace(" | ", ", ")
        .replace("<", "")
        .replace(">", "")
        .replace("_", " ")
        .join(("one of ", ""))
    )
