"""Properties, slots and other descriptors work on an STMObject as on any object."""

from __future__ import annotations

import functools

from ways import every_way, thing

from stmpy import compiled

pytestmark = every_way


def test_properties(way):
    def make(base):
        class Celsius(base):
            def __init__(self):
                self._degrees = 10

            @property
            def degrees(self):
                return self._degrees

            @degrees.setter
            def degrees(self, value):
                if value < -273:
                    raise ValueError("too cold")
                self._degrees = value

            @degrees.deleter
            def degrees(self):
                del self._degrees

        return Celsius()

    @compiled
    def act(o):
        o.degrees += 5
        o.degrees = o.degrees * 2
        return o.degrees

    @compiled
    def fail(o):
        o.degrees = 1
        o.degrees = -300

    @compiled
    def remove(o):
        del o.degrees
        return o.degrees

    way.same(make, act)
    way.same(make, fail, raises=ValueError)
    way.same(make, remove, raises=AttributeError)


def test_a_property_without_setter_refuses(way):
    def make(base):
        class Fixed(base):
            @property
            def value(self):
                return 1

        return Fixed()

    @compiled
    def store(o):
        o.value = 2

    @compiled
    def delete(o):
        del o.value

    way.same(make, store, raises=AttributeError)
    way.same(make, delete, raises=AttributeError)


def test_a_property_outweighs_an_entry_of_the_instance_dict(way):
    def make(base):
        class Thing(base):
            @property
            def value(self):
                return "property"

        return Thing()

    def act(o):
        o.__dict__["value"] = "entry"
        return o.value, o.__dict__["value"]

    way.same(make, act)


def test_cached_property_computes_once(way):
    def make(base):
        class Circle(base):
            def __init__(self):
                self.radius, self.computed = 2, 0

            @functools.cached_property
            def area(self):
                self.computed += 1
                return self.radius**2

        return Circle()

    @compiled
    def act(o):
        first = o.area, o.area
        o.radius = 3
        second = o.area
        del o.area
        return first, second, o.area, o.computed

    way.same(make, act)


def test_descriptor_fields(way):
    def make(base):
        class Positive:
            def __set_name__(self, owner, name):
                self.name = "_" + name

            def __get__(self, o, owner=None):
                return self if o is None else getattr(o, self.name)

            def __set__(self, o, value):
                if value <= 0:
                    raise ValueError(f"{self.name} must be positive")
                setattr(o, self.name, value)

            def __delete__(self, o):
                delattr(o, self.name)

        class Box(base):
            width = Positive()
            height = Positive()

            def __init__(self):
                self.width, self.height = 1, 2

        return Box()

    @compiled
    def act(o):
        o.width += o.height
        o.height = 7
        del o.width
        return o.height, hasattr(o, "width")

    @compiled
    def fail(o):
        o.width = 5
        o.height -= 2

    way.same(make, act)
    way.same(make, fail, raises=ValueError)


def test_a_descriptor_without_set_gives_way_to_the_object(way):
    def make(base):
        class Lazy:
            def __get__(self, o, owner=None):
                return "computed"

        class Thing(base):
            value = Lazy()

        return Thing()

    @compiled
    def act(o):
        first = o.value
        o.value = "own"
        second = o.value
        del o.value
        return first, second, o.value

    way.same(make, act)


def test_a_method_can_be_shadowed_by_the_object(way):
    @compiled
    def act(o):
        first = o.method()
        o.method = lambda: "own"
        second = o.method()
        del o.method
        return first, second, o.method()

    way.same(thing, act)


def test_slots(way):
    def make(base):
        class Point(base):
            __slots__ = ("x", "y", "__hidden")

            def __init__(self):
                self.x, self.__hidden = 1, "h"

            def hidden(self):
                return self.__hidden

        return Point()

    @compiled
    def act(o):
        o.x += 1
        o.y = o.x
        del o.x
        return o.hidden(), hasattr(o, "x"), o.y, hasattr(o, "__dict__")

    @compiled
    def unset(o):
        return o.y

    @compiled
    def delete(o):
        del o.y

    @compiled
    def store(o):
        o.z = 1

    @compiled
    def drop(o):
        del o.z

    way.same(make, act)
    way.same(make, unset, raises=AttributeError)
    way.same(make, delete, raises=AttributeError)
    way.same(make, store, raises=AttributeError)
    way.same(make, drop, raises=AttributeError)
    way.same(make, lambda o: vars(o), raises=TypeError)


def test_a_class_attribute_is_read_only_on_an_object_with_slots_alone(way):
    def make(base):
        class Thing(base):
            __slots__ = ("x",)
            constant = 1

        return Thing()

    @compiled
    def store(o):
        o.constant = 2

    @compiled
    def delete(o):
        del o.constant

    way.same(make, store, raises=AttributeError)
    way.same(make, delete, raises=AttributeError)


def test_slots_beside_an_instance_dict(way):
    def make(base):
        class Slotted(base):
            __slots__ = ("x",)

        class Open(Slotted):
            def __init__(self):
                self.x, self.y = 1, 2

        return Open()

    @compiled
    def act(o):
        o.x += 1
        o.z = 3
        shown = list(vars(o).items()), "x" in vars(o), vars(o).get("x")
        o.__dict__ = {"w": 0}
        return shown, o.x, vars(o) == {"w": 0}

    way.same(make, act)


def test_a_slot_descriptor_reads_and_writes(way):
    def make(base):
        class Point(base):
            __slots__ = ("x",)

        o = Point()
        o.x = 1
        return o

    def act(o):
        descriptor = type(o).x
        descriptor.__set__(o, descriptor.__get__(o) + 1)
        described = descriptor.__name__, descriptor.__objclass__ is type(o), descriptor.__qualname__[-7:]
        return o.x, type(o).x is descriptor, described

    way.same(make, act)
