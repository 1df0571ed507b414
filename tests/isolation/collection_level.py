"""Histories of one collection under many threads, judged against the builtin of the same operations."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from collection_kinds import Items, Key, Kind, replay, returned_by
from core_level import Finding
from python_level import hasty_switches
from witness import Attempt, Nested, Step, Twin, has_witness

from stmpy import atomic

NAMES = "abcde"
SIZES = [0, 0, 0, 0, 62, 63, 94, 95]
"""So many keys a dict or a set has at least: with one or two more it gets more stripes."""


class Failed(Exception):
    """Leaves a call, which takes it back."""


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
        self.items = self._some_items()
        threads = source.randint(2, 6)
        self.threads = [
            [self._call() for _ in range(source.choice([1, 2, 3, 4, 12]))] for _ in range(threads)
        ]

    def _some_items(self) -> Items:
        names = [name for name in self._names if self._random.randrange(2)]
        others = (
            range(self._random.choice(SIZES) - len(names)) if self._kind.keyed else ()
        )  # nobody uses them
        keys = self._random.sample([*others, *names], len(others) + len(names))
        return [(key, next(self._values)) for key in keys]

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
    collection = kind.make([(as_key(key), value) for key, value in program.items])
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
    return kind.twin(program.items), list(itertools.chain(*attempts)), kind.contents(collection)
