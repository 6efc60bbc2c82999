"""Settings of all tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from tests.support.engines import engine
from tests.support.users import folder_for_all

__all__ = ["engine", "folder_for_all"]

# A busy machine is no fault of the code, so examples have no time limit. In CI the examples are the same in
# each run: a verdict on a change must not depend on chance. Everywhere else each run tries others.
settings.register_profile(
    "bindpy",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
)
settings.load_profile("bindpy")
