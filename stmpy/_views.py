"""What a program may ask of its transactions: the access map, the revert log, the statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from stmpy import _runtime
from stmpy._runtime import Transaction

Pair = tuple[Any, str]
_Value = TypeVar("_Value")


class _Missing:
    """The type of `MISSING`."""

    _instance: _Missing | None = None

    def __new__(cls) -> _Missing:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "stmpy.MISSING"

    def __reduce__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


_Missing.__module__ = "stmpy"
MISSING: Final = _Missing()
"""The old value, in a revert log, of an attribute that did not exist."""


class IdentityMapping(Mapping[Pair, _Value], Generic[_Value]):
    """A read-only mapping with (object, attribute name) as keys.

    Objects go by identity and need not be hashable.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[int, str], tuple[Pair, _Value]] = {}

    def _enter(self, pair: Pair, value: _Value) -> _Value:
        return self._entries.setdefault((id(pair[0]), pair[1]), (pair, value))[1]

    def __getitem__(self, pair: Pair) -> _Value:
        try:
            return self._entries[id(pair[0]), pair[1]][1]
        except (KeyError, TypeError, IndexError):
            raise KeyError(pair) from None

    def __contains__(self, pair: object) -> bool:
        return isinstance(pair, tuple) and len(pair) == 2 and (id(pair[0]), pair[1]) in self._entries

    def __iter__(self) -> Iterator[Pair]:
        return (pair for pair, _ in self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{pair!r}: {value!r}' for pair, value in self._entries.values())}}}"


@dataclass(frozen=True)
class AccessMap:
    """A snapshot of the central access map, readable both ways.

    Modes are "read", "update", "write" and "exclusive". The structure of an object (which attributes it
    has, its class) is the pair of the object and "__dict__".
    """

    by_attribute: Mapping[Pair, dict[Transaction, str]]
    """(object, attribute name) -> the transactions that have registered it, with their modes."""
    by_transaction: dict[Transaction, Mapping[Pair, str]]
    """transaction -> the (object, attribute name) pairs it has registered, with their modes."""


def access_map() -> AccessMap:
    """Which transactions in progress have registered what; each transaction's pairs as of one instant."""
    by_attribute: IdentityMapping[dict[Transaction, str]] = IdentityMapping()
    by_transaction: dict[Transaction, Mapping[Pair, str]] = {}
    for transaction, pairs in _runtime.transactions_in_progress():
        modes: IdentityMapping[str] = IdentityMapping()
        for registered, attribute, mode in pairs:
            modes._enter((registered, attribute), mode)
            by_attribute._enter((registered, attribute), {})[transaction] = mode
        by_transaction[transaction] = modes
    return AccessMap(by_attribute, by_transaction)


def revert_log() -> list[tuple[Any, str, Any]]:
    """The changes of this thread's transaction so far, in the order of writing.

    Each is (object, attribute name, old value).
    The old value of an attribute that did not exist is `stmpy.MISSING`. Empty outside of a transaction.
    """
    return _runtime.revert_log(MISSING)


@dataclass(frozen=True)
class Statistics:
    """What all threads have done since the start or the last `reset_stats()`."""

    begun: int
    """Calls that started an outermost transaction."""
    committed: int
    """Attempts that committed, outside writes among them."""
    attempts: int
    """Attempts begun, outside writes among them."""
    aborted_by_conflict: int
    """Attempts of atomic functions that met another transaction and will have run again."""
    aborted_by_exception: int
    """Attempts of atomic functions that an exception left."""
    nested_reverts: int
    """Nested transactions that an exception reverted, and alternatives that did `retry()`."""
    retries: int
    """Attempts that waited in `retry()` for a change."""
    waits: int
    """How often a thread slept until another transaction had ended."""
    seconds_waited: float
    """How long they slept altogether."""
    longest_wait: float
    """The longest of these sleeps, in seconds."""
    most_attempts: int
    """The attempts of the call that needed most. Those that waited in `retry()` are not among them."""
    aborted_by_senior: int
    """Those of `aborted_by_conflict` that had to yield to an older call. All others gave up by themselves."""
    failed_upgrades: int
    """Attempts that gave up because another transaction held what they had read and came to write."""
    timeouts: int
    """Calls that raised `TransactionTimeout`, timeouts of an `STMQueue` in them."""
    irrevocable: int
    """Attempts that were irrevocable."""


def stats() -> Statistics:
    """The statistics of all threads together."""
    return Statistics(**_runtime.statistics())
