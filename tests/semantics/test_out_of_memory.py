"""Every allocation fails once: what was begun is taken back, and the next one works.

The interpreter's allocations fail through `_testcapi`, those of the C++ code through a library that is
preloaded into an interpreter of its own: there this file is a program.
"""

from __future__ import annotations

import copy
import ctypes
import enum
import gc
import itertools
import os
import pickle
import queue
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cells import Cell, Reverted
from native import build

from stmpy import (
    STMCounter,
    STMDict,
    STMList,
    STMObject,
    STMQueue,
    STMSet,
    TransactionLocal,
    TransactionTimeout,
    access_map,
    atomic,
    compiled,
    current_transaction,
    in_transaction,
    invariant,
    on_abort,
    on_commit,
    or_else,
    retry,
    revert_log,
    stats,
    unrecorded,
)

try:
    import _testcapi as testcapi
except ImportError:
    testcapi = None

# CPython 3.11 clears the exception that leaves a function, where the caller's frame object cannot be made.
LOSES_EXCEPTIONS = SystemError if sys.version_info < (3, 12) else MemoryError
# Where so many allocations on end no failure was met, the operation has no more of them.
FURTHER = 20
PATIENCE = 600


class Checked(STMObject):
    def __init__(self, value):
        self.value = value

    @invariant
    def is_small(self):
        return self.value < 1_000_000


class Square(STMObject):
    pass


class Circle(STMObject):
    pass


class Dying(Cell):
    def __del__(self):
        self.value = None


LOCAL = TransactionLocal(list)


class World:
    def __init__(self):
        self.cell, self.second = Cell(1), Cell(2)
        self.many = [Cell(number) for number in range(200)]
        self.entries, self.counter, self.queue = STMList([1, 2, 3]), STMCounter(), STMQueue()
        self.table, self.members = STMDict(first=1), STMSet(["first"])
        self.checked, self.shape = Checked(0), Square()

    def seen(self):
        return (
            self.cell.value,
            self.second.value,
            sorted(vars(self.cell)),
            [one.value for one in self.many],
            list(self.entries),
            int(self.counter),
            self.queue.qsize(),
            dict(self.table),
            len(self.table),
            set(self.members),
            len(self.members),
            self.checked.value,
            type(self.shape),
            self.shape.__class__,
        )

    def check(self):
        assert len(self.table) == len(list(self.table)) == len(dict(self.table))
        assert len(self.members) == len(list(self.members)) == len(set(self.members))
        assert len(self.entries) == len(list(self.entries))
        enum.Enum("Made", "first second")  # what others do with classes works as ever


@compiled
def reads_and_writes(world):
    world.cell.value, world.second.value = world.second.value, world.cell.value


@compiled
def makes_and_deletes_attributes(world):
    world.cell.beyond_the_layout = 1
    world.cell.one_more = 2
    del world.cell.beyond_the_layout


@compiled
def nests(world):
    atomic(reads_and_writes)(world)
    try:
        atomic(leaves_by_an_exception)(world)
    except Reverted:
        world.cell.value = 5


@compiled
def leaves_by_an_exception(world):
    world.cell.value = object()
    raise Reverted


@compiled
def is_reverted(world):
    try:
        atomic(leaves_by_an_exception)(world)
    except Reverted:
        pass


@compiled
def touches_many(world):
    for one in world.many:
        one.value = object()


@compiled
def uses_collections(world):
    world.entries.append(7)
    world.entries.insert(0, 1)
    world.entries.sort()
    world.counter.add(5)
    world.queue.put_nowait(1)


@compiled
def uses_slices(world):
    world.entries[1:2] = [7, 8, 9]
    del world.entries[::2]
    world.entries.extend(iter([1, 2]))
    world.entries[0] = world.entries[-1]


@compiled
def uses_a_dict(world):
    table = world.table
    for number in range(40):
        table[number] = number
    table.update(((number, None) for number in range(35, 45)), named=1)
    table.setdefault("one", 1)
    table.pop("one")
    table.popitem()
    assert len(table | {7: 8}) == len(list(table.items())) == len(table.copy())
    assert table == dict(table) and 7 in table and table.get(8) == 8
    del table[3]
    table.clear()


@compiled
def uses_a_set(world):
    members = world.members
    for number in range(40):
        members.add(number)
    members |= {"others", 7}
    members.discard(3)
    members.pop()
    assert len(members | {77}) == len(members) + 1
    assert members & {7} <= members - {8} and members ^ members == set()
    assert members.copy() == set(iter(members))
    members.intersection_update({5, 6})


@compiled
def has_callbacks(world):
    on_commit(int)
    on_abort(int)
    world.cell.value = 3


@compiled
def has_alternatives(world):
    def first():
        world.cell.value = 9
        retry()

    def second():
        world.cell.value = 8

    or_else(first, second)


@compiled
def waits(world):
    @atomic(timeout=0.001)
    def for_ever():
        world.second.value = world.cell.value
        retry()

    try:
        for_ever()
    except TransactionTimeout:
        world.cell.value = 4


@compiled
def has_a_local(world):
    LOCAL.value = [1]
    LOCAL.get().append(2)

    @atomic
    def nested():
        LOCAL.value = []
        raise Reverted

    try:
        nested()
    except Reverted:
        world.cell.value = len(LOCAL.value)


@compiled
def is_checked(world):
    world.checked.value += 1
    Checked(world.checked.value)


@compiled
def looks(world):
    vars(world.cell)
    dir(world.cell)
    dict(vars(world.cell))


@compiled
def looks_unrecorded(world):
    world.cell.value = 6
    with unrecorded():
        assert world.cell.value == 6
        dict(world.table)
        list(world.entries)
        len(world.members)


@compiled
def is_pickled(world):
    pickle.loads(pickle.dumps(world.cell))


@compiled
def is_copied(world):
    copy.copy(world.cell)
    copy.deepcopy(world.table)
    copy.copy(world.members)


@compiled
def makes_objects(world):
    world.cell.value = Cell(Cell(3))


@compiled
def asks(world):
    world.cell.value = 3
    world.cell.beyond_the_layout = 1
    world.entries.append(7)
    transaction = current_transaction()
    (repr(transaction), transaction.state, transaction.reads, transaction.writes, hash(transaction))
    access_map()
    revert_log()
    stats()


@compiled
def makes_a_class(world):
    class Made(Cell):
        __slots__ = ("slot",)

    made = Made()
    made.slot = made.value
    made.third = 3


@compiled
def changes_a_class(world):
    world.shape.__class__ = Circle if type(world.shape) is Square else Square


@compiled
def replaces_a_dict(world):
    world.cell.__dict__ = {"other": 3, "value": 4, "third": 5}


@compiled
def drops_what_has_a_finaliser(world):
    world.second.value = 3
    Dying()


OPERATIONS = [
    reads_and_writes,
    makes_and_deletes_attributes,
    nests,
    touches_many,
    uses_collections,
    uses_slices,
    uses_a_dict,
    uses_a_set,
    has_callbacks,
    has_alternatives,
    waits,
    has_a_local,
    is_checked,
    looks,
    looks_unrecorded,
    is_pickled,
    is_copied,
    makes_objects,
    asks,
    makes_a_class,
    changes_a_class,
    replaces_a_dict,
    drops_what_has_a_finaliser,
]


# What is one step outside of transactions.


def updates_a_dict(world):
    world.table.update({len(world.table): 1, "second": 2})


def empties_a_dict(world):
    world.table.clear()


def updates_a_set(world):
    world.members.symmetric_difference_update([len(world.members), "second"])


def replaces_elements(world):
    world.entries[:] = [9, *world.entries]


def is_irrevocable(world):
    atomic(irrevocable=True)(reads_and_writes)(world)


def waits_for_ever(world):
    @atomic(timeout=0.001)
    def wait():
        world.second.value = world.cell.value
        retry()

    try:
        wait()
    except TransactionTimeout:
        pass


STEPS = [
    looks,
    is_pickled,
    is_copied,
    is_reverted,
    changes_a_class,
    replaces_a_dict,
    makes_a_class,
    updates_a_dict,
    empties_a_dict,
    updates_a_set,
    replaces_elements,
    is_irrevocable,
    waits_for_ever,
    lambda world: stats(),
    lambda world: repr(world.table) + repr(world.members),
]


class Interpreters:
    """The interpreter's allocations, for all threads."""

    def fail(self, number):
        testcapi.set_nomemory(number, number + 1)

    def stop(self):
        testcapi.remove_mem_hooks()


class Cpps:
    """The C++ code's allocations, for this thread."""

    def __init__(self, library):
        self.library = ctypes.PyDLL(library)
        self.library.passed_by_the_exception.restype = ctypes.c_char_p

    def fail(self, number):
        self.library.fail_allocation(ctypes.c_long(number))

    def stop(self):
        self.library.stop_failing()
        passed = self.library.passed_by_the_exception()
        assert not passed, f"an exception of C++'s left a function that {passed.decode()} has called"


def run_with_failures(world, operation, memory):
    """Runs it until as many allocations as it makes have failed, one in each run. How many there were."""
    quiet, number = 0, 0
    while quiet < FURTHER:
        number += 1
        before, failed, reverted = world.seen(), False, False
        memory.fail(number)
        try:
            operation(world)
        except (MemoryError, LOSES_EXCEPTIONS):
            failed = reverted = True
        except TransactionTimeout:  # it had to wait for others
            reverted = True
        finally:
            try:
                memory.stop()
            except MemoryError:  # the one that failed was for this call
                memory.stop()
        assert not in_transaction()
        if reverted:
            assert world.seen() == before, number
        quiet = 0 if failed else quiet + 1
    return number - FURTHER


needs_testcapi = pytest.mark.skipif(testcapi is None, reason="NEEDS an interpreter with _testcapi")


@needs_testcapi
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_a_transaction_without_memory_is_taken_back_and_the_next_one_works(operation):
    world = World()
    run_with_failures(world, atomic(operation), Interpreters())
    gc.collect()
    atomic(reads_and_writes)(world)
    world.check()


@needs_testcapi
@pytest.mark.parametrize("operation", STEPS, ids=lambda operation: operation.__name__)
def test_what_is_done_outside_without_memory_changes_nothing(operation):
    world = World()
    run_with_failures(world, operation, Interpreters())
    world.check()


@needs_testcapi
@pytest.mark.parametrize(
    "ask", [current_transaction, access_map, revert_log, stats], ids=lambda ask: ask.__name__
)
def test_what_is_asked_outside_without_memory_is_a_memory_error(ask, held):
    """Also of a transaction of another thread's."""
    run_with_failures(World(), lambda world: ask(), Interpreters())
    assert len(access_map().by_transaction) == 1


# The C++ code's


def goes_on(operation):
    """The transaction meets the end of memory, and goes on as if nothing had been."""

    @atomic
    def caught(world):
        try:
            operation(world)
        except MemoryError:
            pass

    return caught


def begins_first(memory):
    """The first transactions of threads, each of which has one allocation that fails. How many had."""
    world, over, failures, threads = World(), threading.Event(), 0, []

    def first(number, outcomes):
        memory.fail(number)
        try:
            atomic(reads_and_writes)(world)
        except MemoryError:
            outcomes.put("failed")
        else:
            outcomes.put("committed")
        finally:
            memory.stop()
        atomic(reads_and_writes)(world)
        over.wait()  # nobody gets what it has

    for number in itertools.count(1):
        outcomes = queue.SimpleQueue()
        threads.append(threading.Thread(target=first, args=[number, outcomes]))
        threads[-1].start()
        if outcomes.get() == "committed":
            break
        failures += 1
    over.set()
    for thread in threads:
        thread.join()
    return failures


class Others:
    """Threads that are in the way all the time, and leave everything as it is."""

    def __init__(self, world, count):
        self.world, self.ended = world, threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]

    @atomic
    def look(self):
        self.world.seen()

    @atomic
    def touch(self):
        self.world.cell.value = self.world.cell.value
        self.world.second.value = self.world.second.value
        self.world.counter.value = self.world.counter.value
        for number in range(5):
            self.world.table.get(number)
            self.world.many[number].value = self.world.many[number].value

    def run(self):
        while not self.ended.is_set():
            self.touch()
            self.look()

    def __enter__(self):
        for thread in self.threads:
            thread.start()

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def main(library, others):
    memory = Cpps(library)
    begun = begins_first(memory)
    assert begun > 0
    for operation in OPERATIONS:
        print(operation.__name__, flush=True)
        world = World()
        with Others(world, others):
            run_with_failures(world, atomic(operation), memory)
            run_with_failures(world, goes_on(operation), memory)
        world.check()
    for operation in STEPS:
        print(operation.__name__, "outside", flush=True)
        world = World()
        with Others(world, others):
            run_with_failures(world, operation, memory)
        world.check()


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """What makes the C++ code's allocations fail."""
    made = tmp_path_factory.mktemp("library") / "failing_new.so"
    source = Path(__file__).with_name("failing_new.cpp")
    return str(build("g++", source, made, "-std=c++20", "-O1", "-fPIC", "-shared"))


@pytest.mark.parametrize("others", [0, 2])
def test_the_memory_of_the_cpp_code_ends_in_each_operation(library, tier, others):
    run = ["-m", "stmpy", "run"] if tier == "compiled" else []
    done = subprocess.run(
        [sys.executable, *run, __file__, library, str(others)],
        env=os.environ | {"LD_PRELOAD": library, "PYTHONFAULTHANDLER": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
