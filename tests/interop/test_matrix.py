"""bindpy as primary and as secondary of every server, plain and with every TSIG algorithm.

One pair of servers carries a zone for each algorithm. A file is edited on the primary; NOTIFY, the SOA query
and the transfer bring it to the secondary, which is never told anything by the test.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.links import KEYS, PAIRS, linked, random_zones

EDITS = 3
COUNTED = [pair for pair in PAIRS if pair[0] in ("bindpy", "named") and pair[1] != "pdns"]
"""The pairs whose primary logs each IXFR as BIND does, and whose secondary asks for one."""


@pytest.mark.parametrize(("primary", "secondary"), PAIRS)
def test_every_zone_and_every_edit_arrives(primary: str, secondary: str, tmp_path: Path) -> None:
    make = random_zones("matrix", {primary, secondary})
    with linked(primary, secondary, tmp_path, KEYS, make) as link:
        link.wait_for_serials()
        link.assert_same_zones()
        for _ in range(EDITS):
            for zone in link.zones:
                link.edit(zone)
            link.wait_for_serials()
        link.assert_same_zones()
        if (primary, secondary) in COUNTED:
            sent = {zone.origin: link.ixfrs(zone) for zone in link.zones}
            # Not for each edit: one that changes much of a zone goes out as AXFR (max-ixfr-ratio).
            assert min(sent.values()) > 0, f"{sent}{link.logs()}"


@pytest.mark.parametrize(
    ("primary", "secondary"),
    [("bindpy", "named"), ("bindpy", "nsd"), ("bindpy", "knot"), ("bindpy", "bindpy"), ("named", "bindpy"),
     ("knot", "bindpy")],
)  # fmt: skip
def test_fifty_edits_by_ixfr_end_with_the_same_zone(primary: str, secondary: str, tmp_path: Path) -> None:
    """The edits come as fast as they can be written, so one IXFR may hold several of them."""
    make = random_zones("fifty", {primary, secondary}, motifs=80)
    with linked(primary, secondary, tmp_path, {"busy": KEYS["hmac-sha256"]}, make) as link:
        link.wait_for_serials()
        (zone,) = link.zones
        for number in range(50):
            link.edit(zone)
            if number % 5 == 4:
                link.wait_for_serials()
        link.wait_for_serials()
        link.assert_same_zones()
        if (primary, secondary) in COUNTED:
            assert link.ixfrs(zone) >= 10, link.logs()
