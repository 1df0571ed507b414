"""What an attempt shows to others and is shown by them, with its savepoints worked out.

A reverted savepoint takes its changes with it, which nobody but the attempt itself ever saw. Its reads stay:
what they saw must be of the same state as all other reads of the attempt. So does what it saw of a queue:
what was taken in it is back in its place, in front of what follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from history import Attempt, Kind, Operation, Outcome, Value


class State(NamedTuple):
    """What committed attempts have left there."""

    variables: dict[str, Value]
    queues: dict[str, tuple[Value, ...]]


@dataclass
class QueueView:
    """Of a queue as others have left it."""

    seen: list[Operation] = field(default_factory=list)
    """The values that were taken out of it, from the front on, also those that were put back."""
    is_all: bool = False
    """Nothing was seen behind them."""
    since: int = 0
    """When it was looked at first."""
    taken: int = 0
    """How many of `seen` are gone with the commit."""
    put: tuple[Value, ...] = ()
    """What is put behind with the commit."""

    def fits(self, values: tuple[Value, ...]) -> bool:
        count = len(self.seen)
        return list(values[:count]) == [take.value for take in self.seen] and not (
            self.is_all and len(values) > count
        )

    def applied_to(self, values: tuple[Value, ...]) -> tuple[Value, ...]:
        return values[self.taken :] + self.put


@dataclass
class View:
    attempt: Attempt
    reads: dict[str, Operation] = field(default_factory=dict)
    """The first read of each variable that saw what others had left there, with their part of the value."""
    writes: dict[str, Value] = field(default_factory=dict)
    """What is there after its commit; nothing where it did not commit."""
    adds: dict[str, int] = field(default_factory=dict)
    """What it adds there with its commit."""
    queues: dict[str, QueueView] = field(default_factory=dict)
    peeks: list[Attempt] = field(default_factory=list)
    """What it saw without a trace, each as an attempt of its own."""
    hidden: set[tuple[str, Value]] = field(default_factory=set)
    """What it wrote and never committed."""
    contradiction: str | None = None
    """Where its own operations contradict each other, whatever the others did."""

    @property
    def changes(self) -> set[str]:
        used = {variable for variable, queue in self.queues.items() if queue.taken or queue.put}
        return self.writes.keys() | self.adds.keys() | used

    def sees(self, state: State) -> bool:
        return all(state.variables.get(v) == read.value for v, read in self.reads.items()) and all(
            queue.fits(state.queues.get(v, ())) for v, queue in self.queues.items()
        )

    def applied_to(self, state: State) -> State:
        variables = state.variables | self.writes
        for variable, amount in self.adds.items():
            variables[variable] = (variables.get(variable) or 0) + amount
        queues = dict(state.queues)
        for variable, queue in self.queues.items():
            queues[variable] = queue.applied_to(queues.get(variable, ()))
        return State(variables, queues)


class _Own(NamedTuple):
    """What an attempt has done to a variable: written it or not, then added to it."""

    written: bool
    value: Value
    added: int

    def then(self, later: _Own) -> _Own:
        return later if later.written else _Own(self.written, self.value, self.added + later.added)

    def seen(self, others: Value) -> Value:
        """What it reads where others have left `others`."""
        base = self.value if self.written else others
        return base if not self.added else (base or 0) + self.added


_NOTHING = _Own(False, None, 0)


class _OwnQueue(NamedTuple):
    """What an attempt has done to a queue: taken so many from its front, and put these to its end."""

    taken: int = 0
    put: tuple[Value, ...] = ()


def view_of(attempt: Attempt) -> View:
    view = View(attempt)
    frames: list[dict[str, _Own]] = [{}]  # the own changes that are in force, by savepoint
    queues: list[dict[str, _OwnQueue]] = [
        {}
    ]  # the same of queues, each with those of the savepoints around it
    written: set[tuple[str, Value]] = set()
    before = attempt.begin
    for operation in attempt.operations:
        match operation.kind:
            case Kind.READ:
                _check_read(view, _own(frames, operation.variable), operation)
            case Kind.PEEK:
                _peek(view, _own(frames, operation.variable), operation, before)
            case Kind.WRITE:
                frames[-1][operation.variable] = _Own(True, operation.value, 0)
                written.add((operation.variable, operation.value))
            case Kind.ADD:
                _change(frames[-1], operation.variable, _Own(False, None, operation.value or 0))
                written.add((operation.variable, operation.value))
            case Kind.PUT | Kind.TAKE | Kind.EMPTY:
                own = queues[-1].get(operation.variable, _OwnQueue())
                queues[-1][operation.variable] = _use_queue(view, own, operation)
                if operation.kind is Kind.PUT:
                    written.add((operation.variable, operation.value))
            case Kind.OPEN:
                frames.append({})
                queues.append(dict(queues[-1]))
            case Kind.CLOSE:
                for variable, change in frames.pop().items():
                    _change(frames[-1], variable, change)
                queues[-2:] = queues[-1:]
            case Kind.REVERT:
                frames.pop()
                queues.pop()
            case Kind.REFUSED if attempt.outcome is Outcome.COMMITTED:
                view.contradiction = f"it committed after it was told to abort, at {operation.variable}"
        before = max(before, operation.stamp)
    if attempt.outcome is Outcome.COMMITTED:
        view.writes = {variable: own.seen(None) for variable, own in frames[0].items() if own.written}
        view.adds = {v: own.added for v, own in frames[0].items() if own.added and not own.written}
        for variable, (taken, put) in queues[0].items():
            view.queues.setdefault(variable, QueueView()).taken = taken
            view.queues[variable].put = put
    put_there = {(variable, value) for variable, queue in view.queues.items() for value in queue.put}
    view.hidden = written - view.writes.items() - view.adds.items() - put_there
    return view


def _change(frame: dict[str, _Own], variable: str, change: _Own) -> None:
    frame[variable] = frame.get(variable, _NOTHING).then(change)


def _own(frames: list[dict[str, _Own]], variable: str) -> _Own:
    own = _NOTHING
    for frame in frames:
        own = own.then(frame.get(variable, _NOTHING))
    return own


def _check_read(view: View, own: _Own, read: Operation) -> None:
    if own.written:
        if own.seen(None) != read.value:
            view.contradiction = (
                f"it read {read.variable} = {read.value} after it had written {own.seen(None)}"
            )
        return
    others = read if not own.added else replace(read, value=(read.value or 0) - own.added)
    first = view.reads.setdefault(read.variable, others)
    if first.value != others.value:
        view.contradiction = f"it read {read.variable} = {first.value}, and later {others.value}"


def _peek(view: View, own: _Own, peek: Operation, before: int) -> None:
    if own.written:
        if own.seen(None) != peek.value:
            view.contradiction = (
                f"it saw {peek.variable} = {peek.value} where it had written {own.seen(None)}"
            )
        return
    others = replace(
        peek, kind=Kind.READ, value=peek.value if not own.added else (peek.value or 0) - own.added
    )
    view.peeks.append(Attempt(view.attempt.thread, before, peek.stamp, Outcome.COMMITTED, (others,)))


def _use_queue(view: View, own: _OwnQueue, operation: Operation) -> _OwnQueue:
    taken, put = own
    if operation.kind is Kind.PUT:
        return _OwnQueue(taken, (*put, operation.value))
    queue = view.queues.setdefault(operation.variable, QueueView(since=operation.stamp))
    queue.since = queue.since or operation.stamp
    if operation.kind is Kind.EMPTY or operation.value in put[:1]:
        if len(queue.seen) > taken:
            view.contradiction = (
                f"it saw {operation.variable} without {queue.seen[taken].value}, which it had seen there"
            )
        if operation.kind is Kind.EMPTY and put:
            view.contradiction = f"it saw {operation.variable} empty after it had put {put[0]}"
        queue.is_all = True
        return _OwnQueue(taken, put[1:])
    if len(queue.seen) == taken:
        if queue.is_all:
            view.contradiction = (
                f"it took {operation.value} out of {operation.variable}, which it had seen without it"
            )
        queue.seen.append(operation)
    elif queue.seen[taken].value != operation.value:
        view.contradiction = f"it took {operation.value} where it had seen {queue.seen[taken].value} before"
    return _OwnQueue(taken + 1, put)
