"""What an attempt shows to others and is shown by them, with its savepoints worked out.

A reverted savepoint takes its changes with it, which nobody but the attempt itself ever saw. Its reads stay:
what they saw must be of the same state as all other reads of the attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from history import Attempt, Kind, Operation, Outcome, Value


@dataclass
class View:
    attempt: Attempt
    reads: dict[str, Operation] = field(default_factory=dict)
    """The first read of each variable that saw what others had left there, with their part of the value."""
    writes: dict[str, Value] = field(default_factory=dict)
    """What is there after its commit; nothing where it did not commit."""
    adds: dict[str, int] = field(default_factory=dict)
    """What it adds there with its commit."""
    hidden: set[tuple[str, Value]] = field(default_factory=set)
    """What it wrote and never committed."""
    contradiction: str | None = None
    """Where its own operations contradict each other, whatever the others did."""

    @property
    def changes(self) -> set[str]:
        return self.writes.keys() | self.adds.keys()

    def applied_to(self, state: dict[str, Value]) -> dict[str, Value]:
        after = state | self.writes
        for variable, amount in self.adds.items():
            after[variable] = (after.get(variable) or 0) + amount
        return after


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


def view_of(attempt: Attempt) -> View:
    view = View(attempt)
    frames: list[dict[str, _Own]] = [{}]  # the own changes that are in force, by savepoint
    written: set[tuple[str, Value]] = set()
    for operation in attempt.operations:
        match operation.kind:
            case Kind.READ:
                _check_read(view, _own(frames, operation.variable), operation)
            case Kind.WRITE:
                frames[-1][operation.variable] = _Own(True, operation.value, 0)
                written.add((operation.variable, operation.value))
            case Kind.ADD:
                _change(frames[-1], operation.variable, _Own(False, None, operation.value or 0))
                written.add((operation.variable, operation.value))
            case Kind.OPEN:
                frames.append({})
            case Kind.CLOSE:
                for variable, own in frames.pop().items():
                    _change(frames[-1], variable, own)
            case Kind.REVERT:
                frames.pop()
            case Kind.REFUSED if attempt.outcome is Outcome.COMMITTED:
                view.contradiction = f"it committed after it was told to abort, at {operation.variable}"
    if attempt.outcome is Outcome.COMMITTED:
        view.writes = {variable: own.seen(None) for variable, own in frames[0].items() if own.written}
        view.adds = {v: own.added for v, own in frames[0].items() if own.added and not own.written}
    view.hidden = written - view.writes.items() - view.adds.items()
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
