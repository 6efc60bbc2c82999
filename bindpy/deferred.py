"""`dataclasses.dataclass` for classes that are many and of which a run uses few.

The standard library writes and compiles the methods of a dataclass when its module is imported: a third of a
millisecond for each, and what serves a zone imports two hundred. Here a class has its fields from the start,
and its methods when one of them is first used. All but `__init__` are those of the standard library, which
are made together; nearly every class that is used needs that one, and half of them no other.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import MISSING, Field
from types import FunctionType
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


_DEFAULTS = "__bindpy_defaults__"
"""Where a class has the defaults of its fields, `MISSING` or a `Field` for some."""
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
        body = {name: value for name, value in vars(plain).items() if name not in ("__dict__", "__weakref__")}
        own = [name for name, kind in plain.__annotations__.items() if _is_field(kind)]
        # Their defaults, which __init__ knows, are none of the class; those of bases come first.
        inherited: dict[str, Any] = {}
        for base in reversed(plain.__mro__[1:]):
            inherited |= vars(base).get(_DEFAULTS, {})
        self._defaults = inherited | {name: body.pop(name, MISSING) for name in own}
        if body.get("__hash__", self) is None:
            del body["__hash__"]  # not written: Python's, where __eq__ was
        self._late = [name for name in self._promised() if name not in body]
        for name in self._late:
            body[name] = _Late(self, name)
        body["__slots__"] = tuple([name for name in own if name not in inherited])
        body[_DEFAULTS] = self._defaults
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

    def finish(self, wanted: str) -> Any:
        """Give the class the attribute *wanted*, if it has not got it yet, and return it."""
        with _lock:
            if not isinstance(vars(self.made)[wanted], _Late):
                pass  # another thread was quicker
            elif wanted == "__init__":
                setattr(self.made, wanted, self._init())
            else:
                full: type = dataclasses.dataclass(**self._options)(self._plain)
                for name, value in vars(full).items():
                    if name != "__init__" and (name in self._late or name not in vars(self.made)):
                        setattr(self.made, name, value)
            return vars(self.made)[wanted]

    def _init(self) -> FunctionType:
        """Return the `__init__` that the standard library would make, but quicker for a frozen class.

        It sets fields by their descriptors, where the standard library has them looked up by name.
        """
        known: dict[str, Any] = {"_MISSING": MISSING}
        parameters, lines = ["self"], []
        for name, default in self._defaults.items():
            field = default if isinstance(default, Field) else dataclasses.field(default=default)
            assert field.kw_only in (MISSING, False), "nobody needed it yet"
            has_factory = field.default_factory is not MISSING
            if field.init:
                is_optional = has_factory or field.default is not MISSING
                parameters.append(f"{name}=_default_{name}" if is_optional else name)
            elif field.default is MISSING and not has_factory:
                continue  # somebody else sets it
            value = name if field.init else f"_default_{name}"
            if has_factory:
                value = f"_factory_{name}() if {value} is _MISSING else {value}"
            known |= {f"_default_{name}": field.default, f"_factory_{name}": field.default_factory}
            if self._options["frozen"]:
                known[f"_set_{name}"] = getattr(self.made, name).__set__
                lines.append(f"_set_{name}(self, {value})")
            else:
                lines.append(f"self.{name} = {value}")
        if hasattr(self.made, "__post_init__"):
            lines.append("self.__post_init__()")
        body = "".join([f"\n    {line}" for line in lines or ["pass"]])
        exec(f"def __init__({', '.join(parameters)}):{body}", known)
        made = known["__init__"]
        assert isinstance(made, FunctionType)
        made.__qualname__ = f"{self.made.__qualname__}.__init__"
        return made


class _Late:
    """A method or another attribute of a class that is there once it is asked for."""

    __slots__ = ("_making", "_name")

    def __init__(self, making: _Making, name: str) -> None:
        self._making = making
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        found = self._making.finish(self._name)
        return found.__get__(instance, owner) if hasattr(found, "__get__") else found


def _is_field(annotation: object) -> bool:
    return not str(annotation).removeprefix("typing.").startswith("ClassVar")
