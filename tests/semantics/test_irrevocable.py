"""`irrevocable=True`: at most one at a time, never aborted, the place for what cannot be taken back."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

import pytest
from cells import Cell
from rivals import Rival
from stage import Stage, someone_waits

import stmpy
from stmpy import TransactionTimeout, TransactionUsageError, atomic


class Refused(Exception):
    pass


def test_it_runs_once_and_says_what_it_is() -> None:
    cell = Cell(1)
    states = []

    @atomic(irrevocable=True)
    def add() -> int:
        transaction = stmpy.current_transaction()
        assert transaction is not None
        states.append((transaction.state, transaction.attempt))
        cell.value += 1
        return cell.value

    assert add() == 2
    assert states == [("irrevocable", 1)]
    assert cell.value == 2


def test_its_own_exception_reverts_and_leaves_and_the_next_has_its_turn() -> None:
    cell = Cell(1)

    @atomic(irrevocable=True)
    def fail() -> None:
        cell.value = 2
        raise Refused

    for _ in range(2):
        with pytest.raises(Refused):
            fail()
        assert cell.value == 1


def test_who_is_in_its_way_is_aborted_and_it_goes_on(stage: Stage) -> None:
    cell, inside = Cell(0), stage.pause()
    runs = {"rival": 0, "irrevocable": 0}

    @atomic
    def rival() -> None:
        runs["rival"] += 1
        cell.value += 1
        inside.here()
        cell.value += 1

    @atomic(irrevocable=True)
    def add() -> None:
        runs["irrevocable"] += 1
        cell.value += 10

    task = stage.start(rival)
    inside.reached()
    adder = stage.start(add)
    stage.until(lambda: any(t.state == "doomed" for t in stmpy.access_map().by_transaction))
    inside.resume()
    adder.result()
    task.result()
    assert runs == {"rival": 2, "irrevocable": 1}
    assert cell.value == 12


def test_others_wait_for_it_and_abort_where_they_hold_something(stage: Stage) -> None:
    cell, other, inside = Cell(0), Cell(0), stage.pause()

    @atomic(irrevocable=True)
    def hold() -> None:
        cell.value = 1
        inside.here()

    @atomic
    def add() -> None:
        other.value += 1
        cell.value += 1

    def write() -> None:
        cell.value = cell.value

    holder = stage.start(hold)
    inside.reached()
    tasks = [stage.start(add), stage.start(add)]
    assert cell.value == 0, "a read outside sees what is committed"
    inside.resume()
    for task in (holder, *tasks):
        task.result()
    assert (cell.value, other.value) == (3, 2)


def test_there_is_one_at_a_time(stage: Stage) -> None:
    cell, running = Cell(0), []

    @atomic(irrevocable=True)
    def one(cell: Cell) -> None:
        running.append(1)
        assert len(running) == 1
        cell.value += 1
        running.pop()

    def many(own: Cell) -> None:
        for _ in range(50):
            one(own)

    cells = [cell, cell, Cell(0), Cell(0)]
    for task in [stage.start(many, own) for own in cells]:
        task.result()
    assert [own.value for own in cells] == [100, 100, 50, 50]


def test_nested_in_another_one_it_has_that_one_run_again(rival: Rival) -> None:
    cell = Cell(0)
    seen = []

    @atomic(irrevocable=True)
    def certain() -> None:
        cell.value += 1

    @atomic(max_attempts=1)
    def outer() -> None:
        transaction = stmpy.current_transaction()
        assert transaction is not None
        seen.append(transaction.state)
        cell.value += 10
        with contextlib.suppress(Exception):
            certain()

    outer()
    assert seen == ["active", "irrevocable"]
    assert cell.value == 11


def test_nested_in_an_irrevocable_one_calls_just_run() -> None:
    cell = Cell(0)

    @atomic(irrevocable=True)
    def inner() -> None:
        cell.value += 1
        raise Refused

    @atomic(timeout=0)
    def timed() -> None:
        cell.value += 100

    @atomic(irrevocable=True)
    def outer() -> None:
        cell.value += 10
        timed()
        with contextlib.suppress(Refused):
            inner()

    outer()
    assert cell.value == 110


def test_a_wait_for_its_turn_ends_with_the_timeout_and_is_named(stage: Stage) -> None:
    inside = stage.pause()

    @atomic(irrevocable=True)
    def hold() -> None:
        inside.here()

    @atomic(irrevocable=True, timeout=0.01, name="hurried")
    def hurried() -> None:
        raise AssertionError("it never began")

    holder = stage.start(hold)
    inside.reached()
    with pytest.raises(TransactionTimeout, match="hurried .* irrevocable"):
        hurried()
    inside.resume()
    holder.result()


def test_a_keyboard_interrupt_ends_a_wait_for_its_turn(stage: Stage) -> None:
    inside = stage.pause()

    @atomic(irrevocable=True)
    def hold() -> None:
        inside.here()

    @atomic(irrevocable=True)
    def wait() -> None:
        raise AssertionError("it never began")

    holder = stage.start(hold)
    inside.reached()
    before = stmpy.stats().waits

    def interrupt() -> None:
        stage.until(someone_waits)  # before that it would interrupt the test
        os.kill(os.getpid(), signal.SIGINT)

    killer = stage.start(interrupt)
    with pytest.raises(KeyboardInterrupt):
        wait()
    assert stmpy.stats().waits >= before
    killer.result()
    inside.resume()
    holder.result()


def test_no_timeout_and_no_limit_of_attempts_once_it_has_its_turn(stage: Stage) -> None:
    cell, inside, blocked = Cell(0), stage.pause(), threading.Event()

    @atomic
    def hold() -> None:
        cell.value += 1
        inside.here()

    @atomic(irrevocable=True, timeout=0, max_attempts=1)
    def add() -> None:
        blocked.set()
        cell.value += 10

    holder = stage.start(hold)
    inside.reached()
    adder = stage.start(add)
    blocked.wait()
    inside.resume()
    adder.result()
    holder.result()
    assert cell.value == 11


def test_under_reads_exclusive_it_is_not_aborted_either(stage: Stage) -> None:
    cell, inside = Cell(5), stage.pause()
    runs = []

    @atomic
    def read() -> None:
        assert cell.value is not None
        inside.here()
        assert cell.value is not None

    @atomic(irrevocable=True, reads="exclusive")
    def alone() -> None:
        runs.append(cell.value)

    reader = stage.start(read)
    inside.reached()
    task = stage.start(alone)
    stage.until(lambda: any(t.state == "doomed" for t in stmpy.access_map().by_transaction))
    inside.resume()
    task.result()
    reader.result()
    assert runs == [5]


def test_retry_in_it_is_a_usage_error() -> None:
    cell = Cell(0)

    @atomic(irrevocable=True)
    def wait() -> None:
        stmpy.check(cell.value)

    with pytest.raises(TransactionUsageError, match="irrevocable"):
        wait()


def test_who_sleeps_in_retry_keeps_no_irrevocable_one_from_running(stage: Stage) -> None:
    cell = Cell(0)

    @atomic
    def wait() -> int:
        stmpy.check(cell.value)
        return cell.value

    @atomic(irrevocable=True)
    def wake() -> None:
        cell.value = 1

    sleeper = stage.start(wait)
    before = stmpy.stats().retries
    stage.until(lambda: stmpy.stats().retries >= before)
    wake()
    assert sleeper.result() == 1


def test_it_commits_among_writers_that_never_pause(stage: Stage) -> None:
    cells = [Cell(0) for _ in range(200)]
    done = threading.Event()
    runs = []

    @atomic
    def write(index: int) -> None:
        cells[index].value += 1
        cells[-1 - index].value -= 1

    def writer(index: int) -> None:
        while not done.is_set():
            write(index)

    @atomic(irrevocable=True)
    def total() -> int:
        runs.append(1)
        return sum(cell.value for cell in cells)

    tasks = [stage.start(writer, index) for index in range(8)]
    try:
        for _ in range(20):
            assert total() == 0
    finally:
        done.set()
    for task in tasks:
        task.result()
    assert len(runs) == 20


@pytest.mark.parametrize("given", [1, None, "yes"])
def test_the_argument_is_true_or_false(given: object) -> None:
    with pytest.raises(TransactionUsageError, match="irrevocable must be True or False"):
        atomic(irrevocable=given)  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_in_a_forked_child_the_token_of_a_vanished_thread_is_free(stage: Stage) -> None:
    cell, inside = Cell(0), stage.pause()

    @atomic(irrevocable=True)
    def hold() -> None:
        cell.value = 5
        inside.here()

    @atomic(irrevocable=True)
    def add() -> int:
        cell.value += 1
        return cell.value

    holder = stage.start(hold)
    inside.reached()
    child = os.fork()
    if child == 0:
        os._exit(0 if add() == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    inside.resume()
    holder.result()
    assert add() == 6
