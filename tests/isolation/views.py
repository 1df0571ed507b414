"""What an attempt shows to others and is shown by them, with its savepoints worked out.

A reverted savepoint takes its writes with it, which nobody but the attempt itself ever saw. Its reads stay:
what they saw must be of the same state as all other reads of the attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from history import Attempt, Kind, Operation, Outcome, Value


@dataclass
class View:
    attempt: Attempt
    reads: dict[str, Operation] = field(default_factory=dict)
    """The first read of each variable that saw what others had left there."""
    writes: dict[str, Value] = field(default_factory=dict)
    """What is there after its commit; nothing where it did not commit."""
    hidden: set[tuple[str, Value]] = field(default_factory=set)
    """What it wrote and never committed."""
    contradiction: str | None = None
    """Where its own operations contradict each other, whatever the others did."""


def view_of(attempt: Attempt) -> View:
    view = View(attempt)
    frames: list[dict[str, Value]] = [{}]  # the own writes that are in force, by savepoint
    written: set[tuple[str, Value]] = set()
    for operation in attempt.operations:
        match operation.kind:
            case Kind.READ:
                _check_read(view, frames, operation)
            case Kind.WRITE:
                frames[-1][operation.variable] = operation.value
                written.add((operation.variable, operation.value))
            case Kind.OPEN:
                frames.append({})
            case Kind.CLOSE:
                kept = frames.pop()
                frames[-1].update(kept)
            case Kind.REVERT:
                frames.pop()
            case Kind.REFUSED if attempt.outcome is Outcome.COMMITTED:
                view.contradiction = f"it committed after it was told to abort, at {operation.variable}"
    if attempt.outcome is Outcome.COMMITTED:
        view.writes = frames[0]
    view.hidden = written - set(view.writes.items())
    return view


def _check_read(view: View, frames: list[dict[str, Value]], read: Operation) -> None:
    for frame in reversed(frames):
        if read.variable in frame:
            if frame[read.variable] != read.value:
                view.contradiction = (
                    f"it read {read.variable} = {read.value} after it had written {frame[read.variable]}"
                )
            return
    first = view.reads.setdefault(read.variable, read)
    if first.value != read.value:
        view.contradiction = f"it read {read.variable} = {first.value}, and later {read.value}"
