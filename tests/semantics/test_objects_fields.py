"""Dataclasses and attrs classes are STMObjects like others, whatever their options."""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass, field
from typing import TypeVar

import attrs
import pytest
from ways import every_way

from stmpy import compiled

pytestmark = every_way
T = TypeVar("T")


def test_a_dataclass(way):
    def make(base):
        @dataclass
        class Item(base):
            name: str
            price: int = 5
            tags: list[str] = field(default_factory=list)
            total: int = field(init=False, default=0)

            def __post_init__(self):
                self.total = self.price * 2

        return Item("pen")

    @compiled
    def act(o):
        o.price += 1
        o.tags = [*o.tags, "new"]
        other = type(o)("pen", 6, ["new"])
        other.total = o.total
        return (
            repr(o).rpartition(".")[2],
            o == other,
            dataclasses.asdict(o),
            dataclasses.replace(o, name="ink").name,
        )

    way.same(make, act)


def test_a_frozen_dataclass(way):
    def make(base):
        @dataclass(frozen=True)
        class Point(base):
            x: int
            y: int = 2

        return Point(1)

    @compiled
    def store(o):
        o.x = 2

    @compiled
    def delete(o):
        del o.x

    @compiled
    def act(o):
        object.__setattr__(o, "y", 20)
        return o.x, o.y, hash(o) == hash((1, 20)), dataclasses.replace(o, x=5)

    way.same(make, act)
    way.same(make, store, raises=dataclasses.FrozenInstanceError)
    way.same(make, delete, raises=dataclasses.FrozenInstanceError)


def test_a_dataclass_with_slots(way):
    def make(base):
        @dataclass(slots=True)
        class Point(base):
            x: int
            y: int = 2

        return Point(1)

    @compiled
    def act(o):
        o.x += o.y
        return o.x, hasattr(o, "__dict__"), repr(o).rpartition(".")[2], o == type(o)(3, 2)

    @compiled
    def store(o):
        o.z = 1

    way.same(make, act)
    way.same(make, store, raises=AttributeError)


def test_a_frozen_dataclass_with_slots(way):
    def make(base):
        @dataclass(frozen=True, slots=True, order=True)
        class Version(base):
            major: int
            minor: int = 0

        return Version(1)

    @compiled
    def act(o):
        return o < type(o)(1, 1), sorted([type(o)(2), o])[0] is o, hash(o) == hash(type(o)(1))

    @compiled
    def store(o):
        o.major = 2

    way.same(make, act)
    # The error is a TypeError where CPython's own frozen classes with slots raise one.
    expected = dataclasses.FrozenInstanceError
    way.same(make, store, raises=expected)


def test_a_dataclass_with_keywords_only_and_order(way):
    def make(base):
        @dataclass(kw_only=True, order=True)
        class Rank(base):
            level: int
            title: str = field(default="none", compare=False)

        return Rank(level=1)

    @compiled
    def act(o):
        o.level += 1
        other = type(o)(level=3, title="x")
        return o < other, max(o, other).title, o.title

    way.same(make, act)
    way.same(make, lambda o: type(o)(1), raises=TypeError)


def test_a_dataclass_that_inherits(way):
    def make(base):
        @dataclass
        class Base(base):
            a: int = 1

        @dataclass
        class Derived(Base):
            b: int = 2
            a: int = 10

        return Derived()

    @compiled
    def act(o):
        o.b += o.a
        return [f.name for f in dataclasses.fields(o)], o.b

    way.same(make, act)


def test_attrs_with_validators_and_converters(way):
    def make(base):
        @attrs.define(slots=False)
        class Item(base):
            name: str = attrs.field(converter=str)
            price: int = attrs.field(default=1, validator=attrs.validators.ge(0))
            tags: list = attrs.Factory(list)

        return Item(7)

    @compiled
    def act(o):
        o.price += 1
        o.name = 12
        return o.name, o.price, repr(o).rpartition(".")[2], attrs.asdict(o), attrs.evolve(o, name="x").name

    @compiled
    def fail(o):
        o.name = "changed"
        o.price -= 5

    way.same(make, act)
    way.same(make, fail, raises=ValueError)


@pytest.mark.parametrize("slots", [False, True])
def test_attrs_frozen(way, slots):
    def make(base):
        @attrs.frozen(slots=slots, weakref_slot=False)
        class Point(base):
            x: int
            y: int = attrs.field(default=2, converter=int)

        return Point(1, "5")

    @compiled
    def store(o):
        o.x = 2

    way.same(make, lambda o: (o.x, o.y, o == attrs.evolve(o), attrs.evolve(o, x=9)))
    way.same(make, store, raises=attrs.exceptions.FrozenInstanceError)


def test_attrs_with_slots(way):
    def make(base):
        @attrs.define(weakref_slot=False)
        class Item(base):
            x: int = 1
            y: int = attrs.field(default=2, validator=attrs.validators.instance_of(int))

        return Item()

    @compiled
    def act(o):
        o.x += 1
        o.y += o.x
        return o.x, o.y, o == attrs.evolve(o)

    @compiled
    def invalid(o):
        o.x = 8
        o.y = "text"

    @compiled
    def unknown(o):
        o.z = 1

    way.same(make, act)
    way.same(make, invalid, raises=TypeError)
    way.same(make, unknown, raises=AttributeError)


def test_attrs_with_on_setattr_and_private_names(way):
    def make(base):
        @attrs.define(slots=False)
        class Item(base):
            _hidden: int = attrs.field(default=1, on_setattr=attrs.setters.frozen)
            open: int = attrs.field(default=1, on_setattr=lambda o, attribute, value: value * 2)

        return Item(hidden=5)

    @compiled
    def act(o):
        o.open = 4
        return o.open, o._hidden

    @compiled
    def fail(o):
        o._hidden = 2

    way.same(make, act)
    way.same(make, fail, raises=attrs.exceptions.FrozenAttributeError)


def test_enum_typed_fields(way):
    class State(enum.Enum):
        OPEN = 1
        CLOSED = 2

    def make(base):
        @dataclass
        class Door(base):
            state: State = State.CLOSED

        return Door()

    @compiled
    def act(o):
        o.state = State.OPEN if o.state is State.CLOSED else State.CLOSED
        return o.state.name, o.state

    way.same(make, act)
