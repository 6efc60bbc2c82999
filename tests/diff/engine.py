"""The Rust engine's answers beside those of the Python one, which is its specification.

A `Scenario` is a policy with zones; both engines get it, and the same queries. The Rust one runs as the
example program ``answer`` of ``engine/core``, which takes a line of text for each thing to do.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path

from bindpy.answer.answerer import PythonAnswerer
from bindpy.answer.policy import AnswerPolicy, Outcome, Transport, ViewPolicy, ZonePolicy
from bindpy.config.acl import LocalAddresses
from bindpy.config.model import (
    MATCH_ANY,
    MATCH_NONE,
    AddressMatchList,
    MatchBuiltin,
    MatchElement,
    MatchKey,
    MatchNested,
    MatchNetwork,
    OrderRule,
)
from bindpy.zone.names import Name, from_text, to_text
from bindpy.zone.records import RR, RRType
from bindpy.zone.snapshot import NoSoaError, ZoneSnapshot, build_snapshot
from tests.support.engines import fail_on_error

CLIENTS = ("192.0.2.53", "10.1.2.3", "10.9.9.9", "2001:db8::53", "::ffff:10.1.2.3", "127.0.0.1")
LOCALS = ("192.0.2.1", "127.0.0.1", "2001:db8::1")
KEYS = ((), (), (), (), ("one.",), ("one.", "two."))
OPEN = ZonePolicy()


@dataclass(frozen=True, slots=True)
class ServedAs:
    """A zone in a view. ``records`` in the zone's order; None while it is unavailable for ``reason``."""

    view: str
    origin: Name
    records: tuple[RR, ...] | None
    policy: ZonePolicy = OPEN
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What both engines serve."""

    policy: AnswerPolicy
    zones: tuple[ServedAs, ...]

    def python(self) -> PythonAnswerer:
        """Return the Python engine's Answerer with the zones."""
        answerer = PythonAnswerer(self.policy, fail_on_error)
        for zone in self.zones:
            if zone.records is None:
                answerer.unavailable(zone.view, zone.origin, zone.policy, zone.reason)
            else:
                snapshot = build_snapshot(zone.origin, zone.records)
                answerer.publish(zone.view, snapshot, zone.policy)
        return answerer

    def lines(self) -> Iterator[str]:
        """Yield what the program is to be told."""
        yield from self.policy_lines()
        for zone in self.zones:
            allow, on = _list(zone.policy.allow_query), _list(zone.policy.allow_query_on)
            yield f"zone {zone.view} {zone.origin.hex()} {allow} {on}"
            if zone.records is None:
                yield f"unavailable {'expired' if zone.reason == 'expired' else 'not-ready'}"
                continue
            for owner, rtype, ttl, rdata in zone.records:
                yield f"rr {owner.hex()} {rtype} {ttl} {rdata.hex()}"
            yield "publish"

    def policy_lines(self) -> Iterator[str]:
        """Yield what it is to be told before any zone."""
        policy = self.policy
        yield f"set max-udp-size {policy.max_udp_size}"
        yield f"set edns-udp-size {policy.edns_udp_size}"
        for what in ("version", "hostname", "server_id"):
            value = getattr(policy, what)
            if value is not None:
                yield f"set {what.replace('_', '-')} {value}"
        yield f"blackhole {_list(policy.blackhole)}"
        yield from (f"localhost {address}" for address in policy.local.localhost)
        yield from (f"localnet {net}" for net in policy.local.localnets)
        for view in policy.views:
            yield (
                f"view {view.name} {view.minimal_responses} {_flag(view.minimal_any)} {_order(view)} "
                f"{_flag(view.match_recursive_only)} {_list(view.match_clients)} "
                f"{_list(view.match_destinations)}"
            )
        yield "configure"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _order(view: ViewPolicy) -> str:
    rules = []
    for rule in view.rrset_order:
        rtype = "-" if rule.rtype is None else rule.rtype
        name = "-" if rule.name is None else rule.name.hex()
        rules.append(f"{rule.order}/{rtype}/{name}")
    return ",".join(rules) or "-"


def _list(elements: AddressMatchList) -> str:
    return ",".join([_element(element) for element in elements])


def _element(element: MatchElement) -> str:
    match element:
        case MatchNetwork(network=network):
            what = str(network)
        case MatchKey(name=name):
            what = f"key:{name}"
        case MatchNested(elements=nested):
            what = f"{{{_list(nested)}}}"
        case MatchBuiltin(name=name):
            what = name
    return f"{'!' if element.negated else ''}{what}"


@dataclass(frozen=True, slots=True)
class Question:
    """One message and its sender."""

    packet: bytes
    client: str = CLIENTS[0]
    local: str = LOCALS[0]
    transport: Transport = Transport.UDP
    keys: tuple[str, ...] = ()
    reserved_octets: int = 0

    @property
    def line(self) -> str:
        """What the program is to be told."""
        return (
            f"query {self.transport.value} {self.client} {self.local} {','.join(self.keys) or '-'} "
            f"{self.reserved_octets} {self.packet.hex()}"
        )

    def ask(self, answerer: PythonAnswerer) -> str:
        """Return the Python engine's answer as the program writes it."""
        answer = answerer.answer(
            self.packet, self.client, self.local, self.transport,
            keys=self.keys, reserved_octets=self.reserved_octets,
        )  # fmt: skip
        return answer.value if isinstance(answer, Outcome) else answer.hex()


@dataclass(frozen=True, slots=True)
class Difference:
    """A question that the engines answer differently."""

    scenario: Scenario
    question: Question
    python: str
    rust: str

    def __str__(self) -> str:
        zones = []
        for zone in self.scenario.zones:
            state = "unavailable" if zone.records is None else f"{len(zone.records)} records"
            allowed = f"for {_list(zone.policy.allow_query)} at {_list(zone.policy.allow_query_on)}"
            zones.append(f"; {to_text(zone.origin)} in view {zone.view}, {allowed}: {state}")
            zones += [
                f"{to_text(owner)} {ttl} TYPE{rtype} \\# {len(rdata)} {rdata.hex()}"
                for owner, rtype, ttl, rdata in zone.records or ()
            ]
        policy = self.scenario.policy_lines()
        return "\n".join(
            [*policy, *zones, self.question.line, f"python {self.python}", f"rust   {self.rust}"]
        )


@dataclass(slots=True)
class Duel:
    """Asks both engines. ``program`` is the example program ``answer``, built."""

    program: Path
    timeout_s: float = 300.0

    def rust(self, scenario: Scenario, questions: Iterable[Question]) -> list[str]:
        """Return the Rust engine's answers."""
        lines = [*scenario.lines(), *(question.line for question in questions)]
        done = subprocess.run(
            (self.program,), input="\n".join(lines), capture_output=True, text=True, check=False,
            timeout=self.timeout_s,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not done.stderr, f"a panic: {done.stderr}"
        return done.stdout.splitlines()

    def differences(self, scenario: Scenario, questions: Sequence[Question]) -> list[Difference]:
        """Return where the two differ."""
        answerer = scenario.python()
        expected = [question.ask(answerer) for question in questions]
        found = self.rust(scenario, questions)
        return [
            Difference(scenario, question, python, rust)
            for question, python, rust in zip(questions, expected, found, strict=True)
            if python != rust
        ]

    def smallest(self, difference: Difference) -> Difference:
        """Return the difference with as few records as it takes (one by one, halves first)."""
        best = difference
        for place in range(len(difference.scenario.zones)):
            step = len(best.scenario.zones[place].records or ())
            while step >= 1:
                at = 0
                while at < len(best.scenario.zones[place].records or ()):
                    smaller = self._without(best, place, at, step)
                    if smaller is not None:
                        best = smaller
                    else:
                        at += step
                step //= 2
        return best

    def _without(self, difference: Difference, place: int, at: int, count: int) -> Difference | None:
        zones = list(difference.scenario.zones)
        records = zones[place].records
        assert records is not None
        zones[place] = replace(zones[place], records=records[:at] + records[at + count :])
        try:
            found = self.differences(replace(difference.scenario, zones=tuple(zones)), [difference.question])
        except NoSoaError:
            return None
        return found[0] if found else None


def records_of(zone: ZoneSnapshot) -> tuple[RR, ...]:
    """Return the records of *zone* in an order that makes the same zone again."""
    return tuple([
        RR(owner, rrset.rtype, rrset.ttl, rdata) for owner, rrset in zone.rrsets() for rdata in rrset.rdatas
    ])  # fmt: skip


def random_questions(rng: random.Random, packets: Sequence[bytes], count: int) -> list[Question]:
    """Return *count* questions with octets from *packets*, of all kinds of senders."""
    questions = []
    for _ in range(count):
        keys = rng.choice(KEYS)
        questions.append(
            Question(
                packet=rng.choice(packets),
                client=rng.choice(CLIENTS),
                local=rng.choice(LOCALS),
                transport=Transport.TCP if rng.random() < 0.2 else Transport.UDP,
                keys=keys,
                reserved_octets=rng.choice((0, 61, 100)) if keys else 0,
            )
        )
    return questions


def random_policy(rng: random.Random, owners: Sequence[str] = ("example.",)) -> AnswerPolicy:
    """Return a policy with one to three views; the last one serves everybody. *owners* are in the zones."""
    views = [
        ViewPolicy(
            name=f"view{number}",
            match_clients=random_list(rng),
            match_destinations=random_list(rng) if rng.random() < 0.3 else MATCH_ANY,
            match_recursive_only=rng.random() < 0.2,
        )
        for number in range(rng.choice((0, 0, 1, 2)))
    ]
    views.append(ViewPolicy("everybody"))
    views = [
        replace(
            view,
            minimal_responses=rng.choice(("no", "yes", "no-auth", "no-auth-recursive")),
            minimal_any=rng.random() < 0.3,
            rrset_order=random_order(rng, owners),
        )
        for view in views
    ]
    return AnswerPolicy(
        views=tuple(views),
        max_udp_size=rng.choice((512, 700, 1232, 4096)),
        edns_udp_size=rng.choice((512, 1232, 4096)),
        version=rng.choice((None, "9.18")),
        hostname=rng.choice((None, "host.example")),
        server_id=rng.choice((None, "x" * 300, "server")),
        blackhole=random_list(rng) if rng.random() < 0.2 else MATCH_NONE,
        local=LocalAddresses((ip_network("127.0.0.1/32")[0],), (ip_network("192.0.2.0/24"),)),
    )


def random_order(rng: random.Random, owners: Sequence[str]) -> tuple[OrderRule, ...]:
    """Return rules of an ``rrset-order``, some for names of *owners*; none in half of all cases."""
    rules = []
    for _ in range(rng.choice((0, 0, 0, 1, 2, 4))):
        name = rng.choice((None, None, ".", "*.", rng.choice(owners), f"*.{rng.choice(owners)}"))
        rules.append(
            OrderRule(
                rng.choice(("none", "cyclic", "cyclic")),
                rng.choice((None, None, RRType.A, RRType.NS, RRType.MX, RRType.DS)),
                from_text(name).lower() if name is not None else None,
            )
        )
    return tuple(rules)


def random_list(rng: random.Random, depth: int = 0) -> AddressMatchList:
    """Return an address match list of one to three elements."""
    elements: list[MatchElement] = []
    for _ in range(rng.randint(1, 3)):
        negated = rng.random() < 0.3
        match rng.randrange(8):
            case 0 | 1 | 2:
                net = rng.choice(("10.0.0.0/8", "10.1.0.0/16", "192.0.2.53/32", "2001:db8::/32", "0.0.0.0/0"))
                elements.append(MatchNetwork(ip_network(net), negated))
            case 3:
                elements.append(MatchKey(rng.choice(("one.", "two.")), negated))
            case 4 if depth < 2:
                elements.append(MatchNested(random_list(rng, depth + 1), negated))
            case 5:
                elements.append(MatchBuiltin(rng.choice(("localhost", "localnets")), negated))
            case 6:
                elements.append(MatchBuiltin("any", not negated))
            case _:
                elements.append(MatchBuiltin("any", negated))
    return tuple(elements)
