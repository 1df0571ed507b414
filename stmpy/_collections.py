"""What pickle and copy make collections with: an empty one of the class, by `__new__`, and what is in it."""

from __future__ import annotations

from typing import Any, TypeVar

from stmpy._runtime import STMCounter, STMObject, STMQueue, STMSet, atomically

_O = TypeVar("_O", bound=STMObject)
_C = TypeVar("_C", bound=STMCounter)
_S = TypeVar("_S", bound=STMSet[Any])


def empty(cls: type[_O]) -> _O:
    return cls.__new__(cls)


_Q = TypeVar("_Q", bound=STMQueue[Any])


def queue(cls: type[_Q], maxsize: int, items: list[Any]) -> _Q:
    made = cls.__new__(cls)
    # In a transaction: this is no call of the class, whose invariants may need attributes that come later.
    atomically(STMQueue.__init__, made, maxsize)
    for item in items:
        STMQueue.put(made, item)
    return made


def counter(cls: type[_C], value: int) -> _C:
    made = cls.__new__(cls)
    STMCounter.value.__set__(made, value)  # type: ignore[attr-defined]  # a subclass may have a value of its own
    return made


def set_of(cls: type[_S], elements: list[Any]) -> _S:
    made = cls.__new__(cls)
    STMSet.update(made, elements)
    return made
