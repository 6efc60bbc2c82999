"""Dataclasses whose methods are made late are those of the standard library in all else."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import pkgutil
import threading
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, fields, replace
from typing import Any, ClassVar

import pytest

import bindpy
from bindpy import deferred

Decorator = Callable[..., Callable[[type], type]]
both = pytest.mark.parametrize(
    "dataclass",
    [
        pytest.param(dataclasses.dataclass, id="the standard library's"),
        pytest.param(deferred.dataclass, id="deferred"),
    ],
)


def values(dataclass: Decorator, **options: bool) -> Any:
    """Return a class with one field of each kind."""

    @dataclass(slots=True, **options)
    class Sample:
        """A sample."""

        kind: ClassVar[str] = "kind"
        first: int
        second: str = "two"
        third: list[int] = field(default_factory=list, compare=False)
        fourth: int = field(default=4, repr=False)
        fifth: int = field(init=False)
        sixth: int = field(default=6, init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "fifth", self.first + 1)

        @property
        def total(self) -> int:
            return self.first + self.fourth

    return Sample


@both
def test_what_a_value_is(dataclass: Decorator) -> None:
    sample = values(dataclass, frozen=True)
    one = sample(1, third=[3])
    assert (one.first, one.second, one.third, one.fourth, one.fifth, one.sixth) == (1, "two", [3], 4, 2, 6)
    assert (one.total, one.kind, sample.__doc__) == (5, "kind", "A sample.")
    assert repr(one).endswith("Sample(first=1, second='two', third=[3], fifth=2, sixth=6)")
    assert one == sample(1, third=[5])
    assert one != sample(2)
    assert one != (1, "two")
    assert hash(one) == hash(sample(1))
    assert {one: "found"}[sample(1)] == "found"
    assert sample.__slots__ == ("first", "second", "third", "fourth", "fifth", "sixth")
    assert not hasattr(one, "__dict__")
    assert sample(1).third is not sample(1).third


@both
@pytest.mark.parametrize("first", ["__repr__", "__eq__", "__hash__", "fields", "replace", "copy", "match"])
def test_whatever_is_used_first(dataclass: Decorator, first: str) -> None:
    """Nothing of a class is there before that; `__new__` makes instances without it."""
    sample = values(dataclass, frozen=True)
    made = sample.__new__(sample)
    for name, value in zip(sample.__slots__, (1, "two", [], 4, 2, 6), strict=True):
        getattr(sample, name).__set__(made, value)
    match first:
        case "__repr__":
            assert "first=1" in repr(made)
        case "__eq__":
            assert made == made  # noqa: PLR0124 - which calls it
        case "__hash__":
            assert isinstance(hash(made), int)
        case "fields":
            assert [one.name for one in fields(made)] == list(sample.__slots__)
        case "replace":
            assert replace(made, first=7).fifth == 8
        case "copy":
            assert copy.copy(made) == made
        case "match":
            match made:
                case sample(one, two):
                    assert (one, two) == (1, "two")
                case _:
                    pytest.fail("its fields are not known")


@both
def test_a_frozen_value_stays_as_it_is(dataclass: Decorator) -> None:
    one = values(dataclass, frozen=True)(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'first'"):
        one.first = 2
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'first'"):
        del one.first
    assert one.first == 1


@both
def test_one_that_is_not_frozen(dataclass: Decorator) -> None:
    one = values(dataclass)(1)
    one.first = 2
    assert (one.first, one.fifth) == (2, 2)
    assert (replace(one).fifth, one == replace(one, first=1)) == (3, False)
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


@both
def test_identity_instead_of_equality(dataclass: Decorator) -> None:
    sample = values(dataclass, eq=False)
    one = sample(1)
    assert one != sample(1)
    assert {one: 1}[one] == 1


@both
def test_order(dataclass: Decorator) -> None:
    sample = values(dataclass, frozen=True, order=True)
    assert sample(1) < sample(2) <= sample(2)
    assert sample(3) > sample(2) >= sample(2)
    with pytest.raises(TypeError, match="not supported"):
        _ = values(dataclass)(1) < values(dataclass)(1)


@both
def test_methods_of_its_own_go_first(dataclass: Decorator) -> None:
    @dataclass(slots=True, frozen=True)
    class Own:  # noqa: PLW1641 - it gets one
        value: int

        def __repr__(self) -> str:
            return "own repr"

        def __eq__(self, other: object) -> bool:
            return True

    assert (repr(Own(1)), Own(1) == Own(2)) == ("own repr", True)
    assert hash(Own(1)) == hash(Own(1))

    @dataclass(slots=True, repr=False)
    class Unseen:
        secret: str

    assert "hidden" not in repr(Unseen("hidden"))


@both
@pytest.mark.parametrize("base_first", [True, False])
def test_inheritance(dataclass: Decorator, base_first: bool) -> None:
    @dataclass(slots=True, frozen=True)
    class Base:
        one: int
        two: int = 2

    @dataclass(slots=True, frozen=True)
    class Derived(Base):
        three: int = 3

    class Plain(Derived):
        pass

    if base_first:
        assert Base(1).two == 2
    assert repr(Plain(1)).endswith("Plain(one=1, two=2, three=3)")
    assert Derived(1, three=4) == Derived(1, 2, 4)
    assert Derived(1) != Base(1)
    assert (Derived.__slots__, Derived.__match_args__) == (("three",), ("one", "two", "three"))
    assert isinstance(Derived(1), Base)


@both
def test_wrong_arguments_are_named(dataclass: Decorator) -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'first'"):
        values(dataclass)()


def test_nothing_is_made_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def note(original: Decorator = dataclasses.dataclass, **options: bool) -> Callable[[type], type]:
        made.append(options)
        return original(**options)

    monkeypatch.setattr(dataclasses, "dataclass", note)
    sample = values(deferred.dataclass, frozen=True)
    assert not made
    assert sample(1) == sample(1)
    assert made == [{"slots": True, "frozen": True, "eq": True, "order": False, "repr": True}]


def test_many_threads_use_it_first() -> None:
    sample = values(deferred.dataclass, frozen=True)
    start = threading.Barrier(8)
    found: list[Any] = []

    def use() -> None:
        start.wait()
        found.append(sample(1))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == {sample(1)}


def is_made(found: object) -> bool:
    return isinstance(found, type) and "__dataclass_fields__" in vars(found)


def test_the_fields_of_all_classes_are_those_that_they_have_room_for() -> None:
    seen = 0
    for module in pkgutil.walk_packages(bindpy.__path__, "bindpy."):
        for found in vars(importlib.import_module(module.name)).values():
            if is_made(found) and found.__module__.startswith("bindpy."):
                kinds = [kind for kind in reversed(found.__mro__) if is_made(kind)]
                slots = [name for kind in kinds for name in vars(kind)["__slots__"]]
                assert slots == [one.name for one in fields(found)], found
                seen += 1
    assert seen > 100
