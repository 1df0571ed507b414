"""The same code on an ordinary object and on an `STMObject`: outside, committed, reverted and nested."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import pytest

from stmpy import STMObject, atomic


class Plain:
    """The base that takes the place of `STMObject`: what its objects do is right."""

    __slots__ = ()


class Undone(Exception):
    pass


Make = Callable[[type], Any]
Act = Callable[[Any], Any]


class Way:
    """How code is run: `outside`, `committed`, `reverted`, or `nested` (reverted, then committed)."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, act: Act, subject: Any) -> Any:
        """What `act(subject)` returns or raises, run this way once; as `seen`."""
        if self.name == "outside":
            return outcome(act, subject)
        if self.name == "committed":
            return outcome(atomic(act), subject)
        if self.name == "nested":
            return atomic(self._reverted_then_kept)(act, subject)
        return self._reverted(act, subject)

    def _reverted(self, act: Act, subject: Any) -> Any:
        result = []

        @atomic
        def attempt() -> None:
            result.append(outcome(act, subject))
            raise Undone

        before = seen(subject)
        with pytest.raises(Undone):
            attempt()
        assert seen(subject) == before
        return result[-1]

    def _reverted_then_kept(self, act: Act, subject: Any) -> Any:
        reverted = self._reverted(act, subject)
        kept = outcome(act, subject)
        assert kept == reverted
        return kept

    def same(self, make: Make, act: Act, *, raises: type[BaseException] | None = None) -> None:
        """`act` does the same to what `make` builds upon `STMObject` and upon an ordinary class."""
        plain, ours = make(Plain), make(STMObject)
        before = seen(plain)
        assert seen(ours) == before
        expected = outcome(act, plain)
        failed = isinstance(expected, tuple) and expected[:1] == ("raised",)
        assert failed == (raises is not None) and (not failed or expected[1] == raises.__name__), expected
        got = self.run(act, ours)
        assert got == expected, f"{got} instead of {expected}"
        if self.name == "reverted":
            return
        left, right = seen(ours), before if self.name == "committed" and failed else seen(plain)
        assert left == right, f"{left} instead of {right}"


every_way = pytest.mark.parametrize(
    "way", [pytest.param(Way(name), id=name) for name in ("outside", "committed", "reverted", "nested")]
)


def outcome(act: Act, subject: Any) -> Any:
    """The result or the exception, comparable between the two kinds of objects."""
    try:
        return "returned", seen(act(subject))
    except Exception as error:
        return "raised", type(error).__name__, str(error)


def seen(value: Any, known: tuple[Any, ...] = ()) -> Any:
    """A value as code can see it: an object by its class's name and its attributes, in their order."""
    if any(value is other for other in known):
        return "again"
    known = (*known, value)
    if isinstance(value, enum.Enum):
        return str(value)
    if isinstance(value, list | tuple):
        return type(value).__name__, [seen(item, known) for item in value]
    if isinstance(value, dict):
        return "dict", [(key, seen(item, known)) for key, item in value.items()]
    if isinstance(value, Plain | STMObject):
        return type(value).__name__, [(name, seen(item, known)) for name, item in _attributes(value)]
    if isinstance(value, str | int | float | complex | bytes | set | frozenset | None):
        return value
    return type(value).__name__


def _attributes(value: Any) -> list[tuple[str, Any]]:
    attributes = []
    for base in type(value).__mro__:
        names = base.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name.startswith("__") and not name.endswith("__"):
                name = f"_{base.__name__.lstrip('_')}{name}"
            try:
                attributes.append((name, object.__getattribute__(value, name)))
            except AttributeError:
                continue
    try:
        return attributes + list(object.__getattribute__(value, "__dict__").items())
    except AttributeError:
        return attributes


def thing(base: type) -> Any:
    """An object with attributes, a class attribute and a method."""

    class Thing(base):
        default = "of the class"

        def __init__(self) -> None:
            self.x = 1
            self.items = []

        def method(self) -> str:
            return "method"

    return Thing()
