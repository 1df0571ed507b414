"""Histories of random Python programs on real objects, on either tier."""

from __future__ import annotations

import random
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter, itemgetter
from typing import Any, Literal

from checker import judge
from core_level import Finding
from history import Attempt, History, Kind, Operation, Outcome
from recording import Log, Shared
from scripts import LENGTH, Script

PATIENCE = 120.0
"""Seconds after which a history does not end any more."""


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
            history = history_of(script, code, source)
            verdict = judge(history)
            title = f"{tier}, seed {seed}, program {number}, run {run}, {threads} threads"
            yield None if verdict.right else Finding(title, f"{verdict}\n{script.text}", str(history))


def _code(text: str, tier: str) -> types.CodeType:
    if tier == "dynamic":
        return compile(text, "<generated>", "exec")
    from stmpy.compiler import compile_source

    compiled = compile_source(text, "<generated>")
    refused = [diagnostic for diagnostic in compiled.diagnostics if diagnostic.code.startswith("STM9")]
    assert not refused, f"{refused}\n{text}"
    return compiled.code()


def history_of(script: Script, code: types.CodeType, source: random.Random) -> History:
    """Runs the program once, on objects of its own."""
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(code, namespace)
    cells = {name: namespace["Cell"](0) for name in script.cells}
    counters = {name: namespace["STMCounter"]() for name in script.counters}
    lists = {name: namespace["STMList"]([0] * LENGTH) for name in script.lists}
    objects = [*cells.values(), *counters.values(), *lists.values()]
    shared = Shared()
    seeds = [source.getrandbits(64) for _ in range(len(namespace["THREADS"]) + 1)]
    logs = [Log(number, shared, random.Random(seed)) for number, seed in enumerate(seeds)]
    first = [
        *(f"{cell}.{attribute}" for cell in cells for attribute in ("value", "other", "made")),
        *counters,
        *(f"{name}[{index}]" for name in lists for index in range(LENGTH)),
    ]
    begin = shared.clock()
    writes = tuple(Operation(Kind.WRITE, variable, 0) for variable in first)
    start = Attempt(0, begin, shared.clock(), Outcome.COMMITTED, writes)
    _play(script, logs[1:], namespace["THREADS"], objects)
    for name, cell in cells.items():
        logs[0].sees(f"{name}.value", attrgetter("value"), cell)
        logs[0].sees(f"{name}.other", attrgetter("other"), cell)
    for name, counter in counters.items():
        logs[0].sees(name, attrgetter("value"), counter)
    for name, elements in lists.items():
        for index in range(LENGTH):
            logs[0].sees(f"{name}[{index}]", itemgetter(index), elements)
    return History((start, *(attempt for log in logs for attempt in log.attempts)))


def _play(script: Script, logs: list[Log], parts: list[list[tuple[bool, Any]]], objects: list[Any]) -> None:
    ready = threading.Barrier(len(logs))
    errors: list[BaseException] = []

    def play(log: Log, calls: list[tuple[bool, Any]]) -> None:
        try:
            ready.wait()
            for in_transaction, function in calls:
                if in_transaction:
                    log.call(function, *objects)
                else:
                    function(log, *objects)
        except BaseException as error:
            errors.append(error)

    threads = [
        threading.Thread(target=play, args=part, daemon=True) for part in zip(logs, parts, strict=True)
    ]
    with _hasty_switches():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"the history does not end:\n{script.text}"
    if errors:
        raise errors[0]


@contextmanager
def _hasty_switches() -> Iterator[None]:
    """Threads take turns as often as they can, where only one can run."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
