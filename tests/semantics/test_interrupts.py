"""Signals: they are handled while a thread waits, and what a handler raises ends the wait."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from cells import Cell
from stage import someone_waits

from stmpy import atomic, current_transaction, in_transaction, stats


class Woken(Exception):
    pass


@pytest.fixture
def handler(monkeypatch):
    """Sets what SIGUSR1 does for the length of the test."""
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda function: signal.signal(signal.SIGUSR1, function)
    signal.signal(signal.SIGUSR1, before)


def interrupt_when(stage, condition, number=signal.SIGINT):
    """Sends the signal to the main thread when it waits; returns what says when that was."""
    sent = []

    def send():
        stage.until(condition)
        sent.append(time.monotonic())
        signal.pthread_kill(threading.main_thread().ident, number)

    stage.start(send)
    return sent


def test_a_keyboard_interrupt_ends_a_wait_in_place(stage, held):
    sent = interrupt_when(stage, someone_waits)

    @atomic
    def wait():
        return held.value

    with pytest.raises(KeyboardInterrupt):
        wait()
    assert time.monotonic() - sent[0] < 0.5
    assert not in_transaction()
    assert held.value == "old"


def test_a_keyboard_interrupt_ends_a_wait_between_attempts(stage, held):
    mine, runs = Cell(0), []
    before = stats().aborted_by_conflict
    sent = interrupt_when(stage, lambda: stats().aborted_by_conflict > before)

    @atomic
    def wait():
        runs.append(1)
        mine.value = 1
        return held.value

    with pytest.raises(KeyboardInterrupt):
        wait()
    assert time.monotonic() - sent[0] < 0.5
    assert runs == [1]
    assert mine.value == 0
    assert not in_transaction()


def test_a_keyboard_interrupt_ends_the_wait_of_a_write_outside(stage, held):
    sent = interrupt_when(stage, someone_waits)
    with pytest.raises(KeyboardInterrupt):
        held.value = "mine"
    assert time.monotonic() - sent[0] < 0.5
    assert held.value == "old"


def test_a_keyboard_interrupt_in_a_body_reverts(stage):
    cell = Cell(0)

    @atomic
    def work():
        cell.value = 1
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(10_000_000):
            pass

    with pytest.raises(KeyboardInterrupt):
        work()
    assert cell.value == 0


def test_a_handler_that_returns_lets_the_wait_go_on(stage, held, handler):
    seen = []

    def note(*_):
        seen.append(in_transaction())
        held.resume()

    handler(note)
    interrupt_when(stage, someone_waits, signal.SIGUSR1)

    @atomic
    def wait():
        return held.value

    assert wait() == "new"
    assert seen == [True]


def test_a_handler_runs_outside_between_attempts(stage, held, handler):
    mine, seen, counted = Cell(0), [], Cell(0)

    @atomic(max_attempts=1, name="the handler's")
    def count():
        counted.value += 1

    def note(*_):
        seen.append(in_transaction())
        count()
        counted.value += 1
        held.resume()

    handler(note)
    before = stats().aborted_by_conflict
    interrupt_when(stage, lambda: stats().aborted_by_conflict > before, signal.SIGUSR1)

    @atomic(name="mine")
    def wait():
        mine.value += 1
        seen.append((current_transaction().name, current_transaction().attempt, current_transaction().id))
        return held.value

    assert wait() == "new"
    (name, first, call), between, (name_again, second, call_again) = seen
    assert between is False
    assert (name, first) == (name_again, 1) == ("mine", 1)
    assert second == 2
    assert call == call_again != 0
    assert counted.value == 2
    assert mine.value == 1


def test_what_a_handler_accesses_in_a_waiting_transaction_belongs_to_it(stage, held, handler):
    counted = Cell(0)

    def note(*_):
        counted.value += 1
        held.resume()

    handler(note)
    interrupt_when(stage, someone_waits, signal.SIGUSR1)

    @atomic
    def wait():
        held.value
        raise Woken

    with pytest.raises(Woken):
        wait()
    assert counted.value == 0


def test_an_exception_of_a_handler_leaves_a_wait(stage, held, handler):
    def fail(*_):
        raise Woken

    handler(fail)
    interrupt_when(stage, someone_waits, signal.SIGUSR1)

    @atomic
    def wait():
        return held.value

    with pytest.raises(Woken):
        wait()
