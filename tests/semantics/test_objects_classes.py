"""Every kind of class can be an STMObject's: mixins, ABCs, generics, protocols, metaclasses."""

from __future__ import annotations

import abc
import sys
import typing
from typing import Generic, Protocol, TypeVar, runtime_checkable

import pytest
from ways import every_way

from stmpy import STMObject, compiled

pytestmark = every_way
T = TypeVar("T")


def test_mixins_and_multiple_inheritance(way):
    def make(base):
        class Named:
            def __init__(self, *, name="none", **more):
                super().__init__(**more)
                self.name = name

        class Counted:
            count = 0

            def __init__(self, **more):
                super().__init__(**more)
                self.count += 1

            def __setattr__(self, name, value):
                super().__setattr__(name, value)

        class Thing(Named, Counted, base):
            def __init__(self, **more):
                super().__init__(**more)
                self.last = True

        return Thing(name="n")

    @compiled
    def act(o):
        o.count += 1
        o.name += "!"
        return o.name, o.count, list(vars(o)), [c.__name__ for c in type(o).__mro__[:3]]

    way.same(make, act)


def test_two_transactional_bases(way):
    def make(base):
        class Left(base):
            def __init__(self):
                super().__init__()
                self.left = 1

        class Right(base):
            def __init__(self):
                super().__init__()
                self.right = 2

        class Both(Left, Right):
            pass

        return Both()

    @compiled
    def act(o):
        o.left, o.right = o.right, o.left
        return o.left, o.right, list(vars(o))

    way.same(make, act)


@pytest.mark.parametrize("base", [int, list, dict, Exception, str, type])
def test_a_base_with_a_layout_of_its_own_is_refused_by_the_interpreter(way, base):
    with pytest.raises(TypeError, match="lay-out conflict|metaclass conflict"):
        type("Both", (STMObject, base), {})
    with pytest.raises(TypeError, match="lay-out conflict|metaclass conflict"):
        type("Both", (base, STMObject), {})


@pytest.mark.parametrize("name", ["__dict__", "__weakref__"])
def test_slots_for_what_every_object_has_are_refused_by_the_interpreter(way, name):
    with pytest.raises(TypeError, match="slot disallowed: .*we already got one"):
        type("Slotted", (STMObject,), {"__slots__": ("x", name)})


def test_object_new_is_refused_by_the_interpreter(way):
    class Thing(STMObject):
        pass

    with pytest.raises(TypeError, match="object.__new__.Thing. is not safe, use Thing.__new__"):
        object.__new__(Thing)
    assert isinstance(STMObject.__new__(Thing), Thing)


def test_abstract_classes(way):
    def make(base):
        class Shape(base, abc.ABC):
            @property
            @abc.abstractmethod
            def area(self): ...

            @abc.abstractmethod
            def grow(self): ...

        class Square(Shape):
            abstract = Shape

            def __init__(self):
                self.side = 2

            @property
            def area(self):
                return self.side**2

            @compiled
            def grow(self):
                self.side += 1

        return Square()

    def act(o):
        o.grow()
        return o.area, isinstance(o, o.abstract)

    way.same(make, act)
    way.same(make, lambda o: o.abstract(), raises=TypeError)


def test_an_object_can_be_registered_with_an_abstract_class(way):
    def make(base):
        class Abstract(abc.ABC):  # noqa: B024
            pass

        @Abstract.register
        class Thing(base):
            abstract = Abstract

        return Thing()

    way.same(make, lambda o: isinstance(o, o.abstract))


def test_generic_classes(way):
    def make(base):
        class Box(base, Generic[T]):
            def __init__(self, value: T) -> None:
                self.value = value

        class IntBox(Box[int]):
            pass

        return [Box[int](1), IntBox(2), Box("s")]

    @compiled
    def act(boxes):
        for box in boxes:
            box.value = box.value * 2
        return [typing.get_args(getattr(box, "__orig_class__", None)) == (int,) for box in boxes]

    if way.name == "outside":
        way.same(make, act)
    first = make(STMObject)[0]
    way.run(lambda box: setattr(box, "value", box.value + 1), first)
    assert first.value == (1 if way.name == "reverted" else 2)


def test_protocols(way):
    def make(base):
        @runtime_checkable
        class Sized(Protocol):
            size: int

            def grow(self) -> None: ...

        class Explicit(base, Sized):
            protocol = Sized

            def __init__(self):
                self.size = 1

            def grow(self):
                self.size += 1

        return Explicit()

    def act(o):
        o.grow()
        with_size = isinstance(o, o.protocol)
        del o.size
        return with_size

    way.same(make, act)


def test_metaclasses(way):
    def make(base):
        class Meta(type(base)):
            made = []

            def __new__(mcls, name, bases, namespace, **options):
                cls = super().__new__(mcls, name, bases, namespace)
                cls.options = sorted(options)
                return cls

            def __init__(cls, name, bases, namespace, **options):
                super().__init__(name, bases, namespace)

            def __call__(cls, *args):
                made = super().__call__(*args)
                made.called = True
                return made

            @property
            def description(cls):
                return cls.__name__.lower()

            def __setattr__(cls, name, value):
                if name == "fixed":
                    raise AttributeError("fixed")
                super().__setattr__(name, value)

        class Thing(base, metaclass=Meta, colour=1):
            __slots__ = ("x", "called")

            def __init__(self, x):
                self.x = x

        return Thing(1)

    @compiled
    def act(o):
        o.x += 1
        other = type.__call__(type(o), 5)
        return (
            type(o).description,
            type(o).options,
            o.called,
            hasattr(other, "called"),
            hasattr(o, "description"),
        )

    @compiled
    def refused(o):
        type(o).fixed = 1

    way.same(make, act)
    way.same(make, refused, raises=AttributeError)


def test_init_subclass_and_set_name(way):
    def make(base):
        class Registry(base):
            kinds = []

            def __init_subclass__(cls, kind=None, **more):
                super().__init_subclass__(**more)
                cls.kinds = [*cls.kinds, kind or cls.__name__]

        class First(Registry, kind="one"):
            pass

        class Second(First):
            pass

        return Second()

    way.same(make, lambda o: o.kinds)


def test_construction_as_any_class(way):
    def make(base):
        class Bare(base):
            pass

        class WithInit(base):
            def __init__(self, x):
                super().__init__()
                self.x = x

        class WithNew(base):
            def __new__(cls, x):
                made = super().__new__(cls)
                made.x = x
                return made

        class Passing(base):
            def __new__(cls, x):
                return super().__new__(cls, x)

        class PassingInit(base):
            def __init__(self, x):
                super().__init__(x)

        o = Bare()
        o.classes = {
            "bare": Bare,
            "init": WithInit,
            "new": WithNew,
            "passing": Passing,
            "passing init": PassingInit,
        }
        return o

    def act(o):
        return o.classes["init"](1).x, o.classes["new"](2).x, vars(o.classes["bare"]()), o.__init__()

    way.same(make, act)
    way.same(make, lambda o: o.classes["bare"](1), raises=TypeError)
    way.same(make, lambda o: o.classes["bare"](x=1), raises=TypeError)
    way.same(make, lambda o: o.classes["init"](), raises=TypeError)
    way.same(make, lambda o: o.classes["passing"](1), raises=TypeError)
    way.same(make, lambda o: o.classes["passing init"](1), raises=TypeError)
    way.same(make, lambda o: o.__init__(1), raises=TypeError)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is newer")
def test_type_parameters(way):
    namespace: dict[str, object] = {}
    exec(
        "def make(base):\n class Box[T](base):\n  def __init__(self, v: T): self.v = v\n return Box[int](1)",
        namespace,
    )

    def act(o):
        o.v += 1
        return o.v

    ours = namespace["make"](STMObject)
    assert way.run(act, ours) == ("returned", 2)
