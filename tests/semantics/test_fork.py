"""A forked child has none of the other threads: what they had not committed is taken back in it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import warnings

import pytest
from cells import Cell, Reverted
from forks import passes_in_child
from stage import PATIENCE, Stage

from stmpy import (
    STMDict,
    STMQueue,
    TransactionLocal,
    TransactionTimeout,
    access_map,
    atomic,
    current_transaction,
    in_transaction,
    on_abort,
    on_commit,
    or_else,
    retry,
    stats,
    unrecorded,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@atomic
def increment(cell):
    cell.value += 1


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


def test_the_thread_that_forks_handles_signals_in_the_child(stage):
    """It is the main thread there, whichever it is here."""
    cell = Cell(0)

    def check():
        def wake(*_):
            raise Reverted

        signal.signal(signal.SIGALRM, wake)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Reverted):
            atomic(lambda: cell.value or retry())()

    def fork():
        increment(cell)
        cell.value = 0
        return passes_in_child(check)

    assert stage.start(fork).result()


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


class Gone:
    """What threads are in the middle of when the process forks.

    Each state is what its threads run, the first of which comes `inside`, and when all are where they
    should be.
    """

    def __init__(self, stage):
        self.cell, self.own, self.box, self.queue = Cell("old"), Cell("old"), Cell(None), STMQueue()
        self.inside = stage.pause()
        self.before = stats()

    @atomic
    def hold(self):
        self.cell.value = "new"
        self.inside.here()

    @atomic
    def read(self):
        self.cell.value
        self.inside.here()

    def holds(self):
        return [self.hold], lambda: True

    def reads_with_others(self):
        return [self.read] * 6, lambda: in_progress() == 6

    def waits_in_place(self):
        return [self.hold, self.read, self.hold], lambda: in_progress() == 3

    def waits_between_attempts(self):
        @atomic
        def meet():
            self.own.value = "new"
            self.cell.value = "newer"

        return [self.hold, meet], lambda: stats().aborted_by_conflict > self.before.aborted_by_conflict

    def claims_among_readers(self):
        def write():
            self.cell.value = "outside"

        return [*[self.read] * 6, self.hold, write], lambda: in_progress() == 8

    def sleeps_in_retry(self):
        @atomic
        def wait():
            self.own.value = "new"
            return self.box.value or retry()

        return [self.read, wait, wait, self.queue.get], lambda: stats().retries >= self.before.retries + 3

    def is_in_an_alternative(self):
        return [atomic(lambda: or_else(self.hold, int))], lambda: True

    def is_nested_with_a_timeout(self):
        return [atomic(lambda: atomic(timeout=PATIENCE)(self.hold)())], lambda: True

    def is_irrevocable(self):
        return [atomic(irrevocable=True)(self.hold)], lambda: True

    def asks_to_be_irrevocable(self):
        return [atomic(irrevocable=True)(self.hold), atomic(irrevocable=True)(lambda: None)], lambda: True

    def only_looks(self):
        @atomic
        def look():
            self.own.value = "new"
            with unrecorded():
                self.cell.value
                self.inside.here()

        return [look], lambda: True

    def is_in_a_callback(self):
        @atomic
        def fail():
            on_abort(self.inside.here)
            self.own.value = "new"
            raise Reverted

        def fails():
            with pytest.raises(Reverted):
                fail()

        return [atomic(lambda: on_commit(self.hold)), fails], lambda: True

    def is_in_a_finaliser(self):
        class Dying:
            def __del__(this):
                self.hold()

        @atomic
        def drop(dropped):
            self.own.value = "old"
            dropped.value = None
            dropped.other = 1

        # Made by the thread itself: without a GIL it is the one that a finaliser runs on.
        return [lambda: drop(Cell(Dying()))], lambda: True

    def has_values_of_its_own(self):
        local = TransactionLocal(object)

        @atomic
        def use():
            atomic(local.set)(object())
            self.own.value = local.get()
            self.inside.here()

        return [use], lambda: True


def in_progress():
    return len(access_map().by_transaction)


def waits_and_alternatives_work():
    """With as many threads of the child's own as there may be descriptors of threads that are gone."""
    own, turn, count = Stage(), Cell(0), 12

    @atomic
    def wait_for(number):
        assert current_transaction().attempt >= 1
        assert current_transaction().writes == 0

        def mine():
            if turn.value != number:
                retry()
            turn.value += 1

        or_else(lambda: retry(), mine)

    @atomic
    def wait():
        with contextlib.suppress(TransactionTimeout):
            atomic(timeout=0.01)(lambda: turn.value < 0 or retry())()
            return "not in vain"
        return "in vain"

    def wait_in_vain():
        try:
            return wait()
        except TransactionTimeout:  # while it waited between two attempts
            return "in vain"

    tasks = [own.start(wait_for, number) for number in reversed(range(count))]
    tasks += [own.start(wait_in_vain) for _ in range(3)]
    assert [task.result() for task in tasks] == [None] * count + ["in vain"] * 3
    assert turn.value == count
    own.close()


STATES = [name for name in vars(Gone) if name[0] != "_" and name not in ("hold", "read")]


@pytest.mark.parametrize("state", STATES)
def test_whatever_threads_were_in_the_middle_of_is_over_in_the_child(stage, state):
    gone = Gone(stage)
    (first, *others), ready = getattr(gone, state)()
    tasks = [stage.start(first)]
    gone.inside.reached()
    tasks += [stage.start(function) for function in others]
    stage.until(ready)

    def check():
        assert in_progress() == 0
        assert (gone.cell.value, gone.own.value, gone.box.value) == ("old", "old", None)
        waits_and_alternatives_work()

        @atomic(irrevocable=True)
        def change():
            gone.cell.value = gone.own.value = gone.box.value = "changed"
            gone.queue.put("item")

        change()
        assert gone.queue.get() == "item"
        assert in_progress() == 0

    assert passes_in_child(check)
    gone.inside.resume()
    atomic(lambda: setattr(gone.box, "value", "woken"))()
    gone.queue.put("item")
    for task in tasks:
        task.result()


def test_a_fork_in_the_middle_of_anything_goes_on_in_both(stage):
    """From where a thread may run code: nested, in an alternative, irrevocable, looking, behind the end."""
    cell, seen = Cell(0), []

    def forks(expected):
        def check():
            assert in_transaction() == expected[0]
            assert cell.value == expected[1]
            stage_of_child = Stage()
            with_another = stage_of_child.start(lambda: cell.value)
            assert with_another.result() == 0

        assert passes_in_child(check)
        seen.append(expected)

    class Dying:
        def __del__(self):
            forks((False, 0))

    cell.other = Dying()

    @atomic
    def everything():
        on_commit(forks, (False, 0))
        cell.other = None

        @atomic
        def nested():
            cell.value = 2
            forks((True, 2))
            raise Reverted

        with pytest.raises(Reverted):
            nested()
        or_else(lambda: (forks((True, 0)), retry()), lambda: forks((True, 0)))
        with unrecorded():
            forks((True, 0))

    everything()
    atomic(irrevocable=True)(forks)((True, 0))
    assert len(seen) == 7


@pytest.fixture
def forking_signal():
    """A signal whose handler forks; what the child is to do then is put into the list."""
    children, before = [], signal.getsignal(signal.SIGUSR1)

    def handle(*_):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        children.append(child)
        if child == 0:
            signal.alarm(int(PATIENCE))

    signal.signal(signal.SIGUSR1, handle)
    yield children
    signal.signal(signal.SIGUSR1, before)


def ends_in_child(children):
    """True in the parent; in the child, which has come as far, it exits."""
    if children[-1] == 0:
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(children[-1], 0)[1]) == 0


def interrupt(stage, condition):
    def send():
        stage.until(condition)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

    return stage.start(send)


@pytest.mark.parametrize("holds", [False, True])
def test_a_wait_in_which_a_handler_forks_ends_in_the_child(stage, forking_signal, holds):
    """Who was waited for is gone there."""
    cell, own, inside = Cell("old"), Cell(0), stage.pause()

    @atomic
    def hold():
        cell.value = "new"
        inside.here()

    holder = stage.start(hold)
    inside.reached()

    @atomic
    def wait():
        if holds:
            own.value += 1
        return cell.value

    def resume():
        stage.until(lambda: forking_signal)
        inside.resume()

    before = stats().aborted_by_conflict
    waits = (
        (lambda: stats().aborted_by_conflict > before)
        if holds
        else (lambda: len(access_map().by_transaction) == 2)
    )
    interrupt(stage, waits)
    resumer = stage.start(resume)
    value = wait()
    if forking_signal[-1] == 0 and value != "old":
        os._exit(1)
    assert ends_in_child(forking_signal)
    assert value == "new"
    holder.result()
    resumer.result()


def test_a_retry_in_which_a_handler_forks_looks_for_itself_in_the_child(stage, forking_signal):
    cell = Cell(0)

    @atomic
    def wait():
        cell.value or (forking_signal and forking_signal[-1] == 0) or retry()

    def change():
        stage.until(lambda: forking_signal)
        cell.value = 1

    before = stats().retries
    interrupt(stage, lambda: stats().retries > before)
    changer = stage.start(change)
    wait()
    assert ends_in_child(forking_signal)
    changer.result()


FORKS = int(os.environ.get("STMPY_FORKS", "30"))
"""How many of them; more of them, now and then, find more."""


def test_forks_at_many_moments_of_busy_threads(stage):
    """Whatever the others were doing: no money is made or lost, and the child's own threads go on."""
    accounts, table, queue = tuple(Cell(100) for _ in range(6)), STMDict(), STMQueue(maxsize=3)
    enough = threading.Event()

    @atomic
    def transfer(source, target):
        on_commit(int)
        source.value -= 1
        target.value += 1
        table[source.value % 7] = object()

    @atomic
    def transfer_back(source, target):
        atomic(transfer)(source, target)
        raise Reverted

    def two(chance):
        """`random.sample` takes a lock of the interpreter's, and that may stay taken in the child:
        docs/decisions.md, "A forked child that waits for the interpreter"."""
        first = chance.randrange(6)
        return accounts[first], accounts[first - chance.randrange(1, 6)]

    def work(seed):
        chance = random.Random(seed)
        irrevocable = atomic(irrevocable=True)(transfer)
        while not enough.is_set():
            source, target = two(chance)
            deed = chance.random()
            if deed < 0.6:
                transfer(source, target)
            elif deed < 0.7:
                irrevocable(source, target)
            elif deed < 0.8:
                with pytest.raises(Reverted):
                    transfer_back(source, target)
            elif deed < 0.9:
                atomic(lambda: sum(account.value for account in accounts))()
            else:
                source.other = object()

    def put():
        number = 0
        while not enough.is_set():
            queue.put(number := number + 1)

    def get():
        while queue.get() is not None:
            pass

    workers = [stage.start(work, seed) for seed in range(3)] + [stage.start(put)]
    getter = stage.start(get)
    total = atomic(lambda: sum(account.value for account in accounts))

    def check():
        assert access_map().by_transaction == {}
        assert total() == 600
        items = []
        while (item := atomic(lambda: queue.get() if queue.qsize() else None)()) is not None:
            items.append(item)
        assert items == sorted(items)
        own = Stage()
        for task in [own.start(transfer, *two(random)) for _ in range(4)]:
            task.result()
        atomic(irrevocable=True)(transfer)(accounts[0], accounts[1])
        assert total() == 600
        assert access_map().by_transaction == {}

    pause = threading.Event()
    try:
        for _ in range(FORKS):
            pause.wait(random.random() / 200)
            assert passes_in_child(check)
    finally:
        enough.set()
    for worker in workers:
        worker.result()
    queue.put(None)
    getter.result()
