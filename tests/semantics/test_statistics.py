"""`stats()`: what transactions have done, and how fairly they have been served."""

from __future__ import annotations

import queue

import pytest
from cells import Cell, Reverted

from stmpy import (
    STMQueue,
    TransactionTimeout,
    access_map,
    atomic,
    atomically,
    check,
    reset_stats,
    stats,
)


def test_they_count_what_happened():
    cell = Cell()

    @atomic
    def change(fail):
        cell.value = 1
        if fail:
            raise Reverted

    before = stats()
    change(False)
    with pytest.raises(Reverted):
        change(True)

    @atomic
    def outer():
        with pytest.raises(Reverted):
            change(True)

    outer()
    after = stats()
    assert after.begun - before.begun == 3
    assert after.attempts - before.attempts == 3
    assert after.committed - before.committed == 2
    assert after.aborted_by_exception - before.aborted_by_exception == 1
    assert after.nested_reverts - before.nested_reverts == 1
    assert after.aborted_by_conflict == before.aborted_by_conflict


def test_they_count_waits(stage):
    cell, inside = Cell(), stage.pause()

    @atomic
    def hold():
        cell.value = 1
        inside.here()

    before = stats()
    holder = stage.start(hold)
    inside.reached()
    waiter = stage.start(atomic(lambda: cell.value))
    stage.until(lambda: len(access_map().by_transaction) == 2)
    inside.resume()
    holder.result()
    waiter.result()
    assert stats().waits - before.waits <= 1
    assert stats().seconds_waited >= before.seconds_waited


def test_they_start_again_at_zero():
    atomically(lambda: None)
    assert stats().begun > 0
    reset_stats()
    assert (stats().begun, stats().committed, stats().seconds_waited) == (0, 0, 0)
    atomically(lambda: None)
    assert stats().begun == 1


def test_the_most_attempts_are_those_of_one_call(rival):
    reset_stats()
    assert stats().most_attempts == 0
    atomically(lambda: None)
    atomically(lambda: None)
    assert stats().most_attempts == 1
    atomic(lambda: rival.meet(3))()
    assert stats().most_attempts == 4
    atomically(lambda: None)
    assert stats().most_attempts == 4


def test_waits_for_a_change_are_no_attempts_that_a_call_needed(stage):
    cell = Cell(0)
    reset_stats()
    sleeper = stage.start(atomic(lambda: check(cell.value == 3)))
    for number in range(1, 4):
        stage.until(lambda count=number: stats().retries == count)
        cell.value = number
    sleeper.result()
    assert (stats().attempts - stats().committed, stats().most_attempts) == (3, 1)


def test_the_longest_wait_is_one_of_them(held):
    def wait(seconds):
        with pytest.raises(TransactionTimeout):
            atomic(timeout=seconds)(lambda: held.value)()

    reset_stats()
    assert stats().longest_wait == 0
    wait(0.2)
    longest = stats().longest_wait
    assert 0 < longest <= stats().seconds_waited
    wait(0)
    wait(0)
    assert stats().longest_wait == longest < stats().seconds_waited
    reset_stats()
    assert stats().longest_wait == 0


def test_who_yields_to_an_older_call_is_told_from_who_gives_up(stage, rival):
    cell, inside = Cell(0), stage.pause()

    @atomic
    def young():
        cell.value += 1
        inside.here()
        cell.value += 1

    @atomic(irrevocable=True)
    def oldest():
        cell.value += 10

    reset_stats()
    atomic(rival.meet)()
    assert (stats().aborted_by_conflict, stats().aborted_by_senior) == (1, 0)
    victim = stage.start(young)
    inside.reached()
    elder = stage.start(oldest)
    stage.until(lambda: any(t.state == "doomed" for t in access_map().by_transaction))
    inside.resume()
    elder.result()
    victim.result()
    assert (stats().aborted_by_conflict, stats().aborted_by_senior) == (2, 1)
    assert stats().irrevocable == 1


def read(cell):
    return cell.value


def write(cell, value):
    cell.value = value


def test_upgrades_that_fail_are_counted(stage):
    cell, inside = Cell(0), stage.pause()

    @atomic
    def look():
        read(cell)
        inside.here()

    @atomic
    def increment():
        write(cell, read(cell) + 1)

    reset_stats()
    reader = stage.start(look)
    inside.reached()
    writer = stage.start(increment)
    stage.until(lambda: stats().aborted_by_conflict == 1)
    inside.resume()
    reader.result()
    writer.result()
    assert (stats().failed_upgrades, stats().aborted_by_conflict) == (1, 1)


def test_timeouts_are_counted_each(held):
    @atomic(irrevocable=True)
    def token():
        pass

    def time_out(call, timeout=0.0):
        with pytest.raises(TransactionTimeout):
            atomic(timeout=timeout)(call)()

    reset_stats()
    time_out(lambda: held.value)
    time_out(lambda: (write(Cell(), 1), held.value))
    time_out(lambda: check(held.other))
    with pytest.raises(queue.Empty):
        STMQueue().get(timeout=0.01)
    assert stats().timeouts == 4
