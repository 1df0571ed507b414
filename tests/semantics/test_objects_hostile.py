"""Code that re-enters, lies and changes what is being looked at gets an error or an answer, never a crash."""

from __future__ import annotations

import gc

import pytest

from stmpy import STMObject, atomic, atomically, compiled


class Thing(STMObject):
    def __init__(self):
        self.x = 1


class OddName(str):
    """Equal to nothing, or to everything, and it says so loudly."""

    def __eq__(self, other):
        raise AssertionError("a name was compared")

    def __hash__(self):
        raise AssertionError("a name was hashed")

    def __str__(self):
        raise AssertionError("a name was converted")


def test_names_of_a_string_subclass_are_taken_by_their_characters():
    o = Thing()
    setattr(o, OddName("x"), 2)
    object.__setattr__(o, OddName("y"), 3)
    atomically(setattr, o, OddName("z"), 4)
    assert (o.x, o.y, o.z) == (2, 3, 4)
    delattr(o, OddName("z"))
    assert all(type(name) is str for name in vars(o))
    vars(o)[OddName("w")] = 5
    assert o.w == 5
    o.__dict__ = {"p": 1}
    assert list(vars(o)) == ["p"]


def test_a_descriptor_re_enters_its_object():
    class Nosy:
        def __get__(self, o, owner=None):
            o.x += 1
            o.later = o.x
            del o.later
            return o.__dict__

        def __set__(self, o, value):
            o.__dict__ = {"x": value}
            o.__class__ = type(o)

    class Host(Thing):
        nosy = Nosy()

    o = Host()

    @atomic
    def act():
        o.nosy = 5
        return o.nosy["x"], o.nosy["x"]

    assert act() == (6, 7)


def test_equality_and_hash_re_enter_transactions():
    class Key(STMObject):
        def __init__(self, n):
            self.n, self.asked = n, 0

        @atomic
        def __eq__(self, other):
            self.asked += 1
            return self.n == other.n

        @atomic
        def __hash__(self):
            self.asked += 1
            return 1

    keys = [Key(n) for n in range(20)]

    @atomic
    def act():
        return len({key: key.n for key in keys + [Key(3)]})

    assert act() == 20


def test_a_finaliser_that_writes_what_is_being_replaced():
    holder = Thing()

    class Stubborn:
        def __init__(self, left):
            self.left = left

        def __del__(self):
            if self.left:
                holder.x = Stubborn(self.left - 1)
                holder.__dict__.pop("y", None)
                holder.y = self.left

    def act():
        for _ in range(10):
            holder.x = Stubborn(5)
            holder.y = Stubborn(5)
            holder.x = None

    act()
    atomically(act)
    with pytest.raises(LookupError):
        atomically(lambda: (act(), [][0]))
    holder.x = holder.y = None
    del holder.x
    gc.collect()


def test_a_finaliser_that_deletes_the_attribute_it_is_replaced_in():
    holder = Thing()

    class Deleting:
        def __del__(self):
            vars(holder).clear()

    for _ in range(20):
        holder.x = Deleting()
        holder.x = 1
        holder.x = Deleting()
        atomically(setattr, holder, "x", 2)
    gc.collect()


def test_an_operand_that_destroys_the_object():
    box = []

    class Bomb:
        def __radd__(self, left):
            vars(box[0]).clear()
            box.clear()
            gc.collect()
            return left

        __add__ = __radd__

    @compiled
    def act(o, bomb):
        o.x += bomb
        return o.x

    for run in act, atomic(act):
        box.append(Thing())
        run(box[0], Bomb())


def test_attributes_are_deleted_while_they_are_listed():
    o = Thing()
    for number in range(50):
        setattr(o, f"a{number}", number)
    for number, name in enumerate(vars(o)):
        delattr(o, name)
        setattr(o, f"b{number}", number)
    for _, value in vars(o).items():
        vars(o).clear()
        assert value is not None
        break
    assert vars(o) == {}


def test_getattribute_that_recurses_ends_in_a_recursion_error():
    class Deep(STMObject):
        def __getattribute__(self, name):
            return getattr(self, name)

        def __setattr__(self, name, value):
            setattr(self, name, value)

    with pytest.raises(RecursionError):
        _ = Deep().x
    with pytest.raises(RecursionError):
        atomically(setattr, Deep(), "x", 1)


def test_runtime_helpers_check_their_arguments():
    from stmpy import _runtime

    for call in (
        lambda: _runtime.instance_get(1, "x", None),
        lambda: _runtime.instance_set(object(), "x", 1),
        lambda: _runtime.instance_set(Thing(), 3, 1),
        lambda: _runtime.instance_delete(None, "x"),
        lambda: _runtime.instance_names("x"),
        lambda: _runtime.instance_get(Thing()),
        lambda: _runtime.load_write(1),
        lambda: _runtime.load_write(Thing(), 1),
        lambda: _runtime.iadd(Thing(), 1, 1),
    ):
        with pytest.raises(TypeError):
            call()
