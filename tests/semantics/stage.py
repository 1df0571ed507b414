"""What tests build an interleaving from: threads whose results are asked for, places where they stop."""

from __future__ import annotations

import sysconfig
import threading
from collections.abc import Callable
from typing import Any

from stmpy import _runtime

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

PATIENCE = 20.0
"""Seconds after which a test that waits has failed. Nothing waits for as long as this when it succeeds."""


def someone_waits() -> bool:
    """For another transaction, in place or between two attempts: it is about to sleep, or sleeps."""
    return bool(_runtime.waits(0))


class Pause:
    """A place in a thread where it stops until the test lets it go on. A re-run passes it."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._resumed = threading.Event()

    def here(self) -> None:
        self._reached.set()
        assert self._resumed.wait(PATIENCE), "nobody resumed this thread"

    def reached(self) -> None:
        assert self._reached.wait(PATIENCE), "no thread came here"

    def resume(self) -> None:
        self._resumed.set()


class Task:
    """A function that runs in a thread of its own."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._result: Any = None
        self._error: BaseException | None = None
        self._function = function
        self._args = args
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self._result = self._function(*self._args)
        except BaseException as error:
            self._error = error

    def result(self) -> Any:
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "the thread did not end"
        if self._error is not None:
            raise self._error
        return self._result

    def is_running(self) -> bool:
        return self.thread.is_alive()


class Stage:
    """The threads and pauses of one test."""

    def __init__(self) -> None:
        self._tasks: list[Task] = []
        self._pauses: list[Pause] = []

    def start(self, function: Callable[..., Any], *args: Any) -> Task:
        task = Task(function, args)
        self._tasks.append(task)
        return task

    def pause(self) -> Pause:
        pause = Pause()
        self._pauses.append(pause)
        return pause

    def look_while(self, act: Callable[[int], Any], look: Callable[[], Any], *, times: int = 30) -> None:
        """Looks while another thread acts without pause, until so many looks had a turn of it end in them.

        On a busy machine two threads may long take turns, and whatever a look can see half of is seen whole.
        """
        turns, stop = 0, threading.Event()

        def work() -> None:
            nonlocal turns
            while not stop.is_set():
                turns += 1
                act(turns)

        worker = self.start(work)
        try:
            overlaps = 0
            while overlaps < (times if FREE_THREADED else 10) and worker.is_running():
                before = turns
                look()
                overlaps += turns != before
        finally:
            stop.set()
        worker.result()

    def until(self, condition: Callable[[], Any]) -> None:
        """Looks until something that other threads bring about is so."""
        waited = threading.Event()
        for _ in range(int(PATIENCE / 0.001)):
            if condition():
                return
            waited.wait(0.001)
        raise AssertionError("it never came to be so")

    def close(self) -> None:
        for pause in self._pauses:
            pause.resume()
        for task in self._tasks:
            task.thread.join(PATIENCE)
            assert not task.thread.is_alive(), "a thread of the test did not end"
