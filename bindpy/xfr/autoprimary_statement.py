"""The file name and the statement of a zone that an autoprimary provides, safe whatever the zone's name.

A zone's name comes from the network: any octets in labels, dots and slashes among them.
"""

from __future__ import annotations

import hashlib
import time

from bindpy.config.model import ProvisionedBy, RemoteServer
from bindpy.zone.names import Name, from_text, labels, to_text

MAX_FILE_NAME_OCTETS = 200
"""File systems take 255; there is room left for the suffixes of temporary and backup files."""

_IN_FILE_NAMES = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
_IN_STATEMENTS = _IN_FILE_NAMES | frozenset(b"/*+")
_DEFAULT_VIEW = "_default"
_KEPT_OF_LONG_NAMES = 100


def zone_file_name(origin: Name, view: str) -> str:
    """Return a file name for the zone that no other zone and no other view has.

    Lower-case letters, digits, ``-`` and ``_`` stand for themselves, a dot for the end of a label, every
    other octet is ``%XX``. A name that would be too long ends in a digest instead, behind ``%%``; the view,
    unless it is the only one, follows ``%@``. Neither can be part of an escape.
    """
    name = ".".join([_escaped(label) for label in labels(origin.lower())]) or "%root"
    if view != _DEFAULT_VIEW:
        name += "%@" + _escaped(view.encode("utf-8", "surrogateescape"))
    if len(name) <= MAX_FILE_NAME_OCTETS:
        return name
    digest = hashlib.sha256(name.encode("ascii")).hexdigest()
    return f"{name[:_KEPT_OF_LONG_NAMES]}%%{digest}"


def _escaped(octets: bytes) -> str:
    return "".join([chr(octet) if octet in _IN_FILE_NAMES else f"%{octet:02x}" for octet in octets])


def zone_statement(
    origin: Name, primary: RemoteServer, file: str, provisioned_by: ProvisionedBy, now_s: float
) -> str:
    """Return the ``zone`` statement, after a comment that says where it comes from.

    *file* and the account have no quotes, backslashes and control characters in them: the configuration
    that they come from was checked for that.
    """
    name = quotable_name(origin)
    key = f' key "{quotable_name(from_text(primary.key))}"' if primary.key else ""
    account = f' account "{provisioned_by.account}"' if provisioned_by.account else ""
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s))
    return (
        f"# created {made} from autoprimary {provisioned_by.address}\n"
        f'zone "{name}" {{\n'
        "\ttype secondary;\n"
        f"\tprimaries {{ {primary.address} port {primary.port}{key}; }};\n"
        f'\tfile "{file}";\n'
        f"\tprovisioned-by {provisioned_by.address}{account};\n"
        "};\n"
    )


def quotable_name(name: Name) -> str:
    """Return *name* without its final dot, every unusual octet as ``\\DDD``, fit for a quoted string."""
    return (
        ".".join(
            [
                "".join([chr(octet) if octet in _IN_STATEMENTS else f"\\{octet:03d}" for octet in label])
                for label in labels(name.lower())
            ]
        )
        or "."
    )


def zone_label(origin: Name, view: str) -> str:
    """Return how logs name a zone of class IN that is not in the table yet."""
    name = to_text(origin)
    suffix = "" if view == _DEFAULT_VIEW else f"/{view}"
    return f"{name[:-1] if len(name) > 1 else name}/IN{suffix}"
