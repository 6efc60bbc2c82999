"""Where servers meet: worlds, the peers that serve them, and everyone's answers to the same queries."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bindpy.answer.policy import Outcome, Transport, ZonePolicy
from bindpy.config.model import CheckMode, ZoneChecks
from bindpy.engine import Engine
from bindpy.zone import names
from bindpy.zone.records import IN
from tests.diff.accepted import RULES
from tests.diff.judge import VOTERS, Case, Finding, ZoneFacts, excerpt, judge
from tests.diff.replies import BadReplyError, Reply, parse
from tests.generate.queries import Query
from tests.generate.signing import Denial
from tests.generate.worlds import World, make_world
from tests.peers.client import exchange_tcp, exchange_udp
from tests.peers.process import ServedZone, ServerProcess
from tests.peers.servers import PEERS

CLIENT = "127.0.0.1"
KINDS: tuple[Denial | None, ...] = (None, *Denial)

Ask = Callable[[Sequence[Query]], list[bytes | None]]
"""Queries → answers in the same order, None where there was none."""


def world_of(seed: int) -> World:
    """Return the world of *seed*; seeds take turns in how the zones are signed."""
    return make_world(seed, KINDS[seed % len(KINDS)])


def ask_server(server: ServerProcess, queries: Sequence[Query]) -> list[bytes | None]:
    """Ask a server process, each query over its own transport."""
    answers: list[bytes | None] = [None] * len(queries)
    for exchange, tcp in ((exchange_udp, False), (exchange_tcp, True)):
        places = [i for i, query in enumerate(queries) if query.tcp is tcp]
        replies = exchange(server.address, [queries[i].wire() for i in places])
        for i, reply in zip(places, replies, strict=True):
            answers[i] = reply
    return answers


def in_process(zones: Sequence[ServedZone], engine: Engine) -> Ask:
    """Return a way to ask *engine* with *zones* loaded from their files, without a socket."""
    answerer = engine.answerer
    checks = ZoneChecks(names=CheckMode.IGNORE, integrity=False)
    for zone in zones:
        loaded = engine.zones.read_file(str(zone.path), names.from_text(zone.origin), IN, checks)
        if loaded.zone is None:
            raise ValueError("\n".join(str(d) for d in loaded.diagnostics))
        answerer.publish("_default", loaded.zone, ZonePolicy())

    def ask(queries: Sequence[Query]) -> list[bytes | None]:
        out = []
        for query in queries:
            transport = Transport.TCP if query.tcp else Transport.UDP
            answer = answerer.answer(query.wire(), CLIENT, CLIENT, transport)
            out.append(None if isinstance(answer, Outcome) else answer)
        return out

    return ask


@dataclass(frozen=True)
class Arena:
    """Worlds by seed, served by all peers."""

    worlds: dict[int, World]
    zones: tuple[ServedZone, ...]
    peers: dict[str, ServerProcess]

    def cases(self, seed: int, queries: Sequence[Query]) -> list[Case]:
        """Ask the peers and return one case a query. Raises `BadReplyError` where a peer is silent."""
        answers = {name: ask_server(server, queries) for name, server in self.peers.items()}
        facts = ZoneFacts(self.worlds[seed].zones)
        cases = []
        for i, query in enumerate(queries):
            replies = {}
            for name, of_peer in answers.items():
                wire = of_peer[i]
                if wire is None:
                    raise BadReplyError(f"{name} does not answer {query}")
                replies[name] = parse(wire)
            cases.append(Case(seed, query, replies, facts))
        return cases

    def verdicts(self, cases: Sequence[Case], ask: Ask) -> list[Verdict]:
        """Judge the answers that *ask* gives to the cases' queries; return the wrong ones."""
        wrong = []
        for case, wire in zip(cases, ask([case.query for case in cases]), strict=True):
            ours, findings = None, [Finding("silence", "no answer")]
            if wire is not None:
                try:
                    ours = parse(wire)
                    findings = judge(case, ours, RULES)
                except BadReplyError as error:
                    findings = [Finding("form", str(error))]
            if findings:
                wrong.append(Verdict(case, ours, tuple(findings), self.worlds[case.seed]))
        return wrong


@dataclass(frozen=True)
class Verdict:
    """A wrong answer."""

    case: Case
    ours: Reply | None
    findings: tuple[Finding, ...]
    world: World

    @property
    def kind(self) -> str:
        """What is wrong, in short."""
        return ", ".join(dict.fromkeys(finding.aspect for finding in self.findings))

    def __str__(self) -> str:
        replies = dict(self.case.peers)
        if self.ours is not None:
            replies = {"bindpy": self.ours, **replies}
        signed = next(iter(self.world.denials))
        parts = [f"seed {self.case.seed} ({signed.name if signed else 'unsigned'}): {self.case.query}"]
        parts += [f"* {finding.aspect}: {finding.message}" for finding in self.findings]
        parts += [f"-- {name}: {reply}" for name, reply in replies.items()]
        parts.append("-- zone:\n" + excerpt(self.world.zones, self.case, list(replies.values())))
        return "\n".join(parts)


def report(verdicts: Sequence[Verdict], show: int = 3) -> str:
    """Return the counts by kind, and the first *show* wrong answers of each kind in full."""
    counts = Counter(verdict.kind for verdict in verdicts)
    lines = [f"{count} of: {kind}" for kind, count in counts.most_common()]
    for kind in counts:
        lines += [f"\n===== {v}" for v in [v for v in verdicts if v.kind == kind][:show]]
    return "\n".join(lines)


@contextlib.contextmanager
def open_arena(seeds: Sequence[int], directory: Path) -> Iterator[Arena]:
    """Make the worlds of *seeds* in *directory*, start the peers on them, and stop those at the end."""
    worlds = {seed: world_of(seed) for seed in seeds}
    zones = tuple(zone for world in worlds.values() for zone in world.write(directory))
    with contextlib.ExitStack() as stack:
        peers = {name: stack.enter_context(PEERS[name](zones)) for name in VOTERS}
        yield Arena(worlds, zones, peers)
