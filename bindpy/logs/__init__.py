"""`logging` of named.conf, applied to Python's: loggers ``bindpy.CATEGORY`` write to BIND's channels.

The rest of the program asks for ``logging.getLogger("bindpy.xfer-in")`` and logs; nothing here is called per
line. The levels are in `bindpy.logs.levels`.
"""

from bindpy.logs.levels import NOTICE, debug
from bindpy.logs.lines import log_lines
from bindpy.logs.system import configure, debug_level, flush, reopen, set_debug_level, shutdown

__all__ = [
    "NOTICE",
    "configure",
    "debug",
    "debug_level",
    "flush",
    "log_lines",
    "reopen",
    "set_debug_level",
    "shutdown",
]
