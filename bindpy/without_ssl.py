"""asyncio without ssl, which it imports where there is one: 6 ms and 1.4 MiB for what no server of ours does.

It can do without, as Python may be built without. Whoever else asks for ssl gets it. This is to be imported
before asyncio is.
"""

import sys

if "asyncio" not in sys.modules and "ssl" not in sys.modules:
    sys.modules["ssl"] = None  # type: ignore[assignment] # "import ssl" fails
    try:
        import asyncio  # noqa: F401
    finally:
        del sys.modules["ssl"]
