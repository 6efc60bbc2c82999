"""The stages of an answer, below the Answerer."""

from __future__ import annotations

from bindpy.answer.policy import ZonePolicy
from bindpy.answer.query import Query, parse
from bindpy.answer.response import Response
from bindpy.answer.served import ServedZone
from bindpy.answer.stages import Fill, respond
from bindpy.zone.names import Key
from tests.support.zones import zone_from_text


def _served(origin: str, text: str) -> ServedZone:
    zone = zone_from_text(origin, f"@ SOA ns h 1 2 3 4 300\n@ NS ns\n{text}")
    return ServedZone(zone.origin, zone, ZonePolicy(), ())


class _Moving(dict[Key, ServedZone]):
    """Zones that are published anew whenever one has been looked up."""

    def __init__(self, now: dict[Key, ServedZone], later: dict[Key, ServedZone]) -> None:
        super().__init__(now)
        self._later = later

    def get(self, key: Key, default: ServedZone | None = None) -> ServedZone | None:  # type: ignore[override]
        found = super().get(key, default)
        if found is not None and key in self._later:
            self[key] = self._later[key]
        return found


def test_a_chain_that_comes_back_to_a_zone_finds_the_version_that_it_left() -> None:
    there = _served("there.", "www CNAME www.back.here.\n")
    old = _served("here.", "www CNAME www.there.\nwww.back A 192.0.2.1\n")
    new = _served("here.", "www CNAME www.there.\nwww.back A 192.0.2.2\n")
    query = parse(b"\0\1\0\0\0\1\0\0\0\0\0\0\x03www\x04here\0\0\1\0\1")
    assert isinstance(query, Query)

    def admit(served: ServedZone, response: Response) -> bool:
        raise AssertionError("no zone has an ACL")

    zones = _Moving({old.key: old, there.key: there}, {new.key: new})
    response = respond(zones, query, Fill(False, False, False), admit)
    assert zones[new.key] is new
    assert [entry[3] for entry in response.answer][-1] == (b"\xc0\0\2\1",)
