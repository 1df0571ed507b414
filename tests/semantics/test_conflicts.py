"""Who may hold what beside whom, and who waits or is aborted where that is not so."""

from __future__ import annotations

import threading

import pytest
from cells import Cell
from stage import PATIENCE, someone_waits

from stmpy import access_map, atomic, current_transaction, stats


def mode_of(cell, attribute="value"):
    return access_map().by_attribute[cell, attribute][current_transaction()]


def use(cell, how):
    if how == "read":
        return cell.value
    cell.value = how


def test_readers_coexist(stage):
    cell, together = Cell(1), threading.Barrier(5)

    @atomic
    def read():
        value = cell.value
        together.wait(PATIENCE)  # all five are inside now
        return value, current_transaction().attempt

    assert [task.result() for task in [stage.start(read) for _ in range(5)]] == [(1, 1)] * 5


def test_transactions_on_different_attributes_of_one_object_coexist(stage):
    cell, together = Cell(), threading.Barrier(2)

    @atomic
    def write_value():
        cell.value = 1
        together.wait(PATIENCE)
        return current_transaction().attempt

    @atomic
    def write_other():
        cell.other = 1
        together.wait(PATIENCE)
        return current_transaction().attempt

    assert [task.result() for task in (stage.start(write_value), stage.start(write_other))] == [1, 1]


@pytest.mark.parametrize("first, second", [("read", "write"), ("write", "read"), ("write", "write again")])
def test_a_requester_that_holds_nothing_waits_in_place(stage, first, second):
    cell, inside, attempts = Cell(), stage.pause(), []

    @atomic
    def hold():
        use(cell, first)
        inside.here()

    @atomic
    def meet():
        attempts.append(current_transaction().attempt)
        return use(cell, second)

    holder = stage.start(hold)
    inside.reached()
    other = stage.start(meet)
    stage.until(someone_waits)
    assert other.is_running()
    inside.resume()
    holder.result()
    assert other.result() in ("write", None)
    assert attempts == [1]


@pytest.mark.parametrize("first, second", [("read", "write"), ("write", "read"), ("write", "write again")])
def test_a_requester_that_holds_something_is_aborted_and_runs_again(stage, first, second):
    cell, mine, inside, attempts = Cell(), Cell(), stage.pause(), []

    @atomic
    def hold():
        use(cell, first)
        inside.here()

    @atomic
    def meet():
        attempts.append(current_transaction().attempt)
        mine.value += 1
        return use(cell, second)

    before = stats().aborted_by_conflict
    holder = stage.start(hold)
    inside.reached()
    other = stage.start(meet)
    stage.until(lambda: stats().aborted_by_conflict == before + 1)
    assert mine.value == 0
    # It holds nothing while it waits.
    stage.until(lambda: (mine, "value") not in access_map().by_attribute)
    mine.other = "free"
    inside.resume()
    holder.result()
    other.result()
    assert attempts == [1, 2]
    assert mine.value == 1
    assert stats().aborted_by_conflict == before + 1


def test_the_second_attempt_begins_when_the_other_transaction_has_ended(stage):
    cell, mine, inside, seen = Cell("before"), Cell(), stage.pause(), []

    @atomic
    def hold():
        cell.value = "after"
        inside.here()

    @atomic
    def meet():
        seen.append((current_transaction().attempt, inside._resumed.is_set()))
        mine.value = 1
        return cell.value

    holder = stage.start(hold)
    inside.reached()
    before = stats().aborted_by_conflict
    other = stage.start(meet)
    stage.until(lambda: stats().aborted_by_conflict == before + 1)
    inside.resume()
    assert other.result() == "after"
    holder.result()
    assert seen == [(1, False), (2, True)]


def write_elsewhere(cell, value):
    """The compiler does not see it coming."""
    cell.value = value


def test_an_upgrade_that_fails_is_asked_for_at_the_first_touch_of_the_next_attempt(stage):
    cell, inside, modes = Cell(0), stage.pause(), []

    @atomic
    def first():
        value = cell.value
        inside.here()
        write_elsewhere(cell, value + 1)

    @atomic
    def second():
        value = cell.value
        modes.append(mode_of(cell))
        write_elsewhere(cell, value + 1)

    one = stage.start(first)
    inside.reached()
    before = stats().aborted_by_conflict
    two = stage.start(second)
    stage.until(lambda: stats().aborted_by_conflict == before + 1)
    inside.resume()
    one.result()
    two.result()
    assert modes == ["read", "write"]
    assert cell.value == 2


def test_two_readers_that_both_want_to_write_do_not_deadlock(stage):
    cell, together = Cell(0), threading.Barrier(2)

    @atomic
    def increment():
        value = cell.value
        if current_transaction().attempt == 1 and together.n_waiting < 2:
            try:
                together.wait(5)
            except threading.BrokenBarrierError:
                pass
        write_elsewhere(cell, value + 1)

    tasks = [stage.start(increment) for _ in range(2)]
    for task in tasks:
        task.result()
    assert cell.value == 2


def test_an_augmented_assignment_holds_its_pair_for_a_write_from_the_start(tier):
    cell, modes = Cell(1), []

    def one():
        modes.append(mode_of(cell))
        return 1

    @atomic
    def increment():
        cell.value += one()

    increment()
    assert modes == [{"dynamic": "read", "compiled": "write"}[tier]]
    assert cell.value == 2


def test_a_read_that_a_write_follows_holds_its_pair_for_it(tier):
    cell, modes = Cell(1), []

    @atomic
    def certainly(stop):
        if cell.value < 0:
            raise ValueError
        modes.append(mode_of(cell))
        if stop:
            raise ValueError
        cell.value = 2

    @atomic
    def perhaps(write):
        before = cell.value
        modes.append(mode_of(cell))
        if write:
            cell.value = before + 1

    @atomic
    def never():
        cell.value
        modes.append(mode_of(cell))

    certainly(False)
    with pytest.raises(ValueError):
        certainly(True)
    perhaps(True)
    perhaps(False)
    never()
    writes, may_write = {"dynamic": ("read", "read"), "compiled": ("write", "update")}[tier]
    assert modes == [writes, writes, may_write, may_write, "read"]
    assert cell.value == 3


def test_many_threads_that_increment_lose_nothing(stage):
    cell = Cell(0)

    @atomic
    def increment():
        cell.value += 1

    @atomic
    def read_then_write():
        value = cell.value
        cell.value = value + 1

    def work(step):
        for _ in range(100):
            step()

    for task in [stage.start(work, step) for step in (increment, read_then_write) for _ in range(4)]:
        task.result()
    assert cell.value == 800


def test_opposite_orders_do_not_deadlock(stage):
    one, two = Cell(0), Cell(0)

    @atomic
    def add(first, second):
        first.value += 1
        second.value += 1

    def work(first, second):
        for _ in range(150):
            add(first, second)

    tasks = [stage.start(work, *pair) for pair in ((one, two), (two, one)) * 2]
    for task in tasks:
        task.result()
    assert (one.value, two.value) == (600, 600)


# --- reads="exclusive"


def test_under_exclusive_reads_two_readers_conflict(stage):
    cell, inside, attempts = Cell(1), stage.pause(), []

    @atomic(reads="exclusive")
    def hold():
        value = cell.value
        assert mode_of(cell) == "exclusive"
        inside.here()
        return value

    @atomic(reads="exclusive")
    def meet():
        attempts.append(current_transaction().attempt)
        return cell.value

    holder = stage.start(hold)
    inside.reached()
    before = stats().aborted_by_conflict
    other = stage.start(meet)
    stage.until(lambda: stats().aborted_by_conflict == before + 1)
    assert all(access_map().by_transaction.values())  # it has ended, and waits outside of it
    inside.resume()
    assert (holder.result(), other.result()) == (1, 1)
    assert attempts == [1, 2]


@pytest.mark.parametrize("shared_first", [False, True])
def test_a_shared_reader_and_an_exclusive_one_conflict(stage, shared_first):
    cell, inside, runs = Cell(1), stage.pause(), []

    def read(pausing):
        runs.append(pausing)
        value = cell.value
        if pausing:
            inside.here()
        return value

    shared, exclusive = atomic(read), atomic(reads="exclusive")(read)
    first, second = (shared, exclusive) if shared_first else (exclusive, shared)
    before = stats()
    holder = stage.start(first, True)
    inside.reached()
    other = stage.start(second, False)
    # The exclusive one is aborted at once; the shared one waits in place.
    if shared_first:
        stage.until(lambda: stats().aborted_by_conflict == before.aborted_by_conflict + 1)
    else:
        stage.until(someone_waits)
    inside.resume()
    assert (holder.result(), other.result()) == (1, 1)
    assert runs == [True, False] + [False] * shared_first


def test_under_exclusive_reads_an_access_conflicts_with_any_writer(stage):
    cell, inside, attempts = Cell(1), stage.pause(), []

    @atomic
    def hold():
        cell.value = 2
        inside.here()

    @atomic(reads="exclusive")
    def meet():
        attempts.append(current_transaction().attempt)
        return cell.value

    holder = stage.start(hold)
    inside.reached()
    before = stats().aborted_by_conflict
    other = stage.start(meet)
    stage.until(lambda: stats().aborted_by_conflict == before + 1)
    inside.resume()
    holder.result()
    assert other.result() == 2
    assert attempts == [1, 2]


def test_exclusive_reads_in_a_nested_call_hold_from_there_on():
    before, again, inner, after = Cell(1), Cell(2), Cell(3), Cell(4)

    @atomic(reads="exclusive")
    def nested():
        return again.value + inner.value

    @atomic
    def outer():
        total = before.value + again.value
        assert mode_of(again) == "read"
        total += nested() + after.value
        return total, [mode_of(cell) for cell in (before, again, inner, after)]

    assert outer() == (12, ["read", "exclusive", "exclusive", "read"])


def test_a_read_outside_does_not_wait_for_exclusive_readers(stage):
    cell, inside = Cell(1), stage.pause()

    @atomic(reads="exclusive")
    def hold():
        value = cell.value
        inside.here()
        return value

    holder = stage.start(hold)
    inside.reached()
    assert cell.value == 1
    inside.resume()
    holder.result()
