"""Invariants: checked before the commit on every object that the transaction wrote."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import weakref
from dataclasses import dataclass

import pytest
from cells import Cell, Reverted
from stage import someone_waits

from stmpy import (
    InvariantViolated,
    STMDict,
    STMList,
    STMObject,
    TransactionError,
    TransactionTimeout,
    TransactionUsageError,
    access_map,
    atomic,
    atomically,
    compiled,
    current_transaction,
    in_transaction,
    invariant,
    on_commit,
    or_else,
    retry,
    revert_log,
    unrecorded,
)

checked = []


class Account(STMObject):
    def __init__(self, balance=0, limit=0):
        self.balance = balance
        self.limit = limit

    @invariant
    def covered(self):
        checked.append(self)
        return self.balance >= -self.limit


class Interval(STMObject):
    """It passes through states that violate whenever both ends move."""

    def __init__(self, low, high):
        self.high = low - 1
        self.low = low
        self.high = high

    @invariant
    def ordered(self):
        return self.low <= self.high


class Failed(Exception):
    pass


@pytest.fixture(autouse=True)
def nothing_checked():
    checked.clear()


def violated(of, name):
    """An assertion that is an InvariantViolated of that object."""
    return pytest.raises(
        InvariantViolated, check=lambda error: error.object is of and error.invariant == name
    )


@atomic
def transfer(source, target, amount):
    source.balance -= amount
    target.balance += amount


def test_a_violation_reverts_and_raises():
    source, target = Account(10), Account()
    transfer(source, target, 10)
    with pytest.raises(InvariantViolated, match="'covered' of a Account does not hold") as caught:
        transfer(source, target, 1)
    assert caught.value.object is source and caught.value.invariant == "covered"
    assert caught.value.__cause__ is None and isinstance(caught.value, TransactionError)
    assert (source.balance, target.balance, in_transaction()) == (0, 10, False)


def test_an_invariant_that_raises_is_the_cause():
    error = Failed()

    class Thing(STMObject):
        x = 0

        @invariant
        def fine(self):
            if self.x:
                raise error
            return True

    thing = Thing()
    with pytest.raises(InvariantViolated, match="raised Failed") as caught:
        atomically(setattr, thing, "x", 1)
    assert caught.value.__cause__ is error and caught.value.object is thing
    assert thing.x == 0


def test_none_is_false_and_said_to_be():
    class Thing(STMObject):
        x = 0

        @invariant
        def fine(self):
            assert self.x >= 0

    with pytest.raises(InvariantViolated, match="returned None"):
        Thing()


def test_states_between_are_nobodys_business():
    interval = Interval(0, 1)

    @atomic
    def move(by):
        interval.low += by
        interval.high += by

    move(5)
    assert (interval.low, interval.high) == (5, 6)


def test_only_what_was_written_is_checked():
    accounts = [Account(index) for index in range(4)]
    checked.clear()

    @atomic
    def body():
        accounts[0].balance = accounts[1].balance + accounts[3].limit
        accounts[2].limit = 5

    body()
    assert checked == [accounts[0], accounts[2]]


def test_each_object_is_checked_once():
    account = Account()
    checked.clear()

    @atomic
    def nested():
        account.balance += 1

    @atomic
    def body():
        for _ in range(10):
            account.balance += 1
            account.limit += 1
            nested()

    body()
    assert checked == [account]


def test_every_way_to_write_is_checked():
    class Slotted(STMObject):
        __slots__ = ("value",)

        def __init__(self):
            self.value = 0

        @invariant
        def small(self):
            return self.value < 10

    class Thing(STMObject):
        def __init__(self):
            self.value = 0

        @invariant
        def small(self):
            return getattr(self, "value", 10) < 10 and not hasattr(self, "absent")

    @compiled
    def increment(thing):
        thing.value += 10

    @compiled
    def increment_by_what_runs_code(thing):
        thing.value += int("10")

    @compiled
    def loop(thing):
        for _ in range(5):
            thing.value += 2

    @compiled
    def assign(thing):
        thing.value = 10

    @compiled
    def assign_twice(thing):
        thing.value = 1
        thing.value = thing.value + 9

    @compiled
    def read_then_assign(thing):
        if thing.value == 0:
            thing.value = thing.value + 10

    @compiled
    def delete(thing):
        del thing.value

    slotted = [
        increment,
        increment_by_what_runs_code,
        loop,
        assign,
        assign_twice,
        read_then_assign,
        lambda thing: setattr(thing, "value", 10),
        lambda thing: object.__setattr__(thing, "value", 10),
        lambda thing: type(thing).__setattr__(thing, "value", 10),
    ]
    others = [
        delete,
        lambda thing: setattr(thing, "absent", 1),
        lambda thing: thing.__dict__.update(value=10),
        lambda thing: vars(thing).__setitem__("value", 10),
        lambda thing: setattr(thing, "__dict__", {}),
    ]
    for make, writes in ((Slotted, slotted), (Thing, slotted + others)):
        for write in writes:
            thing = make()
            with violated(thing, "small"):
                atomic(write)(thing)
            assert thing.value == 0
    Slotted.value.__set__(slot := Slotted(), 1)
    with violated(slot, "small"):
        Slotted.value.__set__(slot, 10)


def test_an_object_made_inside_is_checked():
    made = []

    @atomic
    def body(balance):
        made.append(Account(balance))
        made[-1].balance -= 1

    body(1)
    with pytest.raises(InvariantViolated) as caught:
        body(0)
    assert caught.value.object is made[1]


def test_an_object_made_in_a_part_that_is_taken_back_is_not_checked():
    made = []

    @atomic
    def inner():
        made.append(Account(5))
        raise Reverted

    @atomic
    def body():
        with pytest.raises(Reverted):
            inner()
        checked.clear()

    body()
    assert checked == [] and not hasattr(made[0], "balance")


def test_an_object_written_in_a_part_that_is_taken_back_is_not_checked():
    account, other = Account(), Account()

    @atomic
    def inner(fail):
        account.balance -= 1
        if fail:
            raise Reverted

    @atomic
    def body(again):
        checked.clear()
        other.balance += 1
        with pytest.raises(Reverted):
            inner(True)
        if again:
            inner(False)

    body(False)
    assert checked == [other]
    with violated(account, "covered"):
        body(True)


def test_nested_calls_are_checked_at_the_commit_of_the_outermost():
    account = Account()

    @atomic
    def overdraw():
        account.balance -= 1

    @atomic
    def body(repay):
        overdraw()
        assert account.balance == -1
        if repay:
            account.balance += 1

    body(True)
    with violated(account, "covered"):
        body(False)


# --- classes


def test_invariants_are_inherited_and_several():
    class Base(STMObject):
        def __init__(self):
            self.x = self.y = 0

        @invariant
        def x_small(self):
            return self.x < 10

    class Derived(Base):
        @invariant
        def y_small(self):
            return self.y < 10

        @invariant
        def together(self):
            return self.x + self.y < 15

    thing, base = Derived(), Base()
    for name, x, y in (("x_small", 10, 0), ("y_small", 0, 10), ("together", 8, 8)):
        with violated(thing, name):
            atomic(lambda: vars(thing).update(x=x, y=y))()  # noqa: B023
    with violated(base, "x_small"):
        atomically(setattr, base, "x", 10)
    atomically(setattr, base, "y", 10)


def test_an_override_takes_the_place_of_an_invariant():
    class Base(STMObject):
        x = 0

        @invariant
        def fine(self):
            return self.x < 10

    class Stricter(Base):
        def fine(self):
            return super().fine() and self.x != 5

    class Looser(Base):
        @invariant
        def fine(self):
            return self.x < 100

    class Without(Base):
        fine = None

    stricter, looser, without = Stricter(), Looser(), Without()
    for x in (5, 10):
        with violated(stricter, "fine"):
            atomically(setattr, stricter, "x", x)
    atomically(setattr, looser, "x", 10)
    with violated(looser, "fine"):
        atomically(setattr, looser, "x", 100)
    atomically(setattr, without, "x", 1000)


def test_an_invariant_is_an_ordinary_method():
    account = Account(1)
    assert account.covered() is True and Account.covered(account) is True
    assert Account.covered.__name__ == "covered"

    @atomic
    def body():
        account.balance -= 2
        seen = account.covered()
        account.balance += 2
        return seen

    assert body() is False


def test_an_instance_attribute_of_that_name_hides_nothing():
    account = Account()
    account.covered = lambda: True
    with violated(account, "covered"):
        atomically(setattr, account, "balance", -1)


def test_an_atomic_function_may_be_an_invariant():
    class Thing(STMObject):
        def __init__(self):
            self.x = 0

        @invariant
        @atomic
        def above(self):
            return self.x < 10

        @atomic
        @invariant
        def below(self):
            return self.x > -10

    thing = Thing()
    for name, x in (("above", 10), ("below", -10)):
        with violated(thing, name):
            thing.x = x
    assert thing.above() and thing.x == 0


def test_dataclasses_and_mixins():
    class Mixin:
        @invariant
        def even(self):
            return self.x % 2 == 0

    @dataclass(slots=True)
    class Point(Mixin, STMObject):
        x: int = 0
        y: int = 0

    @dataclass(frozen=True)
    class Frozen(Mixin, STMObject):
        x: int = 0

    point = Point(2)
    with violated(point, "even"):
        point.x = 3
    with violated(point, "even"):
        atomically(setattr, point, "x", 5)
    for make in (Point, Frozen):
        with pytest.raises(InvariantViolated):
            make(1)
    assert (point.x, Frozen(4).x) == (2, 4)


def test_an_assigned_class_brings_its_invariants():
    class Plain(STMObject):
        def __init__(self):
            self.balance = -1
            self.limit = 0

    thing, fine = Plain(), Plain()
    fine.balance = 5
    for change in (
        lambda: setattr(thing, "__class__", Account),
        atomic(lambda: setattr(thing, "__class__", Account)),
    ):
        with violated(thing, "covered"):
            change()
        assert type(thing) is Plain
    fine.__class__ = Account
    for change in (lambda: setattr(fine, "balance", -1), atomic(lambda: setattr(fine, "balance", -1))):
        with violated(fine, "covered"):
            change()
    fine.__class__ = Plain
    fine.balance = -1


def test_what_is_no_method_is_refused():
    async def suspends(self):
        return True

    def generates(self):
        yield True

    for wrong in (None, 1, int, property(len), staticmethod(len), classmethod(len), len, suspends, generates):
        with pytest.raises(TransactionUsageError, match="ordinary methods"):
            invariant(wrong)


# --- outside of transactions


def test_calling_a_class_outside_is_one_unit():
    assert Interval(3, 5).high == 5
    with pytest.raises(InvariantViolated) as caught:
        Interval(5, 3)
    assert not hasattr(caught.value.object, "low")
    with pytest.raises(InvariantViolated):
        Account(-1)
    with pytest.raises(InvariantViolated):
        Account(balance=-1)


def test_the_first_call_of_a_class_is_one_unit_too():
    for balance in (0, -1):

        class First(Account):
            pass

        class Own(STMObject):
            def __init__(self, balance):
                self.balance = -1
                self.balance = balance

            @invariant
            def fine(self):
                return self.balance >= 0

        for make in (First, Own):
            if balance < 0:
                with pytest.raises(InvariantViolated):
                    make(balance)
            else:
                assert make(balance).balance == balance


def test_a_class_with_any_metaclass_is_one_unit():
    class Meta(type):
        def __call__(cls, *args):
            return super().__call__(*args)

    class Thing(STMObject, metaclass=Meta):
        def __init__(self, x):
            self.x = -1
            self.x = x

        @invariant
        def positive(self):
            return self.x >= 0

    assert Thing(1).x == 1
    with pytest.raises(InvariantViolated):
        Thing(-2)
    assert type.__call__(Thing, 2).x == 2


def test_an_initialiser_that_is_assigned_later_is_one_unit():
    class Thing(STMObject):
        def __init__(self):
            self.x = 0

        @invariant
        def positive(self):
            return self.x >= 0

    def initialise(self, x):
        self.x = -1
        self.x = x

    Thing()
    Thing.__init__ = initialise
    assert Thing(1).x == 1
    with pytest.raises(InvariantViolated):
        Thing(-2)


def test_a_class_without_an_initialiser_is_checked():
    class Thing(STMObject):
        x = -1

        @invariant
        def positive(self):
            return self.x >= 0

    class Fine(Thing):
        x = 1

    with pytest.raises(InvariantViolated):
        Thing()
    assert Fine().x == 1


def test_an_exception_of_an_initialiser_leaves():
    class Thing(Account):
        def __init__(self):
            super().__init__(5)
            kept.append(self)
            raise Reverted

    kept = []
    with pytest.raises(Reverted):
        Thing()
    assert not in_transaction() and not hasattr(kept[0], "balance")


def test_an_initialiser_runs_again_after_a_conflict(rival):
    attempts = []

    class Thing(STMObject):
        def __init__(self):
            attempts.append((current_transaction().name, current_transaction().attempt))
            self.x = 0
            rival.meet()

        @invariant
        def fine(self):
            return True

    assert Thing().x == 0
    assert attempts == [(Thing.__qualname__, 1), (Thing.__qualname__, 2)]


def test_an_iterator_cannot_be_given_to_an_initialiser_twice(rival):
    class Thing(STMObject):
        def __init__(self, items):
            self.items = list(items)
            rival.meet()

        @invariant
        def fine(self):
            return True

    for make in (lambda: Thing(iter([1, 2])), lambda: Thing(items=iter([1, 2]))):
        rival._met = 0
        with pytest.raises(TransactionUsageError, match="has to run again and cannot"):
            make()


def test_a_write_outside_is_a_transaction():
    account = Account(1)
    with violated(account, "covered"):
        account.balance = -1
    with violated(account, "covered"):
        account.balance -= 2
    with violated(account, "covered"):
        del account.balance
    with violated(account, "covered"):
        vars(account)["balance"] = -1
    assert vars(account) == {"balance": 1, "limit": 0} and not in_transaction()
    account.balance = 5
    account.limit = 3
    account.balance = -3
    account.fresh = 1
    assert (account.balance, account.fresh) == (-3, 1)


def test_a_write_outside_waits_for_its_turn_and_is_checked_then(stage):
    account, inside = Account(1, limit=5), stage.pause()

    @atomic
    def hold():
        account.limit = 0
        inside.here()

    holder = stage.start(hold)
    inside.reached()
    writer = stage.start(setattr, account, "balance", -1)
    stage.until(someone_waits)
    inside.resume()
    holder.result()
    with violated(account, "covered"):
        writer.result()
    assert (account.balance, account.limit) == (1, 0)


def test_copies_and_pickles_are_filled_attribute_by_attribute():
    interval = Interval(3, 5)
    for make in (copy.copy, copy.deepcopy):
        for made in (make(interval), atomically(make, interval)):
            assert vars(made) == vars(interval)
            with violated(made, "ordered"):
                made.low = 9
            with violated(made, "ordered"):
                atomically(setattr, made, "low", 9)


class Pickled(Interval):
    pass


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(protocol, monkeypatch, tier):
    monkeypatch.setattr(sys.modules[__name__], "Pickled", Pickled, raising=False)
    interval = Pickled(3, 5)
    made = pickle.loads(pickle.dumps(interval, protocol))
    assert vars(made) == vars(interval)
    with violated(made, "ordered"):
        made.low = 9


def test_an_object_that_is_made_without_its_class_is_checked_once_it_holds():
    made = Interval.__new__(Interval)
    made.low = 5
    made.high = 3
    made.high = 7
    with violated(made, "ordered"):
        made.high = 3
    other = Interval.__new__(Interval)
    other.low = 5
    with pytest.raises(InvariantViolated):
        atomically(setattr, other, "high", 3)


# --- the check itself


def test_checks_run_in_the_transaction():
    seen = []

    class Thing(STMObject):
        def __init__(self, other):
            self.x = 0
            self.other = other

        @invariant
        def fine(self):
            seen.append((in_transaction(), self.x, self.other.value))
            return True

    other = Cell("of the other")
    thing = Thing(other)
    seen.clear()

    @atomic
    def body():
        thing.x = 1

    body()
    assert seen == [(True, 1, "of the other")]


def test_what_a_check_reads_conflicts(stage):
    """Write skew: each alone keeps the sum, both together would not."""

    class Half(STMObject):
        def __init__(self):
            self.value = 1
            self.other = None

        @invariant
        def not_both_gone(self):
            return self.other is None or self.value + self.other.value > 0

    left, right = Half(), Half()
    left.other, right.other = right, left
    barrier = [stage.pause(), stage.pause()]

    @atomic
    def take(half, pause):
        half.value = 0
        pause.here()

    tasks = [stage.start(take, half, pause) for half, pause in zip((left, right), barrier, strict=True)]
    for pause in barrier:
        pause.reached()
    for pause in barrier:
        pause.resume()
    outcomes = []
    for task in tasks:
        try:
            outcomes.append(task.result())
        except InvariantViolated:
            outcomes.append("violated")
    assert sorted(map(str, outcomes)) == ["None", "violated"]
    assert left.value + right.value == 1


def test_a_check_that_meets_a_conflict_runs_the_transaction_again(rival):
    attempts = []

    class Thing(STMObject):
        x = 0

        @invariant
        def fine(self):
            if self.x:
                rival.meet()
            return True

    thing = Thing()

    @atomic
    def body():
        attempts.append(1)
        thing.x = 1
        return "result"

    assert body() == "result"
    assert len(attempts) == 2 and thing.x == 1


def test_a_check_that_swallows_an_abort_does_not_commit(rival):
    attempts = []

    class Thing(STMObject):
        x = 0

        @invariant
        def fine(self):
            if self.x:
                try:
                    rival.meet()
                except BaseException:
                    return True
            return True

    thing = Thing()

    @atomic
    def body():
        attempts.append(1)
        thing.x = 1

    body()
    assert len(attempts) == 2


def test_checks_are_repeated_until_none_has_written():
    class Thing(STMObject):
        def __init__(self):
            self.x = self.doubled = 0
            self.partner = None

        @invariant
        def kept_up(self):
            if self.doubled != 2 * self.x:
                self.doubled = 2 * self.x
                if self.partner is not None:
                    self.partner.x = self.x + 1
            return True

        @invariant
        def small(self):
            return self.doubled < 100

    first, second = Thing(), Thing()
    first.partner = second
    first.x = 5
    assert (first.doubled, second.x, second.doubled) == (10, 6, 12)
    with violated(second, "small"):
        atomically(setattr, first, "x", 49)
    assert (first.doubled, second.x, second.doubled) == (10, 6, 12)


def test_checks_that_never_stop_writing_are_refused():
    class Thing(STMObject):
        x = 0

        @invariant
        def counts(self):
            self.x += 1
            return True

    with pytest.raises(TransactionUsageError, match="write again each time"):
        Thing()


def test_what_a_check_reads_under_exclusive_reads_is_no_write():
    class Span(STMObject):
        def __init__(self):
            self.first = self.last = 0
            self.kinds = STMDict(x=0)
            self.sizes = STMList([0])

        @invariant
        def in_order(self):
            return self.first <= self.last and not (self.kinds["x"] or self.kinds.get("y") or self.sizes[0])

    span = Span()

    @atomic(reads="exclusive")
    def grow():
        span.last += 1

    grow()
    assert span.last == 1


def test_a_check_may_register_callbacks_and_call_atomic_functions():
    calls, cell = [], Cell(0)

    @atomic
    def look():
        return cell.value == 0

    class Thing(STMObject):
        x = 0

        @invariant
        def fine(self):
            on_commit(calls.append, self.x)
            with unrecorded():
                assert cell.value == 0
            return look()

    thing = Thing()
    calls.clear()
    thing.x = 5
    assert calls == [5]


@pytest.mark.parametrize("how", ["in the check", "in a call", "in a check of a single write"])
def test_a_check_cannot_wait(how):
    @atomic
    def wait():
        retry()

    class Thing(STMObject):
        x = 0

        @invariant
        def fine(self):
            if self.x:
                wait() if how == "in a call" else retry()
            return True

    thing = Thing()
    with pytest.raises(TransactionUsageError, match=r"line \d+: an invariant's check .* cannot wait"):
        if how == "in a check of a single write":
            thing.x = 1
        else:
            atomically(setattr, thing, "x", 1)
    assert thing.x == 0 and not in_transaction()


def test_a_check_may_have_alternatives():
    class Thing(STMObject):
        x = 0

        @invariant
        def fine(self):
            return or_else(retry, lambda: self.x < 2)

    thing = Thing()
    thing.x = 1
    with violated(thing, "fine"):
        thing.x = 2
    assert thing.x == 1


def test_a_transaction_may_wait_after_its_checks_were_refused():
    class Thing(STMObject):
        x = 0

        @invariant
        def fine(self):
            return self.x < 2

    thing = Thing()

    @atomic(timeout=0.01)
    def wait():
        thing.x += 1
        retry()

    with violated(thing, "fine"):
        thing.x = 2
    with pytest.raises(TransactionTimeout):
        wait()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError, TransactionUsageError])
def test_what_says_nothing_of_the_object_leaves_as_itself(error):
    class Thing(STMObject):
        x = 0

        @invariant
        def fine(self):
            if self.x:
                raise error
            return True

    thing = Thing()
    for write in (lambda: atomically(setattr, thing, "x", 1), lambda: setattr(thing, "x", 1)):
        with pytest.raises(error):
            write()
        assert thing.x == 0


def test_a_truth_value_that_raises_is_a_violation():
    class Odd:
        def __bool__(self):
            raise Failed

    class Thing(STMObject):
        x = 0

        @invariant
        def fine(self):
            return self.x == 0 or Odd()

    thing = Thing()
    with pytest.raises(InvariantViolated) as caught:
        thing.x = 1
    assert type(caught.value.__cause__) is Failed


def test_noting_is_no_write():
    account = Account()

    @atomic
    def body():
        account.balance = 1
        return revert_log(), current_transaction().writes

    assert body() == ([(account, "balance", 0)], 1)


def test_a_violation_leaves_nothing_owned_and_others_go_on(stage):
    account = Account()
    with violated(account, "covered"):
        atomically(setattr, account, "balance", -1)
    assert access_map().by_transaction == {}
    stage.start(setattr, account, "balance", 1).result()
    assert account.balance == 1


def test_nothing_is_kept_alive():
    @atomic
    def body(balance):
        accounts = [Account(), Account()]
        references.extend(weakref.ref(account) for account in accounts)
        accounts[0].balance = balance

    references = []
    body(1)
    with pytest.raises(InvariantViolated):
        body(-1)
    outside = Account(1)
    outside.balance = 2
    references.append(weakref.ref(outside))
    del outside
    checked.clear()
    gc.collect()
    assert [reference() for reference in references] == [None] * 5


def test_reference_counts_are_as_before():
    account = Account(1)
    checked.clear()
    gc.collect()
    before = sys.getrefcount(account), sys.getrefcount(Account)

    @atomic
    def inner():
        account.balance += 1
        raise Reverted

    @atomic
    def body(by):
        with pytest.raises(Reverted):
            inner()
        account.balance += by
        account.limit += 0

    body(1)
    with violated(account, "covered"):
        body(-5)
    account.balance = 2
    with violated(account, "covered"):
        account.balance = -2
    checked.clear()
    gc.collect()
    assert (sys.getrefcount(account), sys.getrefcount(Account)) == before


def test_transfers_of_many_threads_keep_what_must_hold(stage):
    accounts = [Account(5) for _ in range(4)]

    def work(seed):
        refused = 0
        for step in range(200):
            source, target = accounts[(seed + step) % 4], accounts[(seed * 7 + step * 3) % 4]
            try:
                transfer(source, target, 1 + step % 4)
            except InvariantViolated:
                refused += 1
        return refused

    tasks = [stage.start(work, seed) for seed in range(4)]
    refused = sum(task.result() for task in tasks)
    assert refused > 0
    assert sum(account.balance for account in accounts) == 20
    assert all(account.balance >= 0 for account in accounts)
