"""named.conf, read again while its zones are served: what is different, and nothing that need not be kept."""

from __future__ import annotations

from pathlib import Path

from bindpy.config.changes import ZoneChanges, zone_changes
from bindpy.config.load import load_config
from bindpy.config.model import Config
from bindpy.config.one_zone import ZoneContext
from bindpy.deferred import dataclass
from bindpy.diagnostics import Diagnostic
from bindpy.reload.collector import free_cycles, without_collector


@dataclass(frozen=True, slots=True)
class NewConfig:
    """A configuration that may take the place of another; *changes* is what that does to the zones."""

    config: Config
    context: ZoneContext
    changes: ZoneChanges


def reread(running: Config, base: Path) -> tuple[NewConfig | None, tuple[Diagnostic, ...]]:
    """Read the file of *running* again; relative names count from *base*.

    Returns what is new, None where there are errors, and the findings. Meant for a worker thread: all that
    takes time in proportion to the number of zones happens here.
    """
    with without_collector():
        # A pipe has been read already; waiting for another writer would hold up every zone.
        result = load_config(running.path, base=base, wait_for_pipes=False, like=running)
        new = None
        if result.config is not None:
            changes = zone_changes(running, result.config)
            new = NewConfig(result.config, ZoneContext(result), changes)
        diagnostics = result.diagnostics
        del result  # the statement tree
        free_cycles()  # pyparsing leaves exceptions with the frames of its callers, and so with the tree
    return new, diagnostics
