"""Pickle of every protocol, copy and deepcopy give an object of the same class with the same attributes."""

from __future__ import annotations

import copy
import copyreg
import pickle
import sys
from dataclasses import dataclass, field

import attrs
import pytest
from ways import Plain, every_way

from stmpy import STMObject

pytestmark = every_way
protocols = pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))


def declare(base):
    """Classes that pickle finds by name; one set of them for each base."""

    class Node(base):
        def __init__(self, value, next=None):
            self.value, self.next = value, next

    class Slotted(base):
        __slots__ = ("x", "y")

    class Mixed(Slotted):
        pass

    class Empty(base):
        pass

    class WithState(base):
        def __init__(self):
            self.x, self.cache = 1, "not kept"

        def __getstate__(self):
            return {"x": self.x}

        def __setstate__(self, state):
            self.x, self.cache = state["x"] + 1, "made anew"

    class SuperState(base):
        def __init__(self):
            self.x, self.y = 1, 2

        def __getstate__(self):
            state = super().__getstate__().copy()
            del state["y"]
            return state

    class WithArguments(base):
        def __new__(cls, x, *, y):
            made = super().__new__(cls)
            made.x, made.y = x, y
            return made

        def __getnewargs_ex__(self):
            return (self.x,), {"y": self.y}

    class Reduced(base):
        def __init__(self, x):
            self.x = x

        def __reduce__(self):
            return type(self), (self.x * 2,)

    class ReducedEx(Reduced):
        def __reduce_ex__(self, protocol):
            return type(self), (self.x * 3,)

    class Copied(base):
        def __init__(self, x):
            self.x = x

        def __copy__(self):
            return type(self)(self.x + 1)

        def __deepcopy__(self, memo):
            return type(self)(self.x + 2)

    @dataclass(frozen=True, slots=True)
    class Frozen(base):
        x: int
        y: list = field(default_factory=list)

    @attrs.frozen(weakref_slot=False)
    class AttrsFrozen(base):
        x: int

    classes = {
        name: value for name, value in locals().items() if isinstance(value, type) and value is not base
    }
    for name, cls in classes.items():
        cls.__module__, cls.__qualname__ = __name__, f"{name}Of{base.__name__}"
        globals()[cls.__qualname__] = cls
    WithArguments.__new__.__qualname__ = f"{WithArguments.__qualname__}.__new__"
    return classes


kinds = {base: declare(base) for base in (Plain, STMObject)}


def every_copy(o, protocol):
    return pickle.loads(pickle.dumps(o, protocol)), copy.copy(o), copy.deepcopy(o)


def of(name, *args, **kwargs):
    return lambda base: kinds[base][name](*args, **kwargs)


@protocols
@pytest.mark.parametrize(
    "make",
    [
        of("Node", 1),
        of("Node", [1, {"k": 2}]),
        of("Empty"),
        of("WithState"),
        of("SuperState"),
        of("WithArguments", 1, y=2),
        of("Reduced", 1),
        of("ReducedEx", 1),
        of("Copied", 1),
        of("Frozen", 1, [2]),
        of("AttrsFrozen", 1),
    ],
)
def test_each_kind(way, make, protocol):
    def stm_protocol(o):
        # What protocols 0 and 1 cannot do with slots and arguments of __new__, they can with an STMObject.
        return max(protocol, 2) if isinstance(o, Plain) else protocol

    way.same(make, lambda o: every_copy(o, stm_protocol(o)))


@protocols
def test_slots(way, protocol):
    def make(base):
        o = kinds[base]["Slotted"]()
        o.y = 1
        return o

    def make_mixed(base):
        o = kinds[base]["Mixed"]()
        o.x, o.z = 1, 2
        return o

    def act(o):
        return every_copy(o, max(protocol, 2) if isinstance(o, Plain) else protocol)

    way.same(make, act)
    way.same(make_mixed, act)


@protocols
def test_shared_and_cyclic_references(way, protocol):
    def make(base):
        Node = kinds[base]["Node"]
        first, shared = Node("first"), [1]
        first.next = Node(shared, first)
        first.shared = shared
        return first

    def act(o):
        copies = every_copy(o, protocol)
        same = [(c.next.next is c, c.next.value is c.shared, c is not o) for c in copies]
        return same, copies[0].value, copies[1].next is o.next, copies[2].next is not o.next

    way.same(make, act)


def test_state_and_reduction_are_those_of_an_ordinary_object(way):
    way.same(of("Node", 1), lambda o: o.__getstate__())
    way.same(of("Empty"), lambda o: o.__getstate__())
    way.same(of("Frozen", 1), lambda o: o.__getstate__())
    way.same(
        of("Node", 1),
        lambda o: (
            o.__reduce_ex__(2)[0] is copyreg.__newobj__,
            o.__reduce_ex__(4)[1:2] == ((type(o),),),
            o.__reduce_ex__(4)[2],
        ),
    )


def test_a_copy_made_in_a_transaction_is_of_its_own(way):
    def act(o):
        twin = copy.copy(o)
        o.value = "original"
        twin.value = "twin"
        return o.value, twin.value

    way.same(of("Node", 1), act)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="copy.replace is newer")
def test_copy_replace(way):
    way.same(of("Frozen", 1), lambda o: copy.replace(o, x=2))


def test_an_old_protocol_asked_of_object_itself_is_refused(way):
    # As for any class whose base is written in C.
    o = of("Node", 1)(STMObject)
    with pytest.raises(TypeError):
        object.__reduce_ex__(o, 0)
