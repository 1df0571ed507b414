"""Histories of one collection under many threads, judged against the builtin of the same operations."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from queue import Empty, Full
from typing import Any

from core_level import Finding
from python_level import hasty_switches
from witness import Attempt, Impossible, Nested, Step, Twin, has_witness

from stmpy import STMCounter, STMDict, STMList, STMQueue, STMSet, atomic

NAMES = "abcde"
SIZES = [0, 0, 0, 0, 62, 63, 94, 95]
"""So many keys a dict or a set has at least: with one or two more it gets more stripes."""


class Failed(Exception):
    """Leaves a call, which takes it back."""


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
    make: Callable[[list[Any]], Any]
    contents: Callable[[Any], Twin]
    """What is in it at the end, as the twin has it."""
    operations: dict[str, Callable[..., Any]]
    twin: Callable[[Twin], Any]
    """A builtin with that in it, on which the same operations do the same."""
    contents_of_twin: Callable[[Any], Twin]
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
    twin=dict,
    contents_of_twin=lambda mapping: tuple(mapping.items()),
    keyed=True,
)


def sorted_names(elements: Any) -> list[Any]:
    return sorted(map(name_of, elements), key=str)


SET = Kind(
    name="set",
    make=STMSet,
    contents=frozenset,
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
    twin=set,
    contents_of_twin=frozenset,
    chooses=frozenset({"pop"}),
    keyed=True,
)


def slice_set(elements: Any, index: int, value: Any) -> None:
    elements[index : index + 2] = [value, value + 1, value + 2]


def insert(elements: Any, index: int, value: Any) -> None:
    elements.insert(index, value)


LIST = Kind(
    name="list",
    make=STMList,
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
        "index": lambda elements, *_: elements.index(1),
        "clear": lambda elements, *_: elements.clear(),
    },
    twin=list,
    contents_of_twin=tuple,
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


def queue_of(elements: list[Any]) -> STMQueue[Any]:
    queue: STMQueue[Any] = STMQueue(maxsize=2)
    for element in elements[:2]:
        queue.put_nowait(element)
    return queue


def emptied(queue: Any) -> Twin:
    return tuple(queue.get_nowait() for _ in range(queue.qsize()))


QUEUE = Kind(
    name="queue",
    make=queue_of,
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
    twin=PlainQueue,
    contents_of_twin=tuple,
)


class PlainCounter:
    def __init__(self, elements: Any) -> None:
        self.value = sum(elements)

    def add(self, amount: int) -> None:
        self.value += amount


COUNTER = Kind(
    name="counter",
    make=lambda elements: STMCounter(sum(elements)),
    contents=lambda counter: (counter.value,),
    operations={
        "add": lambda counter, _, value: counter.add(value),
        "add too": lambda counter, _, value: counter.add(value),
        "subtract": lambda counter, _, value: counter.add(-value),
        "value": lambda counter, *_: counter.value,
        "assign": lambda counter, _, value: setattr(counter, "value", value),
    },
    twin=PlainCounter,
    contents_of_twin=lambda counter: (counter.value,),
)

KINDS = [DICT, SET, LIST, QUEUE, COUNTER]


def returned_by(operation: Callable[..., Any], target: Any, arguments: tuple[Any, ...]) -> Any:
    """What it returns, or the exception's name."""
    try:
        return operation(target, *arguments)
    except (IndexError, KeyError, ValueError, Empty, Full, RuntimeError) as error:
        return type(error).__name__


def replay(kind: Kind, twin: Twin, step: Step) -> Twin:
    target = kind.twin(twin)
    if step.name in kind.chooses and step.returned != "KeyError":
        if step.returned not in target:
            raise Impossible
        target.remove(step.returned)
    elif returned_by(kind.operations[step.name], target, step.arguments) != step.returned:
        raise Impossible
    return kind.contents_of_twin(target)


# Programs


@dataclass
class Call:
    """What one call does: operations, pauses (None) and nested calls."""

    body: list[tuple[str, tuple[Any, ...]] | Call | None]
    fails: bool = False
    outside: bool = False
    options: dict[str, Any] | None = None


class Program:
    """For each thread its calls."""

    def __init__(self, kind: Kind, source: random.Random) -> None:
        self._kind, self._random = kind, source
        self._values = itertools.count(1)
        self._names = NAMES[: source.randint(1, len(NAMES))]
        self._usual = source.sample(sorted(kind.operations), source.randint(2, len(kind.operations)))
        self.has_keys = kind.keyed and source.randrange(2) == 0
        self.hash = source.choice([0, source.getrandbits(60)])
        self.start = self._some_elements()
        threads = source.randint(2, 6)
        self.threads = [
            [self._call() for _ in range(source.choice([1, 2, 3, 4, 12]))] for _ in range(threads)
        ]

    def _some_elements(self) -> list[Any]:
        names = [name for name in self._names if self._random.randrange(2)]
        if not self._kind.keyed:
            return [next(self._values) for _ in names]
        fillers = range(self._random.choice(SIZES) - len(names))  # nobody uses them
        if self._kind.name == "set":
            return [*names, *fillers]
        return [(key, next(self._values)) for key in (*fillers, *names)]

    def _call(self) -> Call:
        operation = self._operation()
        if self._random.randrange(4) == 0 and operation[0] not in self._kind.step_by_step:
            return Call([operation], outside=True)
        options: dict[str, Any] = {}
        if self._random.randrange(10) == 0:
            options = self._random.choice([{"irrevocable": True}, {"reads": "exclusive"}])
        return Call(self._body(2), fails=self._random.randrange(5) == 0, options=options)

    def _body(self, depth: int) -> list[tuple[str, tuple[Any, ...]] | Call | None]:
        body: list[tuple[str, tuple[Any, ...]] | Call | None] = []
        for _ in range(self._random.randint(1, 3)):
            if self._random.randrange(4) == 0:
                body.append(None)
            if depth and self._random.randrange(5) == 0:
                body.append(Call(self._body(depth - 1), fails=self._random.randrange(2) == 0))
            else:
                body.append(self._operation())
        return body

    def _operation(self) -> tuple[str, tuple[Any, ...]]:
        key: Any = self._random.choice(self._names)
        if not self._kind.keyed:
            key = self._random.randrange(3)
        return self._random.choice(self._usual), (key, next(self._values))


# Runs


def findings(kind: Kind, *, seed: int, programs: int, runs: int = 5) -> Iterator[Finding | None]:
    """Random programs, each run a few times; for each history what is wrong with it, or None."""
    for number in range(programs):
        program = Program(kind, random.Random(f"{seed} {number}"))
        for run in range(runs):
            start, attempts, end = history_of(kind, program)
            right = has_witness(attempts, start, end, partial(replay, kind))
            title = f"{kind.name}, seed {seed}, program {number}, run {run}"
            text = "\n".join(map(str, sorted(attempts, key=lambda attempt: attempt.begin)))
            yield None if right else Finding(title, f"no order leads from {start} to {end}", text)


def history_of(kind: Kind, program: Program) -> tuple[Twin, list[Attempt], Twin]:
    """Runs the program once: what was there before, all attempts, and what was there behind them."""

    def as_key(name: Any) -> Any:
        return Key(name) if program.has_keys else name

    Key.hash = program.hash
    elements = program.start
    if kind.name == "dict":
        collection = kind.make([(as_key(key), value) for key, value in elements])
    else:
        collection = kind.make([as_key(element) for element in elements])
    start = kind.contents_of_twin(kind.twin(elements[:2] if kind.name == "queue" else elements))
    clock = itertools.count(1).__next__
    ready = threading.Barrier(len(program.threads))
    attempts: list[list[Attempt]] = [[] for _ in program.threads]
    errors: list[BaseException] = []

    def play(calls: list[Call], done: list[Attempt]) -> None:
        try:
            ready.wait()
            for call in calls:
                run(call, done)
        except BaseException as error:
            errors.append(error)

    def run(call: Call, done: list[Attempt]) -> None:
        begin = clock()

        def attempt() -> None:
            nonlocal begin
            if done and done[-1].end == 0:
                begin = done[-1].end = clock()
            done.append(Attempt(begin))
            perform(call, done[-1].steps)

        try:
            if call.outside:
                attempt()
            else:
                atomic(**call.options or {})(attempt)()
            done[-1].committed = True
        except Failed:
            pass
        done[-1].end = clock()

    def perform(call: Call, steps: list[Step | Nested]) -> None:
        for part in call.body:
            if part is None:
                time.sleep(0.0001)
            elif isinstance(part, Call):
                nested = Nested()
                steps.append(nested)
                nested.failed = True  # until it has not
                try:
                    atomic(perform)(part, nested.steps)
                    nested.failed = False
                except Failed:
                    pass
            else:
                name, (key, value) = part
                returned = returned_by(
                    kind.operations[name], collection, (as_key(key) if kind.keyed else key, value)
                )
                steps.append(Step(name, (key, value), returned))
        if call.fails:
            raise Failed

    threads = [
        threading.Thread(target=play, args=each) for each in zip(program.threads, attempts, strict=True)
    ]
    with hasty_switches():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    return start, list(itertools.chain(*attempts)), plain(kind, collection)


def plain(kind: Kind, collection: Any) -> Twin:
    """What is in it at the end, with names for keys."""
    contents = kind.contents(collection)
    return frozenset(map(name_of, contents)) if kind.name == "set" else contents
