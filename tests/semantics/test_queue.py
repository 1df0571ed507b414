"""STMQueue: first in, first out; a put and a get do not conflict, and waiting is retry()."""

from __future__ import annotations

import copy
import gc
import pickle
import queue
import weakref
from collections import deque

import pytest
from cells import Cell, Reverted
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from stmpy import (
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


# --- against a deque


class AgainstADeque(RuleBasedStateMachine):
    @initialize(maxsize=st.sampled_from([0, 1, 2, 5, 12]))
    def make(self, maxsize):
        self.maxsize, self.ours, self.plain, self.number = maxsize, STMQueue(maxsize), deque(), 0

    def act(self, puts):
        if puts:
            self.number += 1
            if self.maxsize and len(self.plain) == self.maxsize:
                with pytest.raises(queue.Full):
                    self.ours.put_nowait(self.number)
            else:
                self.ours.put(self.number)
                self.plain.append(self.number)
        elif self.plain:
            assert self.ours.get() == self.plain.popleft()
        else:
            with pytest.raises(queue.Empty):
                self.ours.get_nowait()
        self.compare()

    def compare(self):
        size = len(self.plain)
        assert (self.ours.qsize(), self.ours.empty(), self.ours.full()) == (
            size,
            not size,
            size == self.maxsize > 0,
        )

    acts = st.lists(st.sampled_from([True, True, True, False, False]), max_size=20)

    @rule(acts=acts)
    def outside(self, acts):
        for puts in acts:
            self.act(puts)

    @rule(acts=acts, nested=acts, more=acts, ends=st.tuples(st.booleans(), st.booleans()))
    def inside(self, acts, nested, more, ends):
        def run(some, fails):
            for puts in some:
                self.act(puts)
            if fails:
                raise Reverted

        def outer():
            run(acts, False)
            before = self.plain.copy()
            try:
                atomically(run, nested, ends[0])
            except Reverted:
                self.plain = before
            self.compare()
            run(more, ends[1])

        before = self.plain.copy()
        try:
            atomically(outer)
        except Reverted:
            self.plain = before
        self.compare()


AgainstADeque.TestCase.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
TestAgainstADeque = AgainstADeque.TestCase
