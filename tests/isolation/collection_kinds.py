"""What many threads may do to a collection, and the builtin that does the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, Full
from typing import Any

from witness import Impossible, Step, Twin

from stmpy import STMCounter, STMDict, STMList, STMQueue, STMSet

Items = list[tuple[Any, int]]
"""Keys and values of what a collection is made with: each takes of them what it can hold."""


class Key:
    """All of one hash, so that keys meet; equal ones are different objects."""

    hash = 0

    def __init__(self, name: Any) -> None:
        self.name = name

    def __hash__(self) -> int:
        return Key.hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.name == other.name


def name_of(key: Any) -> Any:
    return key.name if isinstance(key, Key) else key


@dataclass(frozen=True)
class Kind:
    """A type of collection. Each operation is called with the collection and its arguments."""

    name: str
    make: Callable[[Items], Any]
    twin: Callable[[Items], Twin]
    """What is in it then."""
    builtin: Callable[[Twin], Any]
    """With that in it; the same operations do the same to it."""
    contents: Callable[[Any], Twin]
    """What is in either of them now, with names for keys. A queue is empty then."""
    operations: dict[str, Callable[..., Any]]
    chooses: frozenset[str] = frozenset()
    """Operations that may return any of the elements, and remove it."""
    step_by_step: frozenset[str] = frozenset()
    """Operations that are one only in a transaction."""
    keyed: bool = False


def pairs(mapping: Any) -> list[tuple[Any, Any]]:
    return [(name_of(key), value) for key, value in mapping.items()]


def pop_item(mapping: Any) -> tuple[Any, Any]:
    key, value = mapping.popitem()
    return name_of(key), value


def delete(target: Any, key: Any) -> None:
    del target[key]


def set_item(target: Any, key: Any, value: Any) -> None:
    target[key] = value


def update_from(mapping: Any, key: Any, other: Any, value: Any) -> None:
    mapping.update([(key, value), (other, value + 1)])


DICT = Kind(
    name="dict",
    make=STMDict,
    twin=tuple,
    builtin=dict,
    contents=lambda mapping: tuple(pairs(mapping)),
    operations={
        "get": lambda mapping, key, _: mapping.get(key),
        "set": set_item,
        "set too": set_item,
        "pop": lambda mapping, key, _: mapping.pop(key, None),
        "delete": lambda mapping, key, _: delete(mapping, key),
        "setdefault": lambda mapping, key, value: mapping.setdefault(key, value),
        "in": lambda mapping, key, _: key in mapping,
        "items": lambda mapping, *_: pairs(mapping),
        "reversed": lambda mapping, *_: [name_of(key) for key in reversed(mapping)],
        "len": lambda mapping, *_: len(mapping),
        "popitem": lambda mapping, *_: pop_item(mapping),
        "update": lambda mapping, key, value: update_from(mapping, key, type(key)("a"), value),
        "clear": lambda mapping, *_: mapping.clear(),
    },
    keyed=True,
)


def sorted_names(elements: Any) -> list[Any]:
    return sorted(map(name_of, elements), key=str)


SET = Kind(
    name="set",
    make=lambda items: STMSet(key for key, _ in items),
    twin=lambda items: frozenset(key for key, _ in items),
    builtin=set,
    contents=lambda elements: frozenset(map(name_of, elements)),
    operations={
        "add": lambda elements, key, _: elements.add(key),
        "add too": lambda elements, key, _: elements.add(key),
        "discard": lambda elements, key, _: elements.discard(key),
        "remove": lambda elements, key, _: elements.remove(key),
        "in": lambda elements, key, _: key in elements,
        "elements": lambda elements, *_: sorted_names(elements),
        "len": lambda elements, *_: len(elements),
        "pop": lambda elements, *_: name_of(elements.pop()),
        "update": lambda elements, key, _: elements.update([key, type(key)("a")]),
        "toggle": lambda elements, key, _: elements.symmetric_difference_update([key]),
        "only": lambda elements, key, _: elements.intersection_update([key, type(key)("b")]),
        "clear": lambda elements, *_: elements.clear(),
    },
    chooses=frozenset({"pop"}),
    keyed=True,
)


def slice_set(elements: Any, index: int, value: Any) -> None:
    elements[index : index + 2] = [value, value + 1, value + 2]


def set_every_second_one(elements: Any, _: int, value: Any) -> None:
    elements[::2] = [value, value + 1]


def delete_every_second_one(elements: Any, *_: Any) -> None:
    del elements[::2]


def insert(elements: Any, index: int, value: Any) -> None:
    elements.insert(index, value)


LIST = Kind(
    name="list",
    make=lambda items: STMList(value for _, value in items),
    twin=lambda items: tuple(value for _, value in items),
    builtin=list,
    contents=tuple,
    operations={
        "get": lambda elements, index, _: elements[index],
        "set": set_item,
        "append": lambda elements, _, value: elements.append(value),
        "append too": lambda elements, _, value: elements.append(value),
        "pop": lambda elements, *_: elements.pop(),
        "pop first": lambda elements, *_: elements.pop(0),
        "insert": insert,
        "delete": lambda elements, index, _: delete(elements, index),
        "set slice": slice_set,
        "elements": lambda elements, *_: list(elements),
        "slice": lambda elements, index, _: list(elements[index:]),
        "reversed": lambda elements, *_: list(reversed(elements)),
        "len": lambda elements, *_: len(elements),
        "extend": lambda elements, _, value: elements.extend([value, value + 1]),
        "reverse": lambda elements, *_: elements.reverse(),
        "append 1": lambda elements, *_: elements.append(1),
        "index of 1": lambda elements, *_: elements.index(1),
        "remove 1": lambda elements, *_: elements.remove(1),
        "every second one": lambda elements, *_: list(elements[::2]),
        "set every second one": set_every_second_one,
        "delete every second one": delete_every_second_one,
        "sort": lambda elements, *_: elements.sort(),
        "clear": lambda elements, *_: elements.clear(),
    },
    step_by_step=frozenset({"elements", "reversed"}),
)


class PlainQueue(list[Any]):
    """Of two places."""

    def put_nowait(self, value: Any) -> None:
        if len(self) >= 2:
            raise Full
        self.append(value)

    def get_nowait(self) -> Any:
        if not self:
            raise Empty
        return self.pop(0)

    def qsize(self) -> int:
        return len(self)

    def empty(self) -> bool:
        return not self

    def full(self) -> bool:
        return len(self) >= 2


def queue_of(items: Items) -> STMQueue[Any]:
    queue: STMQueue[Any] = STMQueue(maxsize=2)
    for _, value in items[:2]:
        queue.put_nowait(value)
    return queue


def emptied(queue: Any) -> Twin:
    return tuple(queue.get_nowait() for _ in range(queue.qsize()))


QUEUE = Kind(
    name="queue",
    make=queue_of,
    twin=lambda items: tuple(value for _, value in items[:2]),
    builtin=PlainQueue,
    contents=emptied,
    operations={
        "put": lambda queue, _, value: queue.put_nowait(value),
        "put too": lambda queue, _, value: queue.put_nowait(value),
        "get": lambda queue, *_: queue.get_nowait(),
        "get too": lambda queue, *_: queue.get_nowait(),
        "qsize": lambda queue, *_: queue.qsize(),
        "empty": lambda queue, *_: queue.empty(),
        "full": lambda queue, *_: queue.full(),
    },
)


class PlainCounter:
    def __init__(self, contents: Twin) -> None:
        (self.value,) = contents

    def add(self, amount: int) -> None:
        self.value += amount


COUNTER = Kind(
    name="counter",
    make=lambda items: STMCounter(sum(value for _, value in items)),
    twin=lambda items: (sum(value for _, value in items),),
    builtin=PlainCounter,
    contents=lambda counter: (counter.value,),
    operations={
        "add": lambda counter, _, value: counter.add(value),
        "add too": lambda counter, _, value: counter.add(value),
        "subtract": lambda counter, _, value: counter.add(-value),
        "value": lambda counter, *_: counter.value,
        "assign": lambda counter, _, value: setattr(counter, "value", value),
    },
)

KINDS = [DICT, SET, LIST, QUEUE, COUNTER]


def returned_by(operation: Callable[..., Any], target: Any, arguments: tuple[Any, ...]) -> Any:
    """What it returns, or the exception's name."""
    try:
        return operation(target, *arguments)
    except (IndexError, KeyError, ValueError, Empty, Full, RuntimeError) as error:
        return type(error).__name__


def replay(kind: Kind, twin: Twin, step: Step) -> Twin:
    """For has_witness(): does the step to the builtin."""
    target = kind.builtin(twin)
    if step.name in kind.chooses and step.returned != "KeyError":
        if step.returned not in target:
            raise Impossible
        target.remove(step.returned)
    elif returned_by(kind.operations[step.name], target, step.arguments) != step.returned:
        raise Impossible
    return kind.contents(target)
