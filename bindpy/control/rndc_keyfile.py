"""The key file that the server and rndc share where named.conf names no key: found, read, and made."""

from __future__ import annotations

import base64
import errno
import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from bindpy.config.load import load_config
from bindpy.config.model import TsigKey
from bindpy.deferred import dataclass
from bindpy.diagnostics import BindpyError, Severity
from bindpy.replacing import sync_directory, temporary_name
from bindpy.server.privileges import Account

KEY_FILES = ("/etc/bind/rndc.key", "/etc/rndc.key", "/usr/local/etc/rndc.key")
"""Where rndc looks for its key: on Debian and its kin, on Red Hat's and most others, built from source."""

_MAX_OCTETS = 65536
_OTHERS = 0o007


class KeyFileError(BindpyError):
    """A key file that cannot be used, and why; never with the secret in it."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A key and the file that it is from; ``is_open_to_all``: everybody on this host can read it."""

    path: str
    key: TsigKey
    is_open_to_all: bool


def find_key_file(paths: Iterable[str] = KEY_FILES) -> KeyFile | None:
    """Return what is in the first file of *paths* that exists, None when none does. Raises `KeyFileError`."""
    for path in paths:
        try:
            return read_key_file(path)
        except FileNotFoundError:
            continue
    return None


def read_key_file(path: str) -> KeyFile:
    """Return the key in the file *path*. Raises `KeyFileError`; `FileNotFoundError` if it is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_OCTETS:
                raise KeyFileError(f"key file '{path}' is not a file with a key")
            text = file.read(_MAX_OCTETS).decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(path) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise KeyFileError(f"cannot read key file '{path}': {reason}") from error
    result = load_config(path, text=text)
    if result.config is None:
        errors = [one for one in result.diagnostics if one.severity is Severity.ERROR]
        # Without their text, which may quote what stands there.
        raise KeyFileError(
            f"{errors[0].span or path}: error in the key file; 'bindpy checkconf {path}' says more"
        )
    key = next(iter(result.config.keys.values()), None)
    if key is None:
        raise KeyFileError(f"there is no 'key' statement in key file '{path}'")
    return KeyFile(path, key, bool(found.st_mode & _OTHERS))


def default_key_file(paths: Iterable[str] = KEY_FILES) -> str:
    """Return where a new key file belongs: the first of *paths* whose directory there is."""
    *others, last = paths
    return next((path for path in others if Path(path).parent.is_dir()), last)


def new_secret(bits: int) -> str:
    """Return a random secret of *bits*, in whole octets, as base64."""
    return base64.b64encode(secrets.token_bytes((bits + 7) // 8)).decode()


def write_key_file(path: str, text: str, *, owner: Account | None = None, replace: bool = False) -> None:
    """Make the key file *path*, whole or not at all; only its owner can read it, from its first moment.

    *owner* is whom it is to belong to, None for us. Raises `KeyFileError`: it cannot be written, or there is
    such a file already, unless *replace*.
    """
    target = Path(path)
    temporary = target.with_name(temporary_name(target.name))
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                if owner is not None:
                    os.fchown(descriptor, owner.uid, -1)
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            if replace:
                temporary.rename(target)
            else:
                target.hardlink_to(temporary)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
        sync_directory(target.parent)
    except OSError as error:
        if error.errno == errno.EEXIST:
            raise KeyFileError(f"key file '{path}' exists: it is not replaced without --force") from None
        reason = (error.strerror or str(error)).lower()
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            reason = f"there is no directory '{target.parent}'; make it, or name another file with -c"
        raise KeyFileError(f"cannot write key file '{path}': {reason}") from error
