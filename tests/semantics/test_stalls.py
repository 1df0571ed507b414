"""`watch_stalls`: waits that last are reported, with both places."""

from __future__ import annotations

import linecache
import logging
import os
import queue
import re
import subprocess
import sys
import threading

import pytest
from cells import Cell
from forks import passes_in_child
from stage import PATIENCE

from stmpy import STMDict, access_map, atomic, retry, stats, watch_stalls

SHORT, LONG = 0.05, 3600.0


@pytest.fixture
def watch():
    """Starts a watch, and gives a function that returns the next report of a thread's wait."""
    watches = []

    def start(seconds):
        reports = queue.Queue()
        watches.append(watch_stalls(seconds, reports.put))

        def of(waiter):
            while True:
                stall = reports.get(timeout=PATIENCE)
                if stall.waiter.thread == waiter.thread.name:
                    return stall

        of.reports = reports
        return of

    yield start
    for each in watches:
        each.stop()


class Blocked:
    """A transaction that has written `cell` and waits for a lock that somebody else has."""

    def __init__(self, stage, cell):
        self.cell, self.lock, self.inside = cell, threading.Lock(), threading.Event()
        self.lock.acquire()
        self.task = stage.start(self.hold)
        assert self.inside.wait(PATIENCE)

    @atomic
    def hold(self):
        self.cell.value = "held"
        self.inside.set()
        self.lock.acquire()  # the holder's place
        self.lock.release()

    def release(self):
        self.lock.release()
        self.task.result()


@pytest.fixture
def blocked(stage):
    the_blocked = Blocked(stage, Cell("old"))
    yield the_blocked
    if the_blocked.lock.locked():
        the_blocked.release()


def in_place(cell):
    atomic(look)(cell)


def between_attempts(cell):
    atomic(write_and_look)(cell, Cell())


def as_irrevocable(cell):
    atomic(irrevocable=True)(look)(cell)


def outside(cell):
    cell.value = "new"  # the waiter's place


def look(cell):
    return cell.value  # the waiter's place


def write_and_look(cell, mine):
    mine.value = 1
    return cell.value


def line_of(place):
    assert place.filename == __file__
    return linecache.getline(place.filename, place.lineno)


def test_a_lock_and_an_attribute_in_opposite_orders_are_reported_with_both_places(stage, watch):
    account, lock, inside, holders = Cell(100), threading.Lock(), threading.Event(), []

    @atomic
    def withdraw():
        account.value -= 1
        inside.set()
        lock.acquire()  # the holder's place
        lock.release()

    @atomic
    def deposit():
        account.value += 1  # the waiter's place

    def first_the_lock():
        lock.acquire()
        holders.append(stage.start(withdraw))
        assert inside.wait(PATIENCE)
        deposit()

    reports = watch(SHORT)
    waiter = stage.start(first_the_lock)
    stall = reports(waiter)
    assert "the waiter's place" in line_of(stall.waiter)
    assert "the holder's place" in line_of(stall.holder)
    assert stall.waiter.function.endswith("deposit")
    assert stall.holder.function.endswith("withdraw")
    assert stall.holder.thread == holders[0].thread.name
    assert stall.object is account
    assert stall.attribute == "value"
    assert SHORT <= stall.seconds < PATIENCE
    assert not stall.irrevocable
    lock.release()
    waiter.result()
    assert account.value == 100


@pytest.mark.parametrize("wait", [in_place, outside, as_irrevocable, between_attempts])
def test_every_wait_for_a_transaction_is_seen(stage, watch, blocked, wait):
    reports = watch(SHORT)
    waiter = stage.start(wait, blocked.cell)
    stall = reports(waiter)
    assert (stall.object, stall.attribute) == (blocked.cell, "value")
    assert stall.holder.thread == blocked.task.thread.name
    assert "the holder's place" in line_of(stall.holder)
    assert (stall.waiter.function is None) == (wait is outside)
    if wait is not between_attempts:  # there it stands where the call was made
        assert "the waiter's place" in line_of(stall.waiter)
    blocked.release()
    waiter.result()


def test_a_wait_to_become_irrevocable_is_seen(stage, watch, free_threaded):
    inside, finish = threading.Event(), threading.Event()

    @atomic(irrevocable=True)
    def first():
        inside.set()
        assert finish.wait(PATIENCE)

    @atomic(irrevocable=True)
    def second():
        pass

    holder = stage.start(first)
    assert inside.wait(PATIENCE)
    reports = watch(SHORT)
    waiter = stage.start(second)
    stall = reports(waiter)
    assert stall.irrevocable
    assert (stall.object, stall.attribute) == (None, None)
    assert stall.holder.thread == holder.thread.name
    assert stall.holder.function.endswith("first")
    assert stall.holder.filename == (threading.__file__ if free_threaded else __file__)
    finish.set()
    holder.result()
    waiter.result()


def test_what_it_waits_for_goes_by_the_name_it_has_in_the_access_map(stage, watch):
    table, inside, finish = STMDict(key="old"), threading.Event(), threading.Event()

    @atomic
    def hold():
        table["key"] = "new"
        inside.set()
        assert finish.wait(PATIENCE)

    holder = stage.start(hold)
    assert inside.wait(PATIENCE)
    reports = watch(SHORT)
    waiter = stage.start(atomic(lambda: table["key"]))
    stall = reports(waiter)
    assert stall.object is table
    assert (stall.object, stall.attribute) in access_map().by_attribute
    finish.set()
    holder.result()
    waiter.result()


def test_one_at_an_object_that_leaked_from_its_maker_names_it(stage, watch):
    leaked, inside = [], stage.pause()

    @atomic
    def make():
        leaked.extend([Cell(1), Cell(2)])
        inside.here()

    making = stage.start(make)
    inside.reached()
    reports = watch(SHORT)
    waiter = stage.start(atomic(look), leaked[1])
    stall = reports(waiter)
    assert (stall.object, stall.attribute) == (leaked[1], "value")
    inside.resume()
    making.result()
    assert waiter.result() == 2


def test_a_holder_that_runs_on_is_reported_where_it_is(stage, watch):
    cell, running, enough = Cell(), threading.Event(), []

    @atomic
    def compute():
        cell.value = 1
        running.set()
        while not enough:
            turn()

    def turn():
        return [number for number in range(20)]

    holder = stage.start(compute)
    assert running.wait(PATIENCE)
    reports = watch(SHORT)
    waiters = [stage.start(in_place, cell) for _ in range(4)]
    for waiter in waiters * 3:
        stall = reports(waiter)
        assert stall.holder.filename == __file__
        assert stall.holder.function.endswith("compute")
    enough.append(1)
    holder.result()
    for waiter in waiters:
        waiter.result()


def test_a_stall_reads_as_a_sentence(stage, watch, blocked):
    reports = watch(SHORT)
    waiter = stage.start(in_place, blocked.cell)
    assert re.fullmatch(
        r"thread 'Thread-\d+ .*' in look\(\) \(.*test_stalls\.py:\d+\) has waited [\d.]+ s for Cell\.value, "
        r"held by thread 'Thread-\d+ .*' in Blocked\.hold\(\) \(.*test_stalls\.py:\d+\)",
        str(reports(waiter)),
    )
    blocked.release()
    waiter.result()


def test_a_wait_is_reported_again_when_it_has_lasted_twice_as_long(stage, watch, blocked):
    reports = watch(SHORT)
    waiter = stage.start(in_place, blocked.cell)
    lasted = [reports(waiter).seconds for _ in range(4)]
    assert all(later >= 2 * earlier for earlier, later in zip(lasted, lasted[1:], strict=False))
    blocked.release()
    waiter.result()


def test_short_waits_are_not_reported(stage, watch, blocked):
    reports = watch(LONG)
    reported = watch(SHORT)
    waiter = stage.start(in_place, blocked.cell)
    reported(waiter)
    blocked.release()
    waiter.result()
    assert reports.reports.empty()


def test_a_sleep_in_retry_is_not_reported(stage, watch, blocked):
    cell, asleep = Cell(0), stats().retries

    @atomic
    def sleep():
        if cell.value == 0:
            retry()

    sleeper = stage.start(sleep)
    stage.until(lambda: stats().retries > asleep)
    reports = watch(SHORT)
    waiter = stage.start(in_place, blocked.cell)
    for _ in range(3):
        assert reports.reports.get(timeout=PATIENCE).waiter.thread == waiter.thread.name
    cell.value = 1
    sleeper.result()
    blocked.release()
    waiter.result()


def test_many_waits_are_reported_each(stage, watch, blocked):
    reports = watch(SHORT)
    waiters = [stage.start(wait, blocked.cell) for wait in (in_place, between_attempts, outside) * 20]
    missing = {waiter.thread.name for waiter in waiters}
    while missing:
        stall = reports.reports.get(timeout=PATIENCE)
        missing.discard(stall.waiter.thread)
    blocked.release()
    for waiter in waiters:
        waiter.result()


def test_waits_that_come_and_go_under_a_watchs_eyes(stage, watch):
    cells, stop = [Cell(0) for _ in range(3)], threading.Event()

    @atomic
    def work(first, second):
        first.value += 1
        stop.wait(0.002)
        second.value += 1

    def work_on(number):
        while not stop.is_set():
            work(cells[number % 3], cells[(number + 1) % 3])

    workers = [stage.start(work_on, number) for number in range(4)]
    reports = watch(1e-6)
    for _ in range(20):
        stall = reports.reports.get(timeout=PATIENCE)
        assert stall.holder.thread != stall.waiter.thread
        assert stall.object is None or any(stall.object is cell for cell in cells)
        str(stall)
    stop.set()
    for worker in workers:
        worker.result()


def test_a_watch_that_was_stopped_reports_nothing(stage, watch, blocked):
    seen = []
    with watch_stalls(SHORT, seen.append) as stopped:
        pass
    stopped.stop()  # once more
    reports = watch(SHORT)
    waiter = stage.start(in_place, blocked.cell)
    reports(waiter)
    reports(waiter)
    assert seen == []
    blocked.release()
    waiter.result()


def test_the_callback_may_stop_its_watch(stage, watch, blocked):
    seen, reports = [], watch(SHORT)

    def once(stall):
        seen.append(stall)
        first.stop()

    waiters = [stage.start(in_place, blocked.cell) for _ in range(3)]
    for waiter in waiters:
        reports(waiter)
    first = watch_stalls(SHORT, once)  # to which all of them are due at once
    stage.until(lambda: seen)
    for waiter in waiters * 2:
        reports(waiter)
    assert len(seen) == 1
    blocked.release()
    for waiter in waiters:
        waiter.result()


def test_what_the_callback_raises_goes_to_the_threads_hook_and_the_watch_goes_on(stage, blocked, monkeypatch):
    caught, error = queue.Queue(), ValueError("of the callback")
    monkeypatch.setattr(threading, "excepthook", caught.put)

    def fail(stall):
        raise error

    waiter = stage.start(in_place, blocked.cell)
    with watch_stalls(SHORT, fail):
        for _ in range(2):
            assert caught.get(timeout=PATIENCE).exc_value is error
    blocked.release()
    waiter.result()


def test_without_a_callback_it_is_a_warning_in_the_log(stage, blocked, caplog):
    waiter = stage.start(in_place, blocked.cell)
    with caplog.at_level(logging.WARNING, "stmpy"), watch_stalls(SHORT):
        stage.until(lambda: caplog.records)
    record = caplog.records[0]
    assert (record.name, record.levelname) == ("stmpy", "WARNING")
    assert "has waited" in record.getMessage()
    blocked.release()
    waiter.result()


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e300])
def test_seconds_that_nobody_can_wait_for_are_a_value_error(seconds):
    with pytest.raises(ValueError, match=r"seconds must be more than 0 .* not "):
        watch_stalls(seconds)


@pytest.mark.parametrize("arguments", [("1",), (None,), (True,), (1, "print"), ()])
def test_arguments_of_other_types_are_a_type_error(arguments):
    with pytest.raises(TypeError, match=r"seconds|callback"):
        watch_stalls(*arguments)


PROGRAM = """
import threading
import stmpy

cell, inside = stmpy.STMObject(), threading.Event()
cell.value, reported = 0, threading.Event()

@stmpy.atomic
def hold():
    cell.value = 1
    inside.set()
    threading.Event().wait()

@stmpy.atomic
def wait():
    cell.value

threading.Thread(target=hold, daemon=True).start()
inside.wait()
for _ in range(3):
    threading.Thread(target=wait, daemon=True).start()
stmpy.watch_stalls(0.01, lambda stall: reported.set())
assert reported.wait(20)
print("the end")
"""


def test_a_watch_does_not_stop_the_interpreters_end():
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "the end\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_no_watch_and_can_start_another(stage):
    inside, finish, seen = threading.Event(), threading.Event(), queue.Queue()

    @atomic(irrevocable=True)
    def hold():
        inside.set()
        assert finish.wait(PATIENCE)

    holder = stage.start(hold)
    assert inside.wait(PATIENCE)
    waiter = stage.start(atomic(irrevocable=True)(lambda: None))
    with watch_stalls(SHORT, seen.put) as inherited:
        seen.get(timeout=PATIENCE)

        def check():
            inherited.stop()
            check_in_child()

        assert passes_in_child(check)
    finish.set()
    holder.result()
    waiter.result()


def check_in_child():
    cell, inside, finish, reports = Cell(), threading.Event(), threading.Event(), queue.Queue()

    @atomic
    def hold():
        cell.value = 1
        inside.set()
        assert finish.wait(PATIENCE)

    with watch_stalls(SHORT, reports.put):
        holder = threading.Thread(target=hold)
        holder.start()
        assert inside.wait(PATIENCE)
        waiter = threading.Thread(target=in_place, args=[cell], name="of the child")
        waiter.start()
        assert reports.get(timeout=PATIENCE).waiter.thread == "of the child"
        finish.set()
        holder.join()
        waiter.join()
