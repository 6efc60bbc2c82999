"""Who may ask, transfer and notify: our verdicts against named's, for random access lists at all levels.

Lists are nested, negated, named and with keys, in the options, in views and in zones. What named does with a
prefix that comes twice in one list is left out: it keeps each once, so that the second may change the first.
"""

from __future__ import annotations

import base64
import os
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.tsigkeyring
import pytest

from tests.diff.configured import ByBindpy, ByNamed, Configured
from tests.e2e.daemon import wait_until, zone_text
from tests.peers.process import ServedZone, ServerProcess
from tests.peers.require import require_peer
from tests.support.ports import LOOPBACK

FIRST_SEED = int(os.environ.get("BINDPY_ACCESS_SEED", "0"))
EXAMPLES = int(os.environ.get("BINDPY_ACCESS_EXAMPLES", "5"))
ZONES = 12

KEYS = ("one", "two")
SECRET = base64.b64encode(b"secret of the access lists").decode()
KEYRING = dns.tsigkeyring.from_text(dict.fromkeys(KEYS, ("hmac-sha256", SECRET)))
CLIENTS = ("127.0.0.1", "127.0.0.2", "127.1.2.3")
KINDS = ("SOA", "AXFR", "IXFR", "NOTIFY")

EVERYBODY = "everybody"
PREFIXES = (
    *CLIENTS, "127.0.0.3", "::1", "127.0.0.2/31", "127.1.2.2/31", "127.1.2.0/30", "127.1.0.0/16", "127.1/24",
    *(f"127.0.0.0/{length}" for length in range(8, 31)), "126.0.0.0/7", "0.0.0.0/1", "10.0.0.0/8", "::/64",
    EVERYBODY,
)  # fmt: skip
WORDS_FOR_EVERYBODY = ("any", "none", "0.0.0.0/0")


class Lists:
    """Makes random access lists; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self._prefixes_of: dict[str, set[str]] = {}

    def acls(self) -> str:
        """Return some ``acl`` statements, which later lists may use."""
        text = ""
        for number in range(self.rng.randrange(5)):
            used: set[str] = set()
            text += f"acl a{number} {{ {self._list(used)} }};\n"
            self._prefixes_of[f"a{number}"] = used
        return text

    def list(self) -> str:
        """Return a list in braces."""
        return f"{{ {self._list(set())} }}"

    def clause(self, name: str, probability: float) -> str:
        """Return the clause *name* with a list, or nothing."""
        if self.rng.random() >= probability:
            return ""
        way = ""
        if name == "allow-transfer" and self.rng.random() < 0.2:
            way = self.rng.choice(("port @PORT@", "port 5", "transport tcp", "transport tls", "port 0"))
        return f"{name} {way} {self.list()}; "

    def _list(self, used: set[str], depth: int = 0) -> str:
        least = 0 if depth else 1
        return " ".join(self._element(used, depth) for _ in range(self.rng.randrange(least, 5)))

    def _element(self, used: set[str], depth: int) -> str:
        rng = self.rng
        sign = "!" if rng.random() < 0.35 else ""
        match rng.randrange(10):
            case 0:
                return f"{sign}key {rng.choice(KEYS)};"
            case 1:
                return f"{sign}{rng.choice(('localhost', 'localnets'))};"
            case 2 | 3 if depth < 3:
                return f"{sign}{{ {self._list(used, depth + 1)} }};"
            case 4 | 5 if free := [name for name, own in self._prefixes_of.items() if not own & used]:
                name = rng.choice(free)
                used |= self._prefixes_of[name]
                return f"{sign}{name};"
            case _:
                prefix = rng.choice([prefix for prefix in PREFIXES if prefix not in used])
                used.add(prefix)
                return f"{sign}{rng.choice(WORDS_FOR_EVERYBODY) if prefix == EVERYBODY else prefix};"


def zone_statement(lists: Lists, number: int, view: str) -> str:
    """Return the statement of a primary or secondary zone with access lists of its own."""
    body = lists.clause("allow-query", 0.5) + lists.clause("allow-transfer", 0.6)
    body += lists.clause("allow-query-on", 0.15)
    if lists.rng.random() < 0.5:
        body += 'type primary; file "zone.db"; '
    else:  # nobody is at home at the primary
        body += f'type secondary; file "copy-{view}{number}.db"; masterfile-format text; '
        body += f"primaries {{ 127.9.9.9 port 9; }}; {lists.clause('allow-notify', 0.7)}"
    return f"zone z{number}.test {{ {body}}};\n"


def configuration(seed: int) -> tuple[str, str]:
    """Return what goes into ``options``, and the statements."""
    lists = Lists(seed)
    text = lists.acls()
    text += "".join(f'key {name} {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n' for name in KEYS)
    # The default of allow-transfer is another one here (docs/differences-from-bind.md).
    extra = lists.clause("allow-transfer", 0.5) or "allow-transfer { none; }; "
    extra += lists.clause("allow-query", 0.4) + lists.clause("allow-notify", 0.4)
    if lists.rng.random() < 0.5:
        return extra, text + "".join(zone_statement(lists, number, "") for number in range(ZONES))
    for view in "vw":
        text += f"view {view} {{ match-clients {lists.list() if view == 'v' else '{ any; }'};\n"
        text += lists.clause("allow-query", 0.4) + lists.clause("allow-transfer", 0.4)
        text += lists.clause("allow-notify", 0.3) + lists.clause("match-destinations", 0.1) + "\n"
        text += "".join(zone_statement(lists, number, view) for number in range(ZONES)) + "};\n"
    return extra, text


class _Configured(Configured):
    """A server with the configuration of one seed."""

    def __init__(self, seed: int) -> None:
        super().__init__([ServedZone("z0.test.", Path("zone.db"))])
        self._seed = seed

    def statements(self, directory: Path) -> tuple[str, str]:
        for name in ["zone.db", *(f"copy-{v}{n}.db" for v in ("", "v", "w") for n in range(ZONES))]:
            (directory / name).write_text(zone_text())
        clauses, statements = (text.replace("@PORT@", str(self.port)) for text in configuration(self._seed))
        return clauses, statements

    def wait_ready(self, within_s: float = 0) -> None:
        """Who may ask is what is tested: the log says when it can be."""
        wait_until(lambda: " running" in self.log_text(), self.log_text)
        wait_until(lambda: "all zones loaded" in self.log_text(), self.log_text)


class _Named(ByNamed, _Configured): ...


class _Bindpy(ByBindpy, _Configured): ...


def requests() -> Iterator[tuple[str, str, str, str | None]]:
    """Yield zone, kind of request, client's address and key."""
    for number in range(ZONES):
        for kind in KINDS:
            for client in CLIENTS:
                for key in (None, *KEYS):
                    yield f"z{number}.test.", kind, client, key


def verdict(server: ServerProcess, zone: str, kind: str, client: str, key: str | None) -> str:
    """Return the rcode of the answer, and whether it holds any record."""
    query = dns.message.make_query(zone, "SOA" if kind == "NOTIFY" else kind, flags=0)
    if kind == "NOTIFY":
        query.set_opcode(dns.opcode.NOTIFY)
    if kind == "IXFR":
        query.authority.append(dns.rrset.from_text(zone, 0, "IN", "SOA", "ns. h. 0 1 1 1 1"))
    if key is not None:
        query.use_tsig(KEYRING, key)
    by = dns.query.tcp if kind == "AXFR" else dns.query.udp
    answer = by(query, LOOPBACK, port=server.port, timeout=10, source=client, ignore_trailing=True)
    return f"{dns.rcode.to_text(answer.rcode())} {'data' if answer.answer else 'empty'}"


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + EXAMPLES))
def test_verdicts_are_those_of_named(seed: int) -> None:
    require_peer("named")
    with ExitStack() as stack:
        theirs, ours = (stack.enter_context(kind(seed)) for kind in (_Named, _Bindpy))
        found = [(what, verdict(theirs, *what), verdict(ours, *what)) for what in requests()]
        differing = [line for line in found if line[1] != line[2]]
        assert differing == [], configuration(seed)[1]
        assert len({line[1] for line in found}) > 2, "nobody was refused, or everybody"
