"""The state directory: where it is, and making it while we still may."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bindpy.config.model import Options
    from bindpy.server.privileges import Account

DEFAULT_NAME = ".bindpy-state"
DIRECTORY_MODE = 0o700

log = logging.getLogger("bindpy.general")


def state_directory(options: Options) -> str:
    """Return the path that ``state-directory`` says, or else `DEFAULT_NAME` in ``directory``."""
    return options.state_directory or str(Path(options.directory) / DEFAULT_NAME)


def make_state_directory(path: str, owner: Account | None = None) -> None:
    """Make the directory if it is not there, for *owner* where we are root.

    Call it before privileges are dropped, and open the database afterwards: then nothing in a directory
    that another user may write to is ever created or changed as root. A directory that is there keeps its
    owner and mode. Never raises: the database says what follows when it cannot be opened.
    """
    place = Path(path)
    if place.is_dir():
        return
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir(mode=DIRECTORY_MODE)
        if owner is not None and os.geteuid() == 0:
            os.chown(place, owner.uid, owner.gid, follow_symlinks=False)
    except OSError as error:
        log.warning("could not make state directory '%s': %s", path, error.strerror)
