"""A forked child has none of the other threads: what they had not committed is taken back in it."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings

import pytest
from cells import Cell, Reverted
from stage import PATIENCE

from stmpy import (
    access_map,
    atomic,
    current_transaction,
    in_transaction,
    on_abort,
    on_commit,
    stats,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@atomic
def increment(cell):
    cell.value += 1


def passes_in_child(check):
    """Forks; True if the check passed in the child."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
        child = os.fork()
    if child == 0:
        signal.alarm(int(PATIENCE))
        status = 1
        try:
            check()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_uncommitted_changes_of_other_threads_are_reverted_in_the_child(stage):
    cell, gone, inside = Cell("old"), Cell("there"), stage.pause()

    @atomic
    def change():
        cell.value = "new"
        cell.fresh = 1
        del gone.value
        inside.here()

    changer = stage.start(change)
    inside.reached()

    def check():
        assert cell.value == "old"
        assert not hasattr(cell, "fresh")
        assert gone.value == "there"
        assert access_map().by_transaction == {}
        cell.value = 1  # does not wait for a thread that is gone
        increment(cell)
        assert cell.value == 2

    assert passes_in_child(check)
    assert changer.is_running()
    inside.resume()
    changer.result()
    assert cell.value == "new"


def test_readers_that_are_gone_are_in_nobodys_way(stage):
    cell, inside = Cell(1), stage.pause()

    @atomic
    def read():
        value = cell.value
        inside.here()
        return value

    readers = [stage.start(read) for _ in range(5)]
    inside.reached()
    stage.until(lambda: len(access_map().by_transaction) == 5)

    def check():
        increment(cell)
        assert cell.value == 2

    assert passes_in_child(check)
    inside.resume()
    assert [reader.result() for reader in readers] == [1] * 5


def test_waiters_that_are_gone_are_in_nobodys_way(stage):
    cell, inside = Cell(0), stage.pause()

    @atomic
    def hold():
        cell.value = 1
        inside.here()

    holder = stage.start(hold)
    inside.reached()
    waiters = [stage.start(increment, cell) for _ in range(3)]
    stage.until(lambda: len(access_map().by_transaction) == 4)

    def check():
        assert cell.value == 0
        increment(cell)
        assert cell.value == 1

    assert passes_in_child(check)
    inside.resume()
    holder.result()
    for waiter in waiters:
        waiter.result()
    assert cell.value == 4


def test_a_fork_inside_of_a_transaction_goes_on_in_both():
    cell = Cell("old")

    @atomic
    def change(fail):
        cell.value = "new"

        def check():
            assert in_transaction()
            assert cell.value == "new"
            assert current_transaction().state == "active"

        assert passes_in_child(check)
        assert cell.value == "new"
        if fail:
            raise Reverted

    with pytest.raises(Reverted):
        change(True)
    assert cell.value == "old"
    change(False)
    assert cell.value == "new"


def test_a_child_runs_threads_of_its_own(stage):
    from stage import Stage

    cell, inside = Cell(0), stage.pause()

    @atomic
    def hold():
        cell.value = 1000
        inside.here()

    holder = stage.start(hold)
    inside.reached()

    def check():
        own = Stage()

        def work():
            for _ in range(50):
                increment(cell)

        for task in [own.start(work) for _ in range(4)]:
            task.result()
        assert cell.value == 200
        assert stats().committed > 0

    assert passes_in_child(check)
    inside.resume()
    holder.result()


def test_a_child_of_a_child(stage):
    cell = Cell(0)

    def check():
        increment(cell)
        assert passes_in_child(lambda: increment(cell))
        assert cell.value == 1

    assert passes_in_child(check)
    assert cell.value == 0


def test_callbacks_of_threads_that_are_gone_do_not_run(stage):
    cell, inside, calls = Cell("old"), stage.pause(), []

    @atomic
    def change():
        cell.value = "new"
        on_commit(calls.append, "commit")
        on_abort(calls.append, "abort")
        inside.here()

    changer = stage.start(change)
    inside.reached()

    def check():
        increment(Cell(0))
        assert (cell.value, calls) == ("old", [])

    assert passes_in_child(check)
    inside.resume()
    changer.result()
    assert calls == ["commit"]


def test_callbacks_of_a_transaction_that_forks_run_in_both():
    calls = []

    def body():
        on_commit(calls.append, os.getpid())
        return os.fork()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = atomic(body)()
    if child == 0:
        os._exit(len(calls))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert calls == [os.getpid()]
