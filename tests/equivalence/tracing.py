"""Objects that write down whatever is done to them, and can fail at any of it.

Two runs of one program on fresh objects write the same log if they do the same things in the same order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

from stmpy import STMObject


class Planned(Exception):
    """What a log raises at the event it was told to fail at."""


class TooLong(BaseException):
    """A program did too many things: it may be in a loop without end."""


class Log:
    """The events of one run. At the event number `fails_at`, what is being done fails."""

    LONGEST = 400

    def __init__(self, fails_at: int = -1) -> None:
        self.events: list[str] = []
        self._fails_at = fails_at

    def note(self, event: str) -> None:
        self.events.append(event)
        if len(self.events) == self._fails_at:
            raise Planned(event)
        if len(self.events) > self.LONGEST:
            raise TooLong

    def answer(self, event: str) -> Traced:
        """A new object, which stands for what came of the event."""
        self.note(event)
        return Traced(self, len(self.events))

    def goes_on(self) -> bool:
        """For the conditions of loops: false after some turns."""
        self.note("goes on?")
        return len(self.events) % 4 != 0


def _operator(name: str) -> Callable[..., Traced]:
    def method(self: Traced, *operands: object) -> Traced:
        return self._answer(f".{name} {shown(operands)}")

    return method


class Traced:
    """Answers everything with another one of its kind."""

    __slots__ = ("_log", "_number")
    __match_args__ = ("x", "y")

    def __init__(self, log: Log, number: int) -> None:
        object.__setattr__(self, "_log", log)
        object.__setattr__(self, "_number", number)

    def _answer(self, what: str) -> Traced:
        return self._log.answer(f"{self!r}{what}")

    def _note(self, what: str) -> None:
        self._log.note(f"{self!r}{what}")

    def __repr__(self) -> str:
        return f"#{self._number}"

    def __getattr__(self, name: str) -> Traced:
        # Python looks for special methods in objects too: what it looks for differs between versions.
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return self._answer(f".{name}")

    def __setattr__(self, name: str, value: object) -> None:
        self._note(f".{name} = {shown(value)}")

    def __delattr__(self, name: str) -> None:
        self._note(f" loses {name}")

    def __getitem__(self, key: object) -> Traced:
        return self._answer(f"[{shown(key)}]")

    def __setitem__(self, key: object, value: object) -> None:
        self._note(f"[{shown(key)}] = {shown(value)}")

    def __delitem__(self, key: object) -> None:
        self._note(f" loses [{shown(key)}]")

    def __call__(self, *arguments: object, **keywords: object) -> Traced:
        return self._answer(f"({shown(arguments)}, {shown(keywords)})")

    def __bool__(self) -> bool:
        self._note(" true?")
        return self._number % 2 == 0

    def __eq__(self, other: object) -> bool:
        self._note(f" == {shown(other)}")
        return self is other

    def __hash__(self) -> int:
        return self._number

    def __contains__(self, item: object) -> bool:
        self._note(f" holds {shown(item)}")
        return self._number % 2 == 0

    def __index__(self) -> int:
        self._note(" as index")
        return self._number % 3

    def __iter__(self) -> Iterator[Traced]:
        self._note(" iterated")
        yield self._answer(" first")
        yield self._answer(" second")

    def keys(self) -> list[str]:
        self._note(".keys()")
        return ["k"]

    def __await__(self) -> Generator[Any, Any, Any]:
        self._note(" awaited")
        sent = yield self._answer(" suspends")
        return self._answer(f" goes on with {shown(sent)}")

    async def __aiter__(self) -> AsyncIterator[Any]:
        self._note(" iterated asynchronously")
        yield await self
        yield self._answer(" second")

    def __enter__(self) -> Traced:
        return self._answer(" entered")

    def __exit__(self, kind: type | None, error: object, traceback: object) -> bool:
        self._note(f" left with {kind and kind.__name__}")
        return self._number % 5 == 0

    async def __aenter__(self) -> Any:
        return await self

    async def __aexit__(self, kind: type | None, error: object, traceback: object) -> bool:
        await self
        return self.__exit__(kind, error, traceback)

    def __format__(self, specification: str) -> str:
        self._note(f" formatted as {specification!r}")
        return f"<{self._number}>"

    def __mro_entries__(self, bases: object) -> tuple[type, ...]:
        self._note(" as base")
        return ()


BINARY = "add sub mul matmul truediv floordiv mod pow lshift rshift and or xor".split()
for _name in [*BINARY, *(f"r{name}" for name in BINARY), *(f"i{name}" for name in BINARY[:4])]:
    setattr(Traced, f"__{_name}__", _operator(_name))
for _name in "lt gt le ge neg pos invert".split():
    setattr(Traced, f"__{_name}__", _operator(_name))


class Record(STMObject):
    """What programs keep state in: a bare transactional object, but for a property and a default."""

    y = 5

    def __init__(self, log: Log) -> None:
        self.x: object = Traced(log, 2)
        self.w_log = log

    def m(self, *arguments: object, **keywords: object) -> object:
        self.w_log.note(f"m({shown(arguments)}, {shown(keywords)})")
        return self

    @property
    def w(self) -> object:
        self.w_log.note("w read")
        return self.x

    @w.setter
    def w(self, value: object) -> None:
        self.w_log.note(f"w = {shown(value)}")
        self.x = value

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Watched(Record):
    """A transactional object whose class sees every access."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("x", "y", "z", "m"):
            STMObject.__getattribute__(self, "w_log").note(f"watched.{name}")
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: object) -> None:
        if name != "w_log":
            super().__getattribute__("__dict__").get("w_log", Log()).note(f"watched.{name} = {shown(value)}")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        self.w_log.note(f"watched loses {name}")
        super().__delattr__(name)


def shown(value: object) -> str:
    """A value without what differs between two runs: addresses."""
    if isinstance(value, list | tuple | set | frozenset):
        return f"{type(value).__name__}({', '.join(shown(item) for item in value)})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown(key)}: {shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, type):
        return f"<class {value.__name__}>"
    if isinstance(value, str | bytes | int | float | complex | Traced | Record | None):
        return repr(value)
    if isinstance(value, BaseException):
        return f"{type(value).__name__}({shown(value.args)})"
    name = getattr(value, "__qualname__", None)
    return f"<{type(value).__name__} {name}>" if name else f"<{type(value).__name__}>"
