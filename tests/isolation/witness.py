"""Looks for an order of whole operations: could a history of one object be that of its sequential twin?

`checker.py` knows variables that are read and written. Here an operation is whatever a type can do, and
a builtin says whether it could have returned that: the twin, which does it again. A history is right if there
is an order of all its attempts, aborted ones too, that keeps "ended before the other began", in which each
operation returns what it returned; committed attempts leave the twin as they have changed it, all others
leave it as it was. For committed attempts that is strict serialisability, for the others what opacity says of
an attempt that has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Twin = Any
"""What a builtin in the object's place would hold; never changed in place."""


@dataclass(frozen=True)
class Step:
    """An operation and what it returned."""

    name: str
    arguments: tuple[Any, ...]
    returned: Any

    def __str__(self) -> str:
        return f"{self.name}{self.arguments} -> {self.returned!r}"


@dataclass
class Attempt:
    """Between two stamps of the one clock."""

    begin: int
    end: int = 0
    committed: bool = False
    steps: list[Step | Nested] = field(default_factory=list)

    def __str__(self) -> str:
        outcome = "committed" if self.committed else "aborted"
        return f"{self.begin}-{self.end} {outcome}: {'; '.join(map(str, self.steps))}"


@dataclass
class Nested:
    """What a nested call did, all of which was taken back where it failed."""

    steps: list[Step | Nested] = field(default_factory=list)
    failed: bool = False

    def __str__(self) -> str:
        return f"{'failed' if self.failed else 'nested'}({'; '.join(map(str, self.steps))})"


Replay = Callable[[Twin, Step], Twin]
"""The twin behind the step; raises Impossible where the step would not have returned that."""


class Impossible(Exception):
    pass


def has_witness(attempts: Sequence[Attempt], start: Twin, end: Twin, replay: Replay) -> bool:
    """Whether there is an order that leads from the one state to the other."""
    seen: set[tuple[frozenset[int], Any]] = set()
    ways: list[tuple[frozenset[int], Twin]] = [(frozenset(range(len(attempts))), start)]
    while ways:
        left, twin = ways.pop()
        # Who is aborted changes nothing at any time, and may as well come as soon as it can.
        aborted, committed = _possible(attempts, left, twin, replay)
        while aborted:
            left -= aborted
            aborted, committed = _possible(attempts, left, twin, replay)
        if not left and twin == end:
            return True
        if (left, twin) in seen:
            continue
        seen.add((left, twin))
        ways += [(left - {number}, changed) for number, changed in committed]
    return False


def _possible(
    attempts: Sequence[Attempt], left: frozenset[int], twin: Twin, replay: Replay
) -> tuple[frozenset[int], list[tuple[int, Twin]]]:
    """Of those that are left, who may be next: aborted ones, and committed ones with what they make of it."""
    first_end = min((attempts[number].end for number in left), default=0)
    aborted, committed = [], []
    for number in left:
        attempt = attempts[number]
        if attempt.begin > first_end:
            continue
        try:
            changed = _replayed(twin, attempt.steps, replay)
        except Impossible:
            continue
        if attempt.committed:
            committed.append((number, changed))
        else:
            aborted.append(number)
    return frozenset(aborted), committed


def _replayed(twin: Twin, steps: Sequence[Step | Nested], replay: Replay) -> Twin:
    for step in steps:
        if isinstance(step, Step):
            twin = replay(twin, step)
        else:
            changed = _replayed(twin, step.steps, replay)
            twin = twin if step.failed else changed
    return twin
