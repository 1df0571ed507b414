"""A function that holds what it has opened does what Python does, whatever other code does to the object."""

from __future__ import annotations

import gc
import weakref

import pytest
from ways import Plain, Undone, outcome

from stmpy import STMObject, atomic, compiled
from stmpy._barriers import open_write


def counter(base):
    class Other(base):
        def __init__(self):
            self.n = 1

    class First(base):
        pass

    class Second(First):
        n = property(lambda self: 7, lambda self, value: None)

    class Counter(First):
        other, first, second = Other, First, Second

        def __init__(self):
            self.n = 1

    return Counter()


def counter_with_default(base):
    o = counter(base)
    type(o).n = 100
    return o


def counter_with_getattr(base):
    o = counter(base)
    type(o).__getattr__ = lambda self, name: 1000 if name == "n" else object.__getattribute__(self, name)
    return o


def delete(o):
    del o.n


def delete_from_the_dict(o):
    vars(o).pop("n")


def replace_the_dict(o):
    o.__dict__ = {"m": 1}


def delete_and_store(o):
    del o.n
    o.n = 50


def assign_the_class(o):
    o.__class__ = o.other
    type(o).n = property(lambda self: 7, lambda self, value: None)


def give_the_class_a_property(o):
    type(o).n = property(lambda self: 7, lambda self, value: setattr(self, "m", value))


def change_the_bases(o):
    type(o).__bases__ = (o.second,)


def give_a_base_a_property(o):
    o.first.n = property(lambda self: 7, lambda self, value: None)


def override_setattr(o):
    type(o).__setattr__ = lambda self, name, value: object.__setattr__(self, name, value + 10)


def override_getattribute(o):
    def get(self, name):
        value = object.__getattribute__(self, name)
        return value + 10 if name == "n" else value

    type(o).__getattribute__ = get


def call_type_setattr(o):
    type.__setattr__(type(o), "n", property(lambda self: 7, lambda self, value: None))


def change_the_class_twice(o):
    give_the_class_a_property(o)
    type.__delattr__(type(o), "n")


def change_the_class_otherwise(o):
    type(o).unrelated = 1


DISTURBANCES = [
    delete,
    delete_from_the_dict,
    replace_the_dict,
    delete_and_store,
    assign_the_class,
    give_the_class_a_property,
    change_the_bases,
    give_a_base_a_property,
    override_setattr,
    override_getattribute,
    call_type_setattr,
    change_the_class_twice,
    change_the_class_otherwise,
]


@compiled
def read(o, disturb):
    seen = []
    for turn in range(12):
        seen.append((o.n, o.n, o.n))
        if turn == 6:
            disturb(o)
    return seen


@compiled
def write(o, disturb):
    seen = []
    for turn in range(12):
        o.n = turn
        seen.append(o.n)
        if turn == 6:
            disturb(o)
        seen.append((o.n, vars(o).get("m")))
    return seen


@compiled
def update(o, disturb):
    seen = []
    for turn in range(12):
        o.n += turn
        if turn == 6:
            disturb(o)
        seen.append(o.n)
    return seen


@compiled
def in_the_right_side(o, disturb):
    def right(turn):
        if turn == 6:
            disturb(o)
        return turn

    seen = []
    for turn in range(12):
        o.n += right(turn)
        seen.append(o.n)
    return seen


@pytest.mark.parametrize("act", [read, write, update, in_the_right_side])
@pytest.mark.parametrize("make", [counter, counter_with_default, counter_with_getattr])
@pytest.mark.parametrize("disturb", DISTURBANCES)
def test_what_other_code_does_to_the_object_is_seen(act, make, disturb):
    expected = outcome(lambda o: act(o, disturb), make(Plain))
    assert outcome(lambda o: act(o, disturb), make(STMObject)) == expected
    assert outcome(atomic(lambda o: act(o, disturb)), make(STMObject)) == expected


@pytest.mark.parametrize("disturb", DISTURBANCES)
def test_an_object_is_as_it_was_after_the_disturbance_is_over(disturb):
    o = counter(STMObject)

    @atomic
    def attempt(o):
        update(o, disturb)
        raise Undone

    with pytest.raises((Undone, AttributeError)):
        attempt(o)
    for cls in (o.first, type(o)):
        for name in {"n", "__setattr__", "__getattribute__"} & set(vars(cls)):
            delattr(cls, name)
    type(o).__bases__ = (o.first,)
    assert vars(o) == {"n": 1}
    assert atomic(update)(o, lambda o: None)[-1] == 1 + sum(range(12))


def test_an_error_names_the_object_and_its_class():
    o = counter(STMObject)
    with pytest.raises(AttributeError, match="'Counter' object has no attribute 'n'") as caught:
        atomic(update)(o, delete)
    assert caught.value.obj is o
    assert caught.value.name == "n"


def test_a_write_through_what_is_held_is_reverted_with_its_part():
    o = counter(STMObject)

    @atomic
    def inner(o):
        for _ in range(3):
            o.n += 10
        raise Undone

    @atomic
    def outer(o):
        seen = []
        for _ in range(3):
            o.n += 1
            try:
                inner(o)
            except Undone:
                pass
            seen.append(o.n)
        return seen

    assert outer(o) == [2, 3, 4]


def test_a_nested_call_that_reverts_between_writes_of_a_loop():
    o = counter(STMObject)

    @atomic
    def inner(o):
        o.n += 10
        del o.n
        raise Undone

    def call_inner(o):
        with pytest.raises(Undone):
            inner(o)

    @atomic
    def outer(o):
        seen = []
        for _ in range(3):
            o.n += 1
            call_inner(o)
            seen.append(o.n)
        raise Undone(seen)

    with pytest.raises(Undone) as caught:
        outer(o)
    assert caught.value.args == ([2, 3, 4],)
    assert o.n == 1


def test_a_loop_that_reads_only_cannot_write_through_what_it_holds():
    o = counter(STMObject)

    @atomic
    def act(o):
        for turn in range(3):
            if o.n + o.n + o.n > 100:
                o.n = turn
        raise Undone

    o.n = 1000
    with pytest.raises(Undone):
        act(o)
    assert o.n == 1000


def test_nothing_held_keeps_an_object_alive():
    class Thing:
        def __init__(self):
            self.n = 1

    @compiled
    def act(make):
        alive = []
        for _ in range(3):
            o = make()
            for _ in range(2):
                o.n += 1
            known = weakref.ref(o)
            o = None
            gc.collect()
            alive.append(known() is not None)
        for o in [make(), make()]:
            for _ in range(2):
                o.n += 1
        return alive

    assert act(Thing) == [False, False, False]


@pytest.mark.parametrize("disturb", [lambda o: None, delete])
def test_a_payload_that_outlives_its_object_is_empty(disturb):
    o = counter(STMObject)
    held = []

    @atomic
    def act(o):
        held.append(open_write(o, "n"))
        disturb(o)

    act(o)
    del o
    gc.collect()
    with pytest.raises(AttributeError):
        held[0].n
    with pytest.raises(AttributeError):
        held[0].unknown
    held.clear()


def test_another_thread_uses_another_attribute_meanwhile(stage):
    class Pair(STMObject):
        def __init__(self):
            self.a = self.b = 0

    o, turns = Pair(), 20_000

    @atomic
    def count_a(o):
        for _ in range(turns):
            o.a += 1

    @atomic
    def come_and_go(o):
        for _ in range(100):
            o.b += 1
        del o.b
        o.b = 0

    one = stage.start(count_a, o)
    while one.is_running():
        come_and_go(o)
    one.result()
    assert o.a == turns


def test_variables_of_ours_have_names_that_no_source_has(tier):
    code = update.__code__
    ours = [name for name in code.co_varnames if not name.isidentifier()]
    assert bool(ours) == (tier == "compiled")
    assert not any(name.startswith("_stm") for name in code.co_varnames)
    assert all(name.startswith(".") for name in ours)
