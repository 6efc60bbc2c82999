"""The lines of the local socket: one JSON object each, both ways (docs/ctl.md). No input or output here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from bindpy.control.errors import FAILURE, VerbError
from bindpy.deferred import dataclass
from bindpy.diagnostics import BindpyError

if TYPE_CHECKING:  # the client needs this module, and neither a server nor an event loop
    from bindpy.control.jobs import Job, Progress
    from bindpy.control.registry import Result

MAX_LINE_OCTETS = 256 * 1024
"""The longest request; ``addzone`` with its configuration text is the longest that makes sense."""
MAX_ID_CHARS = 64

RequestId: TypeAlias = int | str | None
_FIELDS = {"id", "command", "wait"}


class BadRequestError(BindpyError):
    """A line that is no request; the text says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """A command, and whether to be told how the work goes that it starts. ``id`` comes back in each reply."""

    command: str
    wait: bool = False
    id: RequestId = None


def read_request(line: bytes) -> Request:
    """Return the request that *line* is. Raises `BadRequestError`, and nothing else."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRequestError("not a line of JSON") from None
    if not isinstance(value, dict):
        raise BadRequestError('a request is an object, such as {"command": "status"}')
    unknown = sorted(value.keys() - _FIELDS)
    if unknown:
        raise BadRequestError(f"{_shown(unknown[0])} is none of: {', '.join(sorted(_FIELDS))}")
    command, wait, number = value.get("command"), value.get("wait", False), value.get("id")
    if not isinstance(command, str) or not _is_text(command):
        raise BadRequestError("'command' has to be a text")
    if not isinstance(wait, bool):
        raise BadRequestError("'wait' has to be true or false")
    if isinstance(number, bool) or not isinstance(number, int | str | None) or not _fits(number):
        raise BadRequestError(f"'id' has to be a whole number or a text of at most {MAX_ID_CHARS} characters")
    return Request(command, wait, number)


def _is_text(text: str) -> bool:
    """Whether *text* can be written as UTF-8: JSON can name halves of characters."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _fits(number: RequestId) -> bool:
    if isinstance(number, str):
        return len(number) <= MAX_ID_CHARS and _is_text(number)
    return number is None or number.bit_length() <= 64


def _shown(text: str) -> str:
    return ascii(text if len(text) <= MAX_ID_CHARS else f"{text[:MAX_ID_CHARS]}…")


def write_request(request: Request) -> bytes:
    """Return *request* as a line."""
    return _line({"id": request.id, "command": request.command, "wait": request.wait})


def started(number: RequestId, result: Result, job: Job) -> bytes:
    """Return the line that says that work was begun, for those who wait for its end."""
    return _line(
        {"id": number, "type": "started", "text": result.text, "data": result.data, "job": _job(job)}
    )


def progress(number: RequestId, job: Job, told: Progress) -> bytes:
    """Return the line that says how far *job* is."""
    return _line(
        {
            "id": number,
            "type": "progress",
            "job": job.number,
            "done": told.done,
            "total": told.total,
            "unit": told.unit,
            "text": told.text,
        }
    )


def answered(number: RequestId, result: Result) -> bytes:
    """Return the last line for a command that was done, or whose work was begun."""
    job = None if result.job is None else _job(result.job)
    return _line({"id": number, "type": "result", "text": result.text, "data": result.data, "job": job})


def finished(number: RequestId, result: Result, job: Job) -> bytes:
    """Return the last line for work that was waited for, and has ended."""
    if job.error is not None:
        return failed(number, job.error, job)
    return _line({"id": number, "type": "result", "text": job.text, "data": result.data, "job": _job(job)})


def failed(number: RequestId, error: VerbError, job: Job | None = None) -> bytes:
    """Return the last line for a command that was not done, or work that failed."""
    return _line(
        {
            "id": number,
            "type": "error",
            "error": error.err,
            "text": error.text,
            "code": error.code,
            "data": error.data,
            "job": None if job is None else _job(job),
        }
    )


def refused(reason: str, text: str = "", number: RequestId = None) -> bytes:
    """Return the line for what never became a command; the connection ends with it."""
    return failed(number, VerbError(reason, text, FAILURE))


def _job(job: Job) -> Mapping[str, Any]:
    return {"number": job.number, "what": job.what}


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
