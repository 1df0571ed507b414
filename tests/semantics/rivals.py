"""A transaction that others are aborted by, and code that swallows their aborts. Never compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cells import Cell
from stage import Pause, Stage

from stmpy import atomic, stats


class Rival:
    """A transaction of another thread, which an attempt can meet and is aborted by."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._cell = Cell("old")
        self._mine = Cell()
        self._met = 0

    def meet(self, times: int = 1) -> None:
        """Aborts the attempt that calls it, as often as said; after that it does nothing."""
        if self._met == times:
            return
        self._met += 1
        inside = self._stage.pause()
        before = stats().aborted_by_conflict
        self._stage.start(self._hold, inside, before)
        inside.reached()
        inside.resume()
        self._mine.value += 1
        assert self._cell.value == "unreachable"

    @atomic
    def _hold(self, inside: Pause, before: int) -> None:
        self._cell.value = "new"
        inside.here()
        self._stage.until(lambda: stats().aborted_by_conflict > before)


def swallowing(call: Callable[..., Any], *args: Any) -> Any:
    """What code that nobody compiled can do: calls, and drops whatever is raised."""
    try:
        return call(*args)
    except BaseException:
        return "swallowed"
