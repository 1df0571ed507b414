"""Decides whether a history is opaque, strictly serialisable and progressive.

*Strictly serialisable* (Papadimitriou, JACM 1979): the committed attempts, put in some order that keeps
"ended before the other began", would each have seen what they saw. *Opaque* (Guerraoui & Kapałka, PPoPP
2008): every prefix of the history has such an order of all its attempts, of which those that have not begun
to commit see, and are not seen. *Progressive* (Guerraoui & Kapałka, POPL 2009): the runtime aborts an attempt
only where another one, in progress at the same time, wants what it wants.

Prefixes need no search of their own. Recorders write no value twice, a counter's value says which additions
it is made of, and then opacity is deferred-update opacity (Attiya, Hans, Kuznetsov & Ravi, ICDCS 2013): one
order of the whole history in which whatever is read was written by an attempt that had begun to commit before
the read had its answer. The latter is seen at the stamps. A look at a queue is one at what is gone, too: who
looked comes before those who took what was there then, unless they had begun to commit (nearly all that
prefixes would say, and nothing that they would not). The order is searched for as by Wing & Gong (JPDC 1993)
and Lowe (CPE 2017), one attempt after the other from those that no attempt left precedes, with the positions
that led nowhere remembered. Three things keep it short:

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

from history import COUNTER_BITS, Attempt, History, Kind, Operation, Outcome, Value
from views import QueueView, State, View, view_of


class Violation(NamedTuple):
    """What is wrong, in words."""

    text: str


class Verdict(NamedTuple):
    """What was found against each property, None where it holds."""

    opacity: Violation | None
    strict_serialisability: Violation | None
    progressiveness: Violation | None
    irrevocability: Violation | None

    @property
    def right(self) -> bool:
        return not any(self)

    def __str__(self) -> str:
        parts = zip(self._fields, self, strict=True)
        return "\n".join(f"{name}: {part.text if part else 'holds'}" for name, part in parts)


def judge(history: History) -> Verdict:
    """Decides all of them. ValueError where two commits wrote the same value to a variable."""
    irrevocability = against_irrevocability(history)
    history = with_peeks(history)
    opacity = against_opacity(history)
    # An order of all attempts is one of those that committed.
    serialisability = opacity and against_strict_serialisability(history)
    return Verdict(opacity, serialisability, against_progressiveness(history), irrevocability)


def with_peeks(history: History) -> History:
    """What was seen without a trace was seen from outside."""
    return History((*history, *(peek for attempt in history for peek in view_of(attempt).peeks)))


def against_opacity(history: History) -> Violation | None:
    views = [view_of(attempt) for attempt in history]
    return _contradiction(views) or _unbegun(views) or _without_order(views, of_prefixes=True)


def against_strict_serialisability(history: History) -> Violation | None:
    views = [view_of(attempt) for attempt in history.committed()]
    return _contradiction(views) or _without_order(views, of_prefixes=False)


def against_progressiveness(history: History) -> Violation | None:
    for attempt in history:
        if attempt.outcome is Outcome.ABORTED and not any(_in_the_way(attempt, other) for other in history):
            return Violation(f"nobody was in the way of [{attempt}]")
    return None


def against_irrevocability(history: History) -> Violation | None:
    """An attempt that was told to abort though it was irrevocable, or two that were so at one time."""
    last: Attempt | None = None
    for attempt in sorted(history, key=lambda attempt: attempt.irrevocable_since or 0):
        if (since := attempt.irrevocable_since) is None:
            continue
        if attempt.outcome is Outcome.ABORTED or any(o.kind is Kind.REFUSED for o in attempt.operations):
            return Violation(f"it was irrevocable and told to abort: [{attempt}]")
        if last and since < max(operation.stamp for operation in last.operations):
            return Violation(f"two were irrevocable at one time: [{last}] and [{attempt}]")
        last = attempt
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
        for variable, read in _first_sights(view):
            for part in origins.parts(variable, read.value):
                writer = origins.writers.get((variable, part))
                if writer and (writer.attempt.commit or 0) > read.stamp:
                    return Violation(
                        f"[{view.attempt}] read {variable} = {read.value} before its writer began to commit: "
                        f"[{writer.attempt}]"
                    )
    return None


def _first_sights(view: View) -> Iterator[tuple[str, Operation]]:
    """Where it saw what somebody else has committed."""
    yield from view.reads.items()
    for variable, queue in view.queues.items():
        yield from ((variable, take) for take in queue.seen)


class _Origins:
    """Who committed what. Not who deleted a variable: that is done again and again."""

    def __init__(self, views: list[View]) -> None:
        self._counters = {o.variable for view in views for o in view.attempt.operations if o.kind is Kind.ADD}
        self.writers: dict[tuple[str, Value], View] = {}
        for view in views:
            put = [(variable, value) for variable, queue in view.queues.items() for value in queue.put]
            for variable, value in [*view.writes.items(), *view.adds.items(), *put]:
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
    variables: frozenset[tuple[str, Value]]
    queues: frozenset[tuple[str, tuple[Value, ...]]]

    @property
    def state(self) -> State:
        return State(dict(self.variables), dict(self.queues))


class _Order:
    """The search for an order of the attempts."""

    def __init__(self, views: list[View], origins: _Origins, *, of_prefixes: bool) -> None:
        self._views = sorted(views, key=lambda view: view.attempt.begin)
        self._all = (1 << len(views)) - 1
        # Who saw a value, as bits. A variable that does not exist may come to be in that state again.
        self._readers: dict[tuple[str, Value], int] = {}
        for index, view in enumerate(self._views):
            for variable, read in view.reads.items():
                if read.value is not None:
                    key = variable, read.value
                    self._readers[key] = self._readers.get(key, 0) | 1 << index
        self._late = [_taken_too_late(view, self._views, origins) * of_prefixes for view in self._views]
        self.furthest = _Position(0, frozenset(), frozenset())

    def exists(self) -> bool:
        start = self._with_readers(0, State({}, {}))
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
                position.done | 1 << index, self._views[index].applied_to(position.state)
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

    def _with_readers(self, done: int, state: State) -> _Position:
        placed = True
        while placed:
            placed = False
            for index in self._ready(done):
                if not self._views[index].changes and self._sees(index, done, state):
                    done |= 1 << index
                    placed = True
        return _Position(done, frozenset(state.variables.items()), frozenset(state.queues.items()))

    def _next_writers(self, position: _Position) -> Iterator[int]:
        done, state = position.done, position.state
        for index in self._ready(done):
            changes = self._views[index].changes
            if changes and self._sees(index, done, state) and not self._hides(index, done, state):
                yield index

    def _sees(self, index: int, done: int, state: State) -> bool:
        return not done & self._late[index] and self._views[index].sees(state)

    def _hides(self, index: int, done: int, state: State) -> bool:
        left = ~done & ~(1 << index)
        changes, variables = self._views[index].changes, state.variables
        return any(self._readers.get((variable, variables.get(variable)), 0) & left for variable in changes)

    def explanation(self) -> str:
        """Why nobody can come next where the search came furthest."""
        done, state = self.furthest.done, self.furthest.state
        lines = [f"after {done.bit_count()} of {len(self._views)} attempts nobody can come next:"]
        for index in self._ready(done):
            view = self._views[index]
            wrong = [
                f"it saw {variable} = {read.value}, and there is {state.variables.get(variable)}"
                for variable, read in view.reads.items()
                if state.variables.get(variable) != read.value
            ]
            wrong += [
                f"it saw {[take.value for take in queue.seen]}{' alone' * queue.is_all} in {variable}, "
                f"and there is {list(state.queues.get(variable, ()))}"
                for variable, queue in view.queues.items()
                if not queue.fits(state.queues.get(variable, ()))
            ]
            if done & self._late[index]:
                wrong.append("it looked at a queue in which something still was that is taken")
            if not wrong:
                wrong = list(self._hidden_from_others(index, done, state))
            lines.append(f"  [{view.attempt}]: {'; '.join(wrong)}")
        return "\n".join(lines)

    def _hidden_from_others(self, index: int, done: int, state: State) -> Iterator[str]:
        for variable in self._views[index].changes:
            value = state.variables.get(variable)
            readers = self._readers.get((variable, value), 0) & ~done & ~(1 << index)
            for other, view in enumerate(self._views):
                if readers >> other & 1:
                    yield f"{variable} = {value} has yet to be seen by thread {view.attempt.thread}"


def _taken_too_late(view: View, others: list[View], origins: _Origins) -> int:
    """Who cannot come before it, as bits: it looked at a queue when what they took was still there."""
    late = 0
    for variable, queue in view.queues.items():
        for index, other in enumerate(others):
            theirs = other.queues.get(variable, QueueView())
            if queue.since and (other.attempt.commit or 0) > queue.since:
                taken = [origins.writers[variable, take.value] for take in theirs.seen[: theirs.taken]]
                late |= any((writer.attempt.commit or 0) < queue.since for writer in taken) << index
    return late


def _without_order(views: list[View], *, of_prefixes: bool) -> Violation | None:
    origins = _Origins(views)
    for view in views:
        for variable, read in _first_sights(view):
            if any((variable, part) not in origins.writers for part in origins.parts(variable, read.value)):
                return Violation(_from_nowhere(view, variable, read.value, views))
    order = _Order(views, origins, of_prefixes=of_prefixes)
    return None if order.exists() else Violation(order.explanation())


def _from_nowhere(view: View, variable: str, value: Value, views: list[View]) -> str:
    for writer in views:
        if (variable, value) in writer.hidden:
            return (
                f"[{view.attempt}] read {variable} = {value}, which was never committed: [{writer.attempt}]"
            )
    return f"[{view.attempt}] read {variable} = {value}, which nobody wrote"
