"""`dataclasses.dataclass` for classes that are many and of which a run uses few.

The standard library writes and compiles the methods of a dataclass when its module is imported: a third of a
millisecond for each, and what serves a zone imports two hundred. Here a class has its fields from the start,
and its methods when one of them is first used. They are those of the standard library.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        *, slots: bool, frozen: bool = False, eq: bool = True, order: bool = False, repr: bool = True
    ) -> Callable[[type], type]:
        """Return a decorator that does what the standard library's does with these arguments."""
        assert slots, "without them a class is the same after its methods are made as before"
        options = {"slots": slots, "frozen": frozen, "eq": eq, "order": order, "repr": repr}
        return lambda plain: _Making(plain, options).made


_ALWAYS = ("__init__", "__dataclass_fields__", "__dataclass_params__", "__match_args__")
_ON_REQUEST = {
    "repr": ("__repr__",),
    "eq": ("__eq__",),
    "order": ("__lt__", "__le__", "__gt__", "__ge__"),
    "frozen": ("__setattr__", "__delattr__", "__getstate__", "__setstate__"),
}

_lock = threading.RLock()  # making a class may make its bases


class _Making:
    """One dataclass: ``plain`` is what was written, ``made`` what it became."""

    def __init__(self, plain: type, options: dict[str, bool]) -> None:
        self._plain = plain
        self._options = options
        fields = [name for name, kind in plain.__annotations__.items() if _is_field(kind)]
        inherited = {name for base in plain.__mro__[1:] for name in vars(base).get("__slots__", ())}
        body = {name: value for name, value in vars(plain).items() if name not in ("__dict__", "__weakref__")}
        for name in fields:
            body.pop(name, None)  # its default, which __init__ knows
        if body.get("__hash__", self) is None:
            del body["__hash__"]  # not written: Python's, where __eq__ was
        self._late = [name for name in self._promised() if name not in body]
        for name in self._late:
            body[name] = _Late(self, name)
        body["__slots__"] = tuple([name for name in fields if name not in inherited])
        self.made = type(plain)(plain.__name__, plain.__bases__, body)
        self.made.__qualname__ = plain.__qualname__

    def _promised(self) -> list[str]:
        """Return what the class will have apart from what was written."""
        names = [*_ALWAYS]
        for option, of_option in _ON_REQUEST.items():
            names += of_option if self._options[option] else ()
        if self._options["eq"] and self._options["frozen"]:
            names.append("__hash__")
        return names

    def finish(self) -> None:
        """Give the class what it has been promised, and whatever else the standard library adds."""
        with _lock:
            if self._late:
                full: type = dataclasses.dataclass(**self._options)(self._plain)
                for name, value in vars(full).items():
                    if name in self._late or name not in vars(self.made):
                        setattr(self.made, name, value)
                self._late = []


class _Late:
    """A method or another attribute of a class that is there once it is asked for."""

    __slots__ = ("_making", "_name")

    def __init__(self, making: _Making, name: str) -> None:
        self._making = making
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        self._making.finish()
        found = vars(self._making.made)[self._name]
        return found.__get__(instance, owner) if hasattr(found, "__get__") else found


def _is_field(annotation: object) -> bool:
    return not str(annotation).removeprefix("typing.").startswith("ClassVar")
