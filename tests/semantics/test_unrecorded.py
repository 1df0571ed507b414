"""`unrecorded()`: reads that leave no trace in the transaction."""

from __future__ import annotations

import gc
import sys

import pytest
from cells import Cell, Reverted
from rivals import swallowing
from stage import someone_waits

from stmpy import (
    AbortTransaction,
    STMCounter,
    STMList,
    STMObject,
    TransactionLocal,
    TransactionUsageError,
    access_map,
    atomic,
    atomically,
    current_transaction,
    in_transaction,
    on_commit,
    stats,
    unrecorded,
)


class Other(STMObject):
    pass


def pairs():
    """What this thread's transaction has registered."""
    registered = access_map().by_transaction.get(current_transaction(), ())
    return {(id(cell), name) for cell, name in registered}


def test_reads_leave_no_trace():
    cell, name = Cell(1), "value"

    @atomic
    def body():
        with unrecorded():
            seen = cell.value, cell.other, getattr(cell, name), cell.__class__, hasattr(cell, "absent")
            seen += (vars(cell)["value"], list(vars(cell)), "value" in dir(cell), cell.__dict__ == vars(cell))
            for _ in range(3):
                assert cell.value == 1
        return seen, pairs()

    seen = (1, 0, 1, Cell, False, 1, ["value", "other"], True, True)
    assert body() == (seen, set())


def test_others_may_write_what_was_read(stage):
    """It is no conflict, and the transaction sees what they have committed when it reads again."""
    cell = Cell("before")

    @atomic
    def body():
        with unrecorded():
            first = cell.value
        stage.start(setattr, cell, "value", "after").result()
        with unrecorded():
            second = cell.value
        return first, second, cell.value, current_transaction().attempt

    assert body() == ("before", "after", "after", 1)


def test_what_others_have_not_committed_is_not_seen_and_nothing_waits(held):
    before = stats().waits

    @atomic
    def body():
        with unrecorded():
            return held.value, vars(held)["value"], current_transaction().attempt

    assert body() == ("old", "old", 1)
    assert stats().waits == before


def test_nor_are_their_new_and_deleted_attributes(stage):
    cell, inside = Cell(1), stage.pause()

    @atomic
    def change():
        cell.fresh = 1
        del cell.other
        inside.here()

    @atomic
    def body():
        with unrecorded():
            return hasattr(cell, "fresh"), cell.other, list(vars(cell))

    task = stage.start(change)
    inside.reached()
    assert body() == (False, 0, ["value", "other"])
    inside.resume()
    task.result()
    assert list(vars(cell)) == ["value", "fresh"]


def test_the_transactions_own_writes_are_seen():
    cell, gone = Cell("before"), Cell(1)

    @atomic
    def body():
        cell.value = "after"
        cell.fresh = "new"
        del gone.value
        with unrecorded():
            seen = cell.value, cell.fresh, list(vars(cell)), hasattr(gone, "value"), list(vars(gone))
            assert vars(cell) == {"value": "after", "other": 0, "fresh": "new"}
        return seen

    assert body() == ("after", "new", ["value", "other", "fresh"], False, ["other"])


def test_what_was_read_before_stays_as_it_was(stage):
    cell = Cell("before")

    @atomic
    def body():
        first = cell.value
        stage.start(setattr, cell, "value", "after")
        with unrecorded():
            stage.until(someone_waits)
            second = cell.value
        return first, second

    assert body() == ("before", "before")


def test_behind_it_everything_is_recorded_again():
    cell, other = Cell(0), Cell(0)

    @atomic
    def body():
        cell.value = 1
        with unrecorded():
            assert other.value == 0
        before = pairs()
        cell.value += 1
        assert other.value == 0
        other.other = cell.value
        return before, pairs()

    mine = {(id(cell), "value")}
    assert body() == (mine, mine | {(id(other), "value"), (id(other), "other")})
    assert (cell.value, other.other) == (2, 2)


def test_behind_it_a_nested_call_is_still_taken_back():
    cell = Cell("before")

    @atomic
    def inner():
        with unrecorded():
            assert cell.value == "outer"
        cell.value = "inner"
        raise Reverted

    @atomic
    def body():
        cell.value = "outer"
        with pytest.raises(Reverted):
            inner()
        with unrecorded():
            assert cell.value == "outer"
        return cell.value

    assert body() == "outer"


def test_under_exclusive_reads(stage):
    cell, other = Cell(1), Cell(2)

    @atomic(reads="exclusive")
    def body():
        first = cell.value
        with unrecorded():
            seen = first, cell.value, other.value
        before = pairs()
        return seen, before, other.value, {mode for mode in modes()}

    def modes():
        return dict(access_map().by_transaction[current_transaction()]).values()

    assert body() == ((1, 1, 2), {(id(cell), "value")}, 2, {"exclusive"})


def refused():
    return pytest.raises(TransactionUsageError, match=r"in 'with unrecorded\(\):'")


def test_writes_are_refused():
    cell, owned = Cell(1), Cell(1)

    def increment(cell):
        cell.value += 1

    def delete(cell):
        del cell.value

    writes = [
        lambda cell: setattr(cell, "value", 2),
        lambda cell: setattr(cell, "fresh", 2),
        lambda cell: object.__setattr__(cell, "value", 2),
        lambda cell: vars(cell).update(value=2),
        lambda cell: setattr(cell, "__dict__", {}),
        lambda cell: setattr(cell, "__class__", Other),
        lambda cell: Cell(2),
        increment,
        delete,
    ]

    @atomic
    def body(write):
        owned.value = 2
        vars(owned)
        for target in (cell, owned):
            with unrecorded():
                with refused():
                    write(target)
                assert in_transaction()
        return cell.value, owned.value, type(cell), vars(owned)

    for write in writes:
        assert body(write) == (1, 2, Cell, {"value": 2, "other": 0})
    cell.value = 3
    assert cell.value == 3


def test_writes_to_what_is_held_already_are_refused():
    cell = Cell(1)

    @atomic
    def body():
        for _ in range(3):
            cell.value += 1
            cell.other = cell.value
            with unrecorded():
                with refused():
                    cell.value = 100
                with refused():
                    cell.other += 100
                assert cell.value == cell.other
        return cell.value, cell.other

    assert body() == (4, 4)


def test_stores_on_what_compiled_code_holds_are_refused():
    """It opens the cell at the first turn and keeps it, while a call enters the context."""
    cell = Cell(5)

    @atomic
    def body(cell, context):
        for number in range(3):
            if number == 2:
                context.__enter__()
            cell.value = cell.value + number
        context.__exit__()

    with refused():
        body(cell, unrecorded())
    assert cell.value == 5


def test_nothing_is_held_by_what_compiled_code_opens_in_it(held):
    cell = Cell(1)

    @atomic
    def body(held, cell):
        with unrecorded():
            seen = [held.value, held.value, cell.value, cell.value, held.value + held.value]
            for _ in range(3):
                seen.append(held.value)
        return seen, pairs(), cell.value + cell.value

    assert body(held, cell) == (["old", "old", 1, 1, "oldold", "old", "old", "old"], set(), 2)


def test_atomic_functions_are_refused():
    cell, calls = Cell(1), []

    @atomic
    def nested():
        calls.append(1)

    @atomic
    def body():
        with unrecorded():
            for call in (nested, lambda: atomically(calls.append, 1)):
                with refused():
                    call()
        nested()
        return cell.value

    assert body() == 1
    assert calls == [1]


def test_contexts_nest():
    cell = Cell(1)

    @atomic
    def body():
        with unrecorded():
            with unrecorded():
                assert cell.value == 1
            assert cell.value == 1
            with refused():
                cell.value = 2
            first = pairs()
        cell.value = 3
        return first, pairs()

    assert body() == (set(), {(id(cell), "value")})


def test_an_exception_leaves_it():
    cell = Cell(1)

    @atomic
    def body():
        with pytest.raises(Reverted), unrecorded():
            raise Reverted
        cell.value = 2
        with unrecorded():
            raise Reverted

    with pytest.raises(Reverted):
        body()
    assert cell.value == 1
    atomically(setattr, cell, "value", 5)
    assert cell.value == 5


def test_one_context_can_be_used_again_but_not_entered_twice():
    cell, context = Cell(1), unrecorded()

    @atomic
    def body():
        for _ in range(2):
            with context as target:
                assert target is None
                with pytest.raises(TransactionUsageError, match="entered already"):
                    context.__enter__()
                assert cell.value == 1
        cell.value = 2
        return pairs()

    assert body() == {(id(cell), "value")}


def test_outside_it_changes_nothing():
    cell = Cell(1)

    @atomic
    def body():
        return cell.value, pairs()

    with unrecorded():
        cell.value = 2
        assert cell.value == 2
        assert body() == (2, {(id(cell), "value")})
        cell.value = 3
    assert cell.value == 3


def test_a_transaction_that_has_to_abort_can_still_be_looked_at(rival):
    """Debuggers look at what was not read before, while the abort unwinds."""
    mine, other, seen = Cell("before"), Cell("other"), []

    @atomic
    def body():
        mine.value = "after"
        try:
            rival.meet()
        finally:
            with unrecorded():
                seen.append((mine.value, other.value, rival._cell.value))

    body()
    assert seen[0] == ("after", "other", "old")
    assert len(seen) == 2


def test_a_swallowed_abort_is_met_behind_it(rival):
    mine, other, seen = Cell(0), Cell("other"), []

    def look():
        with unrecorded():
            seen.append(other.value)

    @atomic
    def body():
        mine.value += 1
        swallowing(rival.meet)
        look()
        if len(seen) == 1:
            with pytest.raises(AbortTransaction):
                mine.other = 1
        return mine.value

    try:
        assert body() == 1
    finally:
        assert seen == ["other", "other"]


def test_what_is_left_open_by_a_generator_does_not_commit():
    cell = Cell(1)

    def generator():
        with unrecorded():
            yield cell.value

    @atomic
    def body():
        cell.value = 2
        suspended = generator()
        kept.append(suspended)
        return next(suspended)

    kept = []
    with pytest.raises(TransactionUsageError, match="left it open"):
        body()
    assert cell.value == 1
    kept.pop().close()
    atomically(setattr, cell, "value", 5)
    assert cell.value == 5


def test_what_is_left_open_in_a_nested_call_is_over_with_it():
    cell = Cell(1)

    def generator():
        with unrecorded():
            yield cell.value

    @atomic
    def inner(fail):
        suspended = generator()
        kept.append(suspended)
        assert next(suspended) == cell.value
        if fail:
            raise Reverted

    @atomic
    def body():
        inner(False)
        with pytest.raises(Reverted):
            inner(True)
        cell.value = 2
        with unrecorded():
            kept.pop(0).close()
            with refused():
                cell.value = 3
        kept.pop(0).close()
        return cell.value, pairs()

    kept = []
    assert body() == (2, {(id(cell), "value")})
    assert cell.value == 2


def test_a_generator_that_ends_elsewhere_ends_nothing(stage):
    cell = Cell(1)

    def generator():
        with unrecorded():
            yield cell.value

    @atomic
    def leaves_open():
        suspended = generator()
        next(suspended)
        kept.append(suspended)

    @atomic
    def body():
        with unrecorded():
            kept.pop().close()
            with refused():
                cell.value = 2
        cell.value = 3

    kept = []
    with pytest.raises(TransactionUsageError):
        leaves_open()
    body()
    assert cell.value == 3
    with pytest.raises(TransactionUsageError):
        leaves_open()
    stage.start(kept.pop().close).result()
    atomically(setattr, cell, "value", 4)
    assert cell.value == 4


def test_other_threads_are_not_concerned(stage):
    cell, inside = Cell(1), stage.pause()

    @atomic
    def look():
        with unrecorded():
            inside.here()
            return cell.value

    task = stage.start(look)
    inside.reached()
    atomically(setattr, cell, "value", 2)
    inside.resume()
    assert task.result() == 2


def test_callbacks_and_values_of_transactions_go_on(stage):
    calls, local = [], TransactionLocal(list)

    @atomic
    def body():
        with unrecorded():
            on_commit(calls.append, 1)
            local.get().append(2)
        return local.get()

    assert body() == [2]
    assert calls == [1]


def test_reference_counts_are_as_before(held):
    value = object()
    cell, context = Cell(value), unrecorded()
    before = sys.getrefcount(cell), sys.getrefcount(value), sys.getrefcount(context), sys.getrefcount(held)

    @atomic
    def body():
        with context:
            for _ in range(100):
                assert cell.value is value and held.value == "old" and len(vars(cell)) == 2
                swallowing(setattr, cell, "value", 1)
        return None

    body()
    gc.collect()
    after = sys.getrefcount(cell), sys.getrefcount(value), sys.getrefcount(context), sys.getrefcount(held)
    assert after == before


def test_among_writers_a_look_is_never_half_of_an_attribute(stage):
    """Whatever happens at the same time, each read is of something that was committed."""
    cells = [Cell((0, 0)) for _ in range(4)]

    @atomic
    def write(number):
        for cell in cells:
            cell.value = (number, number)
            cell.other = number

    @atomic
    def look():
        with unrecorded():
            for cell in cells:
                first, second = cell.value
                assert first == second and vars(cell)["other"] >= 0
            return pairs()

    def writes():
        for number in range(300):
            write(number)

    writer = stage.start(writes)
    while writer.is_running():
        assert look() == set()
    writer.result()


def test_collections_are_looked_at_in_the_same_way(stage):
    items, counter, inside = STMList([1, 2]), STMCounter(5), stage.pause()

    @atomic
    def change():
        items.append(3)
        counter.add(10)
        inside.here()

    @atomic
    def look():
        with unrecorded():
            seen = list(items), len(items), items[0], items[-1], counter.value
            with refused():
                items.append(4)
            with refused():
                counter.add(1)
        return seen, pairs()

    @atomic
    def look_at_own_changes():
        counter.add(2)
        items.append("mine")
        with unrecorded():
            return list(items), counter.value

    task = stage.start(change)
    inside.reached()
    assert look() == (([1, 2], 2, 1, 2, 5), set())
    inside.resume()
    task.result()
    assert look_at_own_changes() == ([1, 2, 3, "mine"], 17)
