"""What code changes under the hands of an access: the value is the one that Python would use."""

from __future__ import annotations

import pytest
from ways import every_way

from stmpy import STMObject, compiled
from stmpy._barriers import open_write

pytestmark = every_way


def counter(base):
    class Counter(base):
        def __init__(self):
            self.n = 1

    return Counter()


def test_the_right_side_deletes_the_attribute(way):
    @compiled
    def act(o):
        def right():
            del o.n
            return 10

        o.n += right()
        return o.n, list(vars(o))

    way.same(counter, act)


def test_the_right_side_deletes_the_attribute_and_the_class_has_a_default(way):
    def make(base):
        class Counter(base):
            n = 100

            def __init__(self):
                self.n = 1

        return Counter()

    @compiled
    def act(o):
        def right():
            del o.n
            return o.n

        o.n += right()
        total = o.n
        del o.n
        return total, o.n

    way.same(make, act)


def test_the_right_side_deletes_the_attribute_and_getattr_answers(way):
    def make(base):
        class Counter(base):
            def __init__(self):
                self.n = 1

            def __getattr__(self, name):
                return 1000

        return Counter()

    @compiled
    def act(o):
        def right():
            del o.n
            return o.n

        o.n += right()
        total = o.n
        del o.n
        o.n += 1
        return total, o.n

    way.same(make, act)


def test_the_right_side_stores_the_attribute(way):
    @compiled
    def act(o):
        def right():
            o.n = 50
            return 5

        o.n += right()
        return o.n

    way.same(counter, act)


def test_the_right_side_changes_the_class(way):
    def make(base):
        class Other(base):
            @property
            def n(self):
                return self.kept

            @n.setter
            def n(self, value):
                self.kept = value * 2

        class Counter(base):
            other = Other

            def __init__(self):
                self.n = 1

        return Counter()

    @compiled
    def act(o):
        def right():
            o.__class__ = o.other
            return 10

        o.n += right()
        return o.n, o.kept, type(o).__name__

    way.same(make, act)


def test_the_class_gains_a_property_during_the_right_side(way):
    def make(base):
        class Counter(base):
            def __init__(self):
                self.n = 1

        return Counter()

    @compiled
    def act(o):
        def right():
            type(o).n = property(lambda self: self.kept, lambda self, value: setattr(self, "kept", value * 3))
            return 10

        o.n += right()
        result = o.n, o.kept
        del type(o).n
        return result, o.n

    way.same(make, act)


def test_the_right_side_replaces_the_instance_dict(way):
    @compiled
    def act(o):
        def right():
            o.__dict__ = {"m": 7}
            return 10

        o.n += right()
        return list(vars(o).items())

    way.same(counter, act)


def test_the_operator_itself_deletes_the_attribute(way):
    class Eraser(int):
        def __iadd__(self, other):
            del other.n
            return 5

    def make(base):
        class Counter(base):
            def __init__(self):
                self.n = Eraser(1)

        return Counter()

    @compiled
    def act(o):
        o.n += o
        return o.n

    way.same(make, act)


def test_the_operator_raises(way):
    @compiled
    def act(o):
        o.n += "text"

    way.same(counter, act, raises=TypeError)


def test_a_class_changes_between_two_accesses(way):
    @compiled
    def act(o):
        first = o.n
        type(o).n = property(lambda self: "property")
        second = o.n
        del type(o).n
        third = o.n
        type(o).__getattr__ = lambda self, name: "made"
        del o.n
        fourth = o.n
        del type(o).__getattr__
        return first, second, third, fourth

    way.same(counter, act)


def test_a_class_gains_overrides_between_two_accesses(way):
    @compiled
    def act(o):
        cls = type(o)
        cls.__setattr__ = lambda self, name, value: object.__setattr__(self, name, value * 2)
        o.n = 5
        first = o.n
        cls.__getattribute__ = lambda self, name: (
            object.__getattribute__(self, name) if name != "n" else "hidden"
        )
        second = o.n
        del cls.__setattr__, cls.__getattribute__
        o.n = 6
        return first, second, o.n

    way.same(counter, act)


def test_the_bases_change_between_two_accesses(way):
    def make(base):
        class First(base):
            pass

        class Second(First):
            @property
            def n(self):
                return "of the second"

        class Counter(First):
            second = Second

            def __init__(self):
                self.n = 1

        return Counter()

    @compiled
    def act(o):
        first = o.n
        bases = type(o).__bases__
        type(o).__bases__ = (o.second,)
        second = o.n
        type(o).__bases__ = bases
        return first, second, o.n

    way.same(make, act)


def test_what_compiled_code_opens_goes_by_the_name_of_the_class(way):
    o = counter(STMObject)

    def opened(o):
        with pytest.raises(TypeError, match="'Counter' object is not callable"):
            open_write(o, "n")()
        return type(open_write(o, "n")).__name__, type(open_write(o, "n")).__module__ == __name__

    assert way.run(opened, o) == ("returned", ("tuple", ["Counter", True]))
