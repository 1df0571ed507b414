"""All effects of a call happen, or none."""

from __future__ import annotations

import pytest

from stmpy import AbortTransaction, STMObject, atomic, in_transaction, stats


class Account(STMObject):
    def __init__(self, balance=0):
        self.balance = balance


class Anything(STMObject):
    pass


class Unforeseen(Exception):
    pass


@atomic
def transfer(source, target, amount):
    source.balance -= amount
    target.balance += amount
    if source.balance < 0:
        raise ValueError("insufficient funds")
    return amount


def test_all_writes_of_a_call_that_returns_are_there():
    a, b = Account(10), Account(1)
    assert transfer(a, b, 4) == 4
    assert (a.balance, b.balance) == (6, 5)


def test_an_exception_takes_all_writes_back():
    a, b = Account(10), Account(1)
    with pytest.raises(ValueError, match="insufficient"):
        transfer(a, b, 11)
    assert (a.balance, b.balance) == (10, 1)


def test_nothing_is_taken_back_twice():
    a, b = Account(10), Account(1)
    with pytest.raises(ValueError):
        transfer(a, b, 11)
    transfer(a, b, 1)
    assert (a.balance, b.balance) == (9, 2)


@pytest.mark.parametrize(
    "kind",
    [Exception, KeyboardInterrupt, SystemExit, MemoryError, GeneratorExit, StopIteration, AssertionError],
)
def test_an_exception_of_any_kind_leaves_once_and_reverts(kind):
    account, runs = Account(1), []
    raised = kind("mine")

    @atomic
    def fail():
        runs.append(1)
        account.balance = 2
        raise raised

    before = stats().aborted_by_exception
    with pytest.raises(kind) as caught:
        fail()
    assert caught.value is raised
    assert runs == [1]
    assert account.balance == 1
    assert stats().aborted_by_exception == before + 1


def test_an_abort_that_the_program_raises_itself_is_an_exception_like_any_other():
    account, runs = Account(1), []

    @atomic
    def fail():
        runs.append(1)
        account.balance = 2
        raise AbortTransaction("mine")

    with pytest.raises(AbortTransaction, match="mine"):
        fail()
    assert runs == [1]
    assert account.balance == 1


def test_attributes_come_and_go_back():
    thing = Anything()
    thing.old = "old"

    @atomic
    def change():
        thing.new = 1
        del thing.old
        assert not hasattr(thing, "old")
        assert thing.new == 1
        raise Unforeseen

    with pytest.raises(Unforeseen):
        change()
    assert thing.old == "old"
    assert not hasattr(thing, "new")
    assert vars(thing) == {"old": "old"}


def test_the_value_before_the_first_write_comes_back():
    account = Account("first")

    @atomic
    def change():
        for number in range(10):
            account.balance = number
        del account.balance
        account.balance = "last"
        raise Unforeseen

    with pytest.raises(Unforeseen):
        change()
    assert account.balance == "first"


def test_a_log_of_many_entries_is_taken_back_entirely():
    accounts = [Account(number) for number in range(20_000)]

    @atomic
    def change(fail):
        for account in accounts:
            account.balance = -1
        if fail:
            raise Unforeseen

    with pytest.raises(Unforeseen):
        change(True)
    assert [account.balance for account in accounts] == list(range(20_000))
    change(False)
    assert {account.balance for account in accounts} == {-1}


def test_a_transaction_sees_its_own_writes():
    account = Account(1)

    @atomic
    def change():
        account.balance = 2
        seen = account.balance
        account.balance += 5
        return seen, account.balance

    assert change() == (2, 7)


def test_an_augmented_assignment_that_raises_changes_nothing():
    account = Account(1)

    @atomic
    def change():
        with pytest.raises(TypeError):
            account.balance += "text"
        with pytest.raises(ZeroDivisionError):
            account.balance //= 0
        return account.balance

    assert change() == 1
    assert account.balance == 1


def test_in_place_operators_that_run_code_belong_to_the_transaction():
    account = Account(1)

    class Nosy:
        def __radd__(self, other):
            account.balance = 100
            return other + 1

    nosy = Nosy()

    @atomic
    def change(fail):
        account.balance += nosy
        if fail:
            raise Unforeseen

    with pytest.raises(Unforeseen):
        change(True)
    assert account.balance == 1
    change(False)
    assert account.balance == 2


def test_a_call_outside_is_over_when_it_returns():
    account = Account(1)

    @atomic
    def look():
        return account.balance, in_transaction()

    assert look() == (1, True)
    assert not in_transaction()
    account.balance = 2  # nobody holds it
    assert account.balance == 2
