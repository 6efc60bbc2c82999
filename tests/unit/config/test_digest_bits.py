"""The number of bits behind a key's algorithm, and what is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindpy.config.load import load_config

CONF = """\
key k {{ algorithm {algorithm}; secret "MDEyMzQ1Njc4OWFiY2RlZg=="; }};
controls {{ inet 127.0.0.1 port 1953 allow {{ any; }} keys {{ k; }}; }};
"""


@pytest.mark.parametrize(
    ("algorithm", "used", "warning"),
    [
        ("hmac-sha256", "hmac-sha256", None),
        ("HMAC-SHA256-256", "hmac-sha256", None),
        ("hmac-sha256-128", "hmac-sha256-128", None),
        ("hmac-sha256-" + "0" * 5000 + "128", "hmac-sha256-128", None),
        ("hmac-sha1-80", "hmac-sha1-80", None),
        ("hmac-sha256-80", "hmac-sha256-128", "128 are used"),
        ("hmac-md5-8", "hmac-md5-80", "80 are used"),
        ("hmac-sha256-0", "hmac-sha256", "256 are used"),
    ],
)  # fmt: skip
def test_too_few_bits_are_warned_of_and_the_least_that_work_are_used(
    tmp_path: Path, algorithm: str, used: str, warning: str | None
) -> None:
    """named takes such a key as well, and no message with a shorter MAC (RFC 8945 section 5.2.2.1)."""
    path = tmp_path / "named.conf"
    path.write_text(CONF.format(algorithm=algorithm))
    result = load_config(str(path))
    assert result.config is not None, result.diagnostics
    assert result.config.views[0].keys["k."].algorithm == used
    told = [str(one) for one in result.diagnostics]
    assert len(told) == (warning is not None)
    assert warning is None or (warning in told[0] and "too small" in told[0])


@pytest.mark.parametrize("algorithm", ["hmac-sha256-81", "hmac-sha256-264", "hmac-sha256-", "hmac-sha256-x"])
def test_what_is_no_number_of_bits_is_refused(tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "named.conf"
    path.write_text(CONF.format(algorithm=algorithm))
    result = load_config(str(path))
    assert result.config is None
    assert "digest-bits" in str(result.diagnostics[0])
