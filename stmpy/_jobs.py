"""The same work for many files, in several processes, with a line that says how far it is."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TextIO, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Below this many files a process more costs more than it saves.
_FILES_PER_PROCESS = 8


def cores() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def run(
    work: Callable[[Item], Result], items: Sequence[Item], jobs: int | None, progress: Progress
) -> Iterator[Result]:
    """Gives the results in the order of the items. Without `jobs`, takes as many processes as pay off.

    `work` and all that it takes and returns must be picklable. Raises what `work` raises, and
    `BrokenProcessPool` if a process is killed.
    """
    if jobs is None:
        jobs = min(cores(), len(items) // _FILES_PER_PROCESS)
    if jobs <= 1 or len(items) < 2:
        for item in items:
            yield work(item)
            progress.step()
        return
    with ProcessPoolExecutor(min(jobs, len(items)), initializer=_leave_interrupts) as pool:
        # `map` takes all items at once: an error of one leaves the others running, so they are cancelled.
        try:
            for result in pool.map(work, items):
                yield result
                progress.step()
        finally:
            pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    """An interrupt at the terminal goes to all processes: the one that the user started answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Progress:
    """A line on a terminal that says how many files are done; nothing anywhere else."""

    def __init__(self, total: int, what: str, *, wanted: bool, stream: TextIO | None = None) -> None:
        self._total = total
        self._what = what
        self._done = 0
        self._stream = stream or sys.stderr
        self._shown = wanted and self._stream.isatty() and os.environ.get("TERM") != "dumb"

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        if self._shown:
            self._stream.write(f"\r\x1b[K{self._what} {self._done} of {self._total}")
            self._stream.flush()

    def clear(self) -> None:
        """Takes the line away, for what is printed next or for good."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
