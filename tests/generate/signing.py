"""Signed variants of zones, made with the real `dnssec-keygen` and `dnssec-signzone`."""

from __future__ import annotations

import enum
import subprocess
from pathlib import Path

from tests.generate.names import text
from tests.generate.zones import ZoneText


class Denial(enum.Enum):
    """How a signed zone proves that something does not exist, as arguments of `dnssec-signzone`."""

    NSEC = ()
    NSEC3 = ("-3", "-", "-H", "0")
    NSEC3_SALTED = ("-3", "AB12CD", "-H", "3")
    NSEC3_OPT_OUT = ("-3", "-", "-H", "0", "-A")


class SigningError(RuntimeError):
    """A tool refused; the text is what it said."""


def sign(zone: ZoneText, denial: Denial, directory: Path) -> Path:
    """Sign *zone* with one new ECDSA P-256 key and return the signed zone file, in *directory*.

    The structure of the result depends on the zone only; keys and signatures are new each time.
    """
    origin = text(zone.origin)
    stem = "".join(c if c.isalnum() else "_" for c in origin)
    keys = directory / f"{stem}keys"
    keys.mkdir()
    key = _run("dnssec-keygen", "-q", "-K", str(keys), "-a", "ECDSAP256SHA256", "-f", "KSK", origin).strip()
    unsigned, signed = directory / f"{stem}unsigned", directory / f"{stem}signed"
    unsigned.write_text(zone.to_text() + (keys / f"{key}.key").read_text())
    _run(
        "dnssec-signzone", "-q", "-z", "-P", "-o", origin, "-f", str(signed), *denial.value,
        "-s", "20200101000000", "-e", "20371231000000", "-d", str(directory), "-K", str(keys),
        str(unsigned), key,
    )  # fmt: skip
    return signed


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise SigningError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout
