"""STMQueue: first in, first out; a put and a get do not conflict, and waiting is retry()."""

from __future__ import annotations

import contextlib
import copy
import gc
import pickle
import queue
import threading
import weakref
from collections import deque

import pytest
from cells import Cell, Reverted
from hypothesis import strategies as st
from machines import machine

from stmpy import (
    STMCounter,
    STMObject,
    STMQueue,
    TransactionTimeout,
    TransactionUsageError,
    access_map,
    atomic,
    atomically,
    or_else,
    stats,
)


class Named(STMQueue):
    def __init__(self, name, maxsize=0):
        super().__init__(maxsize)
        self.name = name


def drained(of):
    items = []
    while not of.empty():
        items.append(of.get_nowait())
    return items


def filled(items, maxsize=0):
    made = STMQueue(maxsize)
    for item in items:
        made.put(item)
    return made


# --- what it is


@pytest.mark.parametrize("maxsize", [0, 1, 2, 3, 8, 9, 100])
def test_first_in_first_out(maxsize):
    made, turns = STMQueue(maxsize), 0
    assert made.maxsize == maxsize
    for size in (1, 2, 5, 20, 3):
        size = min(size, maxsize or size)
        for _ in range(7):
            for number in range(size):
                assert made.qsize() == number
                made.put(turns + number)
            assert not made.empty()
            assert made.full() is (size == maxsize)
            assert [made.get() for _ in range(size)] == list(range(turns, turns + size))
            turns += size
            assert made.empty()
            assert not made.full()


def test_empty_and_full():
    made = STMQueue(maxsize=2)
    for act in (
        made.get_nowait,
        lambda: made.get(False),
        lambda: made.get(timeout=0),
        lambda: made.get(True, 0.0),
    ):
        with pytest.raises(queue.Empty):
            act()
        with pytest.raises(queue.Empty):
            atomically(act)
    made.put("a")
    made.put_nowait("b")
    for act in (lambda: made.put_nowait(1), lambda: made.put(1, False), lambda: made.put(1, timeout=0)):
        with pytest.raises(queue.Full):
            act()
        with pytest.raises(queue.Full):
            atomically(act)
    for act in (lambda: made.get(timeout=-1), lambda: made.put(1, timeout=-0.5)):
        with pytest.raises(ValueError, match="non-negative"):
            act()
    assert made.get(block=False, timeout=-1) == "a"  # as queue.Queue: not looked at
    for act in (made.put, lambda: made.get("a", "b"), lambda: STMQueue("a"), lambda: made.get(timeout="x")):
        with pytest.raises(TypeError):
            act()
    assert drained(made) == ["b"]


def test_maxsize_is_set_once():
    made = Named("n", 2)
    with pytest.raises(TransactionUsageError):
        made.__init__("n", 3)
    with pytest.raises(AttributeError):
        made.maxsize = 3
    made.__init__("m", 2)
    assert (STMQueue(-5).maxsize, STMQueue(2**40).maxsize, STMQueue(2**31 - 2).maxsize) == (0, 0, 2**31 - 2)

    class Early(STMQueue):
        def __init__(self):
            self.put(1)
            super().__init__(3)

    with pytest.raises(TransactionUsageError):
        Early()


def test_a_queue_is_an_stm_object():
    made = Named("n")
    made.put(made)
    assert isinstance(made, STMObject)
    assert vars(made) == {"name": "n"}
    assert STMQueue[int].__origin__ is STMQueue
    died = weakref.ref(made)
    del made
    gc.collect()
    assert died() is None


def test_an_item_that_was_got_is_let_go():
    made = filled(Cell(number) for number in range(20))
    died = weakref.ref(made.get())
    gc.collect()
    assert died() is None
    items = weakref.WeakSet(drained(made))
    gc.collect()
    assert not items


@pytest.mark.parametrize(
    "how", [copy.copy, copy.deepcopy, lambda q: pickle.loads(pickle.dumps(q)), atomic(copy.copy)]
)
def test_copies(how):
    made = Named("n", 20)
    for number in range(12):
        made.put([number])
    made.get()
    other = how(made)
    assert (type(other), other.name, other.maxsize) == (Named, "n", 20)
    assert drained(other) == drained(made) == [[number] for number in range(1, 12)]


# --- transactions


@pytest.mark.parametrize("maxsize", [0, 30])
@pytest.mark.parametrize("there", [0, 1, 7, 8, 9])
def test_a_reverted_transaction_leaves_the_queue_as_it_was(maxsize, there):
    made = filled(range(there), maxsize)

    @atomic
    def fail(*more):
        got = [made.get() for _ in range(there // 2)]
        for number in range(12):
            made.put(100 + number)
        assert made.qsize() == there + len(more) - len(got) + 12
        assert [*got, *drained(made)] == [*range(there), *more, *range(100, 112)]
        made.put("last")
        raise Reverted

    @atomic
    def nested():
        made.put("first")
        with pytest.raises(Reverted):
            fail("first")
        assert made.qsize() == there + 1
        made.put("second")

    with pytest.raises(Reverted):
        fail()
    assert made.qsize() == there
    nested()
    assert drained(made) == [*range(there), "first", "second"]


# --- conflicts


def hold(stage, act, *args):
    """Another transaction that has done something, until `resume` is called."""
    inside = stage.pause()

    @atomic
    def holder():
        result = act(*args)
        inside.here()
        return result

    task = stage.start(holder)
    inside.reached()
    task.resume = inside.resume
    return task


@pytest.mark.parametrize("maxsize", [0, 3, 20])
@pytest.mark.parametrize("there", [1, 2, 8])
@pytest.mark.parametrize("put_first", [True, False])
def test_a_put_and_a_get_do_not_conflict(stage, maxsize, there, put_first):
    if maxsize and there >= maxsize:
        pytest.skip("it is full")
    made, runs = filled(range(there), maxsize), []
    put = lambda: made.put("new")  # noqa: E731
    holder = hold(stage, put if put_first else made.get)

    @atomic
    def work():
        runs.append("run")
        return made.get() if put_first else put()

    result = work()
    assert runs == ["run"]
    assert holder.is_running()
    holder.resume()
    held = holder.result()
    assert (result if put_first else held) == 0
    assert drained(made) == [*range(1, there), "new"]


@pytest.mark.parametrize("there", [0, 3])
def test_who_finds_it_empty_does_not_conflict_with_who_does(stage, there):
    made, runs = filled(range(there)), []
    drained(made)
    holder = hold(stage, made.empty)

    @atomic
    def work():
        runs.append("run")
        with pytest.raises(queue.Empty):
            made.get_nowait()

    work()
    assert runs == ["run"]
    holder.resume()
    assert holder.result() is True


def test_what_is_put_while_somebody_owns_the_emptiness_comes_behind_the_head(stage):
    """The place is empty and owned for writing, as one is that a get is emptying: but it is not in use."""
    made, inside = STMQueue(), stage.pause()

    @atomic(reads="exclusive")
    def look():
        assert made.empty()
        inside.here()

    reader, aborted = stage.start(look), stats().aborted_by_conflict
    inside.reached()
    writer = stage.start(atomically, made.put, 1)
    stage.until(lambda: not writer.is_running() or stats().aborted_by_conflict > aborted)
    inside.resume()
    reader.result()
    writer.result()
    made.put(2)
    assert drained(made) == [1, 2]


CONFLICTS = {
    "two puts": (3, lambda q: q.put(1), lambda q: q.put(2)),
    "two gets": (3, lambda q: q.get(), lambda q: q.get()),
    "a get of what is being put": (0, lambda q: q.put(1), lambda q: q.get()),
    "the size": (3, lambda q: q.qsize(), lambda q: q.put(1)),
    "emptiness": (0, lambda q: q.empty(), lambda q: q.put(1)),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_conflict(stage, name):
    there, first, second = CONFLICTS[name]
    made, mine, runs = filled(range(there)), Cell(), []
    holder = hold(stage, first, made)

    @atomic
    def work():
        runs.append("run")
        mine.value += 1
        return second(made)

    aborted = stats().aborted_by_conflict
    worker = stage.start(work)
    stage.until(lambda: stats().aborted_by_conflict > aborted)
    holder.resume()
    holder.result()
    worker.result()
    assert len(runs) == 2


def test_a_read_outside_sees_what_is_committed_at_once(stage):
    made = filled(range(3), 3)

    def change():
        made.get()
        made.get()
        made.put("x")

    holder = hold(stage, change)
    assert (made.qsize(), made.empty(), made.full()) == (3, False, True)
    holder.resume()
    holder.result()
    assert drained(made) == [2, "x"]


def test_the_maps_name_the_ends_and_the_places():
    made = filled("ab")

    @atomic
    def work():
        made.get()
        made.put("c")
        return {
            name: list(modes.values())
            for (of, name), modes in access_map().by_attribute.items()
            if of is made
        }

    assert work() == {
        "head": ["write"],
        "[0]": ["write"],
        "behind [0]": ["read"],
        "tail": ["write"],
        "behind [1]": ["read"],
        "[2]": ["write"],
    }


# --- waiting


def waits(stage, act, *args):
    """A task that waits in a retry()."""
    retries = stats().retries
    task = stage.start(act, *args)
    stage.until(lambda: stats().retries > retries)
    return task


@pytest.mark.parametrize("how", [lambda f: f(), atomically], ids=["outside", "inside"])
def test_a_get_waits_for_a_put_and_a_put_for_a_get(stage, how):
    made = STMQueue(1)
    getter = waits(stage, how, made.get)
    made.put("a")
    assert getter.result() == "a"
    made.put("b")
    putter = waits(stage, how, lambda: made.put("c"))
    assert made.get() == "b"
    putter.result()
    assert made.get() == "c"
    getter = waits(stage, how, lambda: made.get(timeout=1000))
    atomically(made.put, "d")
    assert getter.result() == "d"
    assert made.empty()


def test_a_transaction_gets_two_items_at_once_or_none(stage):
    made = filled("a")
    getter = waits(stage, atomically, lambda: (made.get(), made.get()))
    assert made.qsize() == 1
    made.put("b")
    assert getter.result() == ("a", "b")


def test_what_waits_leaves_no_trace(stage):
    made, mine = STMQueue(), Cell()

    @atomic
    def work():
        mine.value += 1
        mine.other = made.get()

    worker = waits(stage, work)
    assert mine.value == 0
    made.put("a")
    worker.result()
    assert (mine.value, mine.other) == (1, "a")


@pytest.mark.parametrize("how", [lambda f: f(), atomically], ids=["outside", "inside"])
def test_a_timeout_that_passes(how):
    made = STMQueue(1)
    with pytest.raises(queue.Empty):
        how(lambda: made.get(timeout=0.01))
    made.put(1)
    with pytest.raises(queue.Full):
        how(lambda: made.put(2, timeout=0.01))
    assert drained(made) == [1]


def test_a_timeout_that_passes_inside_is_raised_where_it_stands():
    made, log = STMQueue(), STMQueue()

    @atomic
    def work():
        log.put("before")
        try:
            made.get(timeout=0.01)
        except queue.Empty:
            log.put("nothing came")

    work()
    assert drained(log) == ["before", "nothing came"]


def test_the_timeout_of_the_call_around_is_that_calls():
    made = STMQueue()
    with pytest.raises(TransactionTimeout):
        atomic(timeout=0.01)(made.get)()
    with pytest.raises(TransactionTimeout):
        atomic(timeout=0.01)(lambda: made.get(timeout=1000))()


def test_the_first_of_several_queues(stage):
    first, second = STMQueue(), STMQueue()
    second.put("second")
    assert or_else(first.get, second.get) == "second"
    getter = waits(stage, or_else, first.get, second.get)
    first.put("first")
    assert getter.result() == "first"
    assert second.empty()


@pytest.mark.parametrize("maxsize", [0, 1, 4])
def test_nothing_is_lost_and_nothing_is_doubled(stage, maxsize):
    work, done, producers, items = STMQueue(maxsize), STMQueue(), 4, 150

    def produce(producer):
        for number in range(items):
            if number % 3 == 0:
                atomically(work.put, (producer, number))
            else:
                work.put((producer, number))

    @atomic
    def move():
        item = work.get()
        if item is not None:
            done.put(item)
        return item

    def consume():
        mine = []
        while True:
            item = move() if len(mine) % 2 else work.get()
            if item is None:
                return mine
            if not len(mine) % 2:
                done.put(item)
            mine.append(item)

    consumers = [stage.start(consume) for _ in range(4)]
    tasks = [stage.start(produce, producer) for producer in range(producers)]
    for task in tasks:
        task.result()
    for _ in consumers:
        work.put(None)
    taken = [consumer.result() for consumer in consumers]
    everything = sorted((producer, number) for producer in range(producers) for number in range(items))
    assert sorted(drained(done)) == sorted(sum(taken, [])) == everything
    for mine in taken:  # of each producer the items come in their order
        for producer in range(producers):
            numbers = [number for by, number in mine if by == producer]
            assert numbers == sorted(numbers)


def test_a_full_queue_stays_so_among_gets_that_are_taken_back(stage):
    """The place that a put looks at is emptied, and has its item again, all the time."""
    made = filled("a", maxsize=1)

    @atomic
    def take():
        made.get_nowait()
        raise Reverted

    def work(_):
        with pytest.raises(Reverted):
            take()

    def look():
        for how in (lambda f: f(), atomically):
            with pytest.raises(queue.Full):
                how(lambda: made.put_nowait("b"))

    stage.look_while(work, look)
    assert drained(made) == ["a"]


def test_one_item_is_got_by_one_of_many(stage):
    made, taken, stop = STMQueue(), [], threading.Event()

    def get():
        while not stop.is_set():
            try:
                taken.append(made.get_nowait())
            except queue.Empty:
                pass

    getters = [stage.start(get) for _ in range(3)]
    try:
        for number in range(100):
            made.put(number)
            stage.until(made.empty)
    finally:
        stop.set()
    for getter in getters:
        getter.result()
    assert sorted([*taken, *drained(made)]) == list(range(100))


def test_the_size_outside_is_of_one_moment(stage):
    made = filled(range(3))

    @atomic
    def turn(_):
        made.put(made.get())

    def look():
        for _ in range(200):
            assert made.qsize() == 3

    stage.look_while(turn, look)


# --- what is done


@pytest.mark.parametrize("how", [lambda f: f(), atomically], ids=["outside", "inside"])
def test_task_done_counts_what_was_put(how):
    made = filled("abc")

    def finish():
        for _ in range(3):
            made.task_done()
        with pytest.raises(ValueError, match="too many"):
            made.task_done()

    how(finish)
    made.join()
    made.put("d")
    assert drained(made) == [*"abcd"]
    how(made.task_done)
    made.join()
    assert Named("n").join() is None


def test_join_waits_for_the_last_item(stage):
    made = filled(range(4))
    joiners = [waits(stage, made.join), waits(stage, atomic(made.join))]
    for turn in range(4):
        assert all(joiner.is_running() for joiner in joiners)
        made.get() if turn % 2 else atomically(made.get)
        made.task_done() if turn % 2 else atomically(made.task_done)
    for joiner in joiners:
        joiner.result()
    with pytest.raises(ValueError):
        made.task_done()


def test_a_finaliser_that_runs_in_task_done_is_counted_before_it(stage):
    """What an observer may still be looking at is let go a little later, in whatever the thread does next."""
    made, cell, stop = STMQueue(), Cell(), threading.Event()

    class Finishing:
        def __del__(self):
            with contextlib.suppress(ValueError):
                made.task_done()

    def observe():
        while not stop.is_set():
            cell.value  # noqa: B018

    observers = [stage.start(observe) for _ in range(2)]
    try:
        for _ in range(3000):
            made.put(None)
            cell.value = Finishing()
            with contextlib.suppress(ValueError):
                made.task_done()
    finally:
        stop.set()
    for observer in observers:
        observer.result()
    cell.value = None
    stage.start(made.join).result()


def test_an_item_that_is_taken_back_is_not_done():
    made = filled("a")

    @atomic
    def work():
        made.get()
        made.task_done()
        made.join()
        raise Reverted

    with pytest.raises(Reverted):
        work()
    assert made.qsize() == 1
    with pytest.raises(TransactionTimeout):
        atomic(timeout=0.01)(made.join)()


def test_a_put_conflicts_with_what_is_done_only_where_it_decides(stage):
    made = filled(range(3))
    putter = hold(stage, made.put, "new")
    made.task_done()
    joiner = waits(stage, made.join)
    made.task_done()
    assert putter.is_running()
    last = stage.start(made.task_done)  # the third of three: whether one comes is not known yet
    another = stage.start(made.task_done)
    putter.resume()
    putter.result()
    last.result()
    another.result()
    joiner.result()


def test_items_are_done_in_parallel(stage):
    made, done = STMQueue(5), STMCounter()

    def consume():
        while (item := made.get()) is not None:
            done.add(item)
            made.task_done()
        made.task_done()

    consumers = [stage.start(consume) for _ in range(3)]
    for turn in range(1, 4):
        for number in range(100):
            made.put(number)
        made.join()
        assert done.value == turn * sum(range(100))
    for _ in consumers:
        made.put(None)
    made.join()
    for consumer in consumers:
        consumer.result()


needs_shutdown = pytest.mark.skipif(
    not hasattr(queue, "ShutDown"), reason="queue.Queue has no shutdown() before 3.13"
)


def test_there_is_a_shutdown_where_the_standard_library_has_one():
    assert hasattr(STMQueue, "shutdown") == hasattr(queue.Queue, "shutdown")


@needs_shutdown
@pytest.mark.parametrize("how", [lambda f: f(), atomically], ids=["outside", "inside"])
def test_behind_a_shutdown_what_is_there_can_be_got(how):
    made = filled("ab", 2)

    def close():
        made.shutdown()
        with pytest.raises(queue.ShutDown):
            made.put("c")

    how(close)
    made.shutdown()
    assert (made.qsize(), made.full()) == (2, True)
    assert [how(made.get), how(made.get_nowait)] == ["a", "b"]
    for act in (made.get, made.get_nowait, lambda: made.get(timeout=1), lambda: made.put("c", timeout=1)):
        with pytest.raises(queue.ShutDown):
            how(act)
    assert (made.empty(), made.full()) == (True, False)
    made.task_done()
    made.task_done()
    made.join()


@needs_shutdown
def test_an_immediate_shutdown_empties_it(stage):
    made = filled(range(20))
    assert made.get() == 0
    joiner = waits(stage, made.join)
    made.shutdown(immediate=True)
    assert made.empty()
    with pytest.raises(queue.ShutDown):
        made.get()
    assert joiner.is_running()  # one of them is being worked on
    made.task_done()
    joiner.result()
    with pytest.raises(ValueError):
        made.task_done()


@needs_shutdown
def test_a_shutdown_that_is_taken_back_has_not_been():
    made = filled("ab")

    @atomic
    def close():
        made.shutdown(immediate=True)
        with pytest.raises(queue.ShutDown):
            made.get()
        raise Reverted

    with pytest.raises(Reverted):
        close()
    made.put("c")
    assert drained(made) == [*"abc"]
    with pytest.raises(TransactionTimeout):
        atomic(timeout=0.01)(made.join)()


@needs_shutdown
def test_a_shutdown_ends_the_waits_of_many_threads(stage):
    made = STMQueue(1)
    waiting = [waits(stage, how, made.get) for how in (lambda f: f(), atomically)]
    made.shutdown()
    for waiter in waiting:
        with pytest.raises(queue.ShutDown):
            waiter.result()


# --- against a deque


def undone(q):
    """For how many items task_done() was not called yet."""
    count = 0

    @atomic
    def finish():
        nonlocal count
        count = 0
        while True:
            q.task_done()
            count += 1

    with pytest.raises(ValueError):
        finish()
    return count


def contents(q):
    if isinstance(q, STMQueue):
        return q.__reduce__()[1][2], undone(q)
    return list(q.queue), q.unfinished_tasks


def put_back(q, contents):
    q.queue, q.unfinished_tasks = deque(contents[0]), contents[1]


TestAgainstADeque = machine(
    st.one_of(
        *[st.builds(lambda item: lambda q, _: q.put_nowait(item), st.integers())] * 3,
        st.sampled_from(
            [
                lambda q, _: q.get_nowait(),
                lambda q, _: q.get_nowait(),
                lambda q, _: q.task_done(),
                lambda q, _: (q.qsize(), q.empty(), q.full()),
            ]
        ),
    ),
    st.builds(
        lambda make, maxsize: make(maxsize),
        st.sampled_from([STMQueue, lambda maxsize: Named("n", maxsize)]),
        st.sampled_from([0, 1, 2, 5, 12]),
    ),
    plain=lambda q: queue.Queue(q.maxsize),
    contents=contents,
    put_back=put_back,
)
