"""What a generated program notes down while it runs. None of it is transactional."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from typing import Any

from history import COUNTER_BITS, Attempt, Kind, Operation, Outcome


class Failed(Exception):
    """What generated programs raise to have something reverted."""


def untransacted(function: Any = None, **_: Any) -> Any:
    """In the place of `atomic`, for programs whose histories are to be wrong."""
    return untransacted if function is None else function


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

    # Around a call

    def call(self, function: Callable[..., None], *args: object) -> None:
        """A call of an atomic function, which calls `begins` first and `commits` last."""
        self._begin, self._running = self._clock(), False
        try:
            function(self, *args)
        except Failed:
            self._ends(Outcome.REVERTED)
        else:
            self._ends(Outcome.COMMITTED)

    def begins(self) -> None:
        """An attempt begins. The one before it was aborted, sometime since its last operation."""
        if self._running:
            last = max((operation.stamp for operation in self._operations), default=self._begin)
            self._ends(Outcome.ABORTED)
            self._begin = last
        self._running = True
        self._operations, self._commit = [], None
        self._augmented.clear()

    def commits(self) -> None:
        self._commit = self._clock()

    def _ends(self, outcome: Outcome) -> None:
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

    def sees(self, variable: str, read: Callable[[Any], int], thing: object) -> None:
        self.outside()
        self.reads(variable, read(thing))
        self.was_outside()

    # Operations

    def asks(self, variable: str) -> str:
        self._note_refusal()
        self._asked = variable
        return variable

    def _note_refusal(self) -> None:
        if self._asked:
            self._note(Kind.REFUSED, self._asked)

    def _note(self, kind: Kind, variable: str = "", value: int | None = None) -> None:
        self._operations.append(Operation(kind, variable, value, self._clock()))
        self._asked = ""

    def reads(self, variable: str, value: int) -> int:
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

    def opens(self) -> None:
        self._operations.append(Operation(Kind.OPEN, stamp=self._clock()))

    def closes(self) -> None:
        self._operations.append(Operation(Kind.CLOSE, stamp=self._clock()))

    def reverts(self) -> None:
        self._augmented.clear()
        self._operations.append(Operation(Kind.REVERT, stamp=self._clock()))

    def pause(self) -> None:
        """Others run meanwhile, sometimes."""
        time.sleep(self._random.choice((0, 0, 1e-5, 1e-4)))
