"""``dnssec-policy`` statements: names, algorithms and lifetimes that BIND would take."""

from __future__ import annotations

from collections.abc import Iterable

from bindpy.config.check_report import Report, after, having, inside, members, number, seconds, word
from bindpy.config.tree import Statement

_BUILTIN = ("none", "insecure", "default")
_ALGORITHMS = {
    "rsamd5": 1,
    "dh": 2,
    "dsa": 3,
    "ecc": 4,
    "rsasha1": 5,
    "nsec3dsa": 6,
    "nsec3rsasha1": 7,
    "rsasha256": 8,
    "rsasha512": 10,
    "eccgost": 12,
    "ecdsap256sha256": 13,
    "ecdsa256": 13,
    "ecdsap384sha384": 14,
    "ecdsa384": 14,
    "ed25519": 15,
    "ed448": 16,
    "indirect": 252,
    "privatedns": 253,
    "privateoid": 254,
}
_DIGESTS = {"sha-1": 1, "sha1": 1, "sha-256": 2, "sha256": 2, "gost": 3, "sha-384": 4, "sha384": 4}
_RSA_BITS = {5: (1024, 4096), 7: (1024, 4096), 8: (1024, 4096), 10: (1024, 4096)}
_NSEC3 = {"iterations": 150, "salt-length": 255}
_WITHOUT_NSEC3 = frozenset({1, 3, 5})
_DAY = 86400
_SIGNATURES = {"signatures-refresh": 5 * _DAY, "signatures-jitter": _DAY // 2}
_VALIDITIES = {"signatures-validity": 14 * _DAY, "signatures-validity-dnskey": 14 * _DAY}


def algorithm_number(text: str) -> int | None:
    """Return the DNSSEC algorithm that *text* names or numbers, None where there is none."""
    return _named_octet(text, _ALGORITHMS)


def digest_number(text: str) -> int | None:
    """Return the DS digest type that *text* names or numbers, None where there is none."""
    return _named_octet(text, _DIGESTS)


def _named_octet(text: str, names: dict[str, int]) -> int | None:
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= 3 and int(text) <= 255 else None
    return names.get(text.lower())


def check_policies(report: Report, statements: Iterable[Statement]) -> frozenset[str]:
    """Check ``dnssec-policy`` statements; return their names."""
    known: dict[str, Statement] = {}
    for statement in statements:
        name = word(statement)
        if not name:
            continue
        if name in _BUILTIN:
            report.at(f"dnssec-policy '{name}' is built in: it cannot be defined again", statement)
        first = known.setdefault(name, statement)
        if first is not statement:
            report.repeated(f"dnssec-policy '{name}' is already defined", statement, first)
        _check_policy(report, statement)
    return frozenset(known)


def _check_policy(report: Report, policy: Statement) -> None:
    inner = members(policy)
    if "nsec3param" in inner:
        statement = inner["nsec3param"]
        for keyword, most in _NSEC3.items():
            index = after(statement, keyword)
            value = number(word(statement, index)) if index else None
            if value is not None and value > most:
                report.at(f"'nsec3param': '{keyword}' is {value}, the most is {most}", statement, index)
    _check_signatures(report, policy, inner)
    roles: dict[int, set[str]] = {}
    for keys in having(inside(policy), "keys"):
        for key in inside(keys):
            algorithm = _check_key(report, key)
            if algorithm in _WITHOUT_NSEC3 and "nsec3param" in inner:
                report.at(f"algorithm {algorithm} cannot be used with 'nsec3param' (RFC 5155 section 2)", key)
            if algorithm is not None:
                role = key.keyword
                roles.setdefault(algorithm, set()).update(("ksk", "zsk") if role == "csk" else (role,))
        for algorithm, has in roles.items():
            if has != {"ksk", "zsk"}:
                report.at(f"algorithm {algorithm} needs keys of both roles, KSK and ZSK (or a CSK)", keys)


def _check_signatures(report: Report, policy: Statement, inner: dict[str, Statement]) -> None:
    """Signatures are made again before they expire."""

    def seconds_of(keyword: str, default: int) -> int:
        found = seconds(inner[keyword]) if keyword in inner else None
        return default if found is None else found

    refresh, jitter = [seconds_of(keyword, default) for keyword, default in _SIGNATURES.items()]
    shortest = min(_VALIDITIES, key=lambda keyword: seconds_of(keyword, _VALIDITIES[keyword]))
    validity = seconds_of(shortest, _VALIDITIES[shortest])
    place = inner.get(shortest, policy)
    if refresh >= validity * 0.9:
        where = inner.get("signatures-refresh", place)
        report.at(f"'signatures-refresh' must be less than 90% of '{shortest}'", where)
    elif jitter > validity:
        where = inner.get("signatures-jitter", place)
        report.at(f"'signatures-jitter' must not be more than '{shortest}'", where)


def _check_key(report: Report, key: Statement) -> int | None:
    """Return the algorithm of a ``keys`` element."""
    index = after(key, "algorithm")
    text = word(key, index) if index else ""
    if not text:
        return None
    algorithm = algorithm_number(text)
    if algorithm is None:
        report.at(f"bad algorithm '{text}'", key, index)
        return None
    bits = number(word(key, index + 1))
    if bits is not None and algorithm in _RSA_BITS:
        low, high = _RSA_BITS[algorithm]
        if not low <= bits <= high:
            report.at(f"a key of {bits} bits: {text} takes {low} to {high}", key, index + 1)
    return algorithm
