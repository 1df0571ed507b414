"""Decides whether a history is opaque, strictly serialisable and progressive.

*Strictly serialisable* (Papadimitriou, JACM 1979): the committed attempts, put in some order that keeps
"ended before the other began", would each have seen what they saw. *Opaque* (Guerraoui & Kapałka, PPoPP
2008): every prefix of the history has such an order of all its attempts, of which those that have not begun
to commit see, and are not seen. *Progressive* (Guerraoui & Kapałka, POPL 2009): the runtime aborts an attempt
only where another one, in progress at the same time, wants what it wants.

Prefixes need no search of their own. Recorders write no value twice, a counter's value says which additions
it is made of, and then opacity is deferred-update opacity (Attiya, Hans, Kuznetsov & Ravi, ICDCS 2013): one
order of the whole history in which whatever is read was written by an attempt that had begun to commit before
the read had its answer. The latter is seen at the stamps. The order is searched for as by Wing & Gong (JPDC
1993) and Lowe (CPE 2017), one attempt after the other from those that no attempt left precedes, with the
positions that led nowhere remembered. Three things keep it short:

- Who changes nothing is put where it first fits: it takes nothing from those behind it.
- Nobody writes over a value while somebody is left who has seen it: it will not come back.
- Who committed first is tried first. That is the right order nearly always.

With at most as many attempts at one time as there are threads the number of positions grows with the length
of the history, and only the number of threads is in an exponent; in general the problem is NP-complete.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from history import COUNTER_BITS, Attempt, History, Kind, Outcome, Value
from views import View, view_of


class Violation(NamedTuple):
    """What is wrong, in words."""

    text: str


class Verdict(NamedTuple):
    """What was found against each property, None where it holds."""

    opacity: Violation | None
    strict_serialisability: Violation | None
    progressiveness: Violation | None

    @property
    def right(self) -> bool:
        return self == (None, None, None)

    def __str__(self) -> str:
        parts = zip(self._fields, self, strict=True)
        return "\n".join(f"{name}: {part.text if part else 'holds'}" for name, part in parts)


def judge(history: History) -> Verdict:
    """Decides all three. ValueError where two commits wrote the same value to a variable."""
    opacity = against_opacity(history)
    # An order of all attempts is one of those that committed.
    serialisability = opacity and against_strict_serialisability(history)
    return Verdict(opacity, serialisability, against_progressiveness(history))


def against_opacity(history: History) -> Violation | None:
    views = [view_of(attempt) for attempt in history]
    return _contradiction(views) or _unbegun(views) or _without_order(views)


def against_strict_serialisability(history: History) -> Violation | None:
    views = [view_of(attempt) for attempt in history.committed()]
    return _contradiction(views) or _without_order(views)


def against_progressiveness(history: History) -> Violation | None:
    for attempt in history:
        if attempt.outcome is Outcome.ABORTED and not any(_in_the_way(attempt, other) for other in history):
            return Violation(f"nobody was in the way of [{attempt}]")
    return None


def _in_the_way(attempt: Attempt, other: Attempt) -> bool:
    if other.thread == attempt.thread or other.precedes(attempt) or attempt.precedes(other):
        return False
    if other.outcome is Outcome.COMMITTED and other.commit is None:
        return False  # a read outside
    return not attempt.variables.isdisjoint(other.variables)


def _contradiction(views: list[View]) -> Violation | None:
    for view in views:
        if view.contradiction:
            return Violation(f"{view.contradiction}: [{view.attempt}]")
    return None


def _unbegun(views: list[View]) -> Violation | None:
    """A read of what its writer had not yet begun to commit."""
    origins = _Origins(views)
    for view in views:
        for variable, read in view.reads.items():
            for part in origins.parts(variable, read.value):
                writer = origins.writers.get((variable, part))
                if writer and (writer.attempt.commit or 0) > read.stamp:
                    return Violation(
                        f"[{view.attempt}] read {variable} = {read.value} before its writer began to commit: "
                        f"[{writer.attempt}]"
                    )
    return None


class _Origins:
    """Who committed what. Not who deleted a variable: that is done again and again."""

    def __init__(self, views: list[View]) -> None:
        self._counters = {o.variable for view in views for o in view.attempt.operations if o.kind is Kind.ADD}
        self.writers: dict[tuple[str, Value], View] = {}
        for view in views:
            for variable, value in [*view.writes.items(), *view.adds.items()]:
                for part in self.parts(variable, value):
                    if (variable, part) in self.writers:
                        raise ValueError(f"two commits wrote {variable} = {part}: no history to decide")
                    self.writers[variable, part] = view

    def parts(self, variable: str, value: Value) -> list[Value]:
        """What of the value came from one commit each."""
        if value is None:
            return []
        if variable not in self._counters:
            return [value]
        added = [1 << bit for bit in range(COUNTER_BITS) if value >> bit & 1]
        written = value >> COUNTER_BITS << COUNTER_BITS
        return [*added, written] if written else list(added)


class _Position(NamedTuple):
    done: int
    """The attempts that have their place, as bits."""
    state: frozenset[tuple[str, Value]]


class _Order:
    """The search for an order of the attempts."""

    def __init__(self, views: list[View]) -> None:
        self._views = sorted(views, key=lambda view: view.attempt.begin)
        self._all = (1 << len(views)) - 1
        # Who saw a value, as bits. A variable that does not exist may come to be in that state again.
        self._readers: dict[tuple[str, Value], int] = {}
        for index, view in enumerate(self._views):
            for variable, read in view.reads.items():
                if read.value is not None:
                    key = variable, read.value
                    self._readers[key] = self._readers.get(key, 0) | 1 << index
        self.furthest = _Position(0, frozenset())

    def exists(self) -> bool:
        start = self._with_readers(0, {})
        known = {start}
        stack = [(start, self._next_writers(start))]
        while stack:
            position, writers = stack[-1]
            if position.done == self._all:
                return True
            if position.done.bit_count() > self.furthest.done.bit_count():
                self.furthest = position
            index = next(writers, None)
            if index is None:
                stack.pop()
                continue
            reached = self._with_readers(
                position.done | 1 << index, self._views[index].applied_to(dict(position.state))
            )
            if reached not in known:
                known.add(reached)
                stack.append((reached, self._next_writers(reached)))
        return False

    def _ready(self, done: int) -> list[int]:
        """Those left that no attempt left precedes, who ended first in front."""
        left = self._all & ~done
        ready: list[int] = []
        first_end = math.inf
        while left:
            index = (left & -left).bit_length() - 1
            attempt = self._views[index].attempt
            if attempt.begin > first_end:
                break  # and so did all that began later
            ready.append(index)
            first_end = min(first_end, attempt.end)
            left &= left - 1
        return sorted(ready, key=lambda index: self._views[index].attempt.end)

    def _with_readers(self, done: int, state: dict[str, Value]) -> _Position:
        placed = True
        while placed:
            placed = False
            for index in self._ready(done):
                if not self._views[index].changes and self._sees(index, state):
                    done |= 1 << index
                    placed = True
        return _Position(done, frozenset(state.items()))

    def _next_writers(self, position: _Position) -> Iterator[int]:
        state = dict(position.state)
        for index in self._ready(position.done):
            view = self._views[index]
            if view.changes and self._sees(index, state) and not self._hides(index, position.done, state):
                yield index

    def _sees(self, index: int, state: dict[str, Value]) -> bool:
        reads = self._views[index].reads
        return all(state.get(variable) == read.value for variable, read in reads.items())

    def _hides(self, index: int, done: int, state: dict[str, Value]) -> bool:
        left = ~done & ~(1 << index)
        changes = self._views[index].changes
        return any(self._readers.get((variable, state.get(variable)), 0) & left for variable in changes)

    def explanation(self) -> str:
        """Why nobody can come next where the search came furthest."""
        done, state = self.furthest.done, dict(self.furthest.state)
        lines = [f"after {done.bit_count()} of {len(self._views)} attempts nobody can come next:"]
        for index in self._ready(done):
            view = self._views[index]
            wrong = [
                f"it saw {variable} = {read.value}, and there is {state.get(variable)}"
                for variable, read in view.reads.items()
                if state.get(variable) != read.value
            ]
            if not wrong:
                wrong = list(self._hidden_from_others(index, done, state))
            lines.append(f"  [{view.attempt}]: {'; '.join(wrong)}")
        return "\n".join(lines)

    def _hidden_from_others(self, index: int, done: int, state: dict[str, Value]) -> Iterator[str]:
        for variable in self._views[index].changes:
            readers = self._readers.get((variable, state.get(variable)), 0) & ~done & ~(1 << index)
            for other, view in enumerate(self._views):
                if readers >> other & 1:
                    yield f"{variable} = {state[variable]} has yet to be seen by thread {view.attempt.thread}"


def _without_order(views: list[View]) -> Violation | None:
    origins = _Origins(views)
    for view in views:
        for variable, read in view.reads.items():
            if any((variable, part) not in origins.writers for part in origins.parts(variable, read.value)):
                return Violation(_from_nowhere(view, variable, read.value, views))
    order = _Order(views)
    return None if order.exists() else Violation(order.explanation())


def _from_nowhere(view: View, variable: str, value: Value, views: list[View]) -> str:
    for writer in views:
        if (variable, value) in writer.hidden:
            return (
                f"[{view.attempt}] read {variable} = {value}, which was never committed: [{writer.attempt}]"
            )
    return f"[{view.attempt}] read {variable} = {value}, which nobody wrote"
