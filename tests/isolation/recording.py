"""What a generated program notes down while it runs. None of it is transactional."""

from __future__ import annotations

import enum
import itertools
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from history import COUNTER_BITS, Attempt, Kind, Operation, Outcome, Value

from stmpy import InvariantViolated, current_transaction

WAITS = 3
"""How often a call waits for a change, at most."""


class Failed(Exception):
    """What generated programs raise to have something reverted."""


def untransacted(function: Any = None, **_: Any) -> Any:
    """In the place of `atomic`, for programs whose histories are to be wrong."""
    return untransacted if function is None else function


GATE = "gate.value"
"""What everybody who waits has read. It changes when all wait."""


class _Level(enum.Enum):
    """A savepoint that is open."""

    NESTED = enum.auto()
    ALTERNATIVE = enum.auto()
    LAST = enum.auto()
    """The alternative behind which there is no other."""


class _Current(threading.local):
    log: Log | None = None
    """Of the call that this thread is in."""


_current = _Current()


def observed(variable: str, read: Callable[[], Value]) -> Value:
    """What an invariant reads, noted by the call that it is checked in."""
    log = _current.log
    return log.reads(log.asks(variable), read()) if log else read()


def is_irrevocable() -> bool:
    transaction = current_transaction()
    return transaction is not None and transaction.state == "irrevocable"


class Shared:
    """What the logs of one history have in common."""

    def __init__(self) -> None:
        self.clock = itertools.count(1).__next__
        self.bits: dict[str, itertools.count[int]] = {}
        self.numbers: dict[int, int] = {}
        self.alive: list[object] = []
        """The objects made inside of transactions, whose identities stand for them."""


class Log:
    """Of one thread: it makes its attempts from what the program says before and after each operation."""

    def __init__(self, thread: int, shared: Shared, source: random.Random) -> None:
        self.attempts: list[Attempt] = []
        self._thread = thread
        self._shared = shared
        self._clock = shared.clock
        self._random = source
        self._operations: list[Operation] = []
        self._asked = ""
        self._value: int = 0
        self._augmented: dict[str, int] = {}
        """What was added to variables that were not read since: in an attempt that is to abort."""
        self._running = False
        self._begin = 0
        self._commit: int | None = None
        self._levels: list[_Level] = []
        self._leaving = False
        """A `retry()` is on its way to the next alternative, or out of the attempt."""
        self._runs_again = False
        """... to be irrevocable, or because it waits: it was not told to."""
        self._waits = 0
        """Left to the call."""
        self.waiting = False
        """It sleeps until something changes, or is about to."""

    # Around a call

    def call(self, function: Callable[..., None], *args: object) -> None:
        """A call of an atomic function, which calls `begins` first and `commits` last."""
        self._begin, self._running = self._clock(), False
        self._waits = self._random.randint(0, WAITS)
        _current.log = self
        try:
            function(self, *args)
        except (Failed, InvariantViolated):
            self._ends(Outcome.REVERTED)
        else:
            self._ends(Outcome.COMMITTED)

    def begins(self) -> None:
        """An attempt begins. The one before it was aborted, sometime since its last operation."""
        if self._running:
            last = max((operation.stamp for operation in self._operations), default=self._begin)
            self._ends(Outcome.REVERTED if self._runs_again else Outcome.ABORTED)
            self._begin = last
        self._running = True
        self._operations, self._commit = [], None
        self._augmented.clear()
        self._levels.clear()
        self._leaving = self._runs_again = self.waiting = False
        if is_irrevocable():
            self.is_irrevocable()

    def is_irrevocable(self) -> None:
        self._note(Kind.IRREVOCABLE)

    def pending(self) -> Attempt:
        """What it has seen of the attempt that has not ended."""
        return Attempt(self._thread, self._begin, self._clock(), Outcome.REVERTED, tuple(self._operations))

    def commits(self) -> None:
        self._commit = self._clock()

    def _ends(self, outcome: Outcome) -> None:
        self._leaving = False
        self._note_refusal()
        operations = tuple(self._operations)
        self.attempts.append(
            Attempt(self._thread, self._begin, self._clock(), outcome, operations, self._commit)
        )

    # Outside of transactions

    def outside(self) -> None:
        """The next operation is outside."""
        self._begin = self._clock()
        self._operations, self._commit = [], None

    def was_outside(self) -> None:
        if any(operation.kind is not Kind.READ for operation in self._operations):
            self._commit = self._begin
        self._ends(Outcome.COMMITTED)

    def sees(self, variable: str, read: Callable[[], Value]) -> None:
        self.outside()
        self.reads(variable, read())
        self.was_outside()

    def empties(self, name: str, queue: Any) -> None:
        while not queue.empty():
            self.outside()
            self.asks(name)
            self.took(queue.get_nowait())
            self.was_outside()

    def opens_gate(self, gate: Any) -> None:
        """Once."""
        if not gate.value:
            self.outside()
            gate.value = self.writes(GATE)
            self.wrote()
            self.was_outside()

    # Operations

    def asks(self, variable: str) -> str:
        self._note_refusal()
        self._asked = variable
        return variable

    def _note_refusal(self) -> None:
        if self._asked and not self._leaving:
            self._note(Kind.REFUSED, self._asked)

    def _note(self, kind: Kind, variable: str = "", value: Value = None) -> None:
        # What is done on the way of a retry() is taken back, and not looked at.
        if not self._leaving:
            self._operations.append(Operation(kind, variable, value, self._clock()))
        self._asked = ""

    def reads(self, variable: str, value: Any) -> Any:
        if much := self._augmented.pop(variable, 0):
            self._note(Kind.READ, variable, value - much)
            self._note(Kind.WRITE, variable, value)
        self._note(Kind.READ, variable, value)
        return value

    def writes(self, variable: str) -> int:
        """The value to write next; `wrote` says that it was."""
        self.asks(variable)
        self._value = self._random.getrandbits(60)
        return self._value

    def wrote(self) -> None:
        self._note(Kind.WRITE, self._asked, self._value)

    def augmented(self) -> None:
        """What `writes` gave was added to the variable. What that made of it shows when it is read next."""
        self._augmented[self._asked] = self._value
        self._asked = ""

    def writes_again(self, variable: str) -> int:
        """The value that was written last."""
        self.asks(variable)
        return self._value

    def removes(self, variable: str, value: Value) -> None:
        """It is gone, and had that value, None if it was not there."""
        self.reads(variable, value)
        if value is not None:
            self._note(Kind.WRITE, variable)

    def has_default(self, value: int) -> None:
        """What is there, or what `writes` gave because nothing was."""
        variable = self._asked
        if value == self._value:
            self._note(Kind.READ, variable)
            self._note(Kind.WRITE, variable, value)
        else:
            self._note(Kind.READ, variable, value)

    def adds(self, counter: str) -> int:
        self.asks(counter)
        bit = next(self._shared.bits.setdefault(counter, itertools.count()))
        self._value = 1 << bit if bit < COUNTER_BITS else 0
        return self._value

    def added(self) -> None:
        self._note(Kind.ADD, self._asked, self._value)

    def sets(self, counter: str) -> int:
        self.asks(counter)
        self._value = self._random.getrandbits(50) << COUNTER_BITS
        return self._value

    def made(self, thing: object) -> object:
        """A new object, made with what `writes` gave."""
        number = self._random.getrandbits(60)
        self._shared.numbers[id(thing)] = number
        self._shared.alive.append(thing)
        self._note(Kind.WRITE, self.value_of(thing), self._value)
        return thing

    def value_of(self, thing: object) -> str:
        return f"made{self._shared.numbers[id(thing)]}.value"

    def links(self, variable: str, thing: object) -> Any:
        self.asks(variable)
        self._value = self._shared.numbers[id(thing)]
        return thing

    def follows(self, variable: str, thing: object) -> Any:
        self._note(Kind.READ, variable, 0 if thing is None else self._shared.numbers[id(thing)])
        return thing

    def peeks(self, variable: str, value: Value) -> None:
        """Without a trace; not at what was augmented."""
        if variable not in self._augmented:
            self._note(Kind.PEEK, variable, value)

    def puts(self, queue: str) -> int:
        return self.writes(queue)

    def put(self) -> None:
        self._note(Kind.PUT, self._asked, self._value)

    def took(self, value: int) -> None:
        self._note(Kind.TAKE, self._asked, value)

    def found_empty(self) -> None:
        self._note(Kind.EMPTY, self._asked)

    def opens(self) -> None:
        self._enters(_Level.NESTED)

    def alternative(self, *, last: bool) -> None:
        """An alternative begins: because those before it have retried."""
        if self._leaving:
            self._leaving, self._asked = False, ""
        self._enters(_Level.LAST if last else _Level.ALTERNATIVE)

    def _enters(self, level: _Level) -> None:
        self._note_refusal()
        self._note(Kind.OPEN)
        if not self._leaving:
            self._levels.append(level)

    def closes(self) -> None:
        self._leaves(Kind.CLOSE)

    def reverts(self) -> None:
        self._leaves(Kind.REVERT)

    def _leaves(self, how: Kind) -> None:
        if how is Kind.REVERT:
            self._augmented.clear()
        self._note_refusal()
        self._note(how)
        if self._levels and not self._leaving:
            self._levels.pop()

    def declines(self) -> bool:
        """Whether an alternative that is not the last one retries."""
        return self._random.random() < 0.5 and not is_irrevocable()

    def waits(self, is_open: Callable[[], int]) -> bool:
        """Whether to wait for a change: not where the gate is open, so that all come to their end."""
        if not self._waits or is_irrevocable() or self.reads(self.asks(GATE), is_open()):
            return False
        self._waits -= 1
        return True

    def retries(self) -> None:
        """`retry()` follows, and leads to the next alternative, or out of the attempt."""
        while self._levels:
            level = self._levels[-1]
            self.reverts()
            if level is _Level.ALTERNATIVE:
                self._leaving = True
                return
        self.asks("retry")
        self._note_refusal()  # it does not commit
        self._leaving = self._runs_again = self.waiting = True

    def becomes_irrevocable(self) -> None:
        """An irrevocable call follows, in an attempt that has to begin anew for it."""
        if not is_irrevocable():
            self._runs_again = True

    def pause(self) -> None:
        """Others run meanwhile, sometimes."""
        time.sleep(self._random.choice((0, 0, 1e-5, 1e-4)))
