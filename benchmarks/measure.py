"""How the benchmarks measure: programs take turns within one process, and only ratios count.

A machine speeds up, slows down and has neighbours; what runs within the same few milliseconds meets the same
machine. So no absolute time is compared with another: each round times every program once, a ratio is one of
two times of the same round, and the median of all rounds is what is shown.
"""

import gc
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

from variants import Program

# Seconds for one turn of each program, one number a round.
Samples = dict[str, list[float]]


def alternate(clocks: dict[str, Callable[[int], float]], rounds: int, seconds: float) -> Samples:
    """Times all programs in turn, in another order each round.

    A clock runs so many turns of its program and returns the seconds they took. How many turns fill `seconds`
    is found out first; that also lets the interpreter specialise the code.
    """
    turns = {name: _turns_for(seconds, clock) for name, clock in clocks.items()}
    samples: Samples = {name: [] for name in clocks}
    names = list(clocks)
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                samples[name].append(clocks[name](turns[name]) / turns[name])
    finally:
        gc.enable()
    return samples


def _turns_for(seconds: float, clock: Callable[[int], float]) -> int:
    turns = 1
    while (taken := clock(turns)) < seconds / 4:
        turns *= 2
    return max(1, round(turns * seconds / taken))


def ratio(samples: Samples, program: str, reference: str) -> float:
    """How many times as long as the reference the program takes."""
    return statistics.median(a / b for a, b in zip(samples[program], samples[reference], strict=True))


def clock_one(program: Program) -> Callable[[int], float]:
    """Runs the program in this thread, always on the same objects."""
    objects = program.make()

    def clock(turns: int) -> float:
        begin = time.perf_counter()
        program.run(objects, turns)
        return time.perf_counter() - begin

    return clock


def clock_threads(program: Program, threads: int, *, shared: bool = False) -> Callable[[int], float]:
    """Runs the program in several threads at once, from a common start to the last one's end.

    The turns are divided among the threads. Each thread makes its own objects, or all of them share one set.
    """
    common = program.make() if shared else None

    def clock(turns: int) -> float:
        start = threading.Barrier(threads)
        spans: list[tuple[float, float]] = []
        errors: list[BaseException] = []
        share = max(1, turns // threads)

        def work() -> None:
            try:
                objects: Any = common if shared else program.make()
                start.wait()
                begin = time.perf_counter()
                program.run(objects, share)
                spans.append((begin, time.perf_counter()))
            except BaseException as error:
                start.abort()
                errors.append(error)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if errors:
            raise errors[0]
        taken = max(end for _, end in spans) - min(begin for begin, _ in spans)
        return taken * turns / (share * threads)

    return clock
