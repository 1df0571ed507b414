"""Opacity and strict serialisability word for word: all prefixes, all completions, all orders. For histories
of a few attempts, to hold the checker against."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

from history import Attempt, History, Kind, Outcome, Value

NEVER = 1 << 62


def is_opaque(history: History) -> bool:
    stamps = {attempt.begin for attempt in history} | {attempt.end for attempt in history}
    stamps |= {operation.stamp for attempt in history for operation in attempt.operations}
    stamps |= {attempt.commit for attempt in history if attempt.commit is not None}
    return all(any(map(has_order, completions(history, stamp))) for stamp in sorted(stamps))


def is_strictly_serialisable(history: History) -> bool:
    return has_order(history.committed())


def completions(history: History, stamp: int) -> Iterator[History]:
    """What the prefix up to the stamp may become: who has begun to commit may have, all others have not."""
    ways: list[list[Attempt]] = []
    for attempt in history:
        if attempt.begin > stamp:
            continue
        operations = tuple(o for o in attempt.operations if o.stamp <= stamp)
        ended = attempt.end <= stamp
        seen = dataclasses.replace(
            attempt,
            operations=operations,
            end=attempt.end if ended else NEVER,
            outcome=attempt.outcome if ended else Outcome.ABORTED,
        )
        ways.append([seen])
        if not ended and (attempt.commit or NEVER) <= stamp:
            ways[-1].append(dataclasses.replace(seen, outcome=Outcome.COMMITTED))
    for chosen in itertools.product(*ways):
        yield History(chosen)


def has_order(history: History) -> bool:
    return any(map(_is_legal, itertools.permutations(history)))


def _is_legal(order: tuple[Attempt, ...]) -> bool:
    for first, second in itertools.combinations(order, 2):
        if second.precedes(first):
            return False
    state: dict[str, Value] = {}
    queues: dict[str, tuple[Value, ...]] = {}
    for attempt in order:
        own, in_queues = dict(state), dict(queues)
        before: list[tuple[dict[str, Value], dict[str, tuple[Value, ...]]]] = []
        for operation in attempt.operations:
            match operation.kind:
                case Kind.READ if own.get(operation.variable) != operation.value:
                    return False
                case Kind.WRITE:
                    own[operation.variable] = operation.value
                case Kind.ADD:
                    own[operation.variable] = (own.get(operation.variable) or 0) + (operation.value or 0)
                case Kind.PUT:
                    in_queues[operation.variable] = (*in_queues.get(operation.variable, ()), operation.value)
                case Kind.TAKE:
                    first, *rest = in_queues.get(operation.variable, ()) or (None,)
                    if first != operation.value:
                        return False
                    in_queues[operation.variable] = tuple(rest)
                case Kind.EMPTY if in_queues.get(operation.variable):
                    return False
                case Kind.OPEN:
                    before.append((dict(own), dict(in_queues)))
                case Kind.CLOSE:
                    before.pop()
                case Kind.REVERT:
                    own, in_queues = before.pop()
        if attempt.outcome is Outcome.COMMITTED:
            state, queues = own, in_queues
    return True
