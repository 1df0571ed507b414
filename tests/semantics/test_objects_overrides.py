"""Overridden attribute access works, whether it goes on to `super()` or to `object`."""

from __future__ import annotations

import pytest
from ways import every_way, thing

from stmpy import compiled

pytestmark = every_way


def test_overrides_that_call_super(way):
    def make(base):
        class Recording(base):
            def __init__(self):
                super().__setattr__("seen", [])
                self.x = 1

            def __getattribute__(self, name):
                if name == "doubled":
                    return super().__getattribute__("x") * 2
                return super().__getattribute__(name)

            def __setattr__(self, name, value):
                super().__setattr__(name, value)
                super().__setattr__("last", name)

            def __delattr__(self, name):
                super().__delattr__(name)
                super().__setattr__("last", "-" + name)

        return Recording()

    @compiled
    def act(o):
        o.x += 4
        first = o.doubled, o.last
        o.y = 1
        del o.y
        return first, o.last, hasattr(o, "y")

    way.same(make, act)
    way.same(make, lambda o: o.missing, raises=AttributeError)


def test_overrides_that_call_object(way):
    def make(base):
        class Recording(base):
            def __init__(self):
                object.__setattr__(self, "x", 1)

            def __getattribute__(self, name):
                return object.__getattribute__(self, name.removeprefix("my_"))

            def __setattr__(self, name, value):
                object.__setattr__(self, name, value + 1)

            def __delattr__(self, name):
                object.__delattr__(self, name)
                object.__setattr__(self, "deleted", name)

        return Recording()

    @compiled
    def act(o):
        o.x += 1
        o.y = 5
        first = o.my_x, o.y
        del o.x
        return first, o.deleted, hasattr(o, "x")

    way.same(make, act)
    way.same(make, lambda o: o.missing, raises=AttributeError)


def test_getattr_answers_for_what_does_not_exist(way):
    def make(base):
        class Proxy(base):
            def __init__(self):
                self.x = 1

            def __getattr__(self, name):
                if name.startswith("no"):
                    raise AttributeError(f"no such thing: {name}")
                return f"made {name}"

        return Proxy()

    @compiled
    def act(o):
        first = o.x, o.y
        o.y = "own"
        second = o.y
        del o.x, o.y
        o.z += "!"
        return first, second, o.x, o.y, o.z

    way.same(make, act)
    way.same(make, lambda o: o.nothing, raises=AttributeError)


def test_object_setattr_writes_the_attribute(way):
    @compiled
    def act(o):
        object.__setattr__(o, "x", 2)
        object.__setattr__(o, "new", 3)
        bound = object.__getattribute__(o, "__setattr__")
        bound("other", 4)
        object.__delattr__(o, "items")
        return object.__getattribute__(o, "x"), o.x, o.new, o.other, hasattr(o, "items")

    way.same(thing, act)


@pytest.mark.parametrize(
    "call",
    [
        lambda o: object.__setattr__(o),
        lambda o: object.__setattr__(o, "x"),
        lambda o: object.__setattr__(o, "x", 1, 2),
        lambda o: object.__setattr__(o, "x", value=1),
        lambda o: object.__setattr__(o, 1, 1),
        lambda o: object.__getattribute__(o),
        lambda o: object.__getattribute__(o, 1),
        lambda o: object.__delattr__(o, 1),
        lambda o: o.__setattr__("x"),
        lambda o: o.__delattr__(),
    ],
)
def test_object_setattr_refuses_wrong_arguments(way, call):
    way.same(thing, call, raises=TypeError)


def test_object_getattribute_and_delattr_of_a_missing_attribute(way):
    way.same(thing, lambda o: object.__getattribute__(o, "no"), raises=AttributeError)
    way.same(thing, lambda o: object.__delattr__(o, "no"), raises=AttributeError)
