"""Users that can be had and users that cannot. Dropping for real: tests/e2e/test_sockets.py."""

from __future__ import annotations

import os
import pwd

import pytest

from bindpy.server.privileges import Account, PrivilegeError, drop_privileges, find_account


def test_an_account_by_name_and_by_number() -> None:
    nobody = pwd.getpwnam("nobody")
    expected = Account("nobody", nobody.pw_uid, nobody.pw_gid)
    assert find_account("nobody") == expected
    assert find_account(str(nobody.pw_uid)) == expected


@pytest.mark.parametrize(
    "user", ["", "no-such-user", "no\0body", "-1", "99999999999999999999", "3999999999", "ü", "²"]
)
def test_nonsense_is_refused(user: str) -> None:
    with pytest.raises(PrivilegeError, match="unknown"):
        find_account(user)


def test_becoming_who_we_are_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "setresuid", None)
    drop_privileges(Account("me", 1000, 1000))


def test_only_root_can_become_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 3_999_999_999)
    with pytest.raises(PrivilegeError, match="start as root, or leave -u out"):
        drop_privileges(Account("nobody", 65534, 65534))


def test_a_container_that_withholds_the_right_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def withheld(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "initgroups", withheld)
    with pytest.raises(PrivilegeError, match="CAP_SETUID"):
        drop_privileges(Account("nobody", 65534, 65534))


@pytest.mark.parametrize("readable", [True, False])
def test_a_program_that_the_user_cannot_read_is_a_warning(
    readable: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    changed = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "initgroups", lambda name, gid: changed.append((name, gid)))
    monkeypatch.setattr(os, "setresgid", lambda *ids: changed.append(ids))
    monkeypatch.setattr(os, "setresuid", lambda *ids: changed.append(ids))
    monkeypatch.setattr(os, "getresgid", lambda: (7, 7, 7))
    monkeypatch.setattr(os, "getresuid", lambda: (8, 8, 8))
    monkeypatch.setattr(os, "access", lambda *_: readable)
    drop_privileges(Account("bind", 8, 7))
    assert changed == [("bind", 7), (7, 7, 7), (8, 8, 8)]  # the user last: it takes the right to the others
    assert ("user 'bind' cannot read the program" in caplog.text) is not readable


def test_rights_that_are_left_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("initgroups", "setresgid", "setresuid"):
        monkeypatch.setattr(os, name, lambda *_: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "getresuid", lambda: (8, 8, 0))
    with pytest.raises(PrivilegeError, match="still holds rights of root"):
        drop_privileges(Account("bind", 8, 7))
