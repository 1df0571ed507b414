"""`obj.__class__ = Other` works between compatible classes and is reverted with the transaction."""

from __future__ import annotations

from typing import TypeVar

from ways import every_way

from stmpy import STMObject, compiled

pytestmark = every_way
T = TypeVar("T")


def test_class_assignment(way):
    def make(base):
        class Egg(base):
            def __init__(self):
                self.age = 0

            def sound(self):
                return "..."

        class Bird(base):
            def sound(self):
                return "tweet"

        class Stone(base):
            __slots__ = ("weight",)

        o = Egg()
        o.classes = {"Bird": Bird, "Stone": Stone}
        return o

    @compiled
    def act(o):
        before = o.sound()
        o.__class__ = o.classes["Bird"]
        o.age += 1
        return before, o.sound(), o.__class__.__name__, type(o).__name__, isinstance(o, o.classes["Bird"])

    @compiled
    def incompatible(o):
        o.__class__ = o.classes["Stone"]

    @compiled
    def unrelated(o):
        o.__class__ = int

    @compiled
    def no_class(o):
        o.__class__ = "Bird"

    @compiled
    def delete(o):
        del o.__class__

    way.same(make, act)
    way.same(make, incompatible, raises=TypeError)
    way.same(make, delete, raises=TypeError)
    for refused in unrelated, no_class:
        assert way.run(refused, make(STMObject))[:2] == ("raised", "TypeError")


def test_class_assignment_between_classes_with_the_same_slots(way):
    def make(base):
        class First(base):
            __slots__ = ("x", "y")

        class Second(base):
            __slots__ = ("x", "y")
            other = First

        o = Second()
        o.x = 1
        return o

    @compiled
    def act(o):
        o.__class__ = o.other
        o.x += 1
        o.y = o.x
        return o.x, o.y

    way.same(make, act)
