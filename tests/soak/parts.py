"""What the threads of the soak do, and what holds of it. Loaded twice, as it is and compiled."""

from __future__ import annotations

import gc
import itertools
import random
from collections.abc import Callable
from typing import TypeVar

from stmpy import (
    InvariantViolated,
    STMCounter,
    STMDict,
    STMList,
    STMObject,
    STMQueue,
    STMSet,
    TransactionLocal,
    TransactionTimeout,
    atomic,
    atomically,
    in_transaction,
    invariant,
    on_abort,
    on_commit,
    or_else,
    retry,
    unrecorded,
)

COMPILED = False  # whoever loads it says so

ACCOUNTS, EACH, TOKENS = 16, 100, 32
SHARES, HOLDERS, ELEMENTS = 1_000, 200, 64


class Account(STMObject):
    def __init__(self, balance: int) -> None:
        self.balance = balance
        self.payload: object = None


A = TypeVar("A", bound=Account)


class Oops(Exception):
    """Leaves a transaction, which takes it back."""


class Payload:
    """In a cycle with itself, so that only the collector finds it."""

    def __init__(self) -> None:
        self.me = self


class Solvent(Account):
    """Whoever overdraws it is taken back."""

    @invariant
    def is_never_overdrawn(self) -> bool:
        return self.balance >= 0


NOTES: TransactionLocal[list[int]] = TransactionLocal(list)


class World:
    """What the threads share, and what holds of it whenever no transaction is half done.

    What a forked child uses of it has no lock of the interpreter's, so tuples, not lists: without a GIL
    CPython may have handed such a lock to a thread that was waiting for it just before the fork. In the child
    it is taken for ever.
    """

    def __init__(self) -> None:
        self.accounts = tuple(Account(EACH) for _ in range(ACCOUNTS))
        self.counter = STMCounter()
        self.entries: STMList[int] = STMList()
        self.sum_of_entries = Account(0)
        self.boxes = (Account(0), Account(0))
        self.tokens: STMQueue[int] = STMQueue()
        for token in range(TOKENS):
            self.tokens.put_nowait(token)
        # Who has nothing is not in it.
        self.shares: STMDict[int, int] = STMDict({0: SHARES})
        self.sides: tuple[STMSet[int], STMSet[int]] = (STMSet(range(ELEMENTS)), STMSet())
        self.solvent = tuple(Solvent(EACH) for _ in range(4))

    @atomic
    def check(self) -> None:
        """As of one instant."""
        total = sum(account.balance for account in self.accounts)
        assert total == ACCOUNTS * EACH, total
        entries = list(self.entries)
        assert sum(entries) == self.sum_of_entries.balance, (entries, self.sum_of_entries.balance)
        shares = dict(self.shares)
        assert sum(shares.values()) == SHARES and all(shares.values()), shares
        assert len(self.shares) == len(shares), (len(self.shares), shares)
        left, right = map(set, self.sides)
        assert len(left) + len(right) == len(left | right) == ELEMENTS, (left, right)
        solvent = [account.balance for account in self.solvent]
        assert sum(solvent) == EACH * len(solvent) and min(solvent) >= 0, solvent

    def check_at_the_end(self, counted: int, put: int) -> None:
        self.check()
        full = sum(box.balance for box in self.boxes)
        assert full == put, (full, put)
        assert int(self.counter) == counted, (int(self.counter), counted)
        assert sorted(self.tokens.get_nowait() for _ in range(TOKENS)) == list(range(TOKENS))
        assert self.tokens.empty()


class Worker:
    """One thread's part; what it counts is its own."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.own = Account(0)
        self.counted = self.put = self.steps = self.noted = self.committed = 0
        self.parts: list[Callable[[], None]] = [
            self.transfer,
            self.transfer,
            self.nested,
            self.exception,
            self.count,
            self.list_in_and_out,
            self.token,
            self.callbacks,
            self.outside,
            self.read_all,
            self.garbage,
            self.irrevocable,
            self.hand_over,
            self.whichever_is_there,
            self.shares_change_hands,
            self.goes_to_the_other_side,
            self.overdraws,
            self.notes,
            self.looks,
        ]
        if COMPILED:
            self.parts.append(self.block)

    def step(self) -> None:
        self.random.choice(self.parts)()
        self.steps += 1

    def two(self, accounts: tuple[A, ...]) -> tuple[A, A]:
        """Two different ones. `random.sample` looks up an ABC, whose cache has a lock (see World)."""
        first = self.random.randrange(len(accounts))
        return accounts[first], accounts[first - self.random.randrange(1, len(accounts))]

    def transfer(self) -> None:
        source, target = self.two(self.world.accounts)

        @atomic
        def move() -> None:
            source.balance -= 1
            target.balance += 1

        move()
        assert not in_transaction()

    def nested(self) -> None:
        source, target = self.two(self.world.accounts)

        @atomic
        def inner() -> None:
            target.balance += 1
            source.balance -= 1
            raise Oops

        @atomic
        def outer() -> None:
            source.balance -= 2
            try:
                inner()
            except Oops:
                target.balance += 2

        outer()

    def exception(self) -> None:
        source, target = self.two(self.world.accounts)

        @atomic
        def fails() -> None:
            source.balance -= 50
            target.new_attribute = object()
            raise Oops

        try:
            fails()
        except Oops:
            return
        raise AssertionError("an exception was lost")

    def count(self) -> None:
        amount = self.random.randrange(10)
        atomically(self.world.counter.add, amount)
        self.counted += amount

    def list_in_and_out(self) -> None:
        entries, total = self.world.entries, self.world.sum_of_entries
        number, comes = self.random.randrange(100), self.random.random() < 0.5

        @atomic
        def change() -> None:
            if comes and len(entries) < 50:
                entries.append(number)
                total.balance += number
            elif entries:
                total.balance -= entries.pop()

        change()

    def token(self) -> None:
        tokens = self.world.tokens

        @atomic
        def through() -> None:
            tokens.put_nowait(tokens.get_nowait())

        through()

    def callbacks(self) -> None:
        source, target = self.two(self.world.accounts)
        aborted = []

        @atomic
        def move() -> None:
            on_commit(self.note)
            on_abort(aborted.append, 1)
            source.balance -= 1
            target.balance += 1

        move()
        self.committed += 1
        assert self.noted == self.committed, (self.noted, self.committed)

    def note(self) -> None:
        assert not in_transaction()
        self.noted += 1

    def outside(self) -> None:
        self.own.balance += 1
        self.random.choice(self.world.accounts).payload = self.steps
        assert isinstance(self.random.choice(self.world.accounts).balance, int)

    def read_all(self) -> None:
        with_trace = self.random.random() < 0.5

        @atomic
        def total() -> int:
            if with_trace:
                return sum(account.balance for account in self.world.accounts)
            with unrecorded():
                return len([account.balance for account in self.world.accounts])

        expected = ACCOUNTS * EACH if with_trace else ACCOUNTS
        assert total() == expected

    def garbage(self) -> None:
        account, payload = self.random.choice(self.world.accounts), Payload()

        @atomic
        def keep() -> None:
            account.payload = payload
            if self.random.random() < 0.02:
                gc.collect()

        keep()

    def irrevocable(self) -> None:
        source, target = self.two(self.world.accounts)
        ran = []

        @atomic(irrevocable=True)
        def move() -> None:
            ran.append(1)
            source.balance -= 1
            target.balance += 1

        move()
        assert ran == [1], ran

    def hand_over(self) -> None:
        """Waits until a box is empty and fills it, or until it is full and empties it."""
        box, fills = self.random.choice(self.world.boxes), self.random.random() < 0.5

        @atomic(timeout=0.02)
        def change() -> None:
            if box.balance == fills:
                retry()
            box.balance = int(fills)

        try:
            change()
            self.put += 1 if fills else -1
        except TransactionTimeout:
            pass

    def whichever_is_there(self) -> None:
        def empties(box: Account) -> Callable[[], None]:
            def empty() -> None:
                if not box.balance:
                    box.payload = None  # is taken back
                    retry()
                box.balance = 0

            return empty

        @atomic(timeout=0.02)
        def change() -> None:
            or_else(*(empties(box) for box in self.world.boxes))

        try:
            change()
            self.put -= 1
        except TransactionTimeout:
            pass

    def shares_change_hands(self) -> None:
        """Keys come and go, and the table grows and shrinks."""
        shares = self.world.shares
        holders = [self.random.randrange(HOLDERS) for _ in range(4)]

        @atomic
        def change() -> None:
            for source, target in itertools.pairwise(holders):
                if source == target or source not in shares:
                    continue
                all_of_it = shares[source]
                part = max(1, all_of_it // 2)
                shares[target] = shares.get(target, 0) + part
                if part == all_of_it:
                    del shares[source]
                else:
                    shares[source] -= part

        change()

    def goes_to_the_other_side(self) -> None:
        element, turned = self.random.randrange(ELEMENTS), self.random.random() < 0.5
        source, target = reversed(self.world.sides) if turned else self.world.sides

        @atomic
        def change() -> None:
            if element in source:
                source.remove(element)
                target.add(element)
            elif len(source) > ELEMENTS // 2:
                target.add(source.pop())

        change()

    def overdraws(self) -> None:
        source, target = self.two(self.world.solvent)
        amount = self.random.randrange(2 * EACH)

        @atomic
        def move() -> None:
            source.balance -= amount
            target.balance += amount

        try:
            move()
        except InvariantViolated:
            assert amount > 0

    def notes(self) -> None:
        source, target = self.two(self.world.accounts)

        @atomic
        def fails() -> None:
            NOTES.value = [*NOTES.value, 2]
            target.balance += 1
            raise Oops

        @atomic
        def move() -> list[int]:
            NOTES.get().append(1)
            source.balance -= 1
            try:
                fails()
            except Oops:
                target.balance += 1
            return NOTES.value

        assert move() == [1]

    def looks(self) -> None:
        """What is read and leaves no trace is committed, or of this transaction."""
        source, target = self.two(self.world.accounts)
        world = self.world

        @atomic
        def move() -> None:
            source.balance -= 1
            with unrecorded():
                assert min(account.balance for account in world.solvent) >= 0
                assert all(world.shares.values())
                repr(world.sides)
                now = source.balance
            target.balance += 1
            assert source.balance == now

        move()

    def block(self) -> None:
        source, target = self.two(self.world.accounts)
        moved = 0
        with atomic():
            source.balance -= 1
            moved += 1
            target.balance += moved
        assert moved == 1
