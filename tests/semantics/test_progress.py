"""Who was aborted once makes younger calls yield: every call comes to its end (wound-wait)."""

from __future__ import annotations

import threading

import pytest
from cells import Cell
from stage import PATIENCE

from stmpy import access_map, atomic, current_transaction, stats


def observe(cell):
    return cell.value


@pytest.fixture
def senior(stage):
    """Starts a call that has been aborted once, holds `own`, and then increments a cell that is held."""

    def start(cell):
        own, before, first = Cell(), Cell(), stage.pause()

        @atomic
        def in_the_way():
            before.value = 1
            first.here()

        @atomic
        def old():
            own.value = current_transaction().attempt
            before.value += 1
            cell.value += 1

        holder = stage.start(in_the_way)
        first.reached()
        aborted = stats().aborted_by_conflict
        task = stage.start(old)
        stage.until(lambda: stats().aborted_by_conflict == aborted + 1)
        first.resume()
        holder.result()
        return task

    return start


def test_a_younger_transaction_yields_to_a_senior(stage, senior):
    cell, other, inside, attempts = Cell(0), Cell(), stage.pause(), []

    @atomic
    def young():
        attempts.append(current_transaction().attempt)
        cell.value += 10
        inside.here()
        return other.value

    victim = stage.start(young)
    inside.reached()
    elder = senior(cell)
    stage.until(lambda: any(t.state == "doomed" for t in _in_progress()))
    inside.resume()
    elder.result()
    victim.result()
    assert attempts == [1, 2]
    assert cell.value == 11


def test_a_victim_notices_at_an_access_to_what_it_holds(stage, senior):
    cell, looping, attempts = Cell(0), threading.Event(), []

    @atomic
    def young():
        attempts.append(1)
        cell.value += 10
        looping.set()
        while len(attempts) == 1:
            assert observe(cell) == 10

    victim = stage.start(young)
    assert looping.wait(PATIENCE)
    senior(cell).result()
    victim.result()
    assert len(attempts) == 2
    assert cell.value == 11


def test_a_victim_that_waits_for_a_lock_leaves_with_it_released(stage, senior):
    """An abort comes at accesses only: never between taking a lock and what releases it."""
    cell, lock, inside = Cell(0), threading.Lock(), threading.Event()
    lock.acquire()

    @atomic
    def young():
        cell.value += 10
        inside.set()
        with lock:
            pass
        cell.value += 1

    victim = stage.start(young)
    assert inside.wait(PATIENCE)
    before = stats().aborted_by_conflict
    elder = senior(cell)
    stage.until(lambda: stats().aborted_by_conflict >= before + 2)
    lock.release()
    victim.result()
    elder.result()
    assert lock.acquire(timeout=PATIENCE)
    assert cell.value == 12


def test_a_victim_that_is_blocked_in_foreign_code_does_not_block_its_senior_for_ever(stage, senior):
    cell, lock, inside, attempts = Cell(0), threading.Event(), threading.Event(), []

    @atomic
    def young():
        attempts.append(1)
        cell.value += 10
        inside.set()
        assert lock.wait(PATIENCE)

    victim = stage.start(young)
    assert inside.wait(PATIENCE)
    before = stats().aborted_by_conflict
    elder = senior(cell)
    # Its first abort, and the one that follows when the victim does not unwind.
    stage.until(lambda: stats().aborted_by_conflict >= before + 2)
    lock.set()
    victim.result()
    elder.result()
    assert cell.value == 11


def test_one_transaction_over_many_objects_commits_among_writers_that_never_pause(stage):
    cells = [Cell(0) for _ in range(10_000)]
    stop = threading.Event()

    @atomic
    def increment(cell):
        cell.value += 1

    def write(number):
        position = number * 37
        while not stop.is_set():
            increment(cells[position % len(cells)])
            position += 7

    @atomic
    def total():
        return sum(cell.value for cell in cells)

    writers = [stage.start(write, number) for number in range(8)]
    seen = [total() for _ in range(3)]
    stop.set()
    for writer in writers:
        writer.result()
    assert seen == sorted(seen)


def test_a_writer_comes_through_among_long_readers(stage):
    cell, others = Cell(0), [Cell(0) for _ in range(200)]
    stop = threading.Event()

    @atomic
    def read():
        return cell.value + sum(other.value for other in others)

    def read_on():
        while not stop.is_set():
            read()

    @atomic
    def write():
        others[0].value += 1
        cell.value += 1

    readers = [stage.start(read_on) for _ in range(6)]
    for _ in range(20):
        write()
    cell.value = -1  # outside, under overlapping readers
    stop.set()
    for reader in readers:
        reader.result()
    assert (cell.value, others[0].value) == (-1, 20)


def _in_progress():
    return list(access_map().by_transaction)
