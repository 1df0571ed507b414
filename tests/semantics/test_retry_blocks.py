"""retry() and or_else() in `with atomic():` blocks."""

from __future__ import annotations

import contextlib

import pytest
from cells import Cell
from rivals import swallowing

from stmpy import (
    TransactionTimeout,
    TransactionUsageError,
    atomic,
    check,
    current_transaction,
    in_transaction,
    or_else,
    retry,
    stats,
)


@pytest.fixture
def sleepers(stage):
    """Waits until so many more attempts have ended in retry(); what is watched is so from then on."""
    before = stats().retries
    return lambda count: stage.until(lambda: stats().retries >= before + count)


def test_a_block_waits_for_a_change_and_runs_again_with_its_variables_put_back(stage, sleepers):
    cell, mine = Cell(), Cell()

    def wait():
        seen, count = [], 0
        with atomic():
            mine.value += 1
            count += 1
            fresh = cell.value
            seen.append(fresh)
            check(fresh)
        return seen, count, fresh

    task = stage.start(wait)
    sleepers(1)
    assert mine.value == 0
    cell.value = 7
    assert task.result() == ([0, 7], 1, 7)
    assert mine.value == 1


@pytest.mark.parametrize("way", ["return", "break", "continue", "end"])
def test_a_block_that_swallowed_a_retry_waits_however_it_is_left(stage, sleepers, way):
    cell = Cell()

    def wait():
        attempts = []
        for _ in range(1):
            with atomic() as transaction:
                attempts.append(transaction.attempt)
                if not cell.value:
                    swallowing(retry)
                if way == "return":
                    return attempts
                if way == "break":
                    break
                if way == "continue":
                    continue
        return attempts

    task = stage.start(wait)
    sleepers(1)
    cell.value = 1
    assert task.result() == [1, 2]


def test_a_block_with_nothing_read_says_where_it_would_wait():
    def wait():
        with atomic():
            retry()

    with pytest.raises(
        TransactionUsageError, match=rf"test_retry_blocks.py, line {wait.__code__.co_firstlineno + 2}: "
    ):
        wait()
    assert not in_transaction()


def test_the_time_of_a_block_is_for_all_its_waits():
    cell, mine = Cell(), Cell("before")

    def wait():
        with atomic(timeout=0.01, name="the block"):
            mine.value = "inside"
            check(cell.value)

    with pytest.raises(TransactionTimeout, match="^the block waited"):
        wait()
    assert mine.value == "before"


def inside_of(body):
    """What a nested timed block gets from `body`, in a block and in a function around it."""

    def in_a_block():
        with atomic():
            try:
                with atomic(timeout=0.01, name="inner"):
                    body()
            except TransactionTimeout as timeout:
                return timeout, current_transaction().attempt
        return "in time"

    return in_a_block, atomic(in_a_block)


def test_the_time_of_a_nested_block_is_up_in_its_own_place():
    cell, mine = Cell(), Cell("before")

    def body():
        mine.value = "inside"
        check(cell.value)

    for wait in inside_of(body):
        timeout, attempt = wait()
        assert "inner waited longer" in str(timeout)
        assert attempt == 2
        assert timeout.__context__ is None
        assert mine.value == "before"
    cell.value = 1
    for wait in inside_of(body):
        assert wait() == "in time"


def test_a_nested_block_that_swallowed_a_retry_is_late_as_well():
    cell = Cell()

    def body():
        swallowing(check, cell.value)

    for wait in inside_of(body):
        timeout, attempt = wait()
        assert "inner waited longer" in str(timeout)


def test_what_was_handled_around_a_late_block_is_its_context():
    cell = Cell()

    def wait():
        with atomic():
            try:
                raise KeyError
            except KeyError:
                with atomic(timeout=0):
                    check(cell.value)

    with pytest.raises(TransactionTimeout) as caught:
        wait()
    assert isinstance(caught.value.__context__, KeyError)


@pytest.mark.parametrize("leaving", [KeyboardInterrupt, SystemExit, MemoryError])
def test_what_must_leave_leaves_a_late_block(leaving):
    cell = Cell()

    def wait():
        with atomic():
            with contextlib.suppress(TransactionTimeout):
                with atomic(timeout=0):
                    try:
                        check(cell.value)
                    finally:
                        raise leaving

    with pytest.raises(leaving):
        wait()
    assert not in_transaction()


def test_alternatives_in_a_block_and_blocks_in_alternatives(stage, sleepers):
    cell, other = Cell(), Cell()

    def first():
        with atomic():
            other.value += 1
            with atomic():
                other.value += 1
                check(cell.value)
        return "first", other.value

    def second():
        with atomic():
            check(other.other)
        return "second", other.value

    def choose():
        with atomic():
            other.value += 10
            chosen = or_else(first, second)
            other.value += 100
        return chosen

    task = stage.start(choose)
    sleepers(1)
    assert other.value == 0
    other.other = 1
    assert task.result() == ("second", 10)
    assert other.value == 110
    cell.value = 1
    assert choose() == ("first", 122)
    assert other.value == 222
    assert or_else(first, second) == ("first", 224)
    cell.value = 0
    assert or_else(first, second) == ("second", 224)


def test_loops_that_hold_what_they_opened_go_on_behind_a_retried_alternative():
    cell = Cell(1)

    def first():
        for _ in range(3):
            cell.value += 1
        retry()

    def work():
        with atomic():
            for _ in range(5):
                cell.value += 1
                or_else(first, lambda: None)
                cell.value += 1
        return cell.value

    assert work() == 11
