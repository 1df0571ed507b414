"""What the standard library and the language do with objects works with STMObjects."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TypeVar
from unittest import mock

import pytest
from ways import every_way

from stmpy import STMObject, compiled

pytestmark = every_way
T = TypeVar("T")


def test_signatures_are_those_of_the_class(way):
    def make(base):
        class Thing(base):
            def __init__(self, x, *, y=2):
                self.x = x

        return Thing(1)

    way.same(make, lambda o: str(inspect.signature(type(o))))


def test_singledispatch(way):
    def make(base):
        class Shape(base):
            pass

        class Circle(Shape):
            def __init__(self):
                self.radius = 1

        @functools.singledispatch
        def describe(o):
            return "something"

        @describe.register(Shape)
        def _(o):
            return "a shape"

        o = Circle()
        o.describe = describe
        return o

    way.same(make, lambda o: (o.describe(o), o.describe(1)))


def test_singledispatchmethod_and_partialmethod(way):
    def make(base):
        class Thing(base):
            def __init__(self):
                self.log = []

            @functools.singledispatchmethod
            def add(self, value):
                self.log = [*self.log, value]

            @add.register(str)
            def _(self, value):
                self.log = [*self.log, value.upper()]

            add_one = functools.partialmethod(add, 1)

        return Thing()

    def act(o):
        o.add(2)
        o.add("text")
        o.add_one()
        return o.log

    way.same(make, act)


def test_match_class_patterns(way):
    def make(base):
        @dataclass
        class Move(base):
            x: int
            y: int

        class Quit(base):
            __match_args__ = ("code",)

            def __init__(self):
                self.code = 3

        o = Move(0, 5)
        o.others = [Quit(), Move(1, 1)]
        return o

    @compiled
    def act(o):
        Move, Quit = type(o), type(o.others[0])
        seen = []
        for each in [o, *o.others]:
            match each:
                case Move(0, y=height):
                    seen.append(height)
                case Quit(code):
                    seen.append(code)
                case _:
                    seen.append("other")
        return seen

    way.same(make, act)


def test_mock_patch_object(way):
    def make(base):
        class Service(base):
            retries = 3

            def __init__(self):
                self.url = "u"

            def call(self):
                return self.url, self.retries

        return Service()

    def act(o):
        with mock.patch.object(o, "url", "patched"), mock.patch.object(o, "retries", 0):
            inside = o.call()
        with mock.patch.object(o, "call", return_value="mocked"):
            mocked = o.call()
        with mock.patch.object(type(o), "retries", 9):
            of_class = o.call()
        with mock.patch.dict(o.__dict__, url="dict"):
            of_dict = o.call()
        return inside, mocked, of_class, of_dict, o.call(), list(vars(o))

    way.same(make, act)

    def missing(o):
        with pytest.raises(AttributeError, match="does not have the attribute 'missing'"):
            mock.patch.object(o, "missing", 1).start()

    way.same(make, missing)


def test_autospec(way):
    class Service(STMObject):
        def __init__(self):
            self.url = "u"

        def call(self, x):
            return x

    spec = mock.create_autospec(Service, instance=True)
    spec.call(1)
    with pytest.raises(TypeError):
        spec.call()


def test_special_methods_are_looked_up_on_the_class(way):
    def make(base):
        class Vector(base):
            def __init__(self, x):
                self.x = x

            def __add__(self, other):
                return self.x + other.x

            def __iadd__(self, other):
                self.x += other.x
                return self

            def __len__(self):
                return self.x

            def __getitem__(self, index):
                return self.x * index

            def __call__(self):
                return "called"

            def __eq__(self, other):
                return self.x == other.x

            def __hash__(self):
                return hash(self.x)

            def __enter__(self):
                self.x += 1
                return self

            def __exit__(self, *error):
                self.x -= 1

        return Vector(2)

    def act(o):
        o.__len__ = lambda: 99
        o += type(o)(3)
        with o as inside:
            during = inside.x
        return o + o, len(o), o[3], o(), o == type(o)(5), {o: 1}[type(o)(5)], during

    way.same(make, act)


def test_functions_and_partials_kept_in_attributes_are_not_bound(way):
    def make(base):
        class Thing(base):
            pass

        o = Thing()
        o.call = len
        o.lam = lambda x: x
        return o

    way.same(make, lambda o: (o.call([1, 2]), o.lam(3)))


def test_total_ordering_and_hash_by_identity(way):
    def make(base):
        @functools.total_ordering
        class Rank(base):
            def __init__(self, level):
                self.level = level

            def __eq__(self, other):
                return self.level == other.level

            def __lt__(self, other):
                return self.level < other.level

        return Rank(1)

    way.same(make, lambda o: (o >= type(o)(1), o > type(o)(2)))
    way.same(make, lambda o: hash(o), raises=TypeError)


def test_names_in_dir_are_those_of_an_ordinary_object(way):
    def make(base):
        class Thing(base):
            __match_args__ = ()

            def __init__(self):
                self.x = self._y = 1

        o = Thing()
        o.later = 2
        return o

    def act(o):
        return [name for name in dir(o) if not name.startswith("__")], "__match_args__" in dir(o)

    way.same(make, act)
