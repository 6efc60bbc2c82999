"""The index of where records stand."""

from hypothesis import given
from hypothesis import strategies as st

from bindpy.diagnostics import SourceSpan
from bindpy.zone.linestate import PlaceIndex
from bindpy.zone.names import from_text

RECORDS = st.tuples(st.sampled_from(["a", "b", "c", "d.e", "*"]), st.integers(1, 4))


@given(st.lists(RECORDS, max_size=60), st.lists(RECORDS, max_size=60), st.lists(RECORDS, max_size=10))
def test_every_place_is_found_however_often_one_asks(
    records: list[tuple[str, int]], asked: list[tuple[str, int]], later: list[tuple[str, int]]
) -> None:
    places = PlaceIndex()
    spans: dict[tuple[str, int], list[SourceSpan]] = {}
    for line, record in enumerate([*records, None, *later], 1):
        if record is None:
            for owner, rtype in asked:
                assert places.find(from_text(owner), rtype) == spans.get((owner, rtype), [])
            continue
        owner, rtype = record
        places.note(from_text(owner), rtype, ("zone.db", line, rtype))
        spans.setdefault(record, []).append(SourceSpan("zone.db", line, rtype))
    for (owner, rtype), expected in spans.items():
        assert places.find(from_text(owner), rtype) == expected
