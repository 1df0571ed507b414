"""Objects that a transaction makes are its own until it has ended."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import threading
import weakref
from dataclasses import dataclass

import pytest
from cells import Cell, Reverted

from stmpy import (
    STMCounter,
    STMDict,
    STMObject,
    TransactionUsageError,
    access_map,
    atomic,
    atomically,
    current_transaction,
    or_else,
    retry,
    revert_log,
    stats,
    unrecorded,
)


@dataclass
class Order(STMObject):
    item: str
    count: int = 1
    note: str | None = None


class Slotted(STMObject):
    __slots__ = ("x", "y")

    def __init__(self):
        self.x, self.y = 1, 2


def private_pairs(transaction, *objects):
    mine = {id(of) for of in objects}
    return [pair for pair in access_map().by_transaction.get(transaction, {}) if id(pair[0]) in mine]


def test_what_is_done_to_one_is_neither_registered_nor_logged():
    @atomic
    def make():
        order = Order("tea")
        order.count += 1
        del order.note
        order.note = "hot"
        transaction = current_transaction()
        return order, private_pairs(transaction, order), revert_log(), transaction.reads, transaction.writes

    order, pairs, log, reads, writes = make()
    assert (pairs, log, reads, writes) == ([], [], 0, 0)
    assert order == Order("tea", 2, "hot")


def test_it_is_published_by_the_commit():
    shelf = Cell()

    @atomic
    def make():
        shelf.value = Order("tea")
        shelf.value.count = 5

    make()
    assert shelf.value == Order("tea", 5)
    shelf.value.count += 1
    assert atomically(lambda: shelf.value.count) == 6


@pytest.mark.parametrize("leaves", [Reverted, retry])
def test_an_exception_may_carry_one(leaves):
    @atomic(timeout=0.01)
    def make():
        order = Order("tea")
        kept.append(order)
        order.count = 3
        if leaves is retry:
            assert shelf.value == 0
            retry()
        raise Reverted(order)

    kept, shelf = [], Cell()
    with pytest.raises(Exception):  # noqa: B017, PT011 - either of the two
        make()
    assert kept[0] == Order("tea", 3)
    kept[0].count = 4
    assert atomically(lambda: kept[0].count) == 4


@pytest.mark.parametrize("kind", [Order, Slotted])
def test_a_nested_call_takes_back_what_it_wrote(kind):
    name = "count" if kind is Order else "x"

    @atomic
    def outer():
        made = Order("tea") if kind is Order else Slotted()

        @atomic
        def inner():
            setattr(made, name, 7)
            setattr(made, name, 8)
            if kind is Order:
                made.extra = True
                del made.note
            raise Reverted

        for _ in range(3):
            with pytest.raises(Reverted):
                inner()
        return made, getattr(made, name)

    made, value = outer()
    assert value == getattr(made, name) == 1
    assert not hasattr(made, "extra")
    if kind is Order:
        assert vars(made) == {"item": "tea", "count": 1, "note": None}


def test_one_made_in_a_nested_call_that_failed_lost_what_was_written_there():
    @atomic
    def outer():
        kept = []

        @atomic
        def inner():
            kept.append(Order("tea"))
            raise Reverted

        with pytest.raises(Reverted):
            inner()
        order = kept[0]
        before = dict(vars(order))
        order.item = "milk"
        return order, before

    order, before = outer()
    assert before == {}
    assert order.item == "milk"


def test_an_alternative_takes_back_what_it_wrote():
    @atomic
    def choose():
        order = Order("tea")

        def first():
            order.count = 9
            retry()

        or_else(first, lambda: None)
        return order

    assert choose().count == 1


def test_retry_waits_for_a_change_of_one_that_others_know(stage):
    leaked, attempts, before = [], [], stats().retries

    @atomic
    def wait():
        attempts.append(None)
        if not leaked:
            leaked.append(Order("tea"))
        if leaked[0].count == 1:
            retry()
        return leaked[0].count

    waiting = stage.start(wait)
    stage.until(lambda: stats().retries > before)
    leaked[0].count = 2
    assert waiting.result() == 2
    assert len(attempts) == 2


def leak(stage, *, fails=False):
    """A transaction that stands still with an object of its own, that object, and what lets it go on."""
    leaked = []
    inside = stage.pause()

    @atomic
    def make():
        order = Order("tea", 5)
        leaked.append(order)
        inside.here()
        order.count = 6
        if fails:
            raise Reverted

    making = stage.start(make)
    inside.reached()
    return making, leaked[0], inside


def test_outside_it_has_no_attributes_before_the_commit(stage):
    making, order, inside = leak(stage)
    assert vars(order) == {}
    assert not hasattr(order, "item")
    with unrecorded():
        assert not hasattr(order, "item")
    inside.resume()
    making.result()
    assert order == Order("tea", 6)


@pytest.mark.parametrize("writes", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_a_transaction_that_meets_it_waits_for_its_maker(stage, writes, fails):
    making, order, inside = leak(stage, fails=fails)

    @atomic
    def meet():
        if writes:
            order.count = 10
            return 10
        return order.count

    meeting = stage.start(meet)
    stage.until(lambda: len(access_map().by_transaction) == 2)
    assert meeting.is_running()
    inside.resume()
    if fails:
        with pytest.raises(Reverted):
            making.result()
    else:
        making.result()
    assert meeting.result() == (10 if writes else 6)
    assert order.count == (10 if writes else 6)


def test_a_write_from_outside_waits_for_its_maker(stage):
    making, order, inside = leak(stage)
    writing = stage.start(setattr, order, "count", 7)
    stage.until(lambda: len(access_map().by_transaction) == 2)
    inside.resume()
    making.result()
    writing.result()
    assert order.count == 7


def test_makers_that_meet_each_others_do_not_block_each_other(stage):
    leaked, both = {}, threading.Barrier(2, timeout=20)
    first = [True, True]

    @atomic
    def make(which):
        mine = leaked[which] = Order("tea")
        if first[which]:
            first[which] = False
            both.wait()
        leaked[1 - which].count += 1
        return mine

    tasks = [stage.start(make, which) for which in range(2)]
    for task in tasks:
        task.result()


def test_clean_up_code_of_an_aborted_attempt_may_make_some(rival):
    made = []

    @atomic
    def run():
        try:
            rival.meet()
        finally:
            order = Order("tea")
            order.count += 1
            made.append((order, order.count))

    run()
    assert [count for _, count in made] == [2, 2]
    for order, _ in made:
        order.count = 5
        assert order.count == 5


def test_an_irrevocable_one_makes_some():
    @atomic(irrevocable=True)
    def make():
        order = Order("tea")
        order.count += 1
        return order

    assert make().count == 2


def test_under_exclusive_reads():
    @atomic(reads="exclusive")
    def make():
        order = Order("tea")
        return order, order.count

    order, count = make()
    assert order.count == count == 1


def test_in_unrecorded_it_shows_its_values_and_refuses_writes():
    @atomic
    def make():
        order = Order("tea")
        with unrecorded():
            assert order.count == 1
            with pytest.raises(TransactionUsageError):
                order.count = 2
        order.count = 3
        return order

    assert make().count == 3


def test_one_may_be_made_in_unrecorded():
    @atomic
    def make():
        with unrecorded():
            order = Order.__new__(Order)
        order.count = 3
        return order

    assert make().count == 3


@pytest.mark.parametrize(
    "way", [copy.copy, copy.deepcopy, lambda of: pickle.loads(pickle.dumps(of)), lambda of: Order(**vars(of))]
)
def test_copies_of_them(way):
    @atomic
    def make():
        order = Order("tea", 2)
        other = way(order)
        other.count += 1
        return order, other

    assert make() == (Order("tea", 2), Order("tea", 3))


def test_the_class_may_be_assigned():
    class Other(STMObject):
        pass

    @atomic
    def make(fails):
        order = Order("tea")
        order.__class__ = Other

        @atomic
        def inner():
            order.__class__ = Order
            raise Reverted

        with pytest.raises(Reverted):
            inner()
        if fails:
            raise Reverted(order)
        return order

    assert type(make(False)) is Other
    with pytest.raises(Reverted):
        make(True)


def test_the_order_of_attributes_is_that_of_insertion():
    class Thing(STMObject):
        def __init__(self):
            self.a, self.b, self.c = 1, 2, 3

    @atomic
    def make():
        thing = Thing()
        del thing.a
        thing.z = 4
        thing.a = 5
        return thing, list(vars(thing))

    thing, inside = make()
    assert inside == list(vars(thing)) == ["b", "c", "z", "a"]


def test_collections_that_are_made_inside():
    @atomic
    def make():
        counter, table = STMCounter(5), STMDict(a=1)
        counter.add(1)
        table["b"] = 2
        return counter, table

    counter, table = make()
    assert (counter.value, table) == (6, {"a": 1, "b": 2})
    counter.add(1)
    table["c"] = 3
    assert (counter.value, len(table)) == (7, 3)


def test_it_dies_at_the_end_of_the_transaction():
    @atomic
    def make():
        references = [weakref.ref(Order("tea")) for _ in range(100)]
        gc.collect()
        assert all(reference() is not None for reference in references)
        return references

    references = make()
    gc.collect()
    assert all(reference() is None for reference in references)


def test_reference_counts_are_as_before():
    value = object()
    before = sys.getrefcount(value)

    @atomic
    def make(fails):
        orders = [Order(value) for _ in range(10)]
        orders[0].item = None
        if fails:
            raise Reverted
        return len(orders)

    for _ in range(3):
        assert make(False) == 10
        with pytest.raises(Reverted):
            make(True)
    gc.collect()
    assert sys.getrefcount(value) == before


def test_many_threads_make_and_publish(stage):
    shelf = [Cell(None) for _ in range(4)]
    torn = []

    @atomic
    def put(index, number):
        order = Order("tea", number)
        order.note = number
        shelf[index].value = order

    @atomic
    def look(index):
        order = shelf[index].value
        if order is not None and order.count != order.note:
            torn.append(order)

    def work(seed):
        for number in range(300):
            put((seed + number) % 4, number)
            look((seed + 3 * number) % 4)
            seen = shelf[number % 4].value
            if seen is not None and seen.count != seen.note:
                torn.append(seen)

    for task in [stage.start(work, seed) for seed in range(4)]:
        task.result()
    assert torn == []
