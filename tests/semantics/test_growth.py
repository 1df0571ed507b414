"""Nothing grows, however many transactions there were.

`python tests/semantics/test_growth.py 10_000_000` is the long way, and prints what it sees.
"""

from __future__ import annotations

import gc
import os
import sys
import time

import pytest
from cells import Cell, Reverted

from stmpy import (
    STMCounter,
    STMList,
    STMObject,
    STMQueue,
    atomic,
    on_abort,
    on_commit,
    unrecorded,
)

# As it is, and with noise: of specialised code, of free lists, of what the test keeps.
NOISE_IN_BLOCKS = 200


class Other(STMObject):
    pass


class Kinds:
    """A transaction of each kind, on objects and values that stay the same."""

    def __init__(self):
        self.cell, self.second, self.third = Cell(None), Cell(None), Cell(None)
        self.values = [object() for _ in range(3)]
        self.counter, self.entries, self.queue = STMCounter(), STMList([1, 2]), STMQueue()
        self.noted = 0
        self.all = [
            self.writes,
            self.is_left_by_an_exception,
            self.nests,
            self.reverts_nested,
            self.makes_and_deletes_attributes,
            self.makes_objects,
            self.changes_a_class,
            self.goes_outside,
            self.has_callbacks,
            self.counts,
            self.changes_a_list,
            self.uses_a_queue,
            self.touches_many,
            self.drops_cycles,
        ]
        self.many = [Cell(number) for number in range(100)]

    def note(self):
        self.noted += 1

    @atomic
    def writes(self):
        for value in self.values:
            self.cell.value = value
            self.second.value, self.third.value = self.third.value, self.cell.value

    def is_left_by_an_exception(self):
        @atomic
        def fails():
            self.writes()
            raise Reverted

        with pytest.raises(Reverted):
            fails()

    @atomic
    def nests(self):
        self.cell.value = self.values[0]
        self.writes()

    @atomic
    def reverts_nested(self):
        self.cell.value = self.values[1]
        try:
            self.is_left_by_an_exception()
        finally:
            self.cell.value = self.values[2]

    @atomic
    def makes_and_deletes_attributes(self):
        self.cell.beyond_the_layout = self.values[0]
        setattr(self.cell, f"attribute_{self.noted % 5}", self.values[1])
        delattr(self.cell, f"attribute_{self.noted % 5}")
        del self.cell.beyond_the_layout

    @atomic
    def makes_objects(self):
        self.cell.value = Cell(Cell(self.values[0]))

    @atomic
    def changes_a_class(self):
        thing = Other()
        thing.value = self.values[0]
        thing.__class__ = Cell
        self.second.value = thing

    def goes_outside(self):
        self.cell.value = self.values[0]
        self.second.new = self.cell.value
        del self.second.new

    @atomic
    def has_callbacks(self):
        on_commit(self.note)
        on_abort(self.note)
        self.cell.value = self.values[0]

    @atomic
    def counts(self):
        self.counter.add(3)
        self.counter -= 3

    @atomic
    def changes_a_list(self):
        self.entries.append(self.values[0])
        self.entries.insert(0, self.values[1])
        self.entries.pop()
        del self.entries[0]

    @atomic
    def uses_a_queue(self):
        self.queue.put_nowait(self.values[0])
        with unrecorded():
            self.queue.qsize()
        self.queue.get_nowait()

    @atomic
    def touches_many(self):
        for one in self.many:
            one.value = self.values[0]

    def drops_cycles(self):
        @atomic
        def make():
            first, second = Cell(None), Cell(None)
            first.value, second.value = second, first
            self.third.value = first

        make()
        self.third.value = None

    def run(self, times):
        for _ in range(times):
            for kind in self.all:
                kind()

    def come_to_rest(self):
        self.cell.value = self.second.value = self.third.value = None
        for one in self.many:
            one.value = None
        gc.collect()


def test_many_transactions_of_all_kinds_leave_every_reference_count_as_it_was():
    kinds = Kinds()
    kinds.run(10)
    kinds.come_to_rest()
    before = [sys.getrefcount(value) for value in kinds.values]
    kinds.run(1_000)
    kinds.come_to_rest()
    assert [sys.getrefcount(value) for value in kinds.values] == before


def test_many_transactions_of_all_kinds_leave_no_memory_behind(free_threaded):
    if free_threaded:
        pytest.skip("without a GIL the interpreter itself keeps thousands of blocks, now more, now fewer")
    kinds = Kinds()
    kinds.run(100)
    kinds.come_to_rest()
    before = sys.getallocatedblocks()
    kinds.run(2_000)
    kinds.come_to_rest()
    assert sys.getallocatedblocks() - before < NOISE_IN_BLOCKS


def resident_megabytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def main(transactions):
    kinds = Kinds()
    kinds.run(1_000)
    begun, rounds, done = time.monotonic(), transactions // (len(kinds.all) * 10), 0
    for tenth in range(11):
        kinds.come_to_rest()
        counts = [sys.getrefcount(value) for value in kinds.values]
        print(
            f"{done:12,} transactions  {resident_megabytes():8.1f} MB  {sys.getallocatedblocks():9,} blocks  "
            f"reference counts {counts}  {time.monotonic() - begun:6.0f} s",
            flush=True,
        )
        if tenth < 10:
            kinds.run(rounds)
            done += rounds * len(kinds.all)


if __name__ == "__main__":
    main(int(sys.argv[1].replace("_", "")))
