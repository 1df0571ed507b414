"""Histories of random Python programs on real objects, on either tier."""

from __future__ import annotations

import random
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

from checker import Violation, judge
from core_level import Finding
from history import Attempt, History, Kind, Operation, Outcome, Value
from recording import GATE, Log, Shared
from scripts import KEYS, LENGTH, Script
from views import view_of

PATIENCE = 120.0
"""Seconds after which a history does not end any more."""
PATIENCE_WITH_SLEEPERS = 20.0
"""Seconds after which somebody who waits for a change has not noticed it."""


def findings(
    tier: Literal["dynamic", "compiled"], *, seed: int, programs: int, runs: int = 5
) -> Iterator[Finding | None]:
    """Random programs, each run a few times; for each history what is wrong with it, or None."""
    for number in range(programs):
        source = random.Random(f"{seed} {number}")
        threads = source.randint(1, 8)
        script = Script(source, threads, blocks=tier == "compiled")
        code = _code(script.text, tier)
        for run in range(runs):
            history, world = history_of(script, code, source)
            verdict, broken = judge(history), world.broken(history)
            title = f"{tier}, seed {seed}, program {number}, run {run}, {threads} threads"
            right = verdict.right and not broken
            yield None if right else Finding(title, f"{broken or verdict}\n{script.text}", str(history))


def _code(text: str, tier: str) -> types.CodeType:
    if tier == "dynamic":
        return compile(text, "<generated>", "exec")
    from stmpy.compiler import compile_source

    compiled = compile_source(text, "<generated>")
    refused = [diagnostic for diagnostic in compiled.diagnostics if diagnostic.code.startswith("STM9")]
    assert not refused, f"{refused}\n{text}"
    return compiled.code()


class World:
    """What the program runs on, and the names of its variables."""

    def __init__(self, script: Script, namespace: dict[str, Any]) -> None:
        self.gate = namespace["Cell"](0)
        cells = {name: namespace["Cell"](0) for name in script.cells}
        counters = {name: namespace["STMCounter"]() for name in script.counters}
        lists = {name: namespace["STMList"]([0] * LENGTH) for name in script.lists}
        dicts = {name: namespace["STMDict"]() for name in script.dicts}
        queues = {name: namespace["STMQueue"]() for name in script.queues}
        self._pairs = {name: namespace["Pair"](name) for name in script.pairs}
        self.objects = [*cells.values(), *counters.values(), *lists.values()]
        self.objects += [*dicts.values(), *queues.values(), *self._pairs.values()]
        self._at_first: dict[str, Callable[[], Value]] = {GATE: partial(getattr, self.gate, "value")}
        """What is 0 at the beginning: how it is read."""
        for name, cell in (cells | self._pairs).items():
            for attribute in ("value", "other") if name in cells else ("left", "right"):
                self._at_first[f"{name}.{attribute}"] = partial(getattr, cell, attribute)
        for name, counter in counters.items():
            self._at_first[name] = partial(getattr, counter, "value")
        for name, elements in lists.items():
            for index in range(LENGTH):
                self._at_first[f"{name}[{index}]"] = partial(elements.__getitem__, index)
        self.readable = dict(self._at_first)
        for name, mapping in dicts.items():
            self.readable |= {f"{name}:{key}": partial(mapping.get, key) for key in KEYS}
        self._queues = queues
        self._made = [f"{name}.made" for name in cells]

    def first_writes(self) -> tuple[Operation, ...]:
        return tuple(Operation(Kind.WRITE, variable, 0) for variable in (*self._at_first, *self._made))

    def look_at_all(self, log: Log) -> None:
        """Behind the end of the program."""
        for variable, read in self.readable.items():
            log.sees(variable, read)
        for name, queue in self._queues.items():
            log.empties(name, queue)

    def broken(self, history: History) -> Violation | None:
        """A state in which an invariant does not hold was shown to somebody."""
        for name in self._pairs:
            for attempt in history:
                reads = view_of(attempt).reads
                sides = [
                    reads[f"{name}.{side}"].value for side in ("left", "right") if f"{name}.{side}" in reads
                ]
                if len(set(sides)) > 1:
                    return Violation(f"it saw {sides} in {name}: [{attempt}]")
        if any(self.readable[f"{name}.left"]() != self.readable[f"{name}.right"]() for name in self._pairs):
            return Violation("what a commit has left is not what the invariant allows")
        return None


def history_of(
    script: Script, code: types.CodeType, source: random.Random, **instead: Any
) -> tuple[History, World]:
    """Runs the program once, on objects of its own; with other things under some of its names."""
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(code, namespace)
    namespace |= instead
    world = World(script, namespace)
    shared = Shared()
    seeds = [source.getrandbits(64) for _ in range(len(namespace["THREADS"]) + 1)]
    logs = [Log(number, shared, random.Random(seed)) for number, seed in enumerate(seeds)]
    begin = shared.clock()
    start = Attempt(0, begin, shared.clock(), Outcome.COMMITTED, world.first_writes())
    _play(script, logs, namespace["THREADS"], world)
    world.look_at_all(logs[0])
    return History((start, *(attempt for log in logs for attempt in log.attempts))), world


def _play(script: Script, logs: list[Log], parts: list[list[tuple[bool, Any]]], world: World) -> None:
    ready = threading.Barrier(len(parts))
    errors: list[BaseException] = []

    def play(log: Log, calls: list[tuple[bool, Any]]) -> None:
        try:
            ready.wait()
            for in_transaction, function in calls:
                if in_transaction:
                    log.call(function, world.gate, *world.objects)
                else:
                    function(log, world.gate, *world.objects)
        except BaseException as error:
            errors.append(error)

    threads = {
        log: threading.Thread(target=play, args=(log, part), daemon=True)
        for log, part in zip(logs[1:], parts, strict=True)
    }
    with hasty_switches():
        for thread in threads.values():
            thread.start()
        _wait(script, logs[0], threads, world)
    if errors:
        raise errors[0]


def _wait(script: Script, log: Log, threads: dict[Log, threading.Thread], world: World) -> None:
    """Until all threads have ended. Where all that are left wait for a change, nobody may have missed one."""
    began = time.monotonic()
    all_wait_since = began
    while left := [log for log, thread in threads.items() if thread.is_alive()]:
        now = time.monotonic()
        assert now < began + PATIENCE, f"the history does not end:\n{script.text}"
        next(iter(threads[log] for log in left)).join(0.0005)
        if not all(log.waiting for log in left):
            all_wait_since = now
        elif (missed := _missed(left, world)) and now > all_wait_since + PATIENCE_WITH_SLEEPERS:
            raise AssertionError(f"{missed}:\n{script.text}")
        elif not missed:
            log.opens_gate(world.gate)


def _missed(sleepers: list[Log], world: World) -> str:
    for log in sleepers:
        attempt = log.pending()
        for variable, read in view_of(attempt).reads.items():
            if variable in world.readable and world.readable[variable]() != read.value:
                return f"who has read {variable} = {read.value} sleeps, though it has changed: [{attempt}]"
    return ""


@contextmanager
def hasty_switches() -> Iterator[None]:
    """Threads take turns as often as they can, where only one can run."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
