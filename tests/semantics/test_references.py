"""What transactions keep alive, for how long, and what finalisers meet."""

from __future__ import annotations

import gc
import sys
import threading
import weakref

import pytest
from cells import Cell, Reverted

from stmpy import atomic, current_transaction, in_transaction, stats


class Plain:
    pass


@pytest.fixture
def conflict(stage):
    """Runs a function that meets another transaction, to its end."""

    def run(function):
        cell, inside = Cell("old"), stage.pause()

        @atomic
        def hold():
            cell.value = "new"
            inside.here()

        before = stats().aborted_by_conflict
        holder = stage.start(hold)
        inside.reached()
        task = stage.start(function, cell)
        stage.until(lambda: stats().aborted_by_conflict > before)
        inside.resume()
        holder.result()
        return task.result()

    return run


def is_gone(reference):
    gc.collect()
    return reference() is None


def test_a_replaced_value_dies_after_the_commit():
    cell, dead = Cell(Plain()), []
    weakref.finalize(cell.value, lambda: dead.append(in_transaction()))

    @atomic
    def replace():
        cell.value = 1
        gc.collect()
        assert dead == []

    replace()
    gc.collect()
    assert dead == [False]


def test_a_value_that_is_taken_back_dies_after_the_revert():
    cell, dead = Cell("old"), []

    @atomic
    def replace():
        value = Plain()
        weakref.finalize(value, lambda: dead.append((in_transaction(), cell.value)))
        cell.value = value
        raise Reverted

    with pytest.raises(Reverted):
        replace()
    gc.collect()
    assert dead == [(False, "old")]


def test_nothing_is_kept_alive_after_a_commit():
    cell, thing = Cell(None), Cell(1)
    reference = weakref.ref(thing)

    @atomic
    def use(thing):
        cell.value = thing
        cell.value = None
        thing.value += 1

    use(thing)
    del thing
    assert is_gone(reference)


def test_nothing_is_kept_alive_after_an_exception():
    cell, thing = Cell(None), Cell(1)
    reference = weakref.ref(thing)

    @atomic
    def use(thing):
        thing.value += 1
        cell.value = thing
        raise Reverted

    with pytest.raises(Reverted):
        use(thing)
    del thing
    assert is_gone(reference)


def test_nothing_is_kept_alive_after_an_abort(conflict):
    """Neither by the abort's traceback, deep as it is, nor by the log."""
    references = []
    mine = Cell(None)

    def descend(cell, depth):
        local = Plain()
        references.append(weakref.ref(local))
        if depth == 0:
            return cell.value
        return descend(cell, depth - 1)

    @atomic
    def use(cell):
        thing = Cell(Plain())
        references.append(weakref.ref(thing))
        references.append(weakref.ref(thing.value))
        if current_transaction().attempt == 2:
            gc.collect()
            return sum(reference() is not None for reference in references[:-2])
        mine.value = thing
        return descend(cell, 200)

    assert conflict(use) == 0
    assert len(references) == 2 + 201 + 2
    gc.collect()
    assert [reference() for reference in references] == [None] * len(references)
    assert mine.value is None


def test_reference_counts_are_as_before():
    value, other = Plain(), Plain()
    cell = Cell(value)

    @atomic
    def use(fail):
        cell.value
        cell.value = other
        cell.value = value
        del cell.value
        cell.value = other
        if fail:
            raise Reverted
        cell.value = value

    @atomic
    def nested():
        for _ in range(5):
            with pytest.raises(Reverted):
                use(True)
        use(False)

    def count():
        gc.collect()
        return sys.getrefcount(value), sys.getrefcount(other), sys.getrefcount(cell)

    nested()
    before = count()
    for _ in range(20):
        nested()
        with pytest.raises(Reverted):
            use(True)
    assert count() == before


def test_a_finaliser_may_begin_a_transaction_at_the_commit():
    cell, finalised = Cell(0), []

    @atomic
    def count():
        cell.value += 1
        finalised.append(current_transaction().name)

    class Finalised:
        def __del__(self):
            assert not in_transaction()
            count()

    things = [Cell(Finalised()) for _ in range(50)]

    @atomic
    def replace():
        for thing in things:
            thing.value = None

    replace()
    gc.collect()
    assert cell.value == 50


def test_a_finaliser_may_begin_a_transaction_at_the_revert():
    cell, mine = Cell(0), Cell("old")

    @atomic
    def count():
        cell.value += 1

    class Finalised:
        def __del__(self):
            count()
            cell.value += 100

    @atomic
    def replace():
        for _ in range(10):
            mine.value = Finalised()
        raise Reverted

    with pytest.raises(Reverted):
        replace()
    gc.collect()
    # Nine died inside, when they were replaced: what they did was taken back. The last one died outside.
    assert cell.value == 101
    assert mine.value == "old"


def test_a_finaliser_that_runs_a_transaction_between_attempts_does_not_disturb_the_call(conflict):
    seen, counted, mine, finalised = [], Cell(0), Cell(None), []

    @atomic(name="the finaliser's", max_attempts=1)
    def count():
        counted.value += 1

    class Finalised:
        def __del__(self):
            count()
            counted.value += 1
            finalised.append(in_transaction())

    @atomic(name="mine", max_attempts=2)
    def use(cell):
        transaction = current_transaction()
        seen.append((transaction.id, transaction.attempt, transaction.name))
        if transaction.attempt == 1:
            mine.value = Finalised()
        return cell.value

    @atomic
    def in_front():
        pass

    in_front()
    assert conflict(use) == "new"
    (call, first, name), (call_again, second, name_again) = seen
    assert call == call_again != 0
    assert (first, second) == (1, 2)
    assert name == name_again == "mine"
    assert finalised == [False]
    assert counted.value == 2


def test_a_finaliser_may_not_lose_the_exception_that_leaves():
    class Finalised:
        def __del__(self):
            with pytest.raises(ValueError):
                fail()

    @atomic
    def fail():
        raise ValueError

    cell = Cell(0)

    @atomic
    def use():
        cell.value = Finalised()
        raise Reverted("mine")

    with pytest.raises(Reverted, match="mine"):
        use()


def test_a_weakref_callback_runs_after_the_transaction():
    seen, counted = [], Cell(0)

    @atomic
    def count():
        counted.value += 1

    def callback(_):
        seen.append(in_transaction())
        count()

    value = Plain()
    reference = weakref.ref(value, callback)
    cell = Cell(value)
    del value

    @atomic
    def replace():
        cell.value = None
        gc.collect()
        assert reference() is not None

    replace()
    gc.collect()
    assert seen == [False]
    assert counted.value == 1


def test_what_a_transaction_has_accessed_lives_until_it_ends():
    dead = []

    class Noisy(Cell):
        def __del__(self):
            dead.append(in_transaction())

    @atomic
    def use():
        noisy = Noisy(1)
        noisy.value += 1
        del noisy
        gc.collect()
        assert dead == []

    use()
    gc.collect()
    assert dead == [False]


def test_garbage_is_collected_inside_of_transactions():
    cell = Cell(None)

    @atomic
    def use(fail):
        ring = [Cell(None) for _ in range(10)]
        for one, two in zip(ring, ring[1:] + ring[:1], strict=True):
            one.value = two
        cell.value = ring[0]
        gc.collect()
        assert cell.value.value is ring[1]
        if fail:
            raise Reverted
        return weakref.ref(ring[5])

    with pytest.raises(Reverted):
        use(True)
    reference = use(False)
    gc.collect()
    assert reference() is not None
    cell.value = None
    assert is_gone(reference)


def test_the_collector_and_transactions_at_the_same_time(stage):
    enough, cells = threading.Event(), [Cell(None) for _ in range(4)]

    @atomic
    def build(index):
        cells[index].value = Cell(cells[index - 1])
        if cells[index].value.value is None:
            raise AssertionError

    def working(index):
        while not enough.is_set():
            build(index)

    workers = [stage.start(working, index) for index in range(3)]
    for _ in range(10):
        gc.collect()
    enough.set()
    for worker in workers:
        worker.result()


def test_a_result_of_an_attempt_that_did_not_commit_is_let_go(conflict):
    mine, references = Cell(0), []

    @atomic
    def use(cell):
        mine.value += 1
        result = Plain()
        references.append(weakref.ref(result))
        try:
            cell.value
        except BaseException:
            return result
        return all(is_gone(reference) for reference in references[:-1])

    assert conflict(use) is True
    assert len(references) == 2
