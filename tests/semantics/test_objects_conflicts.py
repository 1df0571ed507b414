"""Which accesses of one object conflict: each attribute alone, absent ones together."""

from __future__ import annotations

import threading

import pytest
from stage import someone_waits

from stmpy import STMObject, atomic, revert_log, stats


class Pair(STMObject):
    kind = "pair"

    def __init__(self, left=0, right=0):
        self.left, self.right = left, right

    def method(self):
        return "of the class"


def conflict_detector():
    """Tells whether a transaction waits or was aborted by a conflict since."""
    before = stats().aborted_by_conflict
    return lambda: stats().aborted_by_conflict > before or someone_waits()


def conflicts(stage, first, second):
    """Whether `second` has to wait for a transaction that has done `first`."""
    between = stage.pause()

    @atomic
    def hold():
        first()
        between.here()

    @atomic
    def other():
        second()

    holder = stage.start(hold)
    between.reached()
    someone_waits = conflict_detector()
    started = stage.start(other)
    stage.until(lambda: not started.is_running() or someone_waits())
    waited = started.is_running()
    between.resume()
    started.result(), holder.result()
    return waited


def test_two_attributes_of_one_object_do_not_conflict(stage):
    pair = Pair()
    assert not conflicts(stage, lambda: setattr(pair, "left", 1), lambda: setattr(pair, "right", 2))
    assert (pair.left, pair.right) == (1, 2)


def test_one_attribute_written_twice_conflicts(stage):
    pair = Pair()
    assert conflicts(stage, lambda: setattr(pair, "left", 1), lambda: setattr(pair, "left", 2))


def test_reads_do_not_conflict(stage):
    pair = Pair()
    assert not conflicts(
        stage, lambda: pair.left, lambda: (pair.left, vars(pair), pair.method(), hasattr(pair, "no"))
    )


def test_a_class_default_that_was_read_conflicts_with_its_shadowing(stage):
    pair = Pair()
    assert conflicts(stage, lambda: pair.kind, lambda: setattr(pair, "kind", "own"))


def test_a_method_that_was_called_conflicts_with_its_shadowing(stage):
    pair = Pair()
    assert conflicts(stage, lambda: pair.method(), lambda: setattr(pair, "method", lambda: "own"))
    assert pair.method() == "own"


def test_a_shadowed_method_that_was_called_conflicts_with_its_removal(stage):
    pair = Pair()
    pair.method = lambda: "own"
    assert conflicts(stage, lambda: pair.method(), lambda: delattr(pair, "method"))


def test_an_absent_attribute_that_was_looked_for_conflicts_with_its_coming(stage):
    pair = Pair()
    assert conflicts(stage, lambda: hasattr(pair, "later"), lambda: setattr(pair, "later", 1))


def test_absent_attributes_share_one_record(stage):
    pair = Pair()
    assert conflicts(stage, lambda: hasattr(pair, "later"), lambda: setattr(pair, "another", 1))


def test_the_names_that_were_listed_conflict_with_a_new_one(stage):
    pair = Pair()
    assert conflicts(stage, lambda: list(pair.__dict__), lambda: setattr(pair, "later", 1))
    assert conflicts(stage, lambda: dir(pair), lambda: delattr(pair, "later"))


def test_a_class_that_was_asked_for_conflicts_with_its_change(stage):
    class Other(STMObject):
        pass

    pair = Pair()
    assert conflicts(stage, lambda: pair.__class__, lambda: setattr(pair, "__class__", Other))


def test_object_setattr_is_registered_as_any_write(stage):
    pair = Pair()
    assert conflicts(
        stage, lambda: object.__setattr__(pair, "left", 1), lambda: object.__getattribute__(pair, "left")
    )


def test_a_slot_is_registered_through_its_descriptor(stage):
    class Slotted(STMObject):
        __slots__ = ("x",)

    o = Slotted()
    assert conflicts(stage, lambda: Slotted.x.__set__(o, 1), lambda: o.x)


def test_a_missing_attribute_leaves_a_record_that_another_transaction_respects(stage):
    pair, between = Pair(), stage.pause()

    @atomic
    def twice():
        first = hasattr(pair, "later")
        between.here()
        return first, hasattr(pair, "later")

    reader = stage.start(twice)
    between.reached()
    someone_waits = conflict_detector()
    writer = stage.start(atomic(lambda: setattr(pair, "later", 1)))
    stage.until(someone_waits)
    between.resume()
    assert reader.result() == (False, False)
    writer.result()
    assert pair.later == 1


def test_the_order_of_attributes_is_reverted_with_them():
    pair = Pair()

    @atomic
    def shuffle():
        del pair.left
        pair.new = 1
        pair.left = 2
        assert list(vars(pair)) == ["right", "new", "left"]
        raise LookupError

    for _ in range(3):
        with pytest.raises(LookupError):
            shuffle()
        assert list(vars(pair)) == ["left", "right"]
    pair.new = 1
    del pair.left
    pair.left = 2
    assert list(vars(pair)) == ["right", "new", "left"]


def test_the_revert_log_has_no_entries_for_the_order():
    pair = Pair()

    @atomic
    def change():
        del pair.left
        pair.new = 1
        pair.left = 2
        pair.__class__ = type("Other", (Pair,), {})
        return [(name, repr(old)) for o, name, old in revert_log()]

    assert change() == [("left", "0"), ("new", "stmpy.MISSING"), ("__class__", repr(Pair))]


def test_another_thread_sees_neither_the_attribute_nor_the_order_before_the_commit(stage):
    pair, between = Pair(), stage.pause()

    @atomic
    def change():
        del pair.left
        pair.beyond = 1
        pair.left = 2
        between.here()

    changer = stage.start(change)
    between.reached()
    assert list(vars(pair).items()) == [("left", 0), ("right", 0)]
    assert not hasattr(pair, "beyond")
    between.resume()
    changer.result()
    assert list(vars(pair).items()) == [("right", 0), ("beyond", 1), ("left", 2)]


@pytest.mark.parametrize("in_transactions", [False, True])
def test_two_threads_write_two_attributes_of_one_object(in_transactions):
    pair, rounds = Pair(), 2000
    start = threading.Barrier(2)

    def count(name):
        start.wait()
        for _ in range(rounds):
            setattr(pair, name, getattr(pair, name) + 1)

    work = atomic(lambda name: setattr(pair, name, getattr(pair, name) + 1))

    def count_atomically(name):
        start.wait()
        for _ in range(rounds):
            work(name)

    target = count_atomically if in_transactions else count
    threads = [threading.Thread(target=target, args=(name,)) for name in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (pair.left, pair.right) == (rounds, rounds)


def test_many_threads_add_attributes_to_one_object():
    pair, start = Pair(), threading.Barrier(4)

    def add(number):
        start.wait()
        for turn in range(100):
            setattr(pair, f"a{number}_{turn}", turn)
            if turn % 3 == 0:
                delattr(pair, f"a{number}_{turn}")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = list(vars(pair))
    assert len(names) == 2 + 4 * 66
    for number in range(4):
        mine = [name for name in names if name.startswith(f"a{number}_")]
        assert mine == [f"a{number}_{turn}" for turn in range(100) if turn % 3]
