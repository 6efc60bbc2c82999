"""A coverage-guided fuzz target for atheris, which is not among the test dependencies.

Run it from the project's folder: ``python -m tests.fuzz.atheris_packets CORPUS_FOLDER``. The folder may be
empty; the queries that the other fuzz test starts from are written into it first.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["bindpy.answer", "bindpy.zone"]):
    from bindpy.answer.policy import Transport
    from bindpy.engine import python_engine
    from tests.support.engines import fail_on_error
    from tests.support.packets import check_reply, corpus, fuzzed_answerer

ANSWERER = fuzzed_answerer(python_engine(fail_on_error))


def one_input(data: bytes) -> None:
    """Answer *data* over both transports."""
    for transport in Transport:
        check_reply(data, ANSWERER.answer(data, "192.0.2.53", "192.0.2.1", transport), transport)


def main() -> None:
    """Seed the corpus folder and hand over to atheris."""
    folder = Path(sys.argv[-1])
    if len(sys.argv) > 1 and folder.is_dir():
        for query in corpus():
            name = hashlib.sha1(query, usedforsecurity=False).hexdigest()
            (folder / name).write_bytes(query)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
