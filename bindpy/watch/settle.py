"""When is a file that changed fit to be read? Pure decisions: no clock, no files, no event loop.

An event only says "look there". What is seen then decides: a file that somebody still has open for
writing is waited for, so is one that keeps changing, one that is empty (truncated, to be written in a
moment) and one that is gone (deleted, to be created again in a moment). Every wait has an end.
"""

from __future__ import annotations

import enum
from dataclasses import field

from bindpy.deferred import dataclass
from bindpy.files import FileStamp
from bindpy.watch.observe import Known, Observation


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to wait for what, in seconds."""

    quiet_s: float = 0.1  # without another change, when no event said that the writer is done
    gone_s: float = 1.0  # for a deleted file to come back: editors that delete and create
    empty_s: float = 1.0  # for an empty file to be filled: no zone file is empty on purpose
    idle_s: float = 5.0  # for a writer that is known to have the file open, since its last write
    unknown_idle_s: float = 1.0  # the same, where only the lack of a "closed" event says that it is open
    longest_s: float = 60.0  # for a writer that never stops writing
    poll_s: float = 1.0  # between two looks at files whose changes the kernel does not report
    rescan_s: float = 30.0  # between two looks at all the others, in case that events were lost


class Hint(enum.Enum):
    """What an event says about a file."""

    COMPLETE = "complete"  # closed after writing, or moved into place
    WRITTEN = "written"  # created or written, and not closed since
    LOOK = "look"  # something may have changed


class Verdict(enum.Enum):
    """What to do with a file, apart from waiting."""

    REPORT = "report"
    UNCHANGED = "unchanged"


@dataclass(slots=True)
class Pending:
    """A file in motion. Times are seconds of one monotonic clock."""

    since: float
    moved: float = field(init=False)  # when the last sign of a change was seen
    seen: FileStamp | None = None
    writing: bool = False  # written, and not yet closed
    complete: bool = False  # the last event said that the writer is done
    content: bool = False  # an event, and not only a look, says that content was written

    def __post_init__(self) -> None:
        self.moved = self.since

    def note(self, hint: Hint, now: float) -> None:
        """Take in one event."""
        self.moved = now
        if hint is Hint.COMPLETE:
            self.writing, self.complete, self.content = False, True, True
        elif hint is Hint.WRITTEN:
            self.writing, self.complete, self.content = True, False, True


def judge(pending: Pending, known: Known, seen: Observation, now: float, timing: Timing) -> Verdict | float:
    """Decide about a file: `Verdict`, or the number of seconds (above 0) after which to look again.

    Updates ``pending.seen`` and ``pending.moved`` when the file moved since the last look.
    """
    current = seen.stamp
    if current == known.stamp and not (pending.content and known.racy and current is not None):
        return Verdict.UNCHANGED
    if current != pending.seen:
        pending.seen = current
        pending.moved = now
    idle = now - pending.moved
    if current is None:
        return _report_after(timing.gone_s, idle)
    if current.size == 0:
        return _report_after(timing.empty_s, idle)
    open_for_writing = seen.open_for_writing
    if open_for_writing or (open_for_writing is None and pending.writing):
        limit = timing.idle_s if open_for_writing else timing.unknown_idle_s
        if idle >= limit or now - pending.since >= timing.longest_s:
            return Verdict.REPORT
        return timing.quiet_s
    done = pending.complete or pending.writing  # written and, as seen above, closed
    return _report_after(0.0 if done else timing.quiet_s, idle)


def _report_after(limit_s: float, idle_s: float) -> Verdict | float:
    # Half a millisecond short is there: timers may fire a clock tick early.
    return Verdict.REPORT if idle_s >= limit_s - 0.0005 else limit_s - idle_s
