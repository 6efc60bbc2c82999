"""Gives up root's rights once the sockets are bound (``-u USER``)."""

from __future__ import annotations

import logging
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

from bindpy.deferred import dataclass
from bindpy.diagnostics import BindpyError

log = logging.getLogger("bindpy.general")

_RIGHTS = "(CAP_SETUID and CAP_SETGID are needed; does a container or a service manager withhold them?)"


class PrivilegeError(BindpyError):
    """The user cannot be had; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this host and its primary group."""

    name: str
    uid: int
    gid: int


def find_account(user: str) -> Account:
    """Return the account called *user*, a name or a decimal user id. Raises `PrivilegeError`."""
    try:
        entry = pwd.getpwuid(int(user)) if user.isascii() and user.isdecimal() else pwd.getpwnam(user)
    except (KeyError, OverflowError):
        raise PrivilegeError(
            f"user '{user}' unknown: no such account here; 'getent passwd' lists those that there are"
        ) from None
    except ValueError:
        raise PrivilegeError(f"user {user!r} unknown: that cannot be the name of an account") from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def drop_privileges(account: Account) -> None:
    """Become *account* for good: all of its groups, no capability left, no way back.

    Call it after binding and before serving. From then on ports below 1024 cannot be bound, so a reload
    that adds one fails (and changes nothing): the server must be restarted for that. Does nothing when the
    process is that user already. Raises `PrivilegeError`.
    """
    if os.getuid() == os.geteuid() == account.uid and account.uid != 0:
        return
    if os.geteuid() != 0:
        own = pwd.getpwuid(os.geteuid()).pw_name if _has_entry(os.geteuid()) else str(os.geteuid())
        raise PrivilegeError(
            f"cannot become user '{account.name}': this process runs as '{own}', and only root may change "
            "its user; start as root, or leave -u out"
        )
    if account.uid == 0:
        return
    try:
        os.initgroups(account.name, account.gid)
        os.setresgid(account.gid, account.gid, account.gid)
        # From uid 0 to another in all three ids: the kernel clears every capability set with it.
        os.setresuid(account.uid, account.uid, account.uid)
    except OSError as error:
        raise PrivilegeError(f"cannot become user '{account.name}': {error.strerror} {_RIGHTS}") from error
    if 0 in os.getresuid() or os.getresgid() != (account.gid,) * 3:
        raise PrivilegeError(
            f"became user '{account.name}' but still holds rights of root: refusing to serve"
        )
    _check_installation(account)


@contextmanager
def acting_as(account: Account | None) -> Iterator[None]:
    """Have *account*'s rights on files, and its name on those that are made, inside the ``with``.

    For files in places that belong to the account: root would follow its links, and leave files that it
    cannot open again. Does nothing where we are not root or are to stay it. Raises `PrivilegeError`.
    """
    if account is None or account.uid == 0 or os.geteuid() != 0:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    try:
        os.initgroups(account.name, account.gid)
        os.setegid(account.gid)
        os.seteuid(account.uid)
    except OSError as error:
        raise PrivilegeError(f"cannot act as user '{account.name}': {error.strerror} {_RIGHTS}") from error
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _check_installation(account: Account) -> None:
    """Warn when modules that are imported later, such as those of rarer RR types, will not be found."""
    unreadable = [path for path in (os.__file__, __file__) if not os.access(path, os.R_OK)]
    if unreadable:
        log.warning(
            "user '%s' cannot read the program (%s): what is loaded later will be missing; install Python "
            "and bindpy where that user can read them",
            account.name,
            ", ".join(unreadable),
        )


def _has_entry(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
