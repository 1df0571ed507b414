"""`TransactionLocal`: a value for each attempt, made at its first use, and taken back with nesting."""

from __future__ import annotations

import gc
import pickle
import sys
import weakref

import pytest
from cells import Cell, Reverted

import stmpy
from stmpy import (
    AbortTransaction,
    TransactionLocal,
    TransactionUsageError,
    atomic,
    atomically,
    current_transaction,
    in_transaction,
    on_commit,
    revert_log,
)


class Plain:
    pass


@pytest.fixture
def local():
    """Its values are numbered, in the order in which they were made."""
    made = []

    def factory():
        made.append(len(made) + 1)
        return made[-1]

    return TransactionLocal(factory)


def test_a_value_is_made_at_its_first_use_and_kept_to_the_end(local):
    @atomic
    def inner():
        return local.get()

    @atomic
    def body():
        return local.get(), inner(), local.value

    assert body() == (1, 1, 1)
    assert body() == (2, 2, 2)


def test_a_value_can_be_given():
    local = TransactionLocal(int)

    @atomic
    def body():
        local.set("first")
        first = local.get()
        local.value = "second"
        second = local.get()
        local.value += "!"
        return first, second, local.get()

    assert body() == ("first", "second", "second!")


def test_a_value_that_is_given_first_is_never_made(local):
    @atomic
    def body():
        local.set("given")
        return local.get()

    assert (body(), body(), atomically(local.get)) == ("given", "given", 1)


def test_each_attempt_starts_anew(local, rival):
    seen = []

    @atomic
    def body():
        seen.append(local.get())
        local.set("of this attempt")
        rival.meet(2)

    body()
    assert seen == [1, 2, 3]


def test_an_exception_leaves_no_value(local):
    @atomic
    def fails():
        local.get()
        raise Reverted

    with pytest.raises(Reverted):
        fails()
    assert atomically(local.get) == 2


def test_a_nested_part_that_is_taken_back_takes_its_values_back(local):
    first, second = Plain(), Plain()

    @atomic
    def replace(value, fail):
        local.set(value)
        local.set(Plain())
        local.set(value)
        if fail:
            raise Reverted

    @atomic
    def middle(fail):
        replace(second, False)
        with pytest.raises(Reverted):
            replace(Plain(), True)
        assert local.get() is second
        if fail:
            raise Reverted

    @atomic
    def body():
        local.set(first)
        with pytest.raises(Reverted):
            replace(second, True)
        assert local.get() is first
        with pytest.raises(Reverted):
            middle(True)
        assert local.get() is first
        middle(False)
        assert local.get() is second
        local.set(first)
        with pytest.raises(Reverted):
            middle(True)
        return local.get() is first

    assert body()


def test_a_value_made_in_a_part_that_is_taken_back_is_gone(local):
    @atomic
    def inner(fail):
        seen.append(local.get())
        if fail:
            raise Reverted

    @atomic
    def body():
        for _ in range(2):
            with pytest.raises(Reverted):
                inner(True)
        inner(False)
        with pytest.raises(Reverted):
            inner(True)
        return local.get()

    seen = []
    assert (body(), seen) == (3, [1, 2, 3, 3])


def test_a_part_that_changes_nothing_takes_nothing_back(local):
    @atomic
    def inner():
        assert local.get() == "outer"
        raise Reverted

    @atomic
    def body():
        local.set("outer")
        with pytest.raises(Reverted):
            inner()
        return local.get()

    assert body() == "outer"


def test_what_was_done_to_a_mutable_value_stays_done():
    local = TransactionLocal(list)

    @atomic
    def inner():
        local.get().append("inner")
        raise Reverted

    @atomic
    def body():
        local.get().append("outer")
        with pytest.raises(Reverted):
            inner()
        return local.get()

    assert body() == ["outer", "inner"]


def test_a_factory_runs_in_the_transaction(rival):
    cell = Cell(0)

    def factory():
        assert in_transaction()
        cell.value += 1
        if cell.value == 1 and current_transaction().attempt == 1:
            rival.meet()
        return cell.value

    local = TransactionLocal(factory)

    @atomic
    def body():
        return local.get(), local.get()

    assert (body(), cell.value) == ((1, 1), 1)


def test_a_factory_that_raises_makes_no_value():
    errors = [ValueError(), None]

    def factory():
        error = errors.pop(0)
        if error:
            raise error
        return "made"

    local = TransactionLocal(factory)

    @atomic
    def body():
        with pytest.raises(ValueError):
            local.get()
        return local.get()

    assert body() == "made"


def test_a_factory_may_use_other_values_and_transactions():
    first = TransactionLocal(lambda: 1)

    @atomic
    def nested():
        return first.get() + 1

    second = TransactionLocal(nested)
    assert atomically(second.get) == 2
    endless = TransactionLocal(lambda: endless.get())
    with pytest.raises(RecursionError):
        atomically(endless.get)
    of_itself = TransactionLocal(lambda: of_itself.set("inside") or "made")
    assert atomically(of_itself.get) == "made"


def test_threads_have_values_of_their_own(local, stage):
    inside = stage.pause()

    @atomic
    def hold():
        local.set("first thread")
        inside.here()
        return local.get()

    task = stage.start(hold)
    inside.reached()
    assert atomically(local.get) == 1
    inside.resume()
    assert task.result() == "first thread"


def test_outside_of_a_transaction_there_is_no_value(local):
    for use in (local.get, lambda: local.value, lambda: local.set(1), lambda: setattr(local, "value", 1)):
        with pytest.raises(TransactionUsageError, match="in a transaction only"):
            use()
    outside = []

    @atomic
    def body():
        local.set(1)
        on_commit(lambda: outside.append(pytest.raises(TransactionUsageError, local.get)))

    body()
    assert len(outside) == 1 and atomically(local.get) == 1


def test_wrong_uses_are_refused(local):
    with pytest.raises(TransactionUsageError, match="without parameters"):
        TransactionLocal(None)
    with pytest.raises(TypeError):
        TransactionLocal()
    with pytest.raises(TypeError):

        class Derived(TransactionLocal):
            pass

    with pytest.raises(AttributeError):
        del local.value
    with pytest.raises(TypeError):
        pickle.dumps(local)


def test_it_is_an_object_like_others(local):
    assert len({local, local, TransactionLocal(int)}) == 2
    assert repr(TransactionLocal(int)) == "stmpy.TransactionLocal(<class 'int'>)"
    assert TransactionLocal[int].__origin__ is TransactionLocal
    assert stmpy.TransactionLocal.__doc__.startswith("TransactionLocal(factory)")


def test_it_is_no_write(local):
    cell = Cell(0)

    @atomic
    def body():
        local.set(1)
        cell.value = 1
        local.get()
        return revert_log(), current_transaction().writes

    assert body() == ([(cell, "value", 0)], 1)


def test_a_swallowed_abort_is_met_again(local, rival):
    met = []

    @atomic
    def body():
        try:
            rival.meet()
        except BaseException:
            pass
        try:
            local.get()
        except AbortTransaction:
            met.append(1)
            raise

    body()
    assert atomically(local.get) == 2  # it was made once, in the second attempt


def test_nothing_is_kept_alive(rival):
    @atomic
    def body(outcome):
        local = TransactionLocal(Plain)
        references = [weakref.ref(local), weakref.ref(local.get())]
        for _ in range(3):
            local.set(Plain())
            references.append(weakref.ref(local.get()))
        with pytest.raises(Reverted):
            inner(local, references)
        del local
        gc.collect()
        # A value that was replaced may be gone. The last one, and who it belongs to, are kept to the end.
        assert references[0]() is not None and references[4]() is not None
        seen.extend(references)
        rival.meet()
        if outcome:
            raise outcome

    @atomic
    def inner(local, references):
        local.set(Plain())
        references.append(weakref.ref(local.get()))
        raise Reverted

    seen = []
    body(None)
    with pytest.raises(Reverted):
        body(Reverted())
    gc.collect()
    assert [reference() for reference in seen] == [None] * 18


def test_reference_counts_are_as_before():
    value, local = Plain(), TransactionLocal(Plain)
    before = sys.getrefcount(value), sys.getrefcount(local)

    @atomic
    def inner():
        local.set(Plain())
        local.set(value)
        raise Reverted

    @atomic
    def body(outcome):
        local.set(value)
        with pytest.raises(Reverted):
            inner()
        local.set(Plain())
        local.set(value)
        if outcome:
            raise outcome

    body(None)
    with pytest.raises(Reverted):
        body(Reverted())
    gc.collect()
    assert (sys.getrefcount(value), sys.getrefcount(local)) == before


def test_a_cycle_through_the_factory_is_collected():
    def make():
        local = TransactionLocal(lambda: local)
        return weakref.ref(local)

    reference = make()
    gc.collect()
    assert reference() is None


def test_many_changes_take_no_room():
    """A value is logged once for each part of the transaction."""
    local = TransactionLocal(int)
    numbers = [Plain() for _ in range(3)]
    before = [sys.getrefcount(number) for number in numbers]

    @atomic
    def change():
        for index in range(1000):
            local.set(numbers[index % 3])

    @atomic
    def body():
        change()
        change()
        for index in range(1000):
            local.set(numbers[index % 3])
        held = sum(sys.getrefcount(number) for number in numbers) - sum(before)
        return held

    assert body() <= 4
