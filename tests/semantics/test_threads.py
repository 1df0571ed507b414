"""Threads that come and go, many at once, and the interpreter's end."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading

import pytest
from cells import Cell
from stage import PATIENCE

from stmpy import atomic, current_transaction, in_transaction


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
