"""The standard streams as they may be found: closed, full, of another encoding, read by nobody any more."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_MODES = ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"))


def mend_streams() -> None:
    """Give what is closed the null device, and write what an encoding does not have as an escape.

    A descriptor below 3 that is closed would otherwise become that of a socket or a zone file, and what is
    printed would go there.
    """
    for number, name, mode in _MODES:
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken, and those below this one are open by now.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            # For as long as the process lives.
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def flushed() -> Iterator[None]:
    """Have all that was printed written out at the end of the ``with``, or say that it could not be.

    That nobody reads any more (``| head``) is no error to talk about, yet the exit status tells.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
        sys.exit(1)
    except OSError as error:
        if error.filename is not None:
            raise
        _drop_stdout()
        sys.stderr.write(f"error: cannot write to standard output: {error.strerror}\n")
        sys.exit(1)


def _drop_stdout() -> None:
    """Let what is still to be written go nowhere: the interpreter tries again when it ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
