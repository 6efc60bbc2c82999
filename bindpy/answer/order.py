"""The order of an answer's RDATAs that `rrset-order` asks for, where it asks for any."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from bindpy.answer.response import Response
from bindpy.config.model import OrderRule
from bindpy.zone.records import RRType

_COUNTERS: Final = 256


class Turns:
    """Orders RRsets, and counts how often, so that each begins one further on the next time.

    Few counters do for all RRsets: a name's RRsets of different types, which clients ask for in turns, have
    different ones, mostly. Threads that count at the same time may give two answers the same order.
    """

    __slots__ = ("_turns",)

    def __init__(self) -> None:
        self._turns = [0] * _COUNTERS

    def arrange(self, rules: Iterable[OrderRule], response: Response) -> None:
        """Put the RDATAs of each RRset of *response* into the order of the first of *rules* that is for it.

        Signatures and the additional section stay as they are, as with BIND.
        """
        for section in (response.answer, response.authority):
            for index, (owner, rtype, ttl, rdatas) in enumerate(section):
                if len(rdatas) < 2 or rtype == RRType.RRSIG:
                    continue
                key = owner.lower()
                order = next((rule.order for rule in rules if rule.matches(key, rtype)), "none")
                if order == "none":
                    continue
                counter = (sum(key) + rtype) % _COUNTERS
                turn = self._turns[counter]
                self._turns[counter] = turn + 1
                if order == "cyclic":
                    start = turn % len(rdatas)
                    arranged = rdatas[start:] + rdatas[:start]
                else:
                    arranged = tuple(random.sample(rdatas, len(rdatas)))
                section[index] = (owner, rtype, ttl, arranged)
                response.varies = True
