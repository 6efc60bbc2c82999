"""Random named.conf texts from a seed: mostly plausible, often wrong in one place.

The clause tables say which names there are; the values come from small pools of good and bad ones. Names of
acls, keys, lists and zones come from pools too, so that they collide and go missing. How often something bad
is taken is decided once a text, so that about half of the texts are good.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from bindpy.config.clause_table import contexts
from bindpy.config.clauses import Clause, Status

_NOTATION = re.compile(r"<[a-z0-9_]+>|\[\*|\*\]|\.\.\.|[\[\](){}|;]|[^\s\[\](){}|;<>]+")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{};!/]|[^\s{};!/"]+')

LEFT_OUT = frozenset(
    {
        "ciphers",  # judged by the TLS library that BIND was built with
        "directory",  # BIND changes into it
        "dnsrps-enable",  # depends on how BIND was built
        "dnsrps-options",
        "dyndb",
        "managed-keys",  # their key data is not judged here
        "plugin",  # BIND loads the plugin
        "response-policy",  # some of its words BIND reads by looking ahead
        "trust-anchors",
        "trusted-keys",
    }
)
"""Clauses whose verdict depends on the machine, or that only a resolver would look into."""

_NEWER = (
    "none | ",
    "[ proxy <string> ] ",
    " | ede <string>",
    "[ tag-range <integer> <integer> ] ",
    " | key-store <string>",
)
"""Parts of notations that 9.20 brought."""

_MADE_APART = frozenset({"file", "in-view", "options", "primaries", "type", "view", "zone"})

Pool = tuple[list[str], list[str]]
"""Values that BIND takes, and values that it mostly refuses."""

_WORDS: Pool = (["word", '"quoted"', "a.example", '"b.example"', "10.example"], ['"a..b"', '""'])
_POOLS: dict[str, Pool] = {
    "boolean": (["yes", "no", "true", "FALSE", "1", "0"], ["maybe", '"yes"', "2"]),
    "integer": (
        ["1", "2", "10", "53", "300", "0x10", "010"],
        ["0", "40321", "4294967295", "many", "-1", "08"],
    ),
    "port": (["53", "5300", "0", "65535"], ["65536", "*", "domain"]),
    "size": (["10k", "5M", "1g", "100"], ["0", "1x", "17179869184G"]),
    "percentage": (["50%", "100%", "150%"], ["0%", "50"]),
    "fixed_point": (["0.5", "1", "1.25"], ["x", "0.333"]),
    "duration": (
        ["30", "1h", "1w2d", "PT1H", "P1D", "1d12h30m"],
        ["0", "91", "1x", "8d", "9999999w", "P", "1h30"],
    ),
    "ipv4": (["192.0.2.1", "10.0.0.1", "*"], ["2001:db8::1", "192.0.2.300", "10/8"]),
    "ipv6": (["2001:db8::1", "::", "*"], ["192.0.2.1", "::1/128", "2001::db8::1"]),
    "address": (["192.0.2.1", "2001:db8::1", "127.0.0.1"], ["*", "host", "10"]),
    "network": (
        ["192.0.2.1", "10/8", "2001:db8::/32", "::1"],
        ["64:ff9b::/96", "10.0.0.1/8", "word", "10/33"],
    ),
    "quoted": (['"x"', '"dir/file"', '"with space"'], ["bare", '""']),
    "bare": (["word", "cyclic", "random", "none"], ["backwards", '"quoted"']),
    "severity": (["info", "warning", "dynamic", "debug", "debug 3", "notice"], ["loud", '"info"']),
    "strings": (["A", "A AAAA", "", "ANY", "TXT(3)"], ["NOSUCH", "A(x)"]),
    "anything": (["{ any thing; { here; }; }"], ["word"]),
    "any_value": ([""], ["word"]),
}
_ACLS = ["a0", "a1", '"a2"', "a3"]
_KEYS = ["k0", "k1", '"k2"']
_LISTS = ["p0", "p1"]
_ZONES = ["z0.example", '"z1.example"', '"Z2.example."', '"z3.example"', "z4.example", '"z\\.5"', "."]
_FILES = ['"f0"', '"f1"', '"f2"', '"f3"', '"f4"', '"f5"', '"f6"', '"f7"', '"f8"']
_TYPES = ["primary", "primary", "master", "secondary", "secondary", "slave", "hint", "stub", "forward"]
_RARE_TYPES = ["mirror", "static-stub", "redirect", "delegation-only", "prime"]

# Where a plain string means something particular.
_STRINGS: dict[str, Pool] = {
    "dnssec-policy": (["none"], ["default", "insecure", "policy0", '"policy1"']),
    "tls": (["ephemeral"], ["none", "t0"]),
    "http": (["default"], ["h0"]),
    "transport": (["tcp", "tls"], ["udp"]),
    "algorithm": (["hmac-sha256", "hmac-md5", '"hmac-sha1"', "hmac-sha256-128"], ["hmac-sha1-10", "hmac-no"]),
    "secret": (['"MTIz"', "MTIzNDU2Nzg="], ['"MTI"', '""', '"aa=="']),
    "keys": (_KEYS, ["k9"]),
    "key": (_KEYS, ["k9"]),
    "category": (["default", "queries", "xfer-in", "security"], ["nonsense", "Queries"]),
    "channel": (["c0", "c1"], ["null"]),
    "cookie-secret": (['"00112233445566778899aabbccddeeff"'], ['"0011"', '"word"']),
    "syslog": (["daemon", "local3"], ["word"]),
    "grant": (["k0", "*", "a.example"], ['"a..b"']),
    "preferred-glue": (["A", "aaaa", "none"], ["B"]),
    "disable-algorithms": (["RSASHA1", "ECDSAP256SHA256"], ["example.com", "NOSUCH"]),
    "disable-ds-digests": (["SHA-1", "SHA-256"], ["example.com"]),
    "protocols": (["TLSv1.2", "TLSv1.3"], ["SSLv3"]),
    "database": (["rbt", '"ldap x"'], ['""']),
}


class ConfGenerator:
    """Makes one configuration; the same *seed* gives the same text."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.risk = self.rng.choice((0.0, 0.0, 0.005, 0.02, 0.1))
        self._unused: dict[str, list[str]] = {"zone": [], "file": []}

    def conf(self) -> str:
        """Return the configuration."""
        make: list[Callable[[], str]] = [self._definitions]
        if self.rng.random() < 0.6:
            make.append(lambda: f"options {self._body('options', self.few())};\n")
        if self.rng.random() < 0.3:
            make.append(lambda: f"{self._clause(self._pick_clause('top'), 'top')}\n")
        make.append(self._views if self.rng.random() < 0.3 else self._zones)
        if self.rng.random() < 0.2:
            self.rng.shuffle(make)
        text = "".join([one() for one in make])
        return self._mutated(text) if self.rng.random() < 0.2 else text

    def few(self) -> int:
        """Return a small number."""
        return self.rng.choice((0, 1, 1, 2, 2, 3, 4))

    def wrong(self) -> bool:
        """Return whether to do something bad now."""
        return self.rng.random() < self.risk

    def pick(self, pool: Pool) -> str:
        """Return a value of *pool*."""
        return self.rng.choice(pool[self.wrong()])

    def _fresh(self, what: str, pool: list[str]) -> str:
        """Return a value that was not used before, as long as there are such."""
        left = self._unused[what]
        if not left:
            left += self.rng.sample(pool, len(pool))
        return self.rng.choice(pool) if self.wrong() else left.pop()

    # --- statements ---------------------------------------------------------------------------------

    def _definitions(self) -> str:
        """Names that the rest may use; now and then one is missing, or there twice."""
        lines = [
            f"acl {name} {self.acl(depth + 1)};\n" for depth, name in enumerate(_ACLS) if not self.wrong()
        ]
        lines += [
            f'key {name} {{ algorithm hmac-sha256; secret "MTIz"; }};\n' for name in _KEYS if not self.wrong()
        ]
        lines += [
            f"primaries {name} {self.remotes(_LISTS[at + 1 :])};\n"
            for at, name in enumerate(_LISTS)
            if not self.wrong()
        ]
        if self.wrong() and lines:
            lines.append(self.rng.choice(lines))
        return "".join(lines)

    def _zones(self) -> str:
        return "".join([self._zone() for _ in range(self.few())])

    def _views(self) -> str:
        text = ""
        for name in self.rng.sample(["v0", "v1", "v2"], self.rng.randint(1, 2)):
            zones = "".join([self._zone(in_view=True) for _ in range(self.few())])
            text += f"view {name} {{ {' '.join(self._clauses('view', self.few()))}\n{zones}}};\n"
        return text

    def _zone(self, *, in_view: bool = False) -> str:
        rng = self.rng
        name = self._fresh("zone", _ZONES)
        if in_view and self.wrong():
            return f"zone {name} {{ in-view {rng.choice(('v0', 'v1'))}; }};\n"
        kind = rng.choice(_RARE_TYPES if self.wrong() else _TYPES)
        parts = [] if self.wrong() else [f"type {kind};"]
        if kind in ("primary", "master", "hint", "redirect") and not self.wrong():
            parts.append(f"file {self._fresh('file', _FILES)};")
        if kind in ("secondary", "slave", "stub", "mirror") and not self.wrong():
            parts.append(f"{rng.choice(('primaries', 'masters'))} {self.remotes(_LISTS)};")
        parts += self._clauses("zone", self.few() // 2, kind)
        rng.shuffle(parts)
        rdclass = self.pick((["", "", "", " IN", " in"], [" CH", " XX"]))
        return f"zone {name}{rdclass} {{ {' '.join(parts)} }};\n"

    def _body(self, context: str, count: int) -> str:
        if context == "key" and not self.wrong():
            return '{ algorithm hmac-sha256; secret "MTIz"; }'
        if context == "channel" and not self.wrong():
            return "{ stderr; severity info; }"
        return f"{{ {' '.join(self._clauses(context, count))} }}"

    def _clauses(self, context: str, count: int, kind: str = "") -> list[str]:
        """Return *count* statements, mostly different ones; in a zone, mostly such that go with *kind*."""
        taken: set[str] = set()
        found = []
        for _ in range(count):
            clause = self._fitting_clause(kind) if kind else self._pick_clause(context)
            if clause.name not in taken or clause.multi or self.wrong():
                found.append(self._clause(clause, context))
            taken.add(clause.name)
        return found

    def _fitting_clause(self, kind: str) -> Clause:
        modern = {"master": "primary", "slave": "secondary"}.get(kind, kind)
        for _ in range(30):
            clause = self._pick_clause("zone")
            if modern in clause.zone_types() or self.wrong():
                break
        return clause

    def _pick_clause(self, context: str) -> Clause:
        known = [
            clause
            for clause in contexts()[context].values()
            if clause.status is not Status.REMOVED
            and not clause.since
            and clause.name not in LEFT_OUT
            and (clause.name not in _MADE_APART or context == "channel")
        ]
        return self.rng.choice(known)

    def _clause(self, clause: Clause, context: str) -> str:
        notation = clause.value
        for newer in _NEWER:
            notation = notation.replace(newer, "")
        value = _Value(self, notation, clause.name).text()
        if context == "zone" and clause.name in ("allow-query", "allow-query-on"):
            value = "{ any; 192.0.2.0/24; }"  # named-checkconf does not look names up here; named does
        if context == "top" and clause.name == "dnssec-policy":
            value = self.pick((["policy0", '"policy1"'], ["Policy0"]))
        if clause.body:
            value = f"{value} {self._body(clause.body, self.few())}"
        return f"{clause.name.upper() if self.wrong() else clause.name} {value};"

    # --- lists --------------------------------------------------------------------------------------

    def acl(self, depth: int) -> str:
        """Return a list that names acls from number *depth* on, so that none contains itself."""
        return f"{{ {' '.join([f'{self._acl_element(depth)};' for _ in range(self.few())])} }}"

    def _acl_element(self, depth: int) -> str:
        rng = self.rng
        sign = rng.choice(["", "", "", "!"])
        if self.wrong():
            bad = ["10.0.0.1/8", "nowhere", "10", "10/33", "300.1.1.1", '"10.0.0.0/8"', 'key "a..b"', "a0"]
            return sign + rng.choice(bad)
        what = rng.random()
        if what < 0.35:
            return sign + rng.choice(["any", "none", "localhost", "localnets", "ANY"])
        if what < 0.65 or depth >= len(_ACLS):
            return sign + rng.choice(["10/8", "192.0.2.0/24", "192.0.2.1", "2001:db8::/32", "::1"])
        if what < 0.85:
            return sign + rng.choice(_ACLS[depth:])
        if what < 0.93:
            return f"{sign}key {rng.choice(_KEYS)}"
        return sign + self.acl(depth + 1)

    def remotes(self, lists: list[str]) -> str:
        """Return a list of servers that may name *lists*."""
        rng = self.rng
        port = rng.choice(["", "", "", "port 5300 "])
        inner = []
        for _ in range(0 if self.wrong() else rng.choice((1, 1, 1, 2, 2, 3))):
            if lists and rng.random() < 0.2:
                inner.append(f"{self.pick((lists, ['p9', 'p0', 'p0 key k0', '10']))};")
                continue
            address = rng.choice(["192.0.2.1", "2001:db8::1", "192.0.2.2"])
            good = [
                "",
                "",
                " port 5300",
                f" key {rng.choice(_KEYS)}",
                " tls ephemeral",
                " key k0 tls ephemeral",
            ]
            inner.append(f"{address}{self.pick((good, [' port 70000', ' tls t9', ' x', ' key k9']))};")
        return f"{port}{{ {' '.join(inner)} }}"

    # --- mutation -----------------------------------------------------------------------------------

    def _mutated(self, text: str) -> str:
        """Return *text* with one token lost, doubled, moved or replaced."""
        tokens = _TOKEN.findall(text)
        if not tokens:
            return text
        at = self.rng.randrange(len(tokens))
        match self.rng.randrange(6):
            case 0:
                del tokens[at]
            case 1:
                tokens.insert(at, tokens[at])
            case 2:
                other = self.rng.randrange(len(tokens))
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case 3:
                tokens[at] = self.rng.choice(tokens)
            case 4:
                tokens.insert(at, self.rng.choice([";", "{", "}", "!", "/", "word", '"quoted"', "0"]))
            case _:
                tokens[at] = tokens[at].strip('"') if tokens[at].startswith('"') else f'"{tokens[at]}"'
        return " ".join(tokens)


class _Value:
    """Makes a value for a notation of the clause tables."""

    def __init__(self, maker: ConfGenerator, notation: str, name: str) -> None:
        self.maker = maker
        self.rng = maker.rng
        self.words = _NOTATION.findall(notation)
        self.at = 0
        self.word = name  # the last keyword: what a string after it means

    def text(self) -> str:
        """Return a value."""
        return self.rng.choice(self._choices())

    def _choices(self) -> list[str]:
        choices = [self._sequence()]
        while self._peek() == "|":
            self._take()
            choices.append(self._sequence())
        return choices

    def _peek(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def _take(self) -> str:
        self.at += 1
        return self.words[self.at - 1]

    def _sequence(self) -> str:
        parts = []
        while (word := self._peek()) and word not in ("|", ")", "]", ";", "}", "*]"):
            parts.append(self._item())
        return " ".join([part for part in parts if part])

    def _item(self) -> str:
        word = self._take()
        if word.startswith("<"):
            return self._kind(word[1:-1])
        if word == "{":
            return self._braces()
        if word in ("(", "[", "[*"):
            choices = self._choices()
            self._take()
            if word == "(":
                return self.rng.choice(choices)
            if word == "[":
                return self.rng.choice([*choices, ""])
            some = [choice for choice in choices if self.rng.random() < 0.4]
            self.rng.shuffle(some)
            return " ".join(some)
        self.word = word
        return word.upper() if self.maker.wrong() else word

    def _braces(self) -> str:
        start, name = self.at, self.word
        elements = []
        for _ in range(max(1, self.maker.few())):
            self.at, self.word = start, name
            elements.append(f"{self.rng.choice(self._choices())};")
        for _ in range(3):  # ; ... }
            self._take()
        return f"{{ {' '.join(elements if self.rng.random() < 0.9 else [])} }}"

    def _kind(self, kind: str) -> str:
        if kind == "acl":
            return self.maker.acl(0)
        if kind == "remotes":
            return self.maker.remotes(_LISTS)
        particular = _STRINGS.get(self.word) if kind not in _POOLS or kind == "strings" else None
        return self.maker.pick(particular or _POOLS.get(kind, _WORDS))
