"""A server's asyncio has no ssl; whoever else asks for it has."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import bindpy.cli.serve
import asyncio

assert "ssl" not in sys.modules
import ssl

async def answer(reader, writer):
    writer.write((await reader.readline()).upper())
    writer.close()

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\\n")
    print((await reader.read()).decode(), end="")
    writer.close()
    server.close()

asyncio.run(main())
"""


def test_asyncio_works_without_ssl_and_ssl_is_there_for_others() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "HELLO\n", "")
