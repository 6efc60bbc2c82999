"""Names that may be meant where somebody has written one wrongly."""

from __future__ import annotations

from collections.abc import Iterator

from bindpy.zone.names import ROOT, Key, labels

_LETTERS = b"abcdefghijklmnopqrstuvwxyz0123456789-_"


def names_near(name: Key) -> Iterator[Key]:
    """Yield other names that may be meant by *name*: those it is below, then those one slip of a finger away.

    Their number depends on the length of the name, not on how many zones there are.
    """
    parts = list(labels(name))
    for count in range(1, len(parts)):
        yield _joined(parts[count:])
    for place, label in enumerate(parts):
        for changed in _slips(label):
            if changed != label:
                yield _joined([*parts[:place], changed, *parts[place + 1 :]])


def _joined(parts: list[bytes]) -> Key:
    return b"".join([*(b"%c%s" % (len(part), part) for part in parts), ROOT])


def _slips(label: bytes) -> Iterator[bytes]:
    """Yield *label* with one letter more, less or another, or two letters swapped."""
    for at in range(len(label) + 1):
        before, after = label[:at], label[at:]
        for letter in _LETTERS:
            if len(label) < 63:
                yield b"%s%c%s" % (before, letter, after)
            if after:
                yield b"%s%c%s" % (before, letter, after[1:])
        if len(label) > 1:
            if after:
                yield before + after[1:]
            if len(after) > 1:
                yield b"%s%c%c%s" % (before, after[1], after[0], after[2:])
