"""Classes that lie about themselves, and objects that were made in odd ways."""

from __future__ import annotations

import sys

import pytest

from stmpy import STMObject, atomically


def test_an_annotation_that_fails_costs_nothing_but_the_place():
    source = "class Bad(STMObject):\n    x: undefined_name = 1\n"
    namespace = {"STMObject": STMObject}
    code = "from __future__ import annotations\n" + source if sys.version_info < (3, 14) else source
    exec(code, namespace)
    o = namespace["Bad"]()
    o.x += 1
    assert o.x == 2


def test_a_namespace_full_of_lies():
    class Liar:
        def __getattr__(self, name):
            raise LookupError(name)

        __class__ = property(lambda self: 1 / 0)

    for namespace in (
        {"__static_attributes__": 3},
        {"__static_attributes__": (1, None, "x", "not an identifier", "__dict__", "__class__")},
        {"__annotations__": {1: int, "x": int}},
        {"__dataclass_fields__": {3: None, "x": None}},
        {"__attrs_attrs__": (1, 2)},
        {"__slots__": iter(("p", "q"))},
        {"__slots__": {"p": "documented"}},
        {"liar": Liar()},
        {"member": slice.start, "getset": type.__dict__["__name__"]},
    ):
        try:
            o = type("Lying", (STMObject,), dict(namespace))()
        except (TypeError, AttributeError, LookupError) as error:
            pytest.fail(f"{namespace}: {error!r}")
        for name in "p", "x":
            try:
                setattr(o, name, 1)
            except AttributeError:
                continue
            assert getattr(o, name) == 1
    assert slice(3).stop == 3 and slice.start.__get__(slice(1, 2)) == 1


def test_an_object_half_made():
    class Odd(STMObject):
        def __new__(cls):
            made = super().__new__(cls)
            made.x = 1
            return [made]

    assert Odd()[0].x == 1
    o = STMObject.__new__(Odd)
    assert vars(o) == {}
    with pytest.raises(TypeError):
        STMObject.__new__(int)
    with pytest.raises(TypeError):
        STMObject.__new__()
    with pytest.raises(TypeError):
        STMObject.__setattr__(object(), "x", 1)
    with pytest.raises(TypeError):
        STMObject.__dict__["__dict__"].__get__(object())
    with pytest.raises(TypeError):
        STMObject.__dict__["__class__"].__set__(object(), STMObject)


def test_slot_descriptors_refuse_objects_of_others():
    class First(STMObject):
        __slots__ = ("x",)

    class Second(STMObject):
        __slots__ = ("x",)

    o = First()
    Second()
    with pytest.raises(TypeError):
        Second.x.__get__(o)
    with pytest.raises(TypeError):
        Second.x.__set__(o, 1)
    with pytest.raises(TypeError):
        First.x.__get__(1)
    with pytest.raises(TypeError):
        type(First.x)()
    with pytest.raises(TypeError):
        type(First.x)(First, 1)


def test_a_slot_descriptor_taken_to_another_class():
    class First(STMObject):
        __slots__ = ("x",)

    First()

    class Second(STMObject):
        y = First.x
        x = First.x

    o = Second()
    for name in "x", "y":
        with pytest.raises(TypeError):
            setattr(o, name, 1)
        with pytest.raises(TypeError):
            getattr(o, name)
    assert vars(o) == {}


@pytest.mark.parametrize("early", [False, True])
def test_a_slot_descriptor_of_another_name_is_an_alias(early):
    class First(STMObject):
        __slots__ = ("x",)

    if not early:
        First()

    class Second(First):
        __slots__ = ()
        alias = First.x

    o = Second()
    o.alias = 1
    assert (o.x, o.alias) == (1, 1)
    atomically(setattr, o, "x", 2)
    assert o.alias == 2
    del o.alias
    assert not hasattr(o, "x")


def test_a_class_without_slots_descriptors_left():
    class Slotted(STMObject):
        __slots__ = ("x",)

    o = Slotted()
    o.x = 1
    del Slotted.x
    with pytest.raises(AttributeError):
        o.y = 1
    Slotted.x = "class"
    assert o.x in (1, "class")
