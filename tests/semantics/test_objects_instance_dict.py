"""`obj.__dict__` reads and writes the object, in and out of transactions, and is a dict to whoever asks."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from collections import ChainMap, OrderedDict
from types import SimpleNamespace

import pytest
from ways import every_way

from stmpy import STMObject, access_map, atomic, atomically, compiled


def thing(base):
    class Thing(base):
        default = "of the class"

        def __init__(self):
            self.x = 1
            self.y = [2]

    return Thing()


@every_way
@pytest.mark.parametrize(
    "read",
    [
        lambda d: (d["x"], d.get("x"), d.get("no"), d.get("no", 3), d.get(1)),
        lambda d: ("x" in d, "no" in d, 1 in d, len(d), bool(d)),
        lambda d: (list(d), list(reversed(d)), sorted(d), list(d.keys()), list(d.values()), list(d.items())),
        lambda d: (
            d == {"x": 1, "y": [2]},
            d != {},
            {"x": 1, "y": [2]} == d,
            d == d.copy(),
            isinstance(d, dict),
        ),
        lambda d: (repr(d), str(d), f"{d}"),
        lambda d: (
            d | {"z": 1},
            {"z": 1} | d,
            {**d},
            dict(d),
            dict(**d),
            copy.copy(d),
            type(d.copy()).__name__,
        ),
        lambda d: (d.keys() & {"x"}, ("x", 1) in d.items(), 1 in d.values()),
    ],
)
def test_reading(way, read):
    way.same(thing, lambda o: read(o.__dict__))
    way.same(thing, lambda o: read(vars(o)))


@every_way
def test_writing(way):
    @compiled
    def act(o):
        o.__dict__["x"] = 10
        o.__dict__["new"] = 3
        first = o.x, o.new
        del o.__dict__["y"]
        vars(o)["x"] += 5
        o.__dict__.update({"a": 1}, b=2)
        o.__dict__.update([("c", 3)])
        d = o.__dict__
        d |= {"d": 4}
        popped = (
            d.pop("a"),
            d.pop("nothing", "default"),
            d.popitem(),
            d.setdefault("x", 0),
            d.setdefault("e", 5),
        )
        return first, popped, hasattr(o, "y"), list(o.__dict__.items()), o.b, o.e

    way.same(thing, act)


@every_way
def test_clearing(way):
    def act(o):
        vars(o).clear()
        return vars(o), hasattr(o, "x"), o.default

    way.same(thing, act)


@every_way
def test_replacing(way):
    @compiled
    def act(o):
        o.__dict__ = {"y": 3, "z": 4, "default": "own"}
        return o.y, o.z, o.default, hasattr(o, "x"), list(vars(o))

    way.same(thing, act)
    way.same(thing, lambda o: setattr(o, "__dict__", 1), raises=TypeError)
    way.same(thing, lambda o: setattr(o, "__dict__", OrderedDict(a=1)))


@every_way
def test_the_idiom_of_shared_state(way):
    def act(o):
        o.__dict__.update(vars(SimpleNamespace(a=1, b=2)))
        return o.a, o.b

    way.same(thing, act)


@every_way
@pytest.mark.parametrize(
    "call",
    [
        lambda d: d["no"],
        lambda d: d.pop("no"),
        lambda d: d.__delitem__("no"),
        lambda d: (d.clear(), d.popitem()),
    ],
)
def test_a_missing_key_is_a_key_error(way, call):
    way.same(thing, lambda o: call(o.__dict__), raises=KeyError)


@every_way
def test_an_unhashable_instance_dict(way):
    way.same(thing, lambda o: hasattr(type(o.__dict__), "__hash__") and type(o.__dict__).__hash__ is None)


def test_a_key_that_is_no_string_is_refused():
    with pytest.raises(TypeError, match="attribute name must be string"):
        thing(STMObject).__dict__[1] = 1
    with pytest.raises(TypeError, match="attribute name must be string"):
        thing(STMObject).__dict__ = {1: 1}


@every_way
def test_json_of_vars(way):
    way.same(
        thing, lambda o: (json.dumps(vars(o)), json.dumps(vars(o), indent=1), json.dumps(o, default=vars))
    )


@every_way
def test_pickle_and_copies_of_vars(way):
    way.same(
        thing,
        lambda o: (pickle.loads(pickle.dumps(vars(o))), copy.deepcopy(vars(o)), dict(ChainMap({}, vars(o)))),
    )


@every_way
def test_readers_that_do_not_ask_the_dict(way):
    def act(o):
        found = dict.get(vars(o), "x"), dict.__getitem__(vars(o), "y"), dict.__len__(vars(o))
        static = inspect.getattr_static(o, "x"), inspect.getattr_static(o, "default")
        return found, static, list(dict.items(vars(o))), dict.copy(vars(o))

    way.same(thing, act)


@every_way
def test_keywords_and_formats_from_vars(way):
    way.same(thing, lambda o: ("{x} {y}".format(**vars(o)), "%(x)s" % vars(o), "{x}".format_map(vars(o))))  # noqa: UP031


@every_way
def test_match_mapping_patterns(way):
    def act(o):
        match vars(o):
            case {"x": 1, **rest}:
                return rest
        return "no"

    way.same(thing, act)


@every_way
def test_an_instance_dict_stays_connected(way):
    def act(o):
        held = o.__dict__
        o.x = 2
        o.later = 3
        first = held["x"], held["later"], list(held)
        held["later"] = 4
        return first, o.later

    way.same(thing, act)


@every_way
def test_an_iterator_over_vars_survives_a_store(way):
    @compiled
    def act(o):
        seen = []
        for name, value in list(vars(o).items()):
            setattr(o, name, [value])
            seen.append(name)
        return seen, o.x

    way.same(thing, act)


def test_reading_in_a_transaction_is_registered():
    o = thing(STMObject)

    @atomic
    def registered(read):
        read()
        return {name for (each, name), _ in access_map().by_attribute.items() if each is o}

    assert registered(lambda: o.__dict__["x"]) >= {"x"}
    assert registered(lambda: "no" in o.__dict__) >= {"__dict__"}
    assert registered(lambda: list(vars(o))) >= {"__dict__"}
    assert registered(lambda: list(vars(o).items())) >= {"__dict__", "x", "y"}


def test_a_dict_taken_outside_writes_to_the_transaction_it_is_used_in():
    o = thing(STMObject)
    held = o.__dict__

    def fail():
        held["x"] = 5
        held["new"] = 6
        assert o.x == 5
        raise LookupError

    with pytest.raises(LookupError):
        atomically(fail)
    assert held["x"] == o.x == 1
    assert "new" not in held and list(held) == ["x", "y"]
    assert dict(held) == {"x": 1, "y": [2]}
