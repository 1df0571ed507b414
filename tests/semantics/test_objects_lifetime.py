"""Weak references, collection of cycles and finalisers, and what a transaction keeps alive."""

from __future__ import annotations

import gc
import sys
import weakref

import pytest
from cells import Reverted
from ways import every_way

from stmpy import STMObject, atomic, atomically, compiled


class Node(STMObject):
    def __init__(self, value=None):
        self.value = value


@every_way
def test_weak_references(way):
    def make(base):
        class Thing(base):
            def __init__(self):
                self.x = 1

        return Thing()

    def act(o):
        reference, proxy = weakref.ref(o), weakref.proxy(o)
        proxy.x += 1
        mapping = weakref.WeakKeyDictionary({o: "value"})
        values = weakref.WeakValueDictionary(key=o)
        return (
            reference() is o,
            proxy.x,
            mapping[o],
            values["key"] is o,
            weakref.getweakrefcount(o) >= 3,
            o in weakref.WeakSet([o]),
        )

    way.same(make, act)


def test_a_weak_reference_ends_with_its_object():
    o, gone = Node(), []
    reference = weakref.ref(o, gone.append)
    weakref.finalize(o, gone.append, "finalized")
    del o
    gc.collect()
    assert reference() is None
    assert gone == ["finalized", reference] or gone == [reference, "finalized"]


def test_the_weakref_attribute_shows_whether_there_are_any():
    o = Node()
    assert o.__weakref__ is None
    reference = weakref.ref(o)
    assert o.__weakref__ is reference


@pytest.mark.parametrize("attribute", ["value", "beyond_the_layout"])
def test_a_cycle_through_attributes_is_collected(attribute):
    first, second = Node(), Node()
    setattr(first, attribute, second)
    setattr(second, attribute, [first])
    reference = weakref.ref(first)
    del first, second
    gc.collect()
    assert reference() is None


def test_a_cycle_made_and_dropped_in_a_transaction_is_collected():
    @atomic
    def make():
        first = Node()
        first.value = first
        first.other = {"self": first}
        return weakref.ref(first)

    reference = make()
    gc.collect()
    assert reference() is None


def test_a_cycle_through_the_class_and_its_objects_is_collected():
    def make():
        class Local(STMObject):
            pass

        Local.instance = Local()
        Local.instance.me = Local.instance
        return weakref.ref(Local), weakref.ref(Local.instance)

    references = make()
    gc.collect()
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_a_collection_inside_a_transaction_leaves_what_it_uses():
    node = Node(Node("kept"))

    @atomic
    def change():
        node.value = None
        node.cycle = [node]
        gc.collect()
        raise Reverted

    with pytest.raises(Reverted):
        change()
    assert node.value.value == "kept"


@pytest.mark.parametrize("ends", ["commit", "revert"])
def test_what_a_transaction_has_accessed_lives_until_it_ends(ends):
    alive = []

    class Watched(STMObject):
        def __init__(self):
            self.x = 1

    @atomic
    def make():
        reference = weakref.ref(Watched())
        gc.collect()
        alive.append(reference() is not None)
        if ends == "revert":
            raise Reverted
        return reference

    if ends == "revert":
        with pytest.raises(Reverted):
            make()
    else:
        assert make()() is None
    assert alive == [True]


def test_a_replaced_value_lives_until_the_transaction_ends():
    node = Node(Node("old"))
    reference = weakref.ref(node.value)

    @atomic
    def replace():
        node.value = "new"
        gc.collect()
        return reference() is not None

    assert replace()
    gc.collect()
    assert reference() is None


def test_finalisers_run_once_and_may_use_the_object():
    log = []

    class Closing(STMObject):
        def __init__(self, name):
            self.name = name

        def __del__(self):
            self.closed = True
            log.append((self.name, list(vars(self))))

    Closing("a")
    gc.collect()
    assert log == [("a", ["name", "closed"])]


def test_the_finaliser_of_an_object_in_a_cycle_runs():
    log = []

    class Closing(STMObject):
        def __init__(self):
            self.me = self

        def __del__(self):
            log.append(self.me is self)

    Closing()
    gc.collect()
    assert log == [True]


def test_an_object_can_be_resurrected_by_its_finaliser():
    saved = []

    class Phoenix(STMObject):
        def __init__(self):
            self.x = 1

        def __del__(self):
            saved.append(self)

    Phoenix()
    gc.collect()
    o = saved.pop()
    o.x += 1
    o.y = 3
    atomically(setattr, o, "x", 3)
    assert (o.x, o.y) == (3, 3)
    del o
    gc.collect()
    assert saved == []


@pytest.mark.parametrize("ends", ["commit", "revert"])
def test_the_finaliser_of_an_accessed_object_runs_outside_of_the_transaction(ends):
    counter, seen = Node(0), []

    class Closing(STMObject):
        def __init__(self):
            self.x = 1

        def __del__(self):
            from stmpy import in_transaction

            seen.append(in_transaction())
            counter.value += 1

    @atomic
    def use():
        Closing()
        gc.collect()
        if ends == "revert":
            raise Reverted

    if ends == "revert":
        with pytest.raises(Reverted):
            use()
    else:
        use()
    gc.collect()
    assert seen == [False]
    assert counter.value == 1


@pytest.mark.parametrize("ends", ["commit", "revert"])
def test_the_finaliser_of_an_object_dropped_unaccessed_runs_outside_of_the_transaction(ends):
    counter, seen = Node(0), []

    class Closing(STMObject):
        def __del__(self):
            from stmpy import in_transaction

            seen.append(in_transaction())
            counter.value += 1

    plain = [Closing()]

    @atomic
    def drop():
        plain.clear()
        gc.collect()
        if ends == "revert":
            raise Reverted

    if ends == "revert":
        with pytest.raises(Reverted):
            drop()
    else:
        drop()
    gc.collect()
    assert seen == [False]
    assert counter.value == 1


def test_a_finaliser_that_raises_is_reported_and_nothing_else(capsys):
    unraisable = []

    class Bad(STMObject):
        def __del__(self):
            raise LookupError("in the finaliser")

    hook, sys.unraisablehook = sys.unraisablehook, lambda report: unraisable.append(report.exc_type)
    try:
        Bad()
        atomically(lambda: [Bad()].clear())
        gc.collect()
    finally:
        sys.unraisablehook = hook
    assert unraisable == [LookupError, LookupError]


def test_a_long_chain_of_objects_dies_without_a_deep_stack():
    first = None
    for _ in range(300_000):
        node = Node(first)
        first = node
    del node, first
    first = None
    for _ in range(100_000):
        node = STMObject()
        node.next = first
        first = node
    del node, first


def test_a_long_chain_dropped_by_a_transaction():
    first = None
    for _ in range(100_000):
        first = Node(first)
    holder = Node(first)
    del first

    @atomic
    def drop():
        holder.value = None

    drop()
    assert holder.value is None


def test_the_layouts_of_dropped_classes_go():
    def make(number):
        cls = type("Local", (STMObject,), {"__slots__": ("a",)} if number % 2 else {"b": number})
        o = cls()
        o.a = number
        return o.a

    def payload_types():
        gc.collect()  # the classes
        gc.collect()  # their payloads' types
        return sum(type(each) is type and each.__name__ == "Local" for each in gc.get_objects())

    before = payload_types()
    for number in range(500):
        make(number)
    assert payload_types() == before


def test_values_are_found_by_the_collector_and_by_nothing_else():
    value = Node()
    holder = Node(value)
    holder.beyond = value
    assert holder in gc.get_referrers(value)
    assert gc.get_referents(holder).count(value) == 2
    assert all(
        each is holder or not isinstance(each, dict) or "value" in each for each in gc.get_referrers(value)
    )
    assert gc.is_tracked(holder)


def test_the_size_of_an_object_counts_its_values_places():
    small, large = STMObject(), STMObject()
    for number in range(100):
        setattr(large, f"a{number}", number)
    assert sys.getsizeof(large) > sys.getsizeof(small) + 100 * 16 > 0
    assert sys.getsizeof(Node()) > 0


@compiled
def touch(o):
    return o.value


def test_reading_in_transactions_keeps_no_references():
    o = Node(object())
    before = sys.getrefcount(o), sys.getrefcount(o.value)
    for _ in range(100):
        atomically(touch, o)
    assert (sys.getrefcount(o), sys.getrefcount(o.value)) == before
