"""``key`` statements, and the statements that need a key to exist."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable

from bindpy.config.check_report import (
    Report,
    after,
    blocks,
    did_you_mean,
    having,
    inside,
    members,
    name_of,
    word,
)
from bindpy.config.tree import Statement, Token
from bindpy.zone.names import BadNameError

HMAC_BITS = {
    "hmac-md5": 128,
    "hmac-sha1": 160,
    "hmac-sha224": 224,
    "hmac-sha256": 256,
    "hmac-sha384": 384,
    "hmac-sha512": 512,
}
_MD5_ALIASES = ("hmac-md5.sig-alg.reg.int", "hmac-md5.sig-alg.reg.int.")


class KeyTable:
    """The keys of one scope, by name; a view's table starts with the keys of the whole configuration."""

    def __init__(self, outer: KeyTable | None = None) -> None:
        self.by_name: dict[bytes, Statement] = dict(outer.by_name) if outer else {}
        self.texts: set[str] = set(outer.texts) if outer else set()

    def define(self, report: Report, statements: Iterable[Statement]) -> None:
        """Take the ``key`` statements among *statements* in, and check them."""
        for statement in having(statements, "key"):
            name = word(statement)
            if not name:
                continue
            try:
                wire = name_of(name).lower()
            except BadNameError as exc:
                report.at(f"key '{name}': bad key name: {exc}", statement, 1)
                continue
            if wire in self.by_name:
                report.repeated(f"key '{name}' is already defined", statement, self.by_name[wire])
            else:
                self.by_name[wire] = statement
                self.texts.add(name.lower())
            _check_key(report, name, statement)

    def has(self, name: str) -> bool:
        """Return whether a key of that domain name is defined."""
        try:
            return name_of(name).lower() in self.by_name
        except BadNameError:
            return False


def _check_key(report: Report, name: str, statement: Statement) -> None:
    inner = members(statement)
    algorithm, secret = inner.get("algorithm"), inner.get("secret")
    missing = [text for text, found in (("algorithm", algorithm), ("secret", secret)) if found is None]
    if missing:
        what = " and ".join(missing)
        report.at(f"key '{name}' has no {what}: it must have both 'algorithm' and 'secret'", statement)
    if algorithm is not None and word(algorithm):
        _check_algorithm(report, name, algorithm)
    if secret is not None and len(secret.items) > 1:
        _check_secret(report, name, secret)


def _check_algorithm(report: Report, key: str, statement: Statement) -> None:
    text = word(statement)
    algorithm = text.lower()
    if algorithm in HMAC_BITS or algorithm in _MD5_ALIASES:
        return
    base = next((known for known in HMAC_BITS if algorithm.startswith(f"{known}-")), None)
    if base is None:
        hint = did_you_mean(algorithm, HMAC_BITS) or f"known are {', '.join(HMAC_BITS)}"
        report.at(f"key '{key}': unknown algorithm '{text}'", statement, 1, hint=hint)
        return
    digits = algorithm[len(base) + 1 :]
    full = HMAC_BITS[base]
    if not (digits.isascii() and digits.isdigit()):
        report.at(f"key '{key}': digest-bits '{digits}' is not a number", statement, 1)
        return
    bits = int(digits.lstrip("0")[:6] or 0)
    if bits > full:
        report.at(f"key '{key}': digest-bits {digits} is too large: {base} has {full}", statement, 1)
    elif bits % 8:
        report.at(f"key '{key}': digest-bits {digits} is not a multiple of 8", statement, 1)
    elif bits < max(80, full // 2):
        report.warn_at(
            f"key '{key}': digest-bits {digits} is too small (RFC 8945 section 5.2.2.1): "
            f"{max(80, full // 2) if bits else full} are used",
            statement,
            1,
        )


def _check_secret(report: Report, key: str, statement: Statement) -> None:
    """The message never shows the secret."""
    if not is_base64("".join(word(statement).split())):
        report.at(f"key '{key}': bad secret: bad base64 encoding", statement, 1)


def is_base64(text: str) -> bool:
    """Return whether *text*, which has no white space, is base64: no stray bits, no padding inside."""
    try:
        return b64encode(b64decode(text, validate=True)).decode() == text
    except ValueError:
        return False


def check_server_keys(report: Report, server: Statement, keys: KeyTable) -> bool:
    """Report a key of a ``server`` statement that is not among *keys*; return whether all are."""
    statement = members(server).get("keys")
    unknown = [] if statement is None else [at for at in _names(statement) if not keys.has(at[1].text)]
    for owner, name in unknown:
        hint = did_you_mean(name.text, keys.texts)
        report.error(f"unknown key '{name.text}'", owner.source, name.offset, hint=hint)
    return not unknown


def check_control_keys(report: Report, channel: Statement, keys: KeyTable) -> None:
    """The keys of a control channel exist; here BIND compares the names as text."""
    index = after(channel, "keys")
    if not index:
        return
    for block in blocks(channel):
        if block is not channel.items[index]:
            continue
        for element in block.statements:
            name = element.items[0]
            if isinstance(name, Token) and name.text.lower() not in keys.texts:
                hint = did_you_mean(name.text, keys.texts)
                report.error(f"unknown key '{name.text}'", element.source, name.offset, hint=hint)


def _names(statement: Statement) -> list[tuple[Statement, Token]]:
    """Return the names in ``keys NAME`` or ``keys { NAME; }``, each with the statement that holds it."""
    if statement.body() is None:
        return [(statement, item) for item in statement.items[1:2] if isinstance(item, Token)]
    return [(inner, inner.items[0]) for inner in inside(statement) if isinstance(inner.items[0], Token)]
