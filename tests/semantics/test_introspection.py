"""What a program can ask: which transaction it is in, who has accessed what, how it went."""

from __future__ import annotations

import copy
import gc
import pickle
import threading

import pytest
from cells import Cell
from stage import PATIENCE

from stmpy import (
    MISSING,
    Transaction,
    access_map,
    atomic,
    atomically,
    current_transaction,
    in_transaction,
    revert_log,
    stats,
)


class Unhashable(Cell):
    __hash__ = None

    def __eq__(self, other):
        raise AssertionError("objects go by identity")


# --- the current transaction


def test_outside_there_is_no_transaction():
    assert not in_transaction()
    assert current_transaction() is None
    assert revert_log() == []


def write_elsewhere(cell):
    """The compiler does not see it coming."""
    cell.value = 1


def test_the_current_transaction_says_what_it_is():
    cell = Cell()

    @atomic
    def outer():
        transaction = current_transaction()
        assert in_transaction()
        assert transaction.name.endswith("outer")
        assert transaction.attempt == 1
        assert transaction.state == "active"
        assert isinstance(transaction.id, int)
        assert (transaction.reads, transaction.writes) == (0, 0)
        cell.value
        cell.other
        assert (transaction.reads, transaction.writes) == (2, 0)
        write_elsewhere(cell)
        assert (transaction.reads, transaction.writes) == (1, 1)
        return transaction

    first, second = outer(), outer()
    assert first.state == second.state == "ended"
    assert (first.reads, first.writes) == (0, 0)
    assert first != second
    assert first.id != second.id


def test_a_transaction_may_be_given_a_name():
    assert atomic(name="the name")(lambda: current_transaction().name)() == "the name"


def test_names_live_as_long_as_somebody_may_ask_for_them(stage):
    inside, cell = stage.pause(), Cell()

    def hold():
        cell.value = 1
        inside.here()

    holder = stage.start(lambda: atomic(name="of no " + "".join(["constant"]))(hold)())
    inside.reached()
    transactions = list(access_map().by_transaction)
    inside.resume()
    holder.result()
    gc.collect()
    assert [transaction.name for transaction in transactions] == ["of no constant"]
    assert [transaction.state for transaction in transactions] == ["ended"]


def test_attempts_of_one_call_share_its_id(stage):
    cell, mine, inside, seen = Cell(), Cell(), stage.pause(), []

    @atomic
    def hold():
        cell.value = 1
        inside.here()

    @atomic
    def meet():
        seen.append(current_transaction())
        mine.value = 1
        return cell.value

    holder = stage.start(hold)
    inside.reached()
    before = stats().aborted_by_conflict
    other = stage.start(meet)
    stage.until(lambda: stats().aborted_by_conflict > before)
    inside.resume()
    holder.result()
    other.result()
    first, second = seen
    assert first.id == second.id
    assert (first.attempt, second.attempt) == (1, 2)
    assert first != second


def test_an_aborted_attempt_is_doomed_while_it_unwinds(stage):
    cell, mine, inside, seen = Cell(), Cell(), stage.pause(), []

    @atomic
    def hold():
        cell.value = 1
        inside.here()

    @atomic
    def meet():
        mine.value = 1
        try:
            cell.value
        finally:
            seen.append(current_transaction().state)
            inside.resume()

    holder = stage.start(hold)
    inside.reached()
    stage.start(meet).result()
    holder.result()
    assert seen == ["doomed", "active"]


def test_a_transaction_is_made_by_the_runtime_alone():
    (transaction,) = atomically(lambda: [current_transaction()])
    kind = type(transaction)
    assert kind is Transaction and kind.__module__ == "stmpy"
    for make in (
        kind,
        lambda: kind.__new__(kind),
        lambda: object.__new__(kind),
        lambda: type("Derived", (kind,), {}),
    ):
        with pytest.raises(TypeError):
            make()
    for name in "id", "attempt", "name", "state", "reads", "writes":
        assert getattr(kind, name).__doc__
        with pytest.raises(AttributeError):
            setattr(transaction, name, 1)
    with pytest.raises(AttributeError):
        transaction.other = 1


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_transaction_is_neither_pickled_nor_copied(protocol):
    transaction = atomically(current_transaction)
    for copying in lambda: pickle.dumps(transaction, protocol), lambda: copy.copy(transaction):
        with pytest.raises(TypeError, match="a Transaction cannot be pickled or copied, .* take its id"):
            copying()


def test_views_of_one_attempt_are_equal(stage):
    cell, inside = Cell(), stage.pause()

    @atomic(name="the holder")
    def hold():
        cell.value = 1
        inside.here()
        return current_transaction()

    holder = stage.start(hold)
    inside.reached()
    (seen,), (again,) = access_map().by_transaction, access_map().by_transaction
    inside.resume()
    own = holder.result()
    other = atomically(current_transaction)
    assert seen is not again
    assert seen == again == own
    assert hash(seen) == hash(again) == hash(own)
    assert not seen != own
    assert seen != other
    assert seen not in (None, seen.id, "the holder")
    assert repr(seen) == f"<Transaction {own.id} of the holder, attempt 1, ended>"


def test_a_write_outside_that_is_in_progress_has_no_name(stage, held):
    stage.start(setattr, held, "value", "outside")
    stage.until(lambda: len(access_map().by_transaction) == 2)
    (outside,) = (transaction for transaction in access_map().by_transaction if transaction.id == 0)
    assert (outside.name, outside.attempt, outside.state) == (None, 0, "active")


# --- the access map


def test_the_access_map_reads_both_ways(stage):
    cell, other, inside = Cell(), Cell(), stage.pause()

    @atomic(name="the writer")
    def change():
        cell.value
        other.value = 1
        inside.here()

    changer = stage.start(change)
    inside.reached()
    accesses = access_map()
    (transaction,) = accesses.by_transaction
    assert transaction.name == "the writer"
    assert accesses.by_attribute[cell, "value"] == {transaction: "read"}
    assert accesses.by_attribute[other, "value"] == {transaction: "write"}
    assert accesses.by_transaction[transaction][other, "value"] == "write"
    assert len(accesses.by_transaction[transaction]) == len(accesses.by_attribute) == 2
    assert {attribute for _, attribute in accesses.by_attribute} == {"value"}
    assert any(thing is cell for thing, _ in accesses.by_transaction[transaction])
    inside.resume()
    changer.result()
    assert access_map().by_transaction == {}
    assert len(access_map().by_attribute) == 0
    assert transaction in accesses.by_transaction  # a snapshot stays as it was


def test_the_access_map_shows_all_who_share_an_attribute(stage):
    cell, inside = Cell(), threading.Barrier(6)
    go_on = stage.pause()

    @atomic
    def read():
        cell.value
        inside.wait(PATIENCE)
        go_on.here()

    readers = [stage.start(read) for _ in range(5)]
    inside.wait(PATIENCE)
    modes = access_map().by_attribute[cell, "value"]
    assert list(modes.values()) == ["read"] * 5
    go_on.resume()
    for reader in readers:
        reader.result()


def test_objects_go_by_identity_and_need_not_be_hashable():
    one, two = Unhashable(1), Unhashable(1)

    @atomic
    def use():
        one.value
        two.value = 2
        accesses = access_map()
        me = current_transaction()
        assert accesses.by_attribute[one, "value"] == {me: "read"}
        assert accesses.by_attribute[two, "value"] == {me: "write"}
        assert (one, "value") in accesses.by_transaction[me]
        assert (one, "other") not in accesses.by_transaction[me]
        with pytest.raises(KeyError):
            accesses.by_attribute[one, "other"]
        assert len(list(accesses.by_transaction[me])) == 2

    use()


def test_an_access_map_looked_at_from_a_map_of_strange_keys():
    accesses = access_map()
    for key in (1, None, "ab", (1,), (1, 2, 3)):
        assert key not in accesses.by_attribute
        with pytest.raises(KeyError):
            accesses.by_attribute[key]


def test_attributes_beyond_the_layout_and_the_structure_are_shown():
    cell = Cell()

    @atomic
    def use():
        setattr(cell, "made up", 1)
        pairs = access_map().by_transaction[current_transaction()]
        return {attribute: mode for (_, attribute), mode in pairs.items()}

    assert use() == {"made up": "write", "__dict__": "write"}


def test_the_access_map_of_busy_threads(stage):
    cells, enough = [Cell() for _ in range(5)], threading.Event()

    @atomic
    def work(first, second):
        cells[first].value += 1
        cells[second].other += 1

    def working(offset):
        number = 0
        while not enough.is_set():
            number += 1
            work((number + offset) % 5, number % 5)

    workers = [stage.start(working, offset) for offset in range(3)]
    for _ in range(200):
        for transaction, pairs in access_map().by_transaction.items():
            assert transaction.name is None or "work" in transaction.name
            assert len(pairs) <= 2
            for (thing, attribute), mode in pairs.items():
                assert any(thing is cell for cell in cells)
                assert attribute in ("value", "other")
                assert mode in ("read", "update", "write")
    enough.set()
    for worker in workers:
        worker.result()


def test_the_access_map_of_threads_whose_finalisers_run_transactions(stage):
    """What an attempt lets go of is below the entries of those that its finalisers run."""
    cells, enough = [Cell() for _ in range(40)], threading.Event()
    own = threading.local()

    class Final:
        def __init__(self, cell):
            self.cell = cell

        def __del__(self):
            atomic(lambda: self.cell.value)()

    @atomic
    def replace():
        for cell in own.cells:
            cell.value = Final(own.cell)
        for cell in cells:
            cell.value  # noqa: B018

    def work():
        own.cells, own.cell = [Cell() for _ in range(40)], Cell()
        while not enough.is_set():
            replace()

    workers = [stage.start(work) for _ in range(2)]
    for _ in range(500):
        for pairs in access_map().by_transaction.values():
            assert set(pairs.values()) <= {"read", "write", "update"}
    enough.set()
    for worker in workers:
        worker.result()


# --- the revert log


def test_the_revert_log_is_in_the_order_of_writing():
    one, two = Cell("one"), Cell("two")

    @atomic
    def change():
        two.value = 1
        one.value = 2
        two.value = 3
        one.fresh = 4
        return revert_log()

    assert change() == [(two, "value", "two"), (one, "value", "one"), (one, "fresh", MISSING)]


def test_the_revert_log_of_what_was_deleted():
    cell = Cell("old")

    @atomic
    def change():
        del cell.value
        return revert_log()

    assert change() == [(cell, "value", "old")]


def test_the_revert_log_of_a_reader_is_empty():
    cell = Cell()

    @atomic
    def look():
        cell.value
        return revert_log()

    assert look() == []


def test_missing_is_one_false_value():
    assert repr(MISSING) == "stmpy.MISSING"
    assert not MISSING
    assert pickle.loads(pickle.dumps(MISSING)) is MISSING
    assert type(MISSING)() is MISSING
