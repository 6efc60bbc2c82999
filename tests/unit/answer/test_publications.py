"""Publishing many zones at once: the same to both engines."""

from __future__ import annotations

import pytest

from bindpy.answer.policy import EXPIRED, Publication, Transport, ZonePolicy
from bindpy.config.model import MATCH_NONE
from bindpy.engine import Engine
from bindpy.zone import names
from bindpy.zone.records import IN, RRType
from tests.support.engines import make_engine

ORIGINS = [names.from_text(f"zone{number}.test.") for number in range(4)]


@pytest.fixture(name="server")
def _server() -> Engine:
    return make_engine()


def _zone(server: Engine, origin: names.Name) -> object:
    builder = server.zones.builder(origin, IN)
    builder.add(origin, RRType.SOA, 60, b"\0\0" + b"\0" * 20)
    return builder.finish()


def _rcode(server: Engine, origin: names.Name) -> int:
    query = b"\0\1\0\0\0\1\0\0\0\0\0\0" + origin + b"\0\6\0\1"
    answer = server.answerer.answer(query, "192.0.2.1", "192.0.2.53", Transport.UDP)
    assert isinstance(answer, bytes)
    return answer[3] & 15


def test_zones_with_and_without_data_under_policies_of_their_own(server: Engine) -> None:
    first, closed, expired, unloaded = ORIGINS
    open_to_all, nobody = ZonePolicy(), ZonePolicy(allow_query=MATCH_NONE)
    server.answerer.publish_all(
        [
            Publication("_default", first, _zone(server, first), open_to_all),
            Publication("_default", closed, _zone(server, closed), nobody),
            Publication("_default", expired, None, open_to_all, EXPIRED),
            Publication("_default", unloaded, None, open_to_all, "not loaded"),
        ]
    )
    assert [_rcode(server, origin) for origin in ORIGINS] == [0, 5, 2, 2]
    server.answerer.publish_all(
        Publication("_default", origin.upper(), _zone(server, origin), open_to_all) for origin in ORIGINS
    )
    assert [_rcode(server, origin) for origin in ORIGINS] == [0, 0, 0, 0]
    server.answerer.publish_all([])
    assert [_rcode(server, origin) for origin in ORIGINS] == [0, 0, 0, 0]


def test_an_unknown_view(server: Engine) -> None:
    zone = _zone(server, ORIGINS[0])
    with pytest.raises(KeyError):
        server.answerer.publish_all([Publication("nobody's", ORIGINS[0], zone, ZonePolicy())])
    assert _rcode(server, ORIGINS[0]) == 5
