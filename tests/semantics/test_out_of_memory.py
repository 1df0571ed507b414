"""Every allocation of the interpreter's fails once: what was begun is taken back, and the next one works."""

from __future__ import annotations

import gc
import pickle
import sys

import pytest
from cells import Cell, Reverted

from stmpy import (
    STMCounter,
    STMList,
    STMQueue,
    access_map,
    atomic,
    current_transaction,
    in_transaction,
    on_abort,
    on_commit,
    or_else,
    retry,
    revert_log,
    stats,
)

testcapi = pytest.importorskip("_testcapi", reason="NEEDS an interpreter with _testcapi")

# CPython 3.11 clears the exception that leaves a function, where the caller's frame object cannot be made.
LOSES_EXCEPTIONS = SystemError if sys.version_info < (3, 12) else MemoryError
# Where so many allocations on end no failure was met, the operation has no more of them.
FURTHER = 20


class World:
    def __init__(self):
        self.cell, self.second = Cell(1), Cell(2)
        self.many = [Cell(number) for number in range(200)]
        self.entries, self.counter, self.queue = STMList([1, 2, 3]), STMCounter(), STMQueue()

    def seen(self):
        return (
            self.cell.value,
            self.second.value,
            sorted(vars(self.cell)),
            [one.value for one in self.many],
            list(self.entries),
            int(self.counter),
            self.queue.qsize(),
        )


def reads_and_writes(world):
    world.cell.value, world.second.value = world.second.value, world.cell.value


def makes_and_deletes_attributes(world):
    world.cell.beyond_the_layout = 1
    world.cell.one_more = 2
    del world.cell.beyond_the_layout


def nests(world):
    atomic(reads_and_writes)(world)
    try:
        atomic(leaves_by_an_exception)(world)
    except Reverted:
        world.cell.value = 5


def leaves_by_an_exception(world):
    world.cell.value = object()
    raise Reverted


def is_reverted(world):
    try:
        atomic(leaves_by_an_exception)(world)
    except Reverted:
        pass


def touches_many(world):
    for one in world.many:
        one.value = object()


def uses_collections(world):
    world.entries.append(7)
    world.entries.insert(0, 1)
    world.entries.sort()
    world.counter.add(5)
    world.queue.put_nowait(1)


def has_callbacks(world):
    on_commit(int)
    on_abort(int)
    world.cell.value = 3


def has_alternatives(world):
    def first():
        world.cell.value = 9
        retry()

    def second():
        world.cell.value = 8

    or_else(first, second)


def looks(world):
    vars(world.cell)
    dir(world.cell)
    dict(vars(world.cell))


def is_pickled(world):
    pickle.loads(pickle.dumps(world.cell))


def makes_objects(world):
    world.cell.value = Cell(Cell(3))


def asks(world):
    world.cell.value = 3
    world.cell.beyond_the_layout = 1
    world.entries.append(7)
    transaction = current_transaction()
    (repr(transaction), transaction.state, transaction.reads, transaction.writes, hash(transaction))
    access_map()
    revert_log()
    stats()


OPERATIONS = [
    reads_and_writes,
    makes_and_deletes_attributes,
    nests,
    touches_many,
    uses_collections,
    has_callbacks,
    has_alternatives,
    looks,
    is_pickled,
    makes_objects,
    asks,
]


def run_with_failures(world, operation):
    """Runs it until as many allocations as it makes have failed, one in each run."""
    quiet, number = 0, 0
    while quiet < FURTHER:
        number += 1
        before, failed = world.seen(), False
        testcapi.set_nomemory(number, number + 1)
        try:
            operation(world)
        except (MemoryError, LOSES_EXCEPTIONS):
            failed = True
        finally:
            testcapi.remove_mem_hooks()
        assert not in_transaction()
        if failed:
            assert world.seen() == before, number
        quiet = 0 if failed else quiet + 1
    return number


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_a_transaction_without_memory_is_taken_back_and_the_next_one_works(operation):
    world = World()
    run_with_failures(world, atomic(operation))
    gc.collect()
    atomic(reads_and_writes)(world)


@pytest.mark.parametrize("operation", [looks, is_pickled, is_reverted])
def test_what_is_done_outside_without_memory_changes_nothing(operation):
    run_with_failures(World(), operation)


@pytest.mark.parametrize(
    "ask", [current_transaction, access_map, revert_log, stats], ids=lambda ask: ask.__name__
)
def test_what_is_asked_outside_without_memory_is_a_memory_error(ask, held):
    """Also of a transaction of another thread's."""
    assert run_with_failures(World(), lambda world: ask()) >= FURTHER
    assert len(access_map().by_transaction) == 1
