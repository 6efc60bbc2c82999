"""The cache before the system resolver: never waits, retries what failed, bears a dead resolver."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from bindpy.xfr import resolver as module
from bindpy.xfr.resolver import Resolver, system_addresses
from bindpy.zone import names
from bindpy.zone.names import Name

NS = names.from_text("ns.example.net.")
OTHER = names.from_text("other.example.net.")


class Answers:
    """What a resolver answered, as it came."""

    def __init__(self, lookup: Callable[[str], tuple[str, ...]]) -> None:
        self.names: list[Name] = []
        self._news = asyncio.Event()
        self.resolver = Resolver(self._on_answer, lookup)

    def _on_answer(self, name: Name) -> None:
        self.names.append(name)
        self._news.set()

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.names) < count:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def quick_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", (0.02,))


def test_addresses_are_there_after_they_were_found() -> None:
    async def run() -> None:
        asked = []

        def lookup(host: str) -> tuple[str, ...]:
            asked.append(host)
            return ("192.0.2.1", "2001:db8::1")

        answers = Answers(lookup)
        assert answers.resolver.addresses(NS.upper()) == ()
        await answers.wait(1)
        assert answers.names == [NS]
        assert answers.resolver.addresses(NS) == ("192.0.2.1", "2001:db8::1")
        assert asked == ["ns.example.net"]
        answers.resolver.close()

    asyncio.run(run())


def test_a_failure_is_told_once_and_tried_again(quick_retry: None, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        results = iter(["no", "no", "yes"])

        def lookup(host: str) -> tuple[str, ...]:
            if next(results) == "no":
                raise OSError(-3, "Temporary failure in name resolution")
            return ("192.0.2.1",)

        answers = Answers(lookup)
        answers.resolver.addresses(NS)
        for count in (1, 2):
            await answers.wait(count)
            assert answers.resolver.addresses(NS) == ()
        await answers.wait(3)
        assert answers.resolver.addresses(NS) == ("192.0.2.1",)
        answers.resolver.close()

    with caplog.at_level("INFO", "bindpy.notify"):
        asyncio.run(run())
    assert caplog.messages == [
        "name server ns.example.net.: cannot be resolved: Temporary failure in name resolution; "
        "it gets no NOTIFY until it can",
        "name server ns.example.net.: has addresses again: 192.0.2.1",
    ]


def test_a_name_that_nobody_wants_any_more_is_not_tried_for_ever(quick_retry: None) -> None:
    async def run() -> None:
        asked = []

        def lookup(host: str) -> tuple[str, ...]:
            asked.append(host)
            if host == "ns.example.net":
                raise OSError(-2, "Name or service not known")
            return ()

        answers = Answers(lookup)
        answers.resolver.addresses(NS)
        await answers.wait(1)
        answers.resolver.addresses(OTHER)
        while len(answers.names) < 6:
            await answers.wait(len(answers.names) + 1)
            answers.resolver.addresses(OTHER)
        answers.resolver.close()
        assert asked.count("ns.example.net") == 1
        assert asked.count("other.example.net") >= 4

    asyncio.run(run())


def test_a_dead_resolver_holds_nobody_up() -> None:
    stuck = threading.Event()

    def lookup(host: str) -> tuple[str, ...]:
        if host.startswith("stuck"):
            stuck.wait(10)
        return ("192.0.2.1",)

    async def run() -> None:
        answers = Answers(lookup)
        for number in range(module.THREADS - 1):
            answers.resolver.addresses(names.from_text(f"stuck{number}.example."))
        answers.resolver.addresses(NS)
        await answers.wait(1)
        assert answers.names == [NS]
        answers.resolver.close()

    asyncio.run(run())  # ends although threads are stuck
    stuck.set()


def test_what_is_no_host_name_is_never_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        asked: list[str] = []

        def lookup(host: str) -> tuple[str, ...]:
            asked.append(host)
            return ()

        answers = Answers(lookup)
        answers.resolver.addresses(names.from_text(r"ns\000\032x.example."))
        await answers.wait(1)
        assert asked == []
        answers.resolver.close()

    asyncio.run(run())
    assert "it is no host name" in caplog.text


def test_the_hosts_file_counts() -> None:
    assert "127.0.0.1" in system_addresses("localhost")


def test_a_name_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(OSError, match=r"(?i)name"):
        system_addresses("a..b")
