"""timeout= and max_attempts=: how long a call may wait, and how often it may run."""

from __future__ import annotations

import queue
import threading
import time

import pytest
from cells import Cell
from stage import PATIENCE

from stmpy import (
    STMQueue,
    TooManyAttempts,
    TransactionError,
    TransactionTimeout,
    atomic,
    check,
    in_transaction,
    on_abort,
    stats,
)


def elapsed(since):
    return time.monotonic() - since


def test_a_wait_in_place_ends_with_the_timeout(held):
    @atomic(timeout=0.05)
    def impatient():
        return held.value

    start = time.monotonic()
    with pytest.raises(TransactionTimeout, match=r"impatient .*nothing was changed"):
        impatient()
    assert 0.05 <= elapsed(start) < 5
    assert not in_transaction()


def test_a_wait_between_attempts_ends_with_the_timeout_and_nothing_is_changed(held):
    mine, runs = Cell(1), []

    @atomic(timeout=0.05, name="the impatient one")
    def impatient():
        runs.append(1)
        mine.value = 2
        return held.value

    with pytest.raises(TransactionTimeout, match="^the impatient one waited"):
        impatient()
    assert runs == [1]
    assert mine.value == 1


def test_a_timeout_is_a_transaction_error_and_a_timeout_error(held):
    with pytest.raises(TimeoutError) as caught:
        atomic(timeout=0)(lambda: held.value)()
    assert isinstance(caught.value, TransactionError)


def test_the_tightest_of_nested_timeouts_counts_and_is_named(held):
    @atomic(timeout=0.05)
    def inner():
        return held.value

    @atomic(timeout=1000)
    def outer():
        return inner()

    with pytest.raises(TransactionTimeout, match=r"inner waited"):
        outer()


def test_a_longer_nested_timeout_does_not_prolong(held):
    @atomic(timeout=1000)
    def inner():
        return held.value

    @atomic(timeout=0.05)
    def outer():
        return inner()

    with pytest.raises(TransactionTimeout, match=r"outer waited"):
        outer()


def test_a_nested_timeout_is_over_with_the_nested_call(stage):
    free, inside = Cell("free"), stage.pause()
    held = Cell("old")

    @atomic
    def hold():
        held.value = "new"
        inside.here()

    holder = stage.start(hold)
    inside.reached()

    @atomic(timeout=0)
    def inner():
        return free.value

    @atomic
    def outer():
        inner()
        return held.value

    before = stats().aborted_by_conflict
    task = stage.start(outer)
    stage.until(lambda: stats().aborted_by_conflict > before)
    inside.resume()
    holder.result()
    assert task.result() == "new"


def test_a_nested_timeout_counts_for_the_wait_between_attempts(held):
    mine = Cell(1)

    @atomic(timeout=0.05)
    def inner():
        return held.value

    @atomic
    def outer():
        mine.value = 2
        return inner()

    with pytest.raises(TransactionTimeout, match=r"inner waited"):
        outer()
    assert mine.value == 1


def test_the_timeout_is_for_the_whole_call_not_for_each_wait(stage):
    """Each attempt waits for another transaction for a quarter of the timeout: together that is too long."""
    cells, mine, runs, ended = [Cell("old") for _ in range(20)], Cell(), [], []
    pauses = [stage.pause() for _ in cells]

    def hold(cell, inside):
        cell.value = "new"
        inside.here()

    holders = [stage.start(atomic(hold), *pair) for pair in zip(cells, pauses, strict=True)]
    for inside in pauses:
        inside.reached()

    @atomic(timeout=0.2)
    def impatient():
        runs.append(1)
        mine.value = 1
        for cell in cells:
            cell.value

    def release_one_after_the_other():
        before, clock = stats().aborted_by_conflict, threading.Event()
        for number, inside in enumerate(pauses, start=1):
            stage.until(lambda count=number: stats().aborted_by_conflict >= before + count or ended)
            clock.wait(0.05)
            inside.resume()

    releaser = stage.start(release_one_after_the_other)
    with pytest.raises(TransactionTimeout):
        impatient()
    ended.append(1)
    releaser.result()
    for holder in holders:
        holder.result()
    assert len(runs) < len(cells)
    assert mine.value == 0


def test_a_wait_for_a_victim_that_is_blocked_in_foreign_code_ends_with_the_timeout(stage, rival):
    cell, mine, inside, states = Cell("old"), Cell(1), stage.pause(), []

    @atomic
    def young():
        cell.value = "new"
        inside.here()

    @atomic(timeout=1)
    def old():
        mine.value = 2
        rival.meet()  # from here on it is older
        states.append("at the victim")
        cell.value = "unreachable"

    victim = stage.start(young)
    inside.reached()
    with pytest.raises(TransactionTimeout, match="old waited"):
        old()
    assert states[0] == "at the victim"
    assert mine.value == 1
    inside.resume()
    victim.result()
    assert cell.value == "new"


def test_the_time_of_a_nested_irrevocable_call_is_for_the_wait_for_its_turn(stage):
    mine, inside, runs = Cell(1), stage.pause(), []

    @atomic(irrevocable=True)
    def hold():
        inside.here()

    @atomic(irrevocable=True, timeout=0.02)
    def certain():
        runs.append("certain")

    @atomic(timeout=1000)
    def outer():
        mine.value = 2
        certain()

    holder = stage.start(hold)
    inside.reached()
    with pytest.raises(TransactionTimeout, match=r"certain waited .* irrevocable"):
        outer()
    assert (runs, mine.value) == ([], 1)
    inside.resume()
    holder.result()
    outer()
    assert (runs, mine.value) == (["certain"], 2)


def test_no_time_is_needed_for_a_turn_that_nobody_else_has():
    @atomic(irrevocable=True, timeout=0)
    def certain():
        return "done"

    assert certain() == "done"
    assert atomic(lambda: certain())() == "done"


def test_a_retry_that_is_woken_each_time_ends_with_the_timeout():
    cell, start = Cell(0), time.monotonic()

    def change():
        cell.value += 1

    @atomic(timeout=0.02)
    def wait():
        assert elapsed(start) < PATIENCE
        on_abort(change)  # before the sleep begins
        check(cell.value < 0)

    with pytest.raises(TransactionTimeout, match=r"wait waited .* change of Cell\.value"):
        wait()
    assert cell.value > 1


OPERATIONS = {
    queue.Empty: (STMQueue.get, lambda made, **timeout: made.get(**timeout)),
    queue.Full: (lambda made: made.put("first"), lambda made, **timeout: made.put("second", **timeout)),
}


@pytest.mark.parametrize("failure", OPERATIONS)
def test_the_timeout_of_a_queue_is_for_its_conflicts_too(stage, failure):
    """Another transaction gets an item, or puts one, and goes on for long."""
    hold, wait = OPERATIONS[failure]
    made, mine, inside = STMQueue(10), Cell(1), stage.pause()
    made.put("there")

    @atomic
    def other():
        hold(made)
        inside.here()

    @atomic
    def work():
        mine.value = 2
        wait(made, timeout=0.02)

    holder = stage.start(other)
    inside.reached()
    with pytest.raises(failure):
        wait(made, timeout=0.02)
    with pytest.raises(TransactionTimeout, match=r"STMQueue\.\w+ waited .* nothing was changed"):
        work()
    assert mine.value == 1
    inside.resume()
    holder.result()


def test_a_timeout_does_not_cancel_a_body_that_has_finished():
    cell, clock = Cell(0), time.monotonic()

    @atomic(timeout=0)
    def change():
        cell.value = 1
        while time.monotonic() == clock:
            pass

    change()
    assert cell.value == 1


@pytest.mark.parametrize("limit", [1, 3])
def test_after_max_attempts_the_call_ends(stage, limit):
    mine, runs, aborted = Cell(0), [], []
    cells, pauses = [Cell() for _ in range(limit)], [stage.pause() for _ in range(limit)]

    def hold(cell, inside):
        cell.value = "new"
        inside.here()

    holders = [stage.start(atomic(hold), *pair) for pair in zip(cells, pauses, strict=True)]
    for inside in pauses:
        inside.reached()

    @atomic(max_attempts=limit)
    def try_it():
        runs.append(1)
        on_abort(aborted.append, 1)
        mine.value += 1
        for cell in cells:
            cell.value

    task = stage.start(try_it)
    for number, inside in enumerate(pauses, start=1):
        # Its own aborts: a holder that it made yield counts one of its own when it is resumed.
        stage.until(lambda count=number: len(aborted) == count)
        if number < limit:
            inside.resume()
    message = rf"try_it was aborted {limit} times, as often as max_attempts allows; nothing was changed"
    with pytest.raises(TooManyAttempts, match=message):
        task.result()
    assert len(runs) == limit
    assert mine.value == 0
    for inside in pauses:
        inside.resume()
    for holder in holders:
        holder.result()


def test_max_attempts_does_not_count_waits_in_place(stage):
    cell, inside = Cell("old"), stage.pause()

    @atomic
    def hold():
        cell.value = "new"
        inside.here()

    @atomic(max_attempts=1)
    def once():
        return cell.value

    holder = stage.start(hold)
    inside.reached()
    waits = stats().waits
    task = stage.start(once)
    inside.resume()
    assert task.result() == "new"
    holder.result()
    assert stats().waits >= waits


def test_a_timeout_survives_a_finaliser_that_runs_a_transaction(held):
    """Between the attempt's end and the exception, any code may run."""
    mine, other, finalised = Cell(None), Cell(0), []

    class Finalised:
        def __del__(self):
            with_own_timeout()

    @atomic(timeout=1000, name="the finaliser's")
    def with_own_timeout():
        other.value += 1
        finalised.append(1)

    @atomic(timeout=0.05)
    def impatient():
        mine.value = Finalised()
        return held.value

    @atomic(timeout=0.05, max_attempts=1)
    def in_place():
        things = [Finalised()]
        return held.value, things

    for call, name in ((impatient, "impatient"), (in_place, "in_place")):
        with pytest.raises(TransactionTimeout, match=rf"{name} waited"):
            call()
    assert len(finalised) == 2
    assert other.value == 2
