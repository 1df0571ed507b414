"""Loading, storing and deleting attributes of an STMObject means what it means on any object."""

from __future__ import annotations

import re
import sys

import pytest
from ways import every_way, thing

from stmpy import STMObject, compiled

pytestmark = every_way


def test_attributes_come_change_and_go(way):
    @compiled
    def act(o):
        o.x = o.x + 1
        o.y = "new"
        o.x += 10
        o.y += "er"
        del o.items
        o.z = None
        del o.z
        return o.x, o.y, hasattr(o, "items"), hasattr(o, "z")

    way.same(thing, act)


@pytest.mark.parametrize("name", ["missing", "__missing", "dataé", "é" * 300])
def test_a_missing_attribute_is_named(way, name):
    way.same(thing, lambda o: getattr(o, name), raises=AttributeError)


def test_a_missing_attribute_is_named_by_compiled_code(way):
    @compiled
    def act(o):
        return o.missing

    way.same(thing, act, raises=AttributeError)


def test_a_missing_attribute_cannot_be_deleted(way):
    @compiled
    def act(o):
        del o.missing

    way.same(thing, act, raises=AttributeError)


def test_a_deleted_attribute_cannot_be_deleted_again(way):
    @compiled
    def act(o):
        del o.x
        del o.x

    way.same(thing, act, raises=AttributeError)


def test_an_attribute_of_the_class_cannot_be_deleted_on_the_object(way):
    @compiled
    def act(o):
        del o.default

    way.same(thing, act, raises=AttributeError)


def test_the_error_of_a_missing_attribute_names_the_object_and_the_attribute(way):
    o = thing(STMObject)

    @compiled
    def act(o):
        try:
            o.missing
        except AttributeError as error:
            return error.obj is o, error.name

    assert way.run(act, o) == ("returned", ("tuple", [True, "missing"]))


def test_a_suggestion_is_made_for_a_misspelt_attribute(way):
    import traceback

    class Account(STMObject):
        def __init__(self):
            self.balance = 0

    def act(o):
        try:
            return o.balanec
        except AttributeError as error:
            return "".join(traceback.TracebackException.from_exception(error).format_exception_only())

    if sys.version_info >= (3, 12):
        assert re.search("Did you mean.*balance", way.run(act, Account())[1])


def test_a_class_default_shows_where_the_object_has_no_value(way):
    @compiled
    def act(o):
        first = o.default
        o.default = "own"
        second = o.default
        del o.default
        return first, second, o.default

    way.same(thing, act)


def test_an_augmented_assignment_starts_from_the_class_default(way):
    def make(base):
        class Counter(base):
            count = 0

        return Counter()

    @compiled
    def act(o):
        o.count += 1
        o.count += 1
        return o.count, type(o).count

    way.same(make, act)


def test_a_class_default_that_changes_later_is_seen(way):
    @compiled
    def act(o):
        cls = type(o)
        before = o.default
        cls.default = "changed"
        after = o.default
        cls.default = "of the class"
        return before, after

    way.same(thing, act)


def test_hasattr_getattr_setattr_delattr(way):
    def act(o):
        o.y = 2
        found = o.y, getattr(o, "nothing", "default"), hasattr(o, "x"), hasattr(o, "nothing")
        delattr(o, "x")
        return found, hasattr(o, "x")

    way.same(thing, act)


@pytest.mark.parametrize("name", [1, None, b"x", ("x",)])
def test_an_attribute_name_must_be_a_string(way, name):
    way.same(thing, lambda o: getattr(o, name), raises=TypeError)
    way.same(thing, lambda o: setattr(o, name, 1), raises=TypeError)
    way.same(thing, lambda o: delattr(o, name), raises=TypeError)


@pytest.mark.parametrize("name", ["", "not an identifier", "0", "\udc80", "a\0b"])
def test_any_string_is_an_attribute_name(way, name):
    def act(o):
        setattr(o, name, 1)
        return getattr(o, name)

    way.same(thing, act)


def test_private_names_are_those_of_their_class(way):
    def make(base):
        class First(base):
            def __init__(self):
                self.__value = "first"

            @compiled
            def first(self):
                self.__value += "!"
                return self.__value

        class Second(First):
            def __init__(self):
                super().__init__()
                self.__value = "second"

            @compiled
            def second(self):
                self.__value += "?"
                del self._First__value
                self._First__value = "again"
                return self.__value, self.first()

        return Second()

    way.same(make, lambda o: o.second())


def test_attributes_beyond_the_layout(way):
    @compiled
    def act(o):
        for number in range(1000):
            setattr(o, f"a{number}", number)
        for number in range(0, 1000, 2):
            delattr(o, f"a{number}")
        o.a0 = "again"
        return list(vars(o))

    way.same(thing, act)


def test_attributes_keep_the_order_in_which_they_came(way):
    def make(base):
        class Thing(base):
            def __init__(self, forwards):
                if forwards:
                    self.a = self.b = self.c = self.d = 0
                else:
                    self.d = self.c = self.b = self.a = 0

        o = Thing(False)
        o.z = o.y = 0
        return o

    @compiled
    def act(o):
        del o.c, o.z
        o.e = 1
        o.c = 2
        o.b = 3
        o.z = 4
        first = list(vars(o))
        del o.d, o.e
        o.d = 5
        return first, list(o.__dict__)

    way.same(make, act)


def test_an_exception_half_way_keeps_what_was_stored_outside_and_nothing_inside(way):
    @compiled
    def act(o):
        o.x = 2
        o.y = 3
        raise LookupError("half way")

    way.same(thing, act, raises=LookupError)
