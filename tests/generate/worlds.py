"""A world: some zones that know of each other, all from one seed, and the queries for them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from tests.generate.names import Labels, text
from tests.generate.queries import Query, queries
from tests.generate.signing import Denial, sign
from tests.generate.zones import ZoneMaker, ZoneText
from tests.peers.process import ServedZone

MOTIFS = 40


@dataclass(frozen=True, slots=True)
class World:
    """Zones under one seed. ``denials`` tells for each zone how it is signed, None for unsigned."""

    seed: int
    zones: tuple[ZoneText, ...]
    denials: tuple[Denial | None, ...]

    def queries(self, count: int) -> list[Query]:
        """Return *count* queries, the same for the same seed and count."""
        rng = random.Random(f"queries {self.seed}")
        return queries(rng, self.zones, count, signed=any(self.denials))

    def write(self, directory: Path) -> list[ServedZone]:
        """Write (and sign) the zone files into *directory*, which must be empty of this seed's files."""
        served = []
        for zone, denial in zip(self.zones, self.denials, strict=True):
            if denial is not None:
                path = sign(zone, denial, directory)
            else:
                path = directory / f"{text(zone.origin)}zone"
                path.write_text(zone.to_text())
            served.append(ServedZone(text(zone.origin), path))
        return served


def make_world(seed: int, denial: Denial | None = None, motifs: int = MOTIFS) -> World:
    """Return a world of three zones: a parent, its child, and one beside them, all signed or none."""
    rng = random.Random(seed)
    stem = f"w{seed}"
    names: list[Labels] = []
    zones = []
    for origin, child in (
        ((f"{stem}b", "test"), None),
        ((stem, "test"), "child"),
        (("child", stem, "test"), None),
    ):
        maker = ZoneMaker(rng, origin, names)
        maker.apex()
        if child is not None:
            maker.serve_child(child)
        zone = maker.fill(motifs)
        zones.append(zone)
        names += rng.sample(zone.owners(), min(12, len(zone.owners())))
    return World(seed, tuple(zones), (denial,) * len(zones))
