"""Who was aborted once makes younger calls yield: every call comes to its end (wound-wait)."""

from __future__ import annotations

import threading

import pytest
from cells import Cell
from stage import PATIENCE

from stmpy import access_map, atomic, current_transaction, stats


def observe(cell):
    return cell.value


def store(cell, value):
    cell.value = value


@pytest.fixture
def senior(stage):
    """Starts a call that has been aborted once, holds `own`, and then increments a cell that is held."""

    def start(cell, then=None):
        own, before, first = Cell(), Cell(), stage.pause()

        @atomic
        def in_the_way():
            before.value = 1
            first.here()

        @atomic
        def old():
            own.value = current_transaction().attempt
            before.value += 1
            if then:
                then()
            else:
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
    assert len(attempts) >= 2  # a senior that has lost patience with a slow victim comes back to the next one
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


class Relay:
    """Readers of which there is always one inside: each ends when the next one has read too.

    Where that one is kept from it (a writer waits), it ends a little later.
    """

    def __init__(self, stage, cell, readers=3):
        self.cell, self.stop = cell, False
        self.passed_on = 0
        self._entered = threading.Condition()
        self._number = 0
        self._readers = [stage.start(self._read_on) for _ in range(readers)]
        stage.until(lambda: self.passed_on > 2 * readers)

    @atomic
    def _read(self):
        observe(self.cell)
        with self._entered:
            self._number += 1
            number = self._number
            self._entered.notify_all()
            self.passed_on += self._entered.wait_for(lambda: self._number > number or self.stop, 0.02)

    def _read_on(self):
        while not self.stop:
            self._read()

    def end(self):
        self.stop = True
        for reader in self._readers:
            reader.result()


def test_a_writer_comes_through_among_readers_that_always_overlap(stage):
    cell, own = Cell(0), Cell(0)
    relay = Relay(stage, cell)

    @atomic
    def write_only():
        store(cell, 1)

    @atomic
    def write_second():
        own.value += 1
        store(cell, 2)

    @atomic
    def read_and_write():
        store(cell, observe(cell) + 1)

    for turn in range(1, 6):
        write_only()
        write_second()
        read_and_write()
        assert (cell.value, own.value) == (3, turn)
        stage.until(lambda before=relay.passed_on: relay.passed_on > before)  # they overlap again
    relay.end()


def test_a_write_outside_comes_through_among_readers_that_always_overlap(stage):
    cell = Cell(0)
    relay = Relay(stage, cell)
    for turn in range(1, 11):
        cell.value = turn
        assert cell.value == turn
        stage.until(lambda before=relay.passed_on: relay.passed_on > before)
    relay.end()


def test_readers_that_all_want_to_write_do_not_abort_each_other_for_ever(stage):
    """Whose upgrade has failed takes the pair for writing at once when it runs again, and waits its turn."""
    cell, count = Cell(0), 6
    together = threading.Barrier(count)
    attempts = [0] * count

    def increment(number):
        @atomic
        def call():
            attempts[number] += 1
            value = observe(cell)
            if attempts[number] == 1:
                together.wait(PATIENCE)
            store(cell, value + 1)

        call()

    for task in [stage.start(increment, number) for number in range(count)]:
        task.result()
    assert cell.value == count
    # Who was told to abort by an older one has not failed at its upgrade yet, and may: behind all of those.
    assert max(attempts) <= count


def test_a_senior_that_gave_a_victim_up_does_not_run_again_before_its_end(stage):
    cell, own, woken, inside, attempts = Cell(0), Cell(), threading.Event(), threading.Event(), []

    @atomic
    def sleeps():
        cell.value += 10
        inside.set()
        assert woken.wait(PATIENCE)

    @atomic
    def old():
        attempts.append(1)
        store(own, 1)
        cell.value += 1

    victim = stage.start(sleeps)
    assert inside.wait(PATIENCE)
    before = stats().aborted_by_conflict
    elder = stage.start(old)
    stage.until(lambda: stats().aborted_by_conflict == before + 1)
    assert not woken.wait(0.5)  # of its time: the bound is 0.1 s
    assert len(attempts) == 1
    woken.set()
    victim.result()
    elder.result()
    assert (len(attempts), cell.value) == (2, 11)


def test_a_victim_that_waits_for_a_lock_of_its_senior_gets_it(stage, senior):
    """The senior gives up with its lock released, as any exception that leaves a `with` releases it."""
    cell, lock, inside, locked = Cell(0), threading.Lock(), threading.Event(), threading.Event()
    runs = {"young": 0, "old": 0}

    @atomic
    def young():
        runs["young"] += 1
        cell.value += 10
        inside.set()
        assert locked.wait(PATIENCE)
        if runs["young"] == 1:
            with lock:
                pass

    @atomic
    def old():
        runs["old"] += 1
        with lock:
            locked.set()
            cell.value += 1

    victim = stage.start(young)
    assert inside.wait(PATIENCE)
    elder = senior(cell, old)
    victim.result()
    elder.result()
    assert cell.value == 11
    assert runs["old"] >= 2


def test_seniors_and_irrevocable_calls_that_all_want_the_same_come_to_their_end(stage):
    cells, rounds = [Cell(0) for _ in range(40)], 5
    runs = []

    @atomic
    def add(cells):
        for cell in cells:
            store(cell, observe(cell) + 1)

    @atomic(irrevocable=True)
    def add_for_good(cells):
        runs.append(1)
        for cell in cells:
            store(cell, observe(cell) + 1)

    def repeat(call, order):
        for _ in range(rounds):
            call(order)

    orders = [cells, cells[::-1], cells[::2] + cells[1::2], cells[20:] + cells[:20]]
    tasks = [stage.start(repeat, call, order) for order in orders for call in (add, add_for_good)]
    for task in tasks:
        task.result()
    assert [cell.value for cell in cells] == [rounds * len(tasks)] * len(cells)
    assert len(runs) == rounds * len(orders)


def _in_progress():
    return list(access_map().by_transaction)
