"""What a run leaves behind: its attempts, what each of them saw and wrote, and when.

All stamps come from one clock that never gives the same stamp twice. `begin` was taken before the attempt
began and `end` after it had ended, so that of two attempts one is said to precede the other only where it
did. An access outside of transactions is an attempt of one operation; so is the first one of a history, which
writes what the variables hold at the beginning.

The text of a history has a line for each attempt::

    thread begin commit end outcome; read variable value stamp; write variable value stamp; …

A dict's key is a variable of its own, named `dict:key`. A *queue* is a variable of another kind: what is
put into it is taken out in the order in which the puts were committed. Nothing is put twice.

A *counter* is a variable that is added to. Of its value the upper bits say which write it stands on, and each
of the lower `COUNTER_BITS` whether one certain addition has been made since: recorders add no power of two
twice, and write nothing into these bits. So its value tells who made it, as other values do.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

COUNTER_BITS = 62

Value = int | None
"""None where the variable does not exist."""


class Kind(enum.Enum):
    READ = "read"
    WRITE = "write"
    ADD = "add"
    """To a counter, at the commit."""
    PUT = "put"
    """The value to the end of a queue."""
    TAKE = "take"
    """The value from the front of a queue."""
    EMPTY = "empty"
    """Nothing was in the queue."""
    PEEK = "peek"
    """A read that leaves no trace: an outside one, but for what the attempt has written itself."""
    IRREVOCABLE = "irrevocable"
    """From here on the attempt cannot be told to abort. At most one at a time."""
    OPEN = "open"
    """A savepoint: what follows can be reverted up to here."""
    CLOSE = "close"
    """The newest savepoint is kept."""
    REVERT = "revert"
    """The newest savepoint is reverted and closed."""
    REFUSED = "refused"
    """The access to the variable was answered by the abort of the attempt."""


class Outcome(enum.Enum):
    COMMITTED = "committed"
    ABORTED = "aborted"
    """By the runtime, which runs it again."""
    REVERTED = "reverted"
    """By its own doing: an exception that left it, or a wait for a change."""


@dataclass(frozen=True)
class Operation:
    kind: Kind
    variable: str = ""
    value: Value = None
    stamp: int = 0
    """Taken when the operation had its answer."""

    def __str__(self) -> str:
        value = "-" if self.value is None else self.value
        if self.kind in (Kind.OPEN, Kind.CLOSE, Kind.REVERT, Kind.REFUSED):
            return f"{self.kind.value} {self.variable}".rstrip()
        return f"{self.kind.value} {self.variable or '-'} {value} {self.stamp}"


@dataclass(frozen=True)
class Attempt:
    thread: int
    begin: int
    end: int
    outcome: Outcome
    operations: tuple[Operation, ...] = ()
    commit: int | None = None
    """Taken before it began to commit; None where it never did."""

    def __str__(self) -> str:
        commit = "-" if self.commit is None else self.commit
        head = f"{self.thread} {self.begin} {commit} {self.end} {self.outcome.value}"
        return "; ".join([head, *map(str, self.operations)])

    def precedes(self, other: Attempt) -> bool:
        return self.end < other.begin

    @property
    def variables(self) -> set[str]:
        """What it used, or asked for and did not get; but what left no trace. Of a dict's keys, the dict."""
        return {o.variable.partition(":")[0] for o in self.operations if o.kind is not Kind.PEEK} - {""}

    @property
    def irrevocable_since(self) -> int | None:
        return next((o.stamp for o in self.operations if o.kind is Kind.IRREVOCABLE), None)


@dataclass(frozen=True)
class History:
    attempts: tuple[Attempt, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, sorted(self.attempts, key=lambda attempt: attempt.begin)))

    def __iter__(self) -> Iterator[Attempt]:
        return iter(self.attempts)

    def committed(self) -> History:
        return History(tuple(a for a in self.attempts if a.outcome is Outcome.COMMITTED))

    @staticmethod
    def parse(lines: Iterable[str]) -> History:
        return History(tuple(map(_attempt, lines)))


def _attempt(line: str) -> Attempt:
    head, *operations = line.split(";")
    thread, begin, commit, end, outcome = head.split()
    return Attempt(
        int(thread),
        int(begin),
        int(end),
        Outcome(outcome),
        tuple(_operation(*operation.split()) for operation in operations),
        _value(commit),
    )


def _operation(kind: str, variable: str = "", value: str = "-", stamp: str = "0") -> Operation:
    return Operation(Kind(kind), "" if variable == "-" else variable, _value(value), int(stamp))


def _value(text: str) -> int | None:
    return None if text == "-" else int(text)
