"""Random named.conf texts from a seed: mostly plausible, often wrong in one place.

The clause tables say which names there are; the values come from small pools of good, odd and bad ones. Names of
acls, keys, lists and zones come from pools too, so that they collide and go missing.
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
        "trust-anchors",
        "trusted-keys",
    }
)
"""Clauses whose verdict depends on the machine, or that only a resolver would look into."""

_POOLS = {
    "boolean": ["yes", "no", "yes", "no", "true", "FALSE", "1", "0", "maybe", '"yes"'],
    "integer": [
        "0",
        "1",
        "2",
        "10",
        "53",
        "300",
        "1000",
        "0x10",
        "010",
        "40320",
        "40321",
        "4294967295",
        "many",
    ],
    "port": ["53", "5300", "0", "65535", "65536", "*"],
    "size": ["0", "10k", "5M", "1g", "100", "1x"],
    "percentage": ["0%", "50%", "100%", "150%", "50"],
    "fixed_point": ["0.5", "1", "1.25", "x"],
    "duration": ["0", "30", "90", "91", "1h", "1w2d", "PT1H", "P1D", "1d12h30m", "1x", "8d", "30s"],
    "ipv4": ["192.0.2.1", "10.0.0.1", "*", "2001:db8::1", "192.0.2.300"],
    "ipv6": ["2001:db8::1", "::", "*", "192.0.2.1"],
    "address": ["192.0.2.1", "2001:db8::1", "127.0.0.1", "*", "host"],
    "network": ["192.0.2.1", "10/8", "2001:db8::/32", "64:ff9b::/96", "10.0.0.1/8", "::1", "word"],
    "quoted": ['"x"', '"dir/file"', '""', "bare", '"with space"'],
    "bare": ["word", "cyclic", "random", "none", "backwards", '"quoted"'],
    "string": ["word", '"quoted"', "a.example", '"b.example"', "10.example"],
    "severity": ["info", "warning", "dynamic", "debug", "debug 3", "notice", "loud"],
    "strings": ["A", "A AAAA", "", "ANY", "TXT(3)", "NOSUCH"],
    "anything": ["{ any thing; { here; }; }"],
    "any_value": [""],
}
_ACLS = ["a0", "a1", '"a2"', "a3"]
_KEYS = ["k0", "k1", '"k2"']
_LISTS = ["p0", "p1"]
_ZONES = ["z0.example", '"z1.example"', '"Z0.example."', ".", '"z2.example"', "z3.example", "z4.example"]
_FILES = ['"f0"', '"f1"', '"f2"', '"f3"', '"f4"', '"f5"', '"f6"']
_ZONE_TYPES = (
    "primary primary master secondary secondary slave hint stub forward mirror static-stub redirect".split()
)

# Where a plain string means something particular.
_STRINGS = {
    "dnssec-policy": ["none", "default", "insecure", "policy0", '"policy1"'],
    "tls": ["ephemeral", "none", "t0"],
    "http": ["default", "h0"],
    "transport": ["tcp", "tls", "udp"],
    "algorithm": ["hmac-sha256", "hmac-md5", '"hmac-sha1"', "hmac-sha256-128", "hmac-sha1-10", "hmac-none"],
    "secret": ['"MTIz"', "MTIzNDU2Nzg=", '"MTI"', '""'],
    "keys": _KEYS,
    "key": _KEYS,
    "category": ["default", "queries", "xfer-in", "security", "nonsense"],
    "channel": ["null", "c0", "c1", "default_syslog"],
    "in-view": ["v0", "v1"],
    "cookie-secret": ['"00112233445566778899aabbccddeeff"', '"0011"', '"word"'],
    "syslog": ["daemon", "local3", "word"],
    "grant": ["k0", "*", "a.example", '"a..b"'],
    "preferred-glue": ["A", "aaaa", "none"],
    "disable-algorithms": ["RSASHA1", "ECDSAP256SHA256", "example.com", "NOSUCH"],
    "disable-ds-digests": ["SHA-1", "SHA-256", "example.com"],
    "protocols": ["TLSv1.2", "TLSv1.3", "SSLv3"],
    "database": ["rbt", '"ldap x"'],
}


class ConfGenerator:
    """Makes configurations; the same *seed* gives the same text."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def conf(self) -> str:
        """Return one configuration."""
        make: list[Callable[[], str]] = [self._definitions]
        if self.rng.random() < 0.6:
            make.append(lambda: f"options {self._body('options', self._few())};\n")
        if self.rng.random() < 0.3:
            make.append(lambda: f"{self._clause(self._pick_clause('top'), 'top')}\n")
        if self.rng.random() < 0.3:
            make.append(self._views)
        else:
            make.append(lambda: "".join([self._zone() for _ in range(self._few())]))
        if self.rng.random() < 0.2:
            self.rng.shuffle(make)
        text = "".join([one() for one in make])
        return self._mutated(text) if self.rng.random() < 0.25 else text

    def _few(self) -> int:
        return self.rng.choice((0, 1, 1, 2, 2, 3, 4))

    # --- statements ---------------------------------------------------------------------------------

    def _definitions(self) -> str:
        """Names that the rest may use; now and then one is missing, or there twice."""
        lines = []
        for name in _ACLS:
            if self.rng.random() < 0.9:
                lines.append(f"acl {name} {self._acl(1)};\n")
        for name in _KEYS:
            if self.rng.random() < 0.9:
                lines.append(f'key {name} {{ algorithm hmac-sha256; secret "MTIz"; }};\n')
        for name in _LISTS:
            if self.rng.random() < 0.9:
                lines.append(f"primaries {name} {self._remotes()};\n")
        if self.rng.random() < 0.05:
            lines.append(self.rng.choice(lines or [""]))
        return "".join(lines)

    def _views(self) -> str:
        text = ""
        for name in self.rng.sample(["v0", "v1", "v2"], self.rng.randint(1, 2)):
            zones = "".join([self._zone(in_view=True) for _ in range(self._few())])
            inner = " ".join(
                [self._clause(self._pick_clause("view"), "view") for _ in range(self._few() // 2)]
            )
            text += f"view {name} {{ match-clients {self._acl(0)}; {inner}\n{zones}}};\n"
        return text

    def _zone(self, *, in_view: bool = False) -> str:
        rng = self.rng
        name = rng.choice(_ZONES)
        if in_view and rng.random() < 0.15:
            return f"zone {name} {{ in-view {rng.choice(_STRINGS['in-view'])}; }};\n"
        kind = rng.choice(_ZONE_TYPES)
        parts = [f"type {kind};"] if rng.random() < 0.98 else []
        if kind in ("primary", "master", "hint", "redirect") or rng.random() < 0.3:
            parts += [f"file {rng.choice(_FILES)};"] * (rng.random() < 0.95)
        if kind in ("secondary", "slave", "stub", "mirror"):
            word = rng.choice(("primaries", "masters"))
            parts += [f"{word} {self._remotes()};"] * (rng.random() < 0.97)
        for _ in range(self._few() // 2):
            parts.append(self._clause(self._fitting_clause(kind), "zone"))
        rng.shuffle(parts)
        rdclass = rng.choice(["", "", "", "", "", " IN", " in", " CH", " XX"])
        return f"zone {name}{rdclass} {{ {' '.join(parts)} }};\n"

    def _fitting_clause(self, kind: str) -> Clause:
        """Return a clause that mostly goes with zones of type *kind*."""
        modern = {"master": "primary", "slave": "secondary"}.get(kind, kind)
        for _ in range(20):
            clause = self._pick_clause("zone")
            if modern in clause.zone_types() or self.rng.random() < 0.05:
                break
        return clause

    def _pick_clause(self, context: str) -> Clause:
        known = [
            clause
            for clause in contexts()[context].values()
            if clause.status is not Status.REMOVED
            and not clause.since
            and clause.name not in LEFT_OUT
            and clause.name not in ("zone", "view", "options", "type", "in-view")
        ]
        return self.rng.choice(known)

    def _body(self, context: str, count: int) -> str:
        inner = " ".join([self._clause(self._pick_clause(context), context) for _ in range(count)])
        return f"{{ {inner} }}"

    def _clause(self, clause: Clause, context: str) -> str:
        value = _Value(self, clause.value, clause.name).text()
        if context == "zone" and clause.name in ("allow-query", "allow-query-on"):
            value = "{ any; 192.0.2.0/24; }"  # named-checkconf does not look names up here; named does
        if clause.body:
            value = f"{value} {self._body(clause.body, self._few())}"
        name = clause.name if self.rng.random() < 0.97 else clause.name.upper()
        return f"{name} {value};"

    # --- lists --------------------------------------------------------------------------------------

    def _acl(self, depth: int) -> str:
        return f"{{ {' '.join([f'{self._acl_element(depth)};' for _ in range(self._few())])} }}"

    def _acl_element(self, depth: int) -> str:
        rng = self.rng
        sign = rng.choice(["", "", "", "!"])
        what = rng.random()
        if what < 0.35:
            return sign + rng.choice(["any", "none", "localhost", "localnets", "ANY"])
        if what < 0.65:
            return sign + rng.choice(
                ["10/8", "192.0.2.0/24", "192.0.2.1", "2001:db8::/32", "::1", "10.0.0.1/8"]
            )
        if what < 0.85:
            return sign + rng.choice(_ACLS)
        if what < 0.93 or depth > 2:
            return f"{sign}key {rng.choice(_KEYS)}"
        return sign + self._acl(depth + 1)

    def _remotes(self) -> str:
        rng = self.rng
        port = rng.choice(["", "", "", "port 5300 "])
        inner = []
        for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3))):
            if rng.random() < 0.2:
                inner.append(f"{rng.choice(_LISTS)};")
                continue
            tail = rng.choice(
                ["", "", "", " port 5300", f" key {rng.choice(_KEYS)}", " tls ephemeral", " port 70000"]
            )
            inner.append(f"{rng.choice(['192.0.2.1', '2001:db8::1', '192.0.2.2'])}{tail};")
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
        self.word = name

    def text(self) -> str:
        return self._choice()

    def _peek(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def _take(self) -> str:
        self.at += 1
        return self.words[self.at - 1]

    def _choice(self) -> str:
        choices = self._choices()
        return self.rng.choice(choices)

    def _choices(self) -> list[str]:
        choices = [self._sequence()]
        while self._peek() == "|":
            self._take()
            choices.append(self._sequence())
        return choices

    def _sequence(self) -> str:
        parts = []
        while (word := self._peek()) and word not in ("|", ")", "]", ";", "}", "*]"):
            parts.append(self._item())
        return " ".join([part for part in parts if part])

    def _item(self) -> str:
        word = self._take()
        if word.startswith("<"):
            return self._kind(word[1:-1])
        if word == "(":
            text = self._choice()
            self._take()
            return text
        if word == "[":
            text = self._choice()
            self._take()
            return text if self.rng.random() < 0.5 else ""
        if word == "[*":
            choices = [choice for choice in self._choices() if self.rng.random() < 0.4]
            self._take()
            self.rng.shuffle(choices)
            return " ".join(choices)
        if word == "{":
            return self._braces()
        self.word = word
        return word if self.rng.random() < 0.97 else word.upper()

    def _braces(self) -> str:
        start, name = self.at, self.word
        elements = []
        for _ in range(max(1, self.maker._few())):
            self.at, self.word = start, name
            elements.append(f"{self._choice()};")
        for _ in range(3):  # ; ... }
            self._take()
        return f"{{ {' '.join(elements[: self.rng.randint(0, 4)])} }}"

    def _kind(self, kind: str) -> str:
        if kind == "acl":
            return self.maker._acl(0)
        if kind == "remotes":
            return self.maker._remotes()
        pool = _STRINGS.get(self.word, _POOLS[kind]) if kind in ("string", "strings") else _POOLS[kind]
        # What is good stands at the beginning of a pool: prefer it.
        return pool[min(self.rng.randrange(len(pool)), self.rng.randrange(len(pool)))]
