"""Random histories that no transactional memory made: some right, most not."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from history import Attempt, History, Kind, Operation, Outcome, Value

VARIABLES = ("a", "b")
COUNTER = "c"
QUEUE = "q"


@dataclass
class _Running:
    thread: int
    begin: int
    left: int
    """Operations that it will make."""
    outcome: Outcome
    snapshot: dict[str, Value]
    operations: list[Operation] = field(default_factory=list)
    writes: list[dict[str, Value]] = field(default_factory=lambda: [{}])
    added: int = 0
    """To the counter."""
    queue: list[Value] = field(default_factory=list)
    """The queue as it knows it, with its own changes."""
    taken: list[Value] = field(default_factory=list)
    put: list[Value] = field(default_factory=list)
    commit: int | None = None

    def own(self, variable: str) -> Value:
        for frame in reversed(self.writes):
            if variable in frame:
                return frame[variable]
        return None


class _Guess:
    """A memory with in-place commits and no idea of concurrency, that mostly answers from a snapshot."""

    def __init__(self, source: random.Random) -> None:
        self._source = source
        self._clock = 0
        self._value = 0
        self._memory: dict[str, Value] = dict.fromkeys((*VARIABLES, COUNTER), 0)
        self._ever: dict[str, list[Value]] = {variable: [0] for variable in self._memory}
        self._queue: list[Value] = []
        self._ever_put: list[Value] = [0]
        self._carelessness = source.choice((0.05, 0.2, 0.4))
        first = (Operation(Kind.WRITE, variable, 0, 0) for variable in self._memory)
        self._queue_weights = source.choice(((0, 0), (2, 3), (10, 20)))
        self._done = [Attempt(0, 0, self._tick(), Outcome.COMMITTED, tuple(first))]

    def history(self) -> History:
        running: dict[int, _Running] = {}
        to_begin = self._source.randint(3, 5)
        while to_begin or running:
            thread = self._source.randint(1, 3)
            attempt = running.get(thread)
            if attempt is None:
                if to_begin:
                    to_begin -= 1
                    running[thread] = self._begin(thread)
            elif attempt.left:
                attempt.left -= 1
                attempt.operations += self._operations(attempt)
            elif self._source.random() < 0.7 and self._ends(attempt):
                self._done.append(self._ended(running.pop(thread)))
        return History(tuple(self._done))

    def _tick(self) -> int:
        self._clock += 1
        return self._clock

    def _begin(self, thread: int) -> _Running:
        outcome = self._source.choices(list(Outcome), (6, 1, 1))[0]
        operations, memory = self._source.randint(1, 3), dict(self._memory)
        return _Running(thread, self._tick(), operations, outcome, memory, queue=list(self._queue))

    def _operations(self, attempt: _Running) -> list[Operation]:
        kinds = ("read", "write", "add", "savepoint", "put", "take")
        kind = self._source.choices(kinds, (5, 3, 1, 1, *self._queue_weights))[0]
        if kind == "add":
            return [self._add(attempt)]
        if kind == "put":
            return [self._put(attempt)]
        if kind == "take":
            taken = self._take(attempt)
            if self._source.random() < 0.2:
                return [Operation(Kind.OPEN, stamp=taken.stamp), taken, self._put_back(attempt, taken)]
            return [taken]
        if kind == "savepoint":
            inner = self._write(attempt, {})
            end = self._source.choice((Kind.CLOSE, Kind.REVERT))
            if end is Kind.CLOSE:
                attempt.writes[-1][inner.variable] = inner.value
            stamps = Operation(Kind.OPEN, stamp=inner.stamp), Operation(end, stamp=self._tick())
            return [stamps[0], inner, stamps[1]]
        return [self._read(attempt) if kind == "read" else self._write(attempt, attempt.writes[-1])]

    def _write(self, attempt: _Running, into: dict[str, Value]) -> Operation:
        variable = self._source.choice(VARIABLES)
        self._value += 1
        into[variable] = self._value
        self._ever[variable].append(self._value)
        return Operation(Kind.WRITE, variable, self._value, self._tick())

    def _add(self, attempt: _Running) -> Operation:
        self._value += 1
        attempt.added += 1 << self._value
        self._ever[COUNTER].append(self._source.choice(self._ever[COUNTER]) | 1 << self._value)
        return Operation(Kind.ADD, COUNTER, 1 << self._value, self._tick())

    def _put(self, attempt: _Running) -> Operation:
        self._value += 1
        attempt.put.append(self._value)
        attempt.queue.append(self._value)
        self._ever_put.append(self._value)
        return Operation(Kind.PUT, QUEUE, self._value, self._tick())

    def _take(self, attempt: _Running) -> Operation:
        if self._source.random() < self._carelessness / 2:
            attempt.queue = [*self._queue, *attempt.put]
        value = attempt.queue.pop(0) if attempt.queue else None
        if self._source.random() < self._carelessness:
            value = self._source.choice(self._ever_put)
        if value is None:
            return Operation(Kind.EMPTY, QUEUE, None, self._tick())
        attempt.taken.append(value)
        return Operation(Kind.TAKE, QUEUE, value, self._tick())

    def _put_back(self, attempt: _Running, taken: Operation) -> Operation:
        if taken.kind is Kind.TAKE:
            attempt.queue.insert(0, attempt.taken.pop())
        return Operation(Kind.REVERT, stamp=self._tick())

    def _read(self, attempt: _Running) -> Operation:
        variable = self._source.choice((*VARIABLES, COUNTER))
        value = attempt.own(variable)
        if value is None:
            value = self._source.choices((attempt.snapshot, self._memory), (2, 1))[0][variable]
        if self._source.random() < self._carelessness:
            value = self._source.choice(self._ever[variable])
        if variable == COUNTER:
            value = (value or 0) | attempt.added
        return Operation(Kind.READ, variable, value, self._tick())

    def _ends(self, attempt: _Running) -> bool:
        """Whether it ends at this step. Committing takes two, between which others come."""
        if attempt.outcome is Outcome.COMMITTED and attempt.commit is None:
            attempt.commit = self._tick()
            if self._source.random() < 0.5:
                self._commit(attempt)
            return False
        return True

    def _commit(self, attempt: _Running) -> None:
        self._memory.update(attempt.writes[0])
        self._memory[COUNTER] = (self._memory[COUNTER] or 0) | attempt.added
        self._queue = [value for value in self._queue if value not in attempt.taken]
        self._queue += [value for value in attempt.put if value not in (*attempt.taken, *self._queue)]

    def _ended(self, attempt: _Running) -> Attempt:
        if attempt.outcome is Outcome.COMMITTED:
            self._commit(attempt)
        operations = tuple(attempt.operations)
        return Attempt(
            attempt.thread, attempt.begin, self._tick(), attempt.outcome, operations, attempt.commit
        )


def guess(source: random.Random) -> History:
    return _Guess(source).history()
