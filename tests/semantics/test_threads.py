"""Threads that come and go, many at once, and the interpreter's end."""

from __future__ import annotations

import _thread
import ctypes
import gc
import random
import subprocess
import sys
import threading

import pytest
from cells import Cell, Reverted
from stage import PATIENCE

from stmpy import (
    STMQueue,
    access_map,
    atomic,
    check,
    current_transaction,
    in_transaction,
    on_commit,
    or_else,
    retry,
    stats,
)


@atomic
def increment(cell):
    cell.value += 1


def test_a_thousand_threads_that_come_and_go(one_tier):
    cell = Cell(0)
    for _ in range(40):
        threads = [threading.Thread(target=increment, args=(cell,)) for _ in range(25)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert cell.value == 1000


def test_more_than_1023_threads_in_transactions_at_once(one_tier):
    """More than fit in the short form of a record."""
    count, patience = 1100, 4 * PATIENCE
    cell, inside, go_on, seen = Cell("old"), threading.Barrier(count + 1), threading.Event(), []
    own = [Cell(number) for number in range(count)]

    @atomic
    def read(mine):
        mine.value = (mine.value, cell.value)
        inside.wait(patience)
        go_on.wait(patience)
        seen.append(current_transaction().attempt)

    before = threading.stack_size(256 * 1024)
    try:
        threads = [threading.Thread(target=read, args=(mine,), daemon=True) for mine in own]
        for thread in threads:
            thread.start()
    finally:
        threading.stack_size(before)
    inside.wait(patience)
    assert own[-1].value == count - 1
    assert cell.value == "old"
    writer = threading.Thread(target=lambda: setattr(cell, "value", "new"))
    writer.start()
    go_on.set()
    for thread in (*threads, writer):
        thread.join(patience)
        assert not thread.is_alive()
    assert seen == [1] * count
    assert [mine.value for mine in own] == [(number, "old") for number in range(count)]
    assert cell.value == "new"


def test_a_thread_that_ends_by_an_exception_leaves_nothing_behind(stage):
    cell = Cell(0)

    @atomic
    def fail():
        cell.value = 1
        raise ValueError

    task = stage.start(fail)
    with pytest.raises(ValueError):
        task.result()
    increment(cell)
    assert cell.value == 1


@pytest.mark.parametrize("leave", [sys.exit, _thread.exit, lambda: (_ for _ in ()).throw(GeneratorExit)])
def test_a_thread_that_ends_inside_of_a_transaction_leaves_nothing_behind(stage, leave):
    cell, seen = Cell(0), []

    @atomic
    def nested():
        cell.other = 1
        leave()

    @atomic
    def end():
        cell.value = 1
        nested()

    def run():
        try:
            end()
        finally:
            seen.append(in_transaction())

    task = stage.start(run)
    with pytest.raises((SystemExit, GeneratorExit)):
        task.result()
    assert seen == [False]
    assert (cell.value, cell.other) == (0, 0)
    assert access_map().by_transaction == {}


class Killed(Exception):
    """Raised in a thread by another one."""


def kill(task, exception):
    ident = ctypes.c_ulong(task.thread.ident)
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(exception)) == 1


@pytest.mark.parametrize("exception", [Killed, SystemExit, KeyboardInterrupt])
def test_an_exception_that_another_thread_raises_in_one_releases_everything(stage, tier, exception):
    """Wherever it comes: in a body, in a wait, in the code of a block around it, behind the commit."""
    accounts, queue, enough = [Cell(100) for _ in range(4)], STMQueue(maxsize=2), threading.Event()

    @atomic
    def transfer(source, target):
        on_commit(int)
        source.value -= 1
        target.value += 1

    def transfer_in_a_block(source, target):
        with atomic():
            transfer(source, target)
            source.other += 1

    @atomic
    def transfer_back(source, target):
        transfer(source, target)
        raise Reverted

    def reverts(source, target):
        try:
            transfer_back(source, target)
        except Reverted:
            pass

    @atomic
    def chooses(source, target):
        or_else(lambda: check(source.value > target.value), lambda: transfer(source, target))

    deeds = [transfer, reverts, chooses, atomic(irrevocable=True)(transfer)]
    if tier == "compiled":
        deeds.append(transfer_in_a_block)

    def until_enough(deed):
        while not enough.is_set():
            try:
                while not enough.is_set():
                    deed()
            except (Killed, SystemExit, KeyboardInterrupt):
                pass
        return in_transaction()

    def put():
        queue.put(None, timeout=PATIENCE)

    def get():
        queue.get(timeout=PATIENCE)

    def act():
        random.choice(deeds)(*random.sample(accounts, 2))

    workers = [stage.start(until_enough, act) for _ in range(3)]
    workers += [stage.start(until_enough, deed) for deed in (put, get)]
    pause = threading.Event()
    for number in range(KILLS):
        kill(workers[number % len(workers)], exception)
        pause.wait(random.random() / 500)
    pause.wait(0.1)
    enough.set()
    stage.until(lambda: feed(queue) and not any(worker.is_running() for worker in workers))
    assert [worker.result() for worker in workers] == [False] * len(workers)
    assert access_map().by_transaction == {}
    assert atomic(irrevocable=True)(lambda: sum(account.value for account in accounts))() == 400


KILLS = 300


def feed(queue):
    """Lets whoever still waits for an item or for room go on."""
    if queue.full():
        queue.get_nowait()
    elif queue.empty():
        queue.put_nowait(None)
    return True


def test_an_exception_that_another_thread_raises_in_a_wait_comes_behind_it(stage, held):
    """As in a wait for a lock."""
    woken, mine = Cell(0), Cell(0)

    @atomic
    def waits_in_place():
        return held.value

    @atomic
    def waits_between_attempts():
        mine.value += 1
        return held.value

    @atomic
    def waits_for_a_change():
        mine.other
        return woken.value or retry()

    before = stats()
    tasks = [stage.start(wait) for wait in (waits_in_place, waits_between_attempts, waits_for_a_change)]
    stage.until(lambda: stats().aborted_by_conflict > before.aborted_by_conflict)
    stage.until(lambda: stats().retries > before.retries and len(access_map().by_transaction) == 2)
    for task in tasks:
        kill(task, Killed)
    assert all(task.is_running() for task in tasks)
    held.resume()
    woken.value = 1
    for task in tasks:
        with pytest.raises(Killed):
            task.result()
    assert mine.value == 0
    stage.until(lambda: access_map().by_transaction == {})


def test_a_thread_started_inside_is_outside(stage):
    cell, seen = Cell("old"), []

    def look():
        seen.append((in_transaction(), cell.value))

    @atomic
    def start():
        cell.value = "new"
        stage.start(look).result()

    start()
    assert seen == [(False, "old")]
    assert cell.value == "new"


def test_a_thread_started_inside_that_writes_waits_until_the_transaction_has_ended(stage):
    cell, tasks = Cell("old"), []

    @atomic
    def start():
        cell.value = "inside"
        tasks.append(stage.start(setattr, cell, "value", "outside"))
        return cell.value

    assert start() == "inside"
    tasks[0].result()
    assert cell.value == "outside"


def test_thread_local_state_of_ended_threads_is_used_again():
    cell = Cell(0)
    names = []

    @atomic
    def note():
        names.append(current_transaction().name)
        cell.value += 1

    for _ in range(50):
        thread = threading.Thread(target=note)
        thread.start()
        thread.join()
    gc.collect()
    assert len(names) == 50
    assert cell.value == 50


def run(program, *arguments):
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=None,
    )


DAEMON = """
import sys, threading
from stmpy import STMObject, atomic

class Cell(STMObject):
    pass

cell = Cell()
cell.value = "committed"
inside = threading.Event()

@atomic
def hold():
    cell.value = "uncommitted"
    inside.set()
    threading.Event().wait()

class Last:
    def __del__(self):
        print(cell.value, flush=True)
        cell.value = "written"  # nobody will ever end that transaction
        print(cell.value, flush=True)

threading.Thread(target=hold, daemon=True).start()
inside.wait()
sys.last_thing = Last()
sys.last_thing.cell = cell
"""


def test_a_daemon_thread_in_a_transaction_does_not_stop_the_interpreters_end():
    done = run(DAEMON)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() in (["committed", "written"], [])


def test_an_exit_from_inside_of_a_transaction():
    program = """
import sys, atexit
from stmpy import STMObject, atomic, in_transaction
class Cell(STMObject): pass
cell = Cell()
cell.value = 1
atexit.register(lambda: print(cell.value, in_transaction()))
@atomic
def leave():
    cell.value = 2
    sys.exit(3)
leave()
"""
    done = run(program)
    assert (done.returncode, done.stdout.split()) == (3, ["1", "False"]), done.stderr
