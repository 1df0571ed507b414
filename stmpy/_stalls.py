"""Reports waits that last: who waits for what, who holds it, and where both of them stand."""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Final

from stmpy import _runtime

_LOG: Final = logging.getLogger("stmpy")
_BETWEEN_LOOKS: Final = 0.25  # of the shortest wait that is reported
_SHORTEST_PAUSE: Final = 0.005
_WAITING_CODE: Final = {threading.__file__, queue.__file__}


@dataclass(frozen=True)
class Place:
    """A thread, and where it stood when a wait was reported."""

    thread: str
    """The thread's name."""
    function: str | None
    """The outermost atomic function or block that it runs; None outside of transactions."""
    filename: str | None
    """The file of the code that it runs; None where it runs no Python code."""
    lineno: int | None

    def __str__(self) -> str:
        doing = f"{self.function}()" if self.function else "a write outside of transactions"
        at = f" ({self.filename}:{self.lineno})" if self.filename else ""
        return f"thread {self.thread!r} in {doing}{at}"


@dataclass(frozen=True, eq=False)
class Stall:
    """A wait that lasts."""

    waiter: Place
    holder: Place
    """Whose transaction the waiter waits for."""
    object: Any
    """What they meet at. None where the waiter waits to become irrevocable; also where the holder only waits
    for it itself, and has nothing of it yet."""
    attribute: str | None
    """The attribute's name, as the access map has it."""
    seconds: float
    """How long the wait has lasted."""
    irrevocable: bool
    """The waiter waits for its turn to be irrevocable."""

    def __str__(self) -> str:
        if self.irrevocable:
            what = "to become irrevocable, behind"
        elif self.attribute is None:
            what = "for the transaction of"
        else:
            what = f"for {type(self.object).__qualname__}.{self.attribute}, held by"
        return f"{self.waiter} has waited {self.seconds:.3g} s {what} {self.holder}"


class StallWatch:
    """A running watch: `watch_stalls` makes it. As a context manager it stops at the end of the block."""

    def __init__(self, seconds: float, callback: Callable[[Stall], object]) -> None:
        self._seconds = seconds
        self._callback = callback
        self._stopped = threading.Event()
        self._process = os.getpid()
        self._due: dict[tuple[int, int], float] = {}  # when a wait is reported next
        self._thread = threading.Thread(target=self._run, name="stmpy.watch_stalls", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch. When this returns, the callback does not run any more, unless it made the call."""
        if os.getpid() != self._process:
            return  # the thread is not in a forked child, and may have held the event's lock
        self._stopped.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> StallWatch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopped.wait(max(self._seconds * _BETWEEN_LOOKS, _SHORTEST_PAUSE)):
            self._look()

    def _look(self) -> None:
        try:
            for stall in self._stalls():
                if self._stopped.is_set():
                    return
                try:
                    self._callback(stall)
                except BaseException:
                    self._report_exception()
        except BaseException:
            self._report_exception()

    def _report_exception(self) -> None:
        threading.excepthook(threading.ExceptHookArgs([*sys.exc_info(), self._thread]))

    def _stalls(self) -> list[Stall]:
        """Those that are to be reported now."""
        waits = dict(_runtime.waits(self._seconds))
        self._due = {wait: due for wait, due in self._due.items() if wait in waits}
        news = {wait: lasted for wait, lasted in waits.items() if lasted >= self._due.get(wait, 0)}
        if not news:
            return []
        # The waiters do not move between the two looks, or are left out.
        seen = {wait: _runtime.wait(*wait) for wait in news}
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        frames = sys._current_frames()
        stalls = []
        for wait, lasted in news.items():
            found = seen[wait]
            if found is None:
                continue
            waiter, holder, waiter_runs, holder_runs, awaited, attribute, irrevocable = found
            stall = Stall(
                _place(waiter, waiter_runs, names, frames),
                _place(holder, holder_runs, names, frames),
                awaited,
                attribute,
                lasted,
                irrevocable,
            )
            again = _runtime.wait(*wait)
            if again is not None and again[:2] == (waiter, holder):
                self._due[wait] = 2 * lasted
                stalls.append(stall)
        return stalls


def _place(
    ident: int, function: str | None, names: dict[int | None, str], frames: dict[int, FrameType]
) -> Place:
    name = names.get(ident, f"<{ident}>")
    frame = frames.get(ident)
    if frame is None:
        return Place(name, function, None, None)
    if _frames_can_be_followed():
        outer: FrameType | None = frame
        while outer and outer.f_code.co_filename in _WAITING_CODE:
            outer = outer.f_back
        frame = outer or frame
    return Place(name, function, frame.f_code.co_filename, frame.f_lineno)


def _frames_can_be_followed() -> bool:
    # Without the GIL a thread that runs on may be leaving the frames that called its innermost one.
    with_gil: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return with_gil()


def _log(stall: Stall) -> None:
    _LOG.warning("%s", stall)


def watch_stalls(seconds: float, callback: Callable[[Stall], object] | None = None) -> StallWatch:
    """Reports every wait for another transaction that lasts longer than `seconds`.

    Most waits end with the other transaction, by themselves. One does not: where code takes a lock in a
    transaction, and other code that holds the lock waits for that transaction. Nobody can solve that from
    outside, since no lock can be taken away; what is reported names both threads, and the lines where they
    stand. Sleeping in `retry()` is no such wait: it is for what the program says, and `timeout=` bounds it.

    seconds     how long a wait lasts before it is reported: more than 0. A wait is reported up to a quarter
                of that later, and again whenever it has lasted twice as long as at its last report.
    callback    is called with a `Stall` for each, on the watch's own thread, outside of transactions. What it
                raises goes to `threading.excepthook`, and the watch goes on. Without one, the stall is logged
                as a warning of the logger "stmpy".

    Returns a `StallWatch`: `stop()` ends it, and so does the end of its `with` block. The watch is a daemon
    thread of its own, and does not keep the interpreter from ending. A forked child has none: start another.

    Raises TypeError for arguments of other types, ValueError for `seconds` that are not positive or no number
    that a thread can wait for. Rule: protocol, section 3.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"seconds must be a number, not {type(seconds).__name__}")
    if not 0 < seconds <= threading.TIMEOUT_MAX:
        raise ValueError(
            f"seconds must be more than 0 and at most {threading.TIMEOUT_MAX:g}, not {seconds!r}"
        )
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, not {type(callback).__name__}")
    return StallWatch(float(seconds), callback or _log)


for _type in (Stall, StallWatch, watch_stalls):
    _type.__module__ = "stmpy"
