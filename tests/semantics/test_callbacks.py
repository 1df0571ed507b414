"""`on_commit` and `on_abort`: what waits for the end of an attempt, and what it meets there."""

from __future__ import annotations

import gc
import sys
import weakref

import pytest
from cells import Cell, Reverted

from stmpy import (
    AbortTransaction,
    STMObject,
    TransactionUsageError,
    access_map,
    atomic,
    atomically,
    current_transaction,
    in_transaction,
    on_abort,
    on_commit,
    revert_log,
)


class Plain:
    pass


@pytest.fixture
def unraisable(monkeypatch):
    """What sys.unraisablehook was given."""
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda info: reported.append(info.exc_value))
    return reported


def raises(error):
    raise error


# --- on_commit


def test_on_commit_runs_behind_the_commit_with_its_arguments():
    cell, calls = Cell(0), []

    def call(*args, **kwargs):
        calls.append((args, kwargs, cell.value, in_transaction(), current_transaction()))

    @atomic
    def body():
        on_commit(call, 1, 2, key="word")
        cell.value = 1
        assert calls == []
        return "result"

    assert body() == "result"
    assert calls == [((1, 2), {"key": "word"}, 1, False, None)]


def test_everything_is_released_when_callbacks_run(stage):
    """Another thread writes what the transaction has written, while the callback waits for it."""
    cell, seen = Cell(0), []

    def write_elsewhere():
        stage.start(setattr, cell, "value", 2).result()
        seen.append((cell.value, len(access_map().by_transaction)))

    @atomic
    def commits():
        cell.value = 1
        on_commit(write_elsewhere)

    @atomic
    def is_left():
        cell.value = 1
        on_abort(write_elsewhere)
        raise Reverted

    commits()
    with pytest.raises(Reverted):
        is_left()
    assert seen == [(2, 0), (2, 0)]


def test_callbacks_run_in_the_order_of_registration():
    calls = []

    @atomic
    def body(fail):
        on_commit(calls.append, "a")
        inner()
        on_commit(calls.append, "c")
        on_abort(calls.append, "x")
        on_abort(calls.append, "y")
        if fail:
            raise Reverted

    @atomic
    def inner():
        on_commit(calls.append, "b")

    body(False)
    assert calls == ["a", "b", "c"]
    with pytest.raises(Reverted):
        body(True)
    assert calls == ["a", "b", "c", "x", "y"]


def test_on_commit_does_not_run_for_attempts_that_do_not_commit(rival):
    calls = []

    @atomic
    def body():
        on_commit(calls.append, current_transaction().attempt)
        rival.meet()

    @atomic
    def is_left():
        on_commit(calls.append, "left")
        raise Reverted

    body()
    with pytest.raises(Reverted):
        is_left()
    assert calls == [2]


def test_on_commit_of_a_nested_part_that_is_taken_back_is_gone():
    calls = []

    @atomic
    def inner(name, fail):
        on_commit(calls.append, name)
        if fail:
            raise Reverted

    @atomic
    def middle(fail):
        inner("kept inside", False)
        with pytest.raises(Reverted):
            inner("reverted inside", True)
        if fail:
            raise Reverted

    @atomic
    def outer():
        on_commit(calls.append, "first")
        middle(False)
        with pytest.raises(Reverted):
            middle(True)
        on_commit(calls.append, "last")

    outer()
    assert calls == ["first", "kept inside", "last"]


def test_outside_on_commit_runs_at_once_and_on_abort_does_nothing():
    calls = []
    on_abort(calls.append, "abort")
    assert on_commit(calls.append, "commit") is None
    assert calls == ["commit"]
    with pytest.raises(Reverted):
        on_commit(raises, Reverted())


def test_callbacks_run_transactions_of_their_own():
    cell, calls = Cell(0), []

    @atomic
    def again(depth):
        cell.value += 1
        if depth:
            on_commit(again, depth - 1)
            on_commit(calls.append, depth)

    @atomic
    def fails():
        on_abort(again, 0)
        raise Reverted

    again(3)
    assert (cell.value, calls) == (4, [1, 2, 3])
    with pytest.raises(Reverted):
        fails()
    assert cell.value == 5


def test_callbacks_registered_by_callbacks_run_at_once():
    calls = []

    def outer():
        on_commit(calls.append, "inner")
        calls.append("outer")

    @atomic
    def body():
        on_commit(outer)

    body()
    assert calls == ["inner", "outer"]


def test_one_error_of_on_commit_is_raised_as_itself():
    cell, calls, error = Cell(0), [], ValueError("mine")

    @atomic
    def body():
        cell.value = 1
        on_commit(raises, error)
        on_commit(calls.append, 1)

    with pytest.raises(ValueError) as caught:
        body()
    assert caught.value is error
    assert (cell.value, calls, in_transaction()) == (1, [1], False)


def test_several_errors_of_on_commit_are_raised_as_a_group():
    cell, errors = Cell(0), [ValueError(1), KeyError(2)]

    @atomic
    def body():
        cell.value = 1
        for error in errors:
            on_commit(raises, error)

    with pytest.raises(ExceptionGroup) as caught:
        body()
    assert list(caught.value.exceptions) == errors
    assert cell.value == 1


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_on_commit_leaves_as_itself_when_all_have_run(interrupt, unraisable):
    calls, errors = [], [ValueError(1), ValueError(2)]

    @atomic
    def body():
        on_commit(raises, errors[0])
        on_commit(raises, interrupt)
        on_commit(raises, errors[1])
        on_commit(calls.append, 1)

    with pytest.raises(interrupt):
        body()
    assert (calls, unraisable) == ([1], errors)


# --- on_abort


def test_on_abort_runs_after_each_attempt_that_is_aborted(rival):
    """Reverted and released, and before the next attempt begins."""
    mine, calls = Cell("before"), []

    @atomic
    def body():
        calls.append("attempt")
        on_abort(lambda: calls.append((mine.value, in_transaction())))
        mine.value = "after"
        rival.meet(2)

    body()
    assert calls == ["attempt", ("before", False), "attempt", ("before", False), "attempt"]
    assert mine.value == "after"


@pytest.mark.parametrize("error", [Reverted, KeyboardInterrupt, SystemExit, MemoryError])
def test_on_abort_runs_when_an_exception_leaves(error):
    cell, calls = Cell(0), []

    @atomic
    def body():
        cell.value = 1
        on_abort(lambda: calls.append(cell.value))
        raise error

    with pytest.raises(error):
        body()
    assert calls == [0]


def test_on_abort_of_a_nested_part_runs_at_the_end_whatever_it_is(rival):
    calls = []

    @atomic
    def inner(fail):
        on_abort(calls.append, ("nested", fail))
        if fail:
            raise Reverted

    @atomic
    def outer(fail):
        on_abort(calls.append, "outer")
        on_commit(calls.append, "committed")
        inner(False)
        with pytest.raises(Reverted):
            inner(True)
        assert calls == []
        if fail:
            raise Reverted

    outer(False)
    assert calls == ["committed", ("nested", True)]
    calls.clear()
    with pytest.raises(Reverted):
        outer(True)
    assert calls == ["outer", ("nested", False), ("nested", True)]


def test_what_on_abort_does_for_a_nested_part_is_not_taken_back(rival):
    """It returns a thing to a transactional pool, and the transaction around it is aborted later."""
    pool = Cell(3)

    def give_back():
        pool.value += 1

    @atomic
    def inner():
        on_abort(give_back)
        raise Reverted

    @atomic
    def outer():
        with pytest.raises(Reverted):
            inner()
        rival.meet()

    outer()
    assert pool.value == 5  # one for each attempt


def test_errors_of_on_abort_are_reported_and_change_nothing(rival, unraisable):
    calls, errors = [], [ValueError(1), ValueError(2)]

    @atomic
    def runs_again():
        for error in errors:
            on_abort(raises, error)
        on_abort(calls.append, "all")
        rival.meet()
        return "result"

    assert runs_again() == "result"
    assert (unraisable, calls) == (errors, ["all"])

    left = Reverted()

    @atomic
    def is_left():
        on_abort(raises, errors[0])
        raise left

    with pytest.raises(Reverted) as caught:
        is_left()
    assert caught.value is left
    assert unraisable == [*errors, errors[0]]


def test_an_interrupt_in_on_abort_ends_the_call(rival):
    cell, attempts = Cell(0), []

    @atomic
    def would_run_again():
        attempts.append(1)
        cell.value = 1
        on_abort(raises, KeyboardInterrupt)
        rival.meet()

    with pytest.raises(KeyboardInterrupt):
        would_run_again()
    assert (len(attempts), cell.value) == (1, 0)

    @atomic
    def is_left():
        on_abort(raises, KeyboardInterrupt)
        raise Reverted

    with pytest.raises(KeyboardInterrupt) as caught:
        is_left()
    assert type(caught.value.__context__) is Reverted


def test_the_wait_behind_an_abort_is_not_lost_to_callbacks_that_run_transactions(stage):
    """The second attempt begins when the other transaction has ended."""
    cell, mine, inside = Cell("old"), Cell(0), stage.pause()
    attempts, callbacks = [], []

    @atomic
    def hold():
        cell.value = "new"
        inside.here()

    def other_transaction():
        atomically(setattr, mine, "other", 1)
        callbacks.append(1)

    @atomic
    def body():
        attempts.append(inside._resumed.is_set())
        mine.value += 1
        on_abort(other_transaction)
        return cell.value

    holder = stage.start(hold)
    inside.reached()
    task = stage.start(body)
    stage.until(lambda: callbacks)
    inside.resume()
    holder.result()
    assert task.result() == "new"
    assert (mine.value, mine.other, attempts) == (1, 1, [False, True])


# --- common


def test_a_callback_needs_a_function():
    for register in (on_commit, on_abort):
        for args in ((), (1,), ("text", 2)):
            with pytest.raises(TransactionUsageError, match=r"needs the function to call"):
                register(*args)
            with pytest.raises(TransactionUsageError):
                atomically(register, *args)


def test_registering_meets_a_swallowed_abort_again(rival):
    seen = []

    @atomic
    def body():
        try:
            rival.meet()
        except BaseException:
            pass
        for register in (on_commit, on_abort):
            try:
                register(len, ())
            except AbortTransaction:
                seen.append(register)
                raise

    body()
    assert seen in ([on_commit], [])  # compiled code has met it before


def test_callbacks_are_no_writes():
    cell = Cell(0)

    @atomic
    def body():
        on_commit(len, ())
        cell.value = 1
        on_abort(len, ())
        return revert_log(), current_transaction().writes

    assert body() == ([(cell, "value", 0)], 1)


def test_references_are_held_until_they_have_run():
    seen = []

    def look(thing, dead):
        seen.append([reference() is None for reference in dead])

    def references(register, outcome):
        things = [Plain(), Plain(), Plain()]
        dead = [weakref.ref(thing) for thing in things]
        for thing in things:
            register(look, thing, dead)
        del thing
        del things
        gc.collect()
        assert all(reference() is not None for reference in dead)
        made.append(dead)
        if outcome:
            raise outcome

    made = []
    atomically(references, on_commit, None)
    with pytest.raises(Reverted):
        atomically(references, on_commit, Reverted())
    atomically(references, on_abort, None)
    with pytest.raises(Reverted):
        atomically(references, on_abort, Reverted())
    gc.collect()
    assert [reference() for dead in made for reference in dead] == [None] * 12
    assert seen == [[False, False, False], [True, False, False], [True, True, False]] * 2


def test_reference_counts_are_as_before(rival):
    argument, function = Plain(), lambda *args, **kwargs: None
    before = sys.getrefcount(argument), sys.getrefcount(function)

    @atomic
    def inner():
        for register in (on_commit, on_abort):
            register(function, argument, key=argument)
        raise Reverted

    @atomic
    def body(times):
        for register in (on_commit, on_abort):
            register(function, argument, key=argument)
        with pytest.raises(Reverted):
            inner()
        rival.meet(times)

    body(1)
    body(1)
    gc.collect()
    assert (sys.getrefcount(argument), sys.getrefcount(function)) == before


def test_old_values_have_died_when_callbacks_run():
    cell, calls = Cell(Plain()), []
    weakref.finalize(cell.value, calls.append, "old value")

    @atomic
    def body():
        on_commit(calls.append, "callback")
        cell.value = None

    body()
    assert calls == ["old value", "callback"]


def test_finalisers_that_wait_run_in_front_of_callbacks():
    calls = []

    class Dying(STMObject):
        def __del__(self):
            calls.append("finaliser")

    @atomic
    def body():
        on_commit(calls.append, "callback")
        Dying()
        gc.collect()
        assert calls == []

    body()
    assert calls == ["finaliser", "callback"]


def test_many_callbacks_in_many_nested_calls():
    calls = []

    @atomic
    def inner(number):
        on_commit(calls.append, number)
        on_abort(calls.append, -number)
        if number % 3 == 0:
            raise Reverted

    @atomic
    def body():
        for number in range(1, 1000):
            try:
                inner(number)
            except Reverted:
                pass

    body()
    assert calls == [number if number % 3 else -number for number in range(1, 1000)]


def test_threads_have_callbacks_of_their_own(stage):
    calls, first, second = [], stage.pause(), stage.pause()

    @atomic
    def body(name, pause):
        on_commit(calls.append, name)
        pause.here()

    tasks = [stage.start(body, "first", first), stage.start(body, "second", second)]
    first.reached()
    second.reached()
    second.resume()
    tasks[1].result()
    assert calls == ["second"]
    first.resume()
    tasks[0].result()
    assert calls == ["second", "first"]
