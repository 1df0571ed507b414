"""STMDict: a dict in which transactions conflict key by key."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref
from collections import UserDict
from collections.abc import MutableMapping

import pytest
from cells import Reverted
from hypothesis import strategies as st
from machines import Odd, machine

from stmpy import (
    MISSING,
    STMDict,
    STMList,
    STMObject,
    STMSet,
    TransactionUsageError,
    access_map,
    atomic,
    atomically,
    check,
    current_transaction,
    revert_log,
    stats,
    unrecorded,
)


class Named(STMDict):
    def __init__(self, name, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.name = name


class Key:
    """Compares by its value, and is never the same object as another one. `hashed` as it is told."""

    def __init__(self, value, hashed=0):
        self.value, self.hashed = value, hashed

    def __hash__(self):
        return self.hashed

    def __eq__(self, other):
        return isinstance(other, Key) and self.value == other.value


def holding(stage, act):
    """A transaction that has done something, and goes on when it is told to."""
    inside = stage.pause()

    @atomic
    def hold():
        result = act()
        inside.here()
        return result

    task = stage.start(hold)
    inside.reached()
    task.resume = inside.resume
    return task


def waits(stage, function, *args):
    """A task that has met somebody else's transaction."""
    attempts = stats().attempts
    task = stage.start(function, *args)
    stage.until(lambda: stats().attempts > attempts)
    return task


# --- what it is


def test_a_dict_is_a_mapping():
    d = STMDict([("a", 1)], b=2)
    assert isinstance(d, MutableMapping)
    assert isinstance(d, STMObject)
    assert (d["a"], d.get("c"), d.get("c", 5), len(d), "a" in d, "c" in d) == (1, None, 5, 2, True, False)
    assert dict(d) == {**d} == {"a": 1, "b": 2} == d
    assert dict(**d) == d
    assert UserDict(a=1, b=2) == d
    assert d != {"a": 1}
    with pytest.raises(KeyError) as raised:
        d["c"]
    assert raised.value.args == ("c",)
    with pytest.raises(KeyError) as raised:
        d[1, 2]
    assert raised.value.args == ((1, 2),)
    with pytest.raises(TypeError, match="unhashable"):
        hash(d)
    with pytest.raises(TypeError, match="unhashable"):
        d[[]]
    match d:
        case {"a": value}:
            assert value == 1
        case _:
            raise AssertionError


def test_missing_keys_of_a_subclass():
    class Counts(STMDict):
        def __missing__(self, key):
            return key * 2

    assert Counts()["a"] == "aa"
    assert Counts().get("a") is None


def test_views_are_live_sets():
    d = STMDict(a=1, b=2)
    keys, values, items = d.keys(), d.values(), d.items()
    assert (list(keys), list(values), list(items)) == (["a", "b"], [1, 2], [("a", 1), ("b", 2)])
    d["c"] = 3
    assert (len(keys), list(reversed(values)), ("c", 3) in items, ("c", 4) in items) == (
        3,
        [3, 2, 1],
        True,
        False,
    )
    assert keys & {"a", "z"} == {"a"}
    assert keys | ["z"] == {"a", "b", "c", "z"}
    assert (keys & ("a", "z"), keys | ("z",), keys - ("a", "b"), keys ^ ("a", "b")) == (
        {"a"},
        {"a", "b", "c", "z"},
        {"c"},
        {"c"},
    )
    assert items - {("a", 1)} == {("b", 2), ("c", 3)}
    assert keys == {"a", "b", "c"} > {"a"}
    assert keys >= {"a"}
    assert keys.isdisjoint("z")
    assert repr(keys) == "dict_keys(['a', 'b', 'c'])"
    assert keys.mapping["a"] == 1


def test_many_keys_come_and_go():
    d = STMDict()
    for turn in range(3):
        for number in range(3000):
            d[number, turn] = number
        assert len(d) == 3000
        assert all(d.pop((number, turn)) == number for number in range(3000))
        assert list(d) == []

    @atomic
    def inside():
        for number in range(3000):
            d[number] = number
        assert [d[number] for number in range(3000)] == list(d) == list(d.values()) == list(range(3000))
        for number in range(0, 3000, 2):
            del d[number]
        return len(d)

    assert inside() == len(d) == 1500
    assert list(d) == list(range(1, 3000, 2))


# --- insertion order


def test_order_is_that_of_the_commits(stage):
    d = STMDict(first=0)
    late = holding(stage, lambda: d.update(late=1, later=1))
    d["early"] = 1
    late.resume()
    late.result()
    assert list(d) == ["first", "early", "late", "later"]


def test_a_transaction_sees_its_own_insertions_at_the_end(stage):
    d = STMDict(first=0, second=0)

    @atomic
    def work():
        d["third"] = 1
        del d["first"]
        d["first"] = 2
        d["second"] = 3
        return list(d)

    assert work() == list(d) == ["second", "third", "first"]
    assert d == {"second": 3, "third": 1, "first": 2}


def test_an_aborted_transaction_leaves_the_order_as_it_was():
    d = STMDict(a=1, b=2, c=3)

    @atomic
    def nested():
        d["a"] = d.pop("a") + 1
        d["d"] = 4
        d.popitem()
        raise Reverted

    @atomic
    def outer(fails):
        d["e"] = 5
        with pytest.raises(Reverted):
            nested()
        assert list(d.items()) == [("a", 1), ("b", 2), ("c", 3), ("e", 5)]
        del d["b"]
        if fails:
            raise Reverted

    with pytest.raises(Reverted):
        outer(True)
    assert list(d.items()) == [("a", 1), ("b", 2), ("c", 3)]
    outer(False)
    assert list(d.items()) == [("a", 1), ("c", 3), ("e", 5)]


# --- conflicts


def test_different_keys_do_not_conflict(stage):
    d = STMDict((number, 0) for number in range(200))
    runs = []
    holder = holding(stage, lambda: [d.__setitem__(number, 1) for number in range(0, 200, 2)])

    @atomic
    def others():
        runs.append("run")
        for number in range(1, 200, 2):
            d[number] += 2

    others()
    assert holder.is_running()
    assert runs == ["run"]
    assert [d[number] for number in range(4)] == [0, 2, 0, 2]
    holder.resume()
    holder.result()
    assert [d[number] for number in range(4)] == [1, 2, 1, 2]


def test_different_keys_of_one_hash_do_not_conflict_when_set(stage):
    d = STMDict()
    mine, other = Key(1), Key(2)
    holder = holding(stage, lambda: d.__setitem__(mine, 1))
    inserter = waits(stage, atomic(lambda: d.__setitem__(other, 2)))  # an equal one for all it knows
    holder.resume()
    holder.result()
    inserter.result()
    assert list(d.items()) == [(mine, 1), (other, 2)]


@pytest.mark.parametrize("act", ["set", "delete"])
@pytest.mark.parametrize("same", [True, False])
def test_a_key_that_was_read_stays_as_it_was(stage, act, same):
    one = "key" + str(len(act))
    d = STMDict({one: 1})
    key = one if same else "key" + str(len(act))
    holder = holding(stage, lambda: d[one])
    change = (lambda: d.__setitem__(key, 2)) if act == "set" else (lambda: d.pop(key))
    changer = waits(stage, atomic(change))
    assert d[one] == 1
    holder.resume()
    assert holder.result() == 1
    changer.result()
    assert d.get(one) == (2 if act == "set" else None)


@pytest.mark.parametrize(
    "ask", [lambda d: "new" in d, lambda d: d.get("new"), lambda d: d.pop("new", None), list]
)
def test_an_absent_key_conflicts_with_its_insertion(stage, ask):
    d = STMDict(a=1)
    holder = holding(stage, lambda: ask(d))
    inserter = waits(stage, d.__setitem__, "new", 1)
    assert "new" not in d
    holder.resume()
    holder.result()
    inserter.result()
    assert d["new"] == 1

    other = holding(stage, lambda: d.__setitem__("newer", 1))
    asks = waits(stage, atomic(lambda: "newer" in d))
    other.resume()
    other.result()
    assert asks.result() is True


class Watched:
    """Says when it is compared."""

    compared = []

    def __init__(self, value):
        self.value = value

    def __hash__(self):
        return hash(self.value)

    def __eq__(self, other):
        self.compared.append((self.value, other))
        return isinstance(other, Watched) and self.value == other.value


@pytest.mark.parametrize("kind", [STMDict, STMSet])
@pytest.mark.parametrize("reads_first", [True, False])
def test_no_comparison_says_that_an_absent_key_is_inserted(stage, kind, reads_first):
    d = kind()
    Watched.compared.clear()
    insert = lambda: d.setdefault(Watched(1)) if kind is STMDict else d.add(Watched(1))  # noqa: E731
    look = lambda: Watched(1) in d  # noqa: E731
    holder = holding(stage, look if reads_first else insert)
    other = waits(stage, atomic(insert if reads_first else look))
    assert Watched.compared == []  # the key of neither, by the other's thread or by its own
    holder.resume()
    seen = holder.result(), other.result()
    assert seen[0 if reads_first else 1] is not reads_first
    assert len(Watched.compared) == (0 if reads_first else 1)


def test_a_deletion_conflicts_with_readers_of_the_key(stage):
    d = STMDict(a=1)
    holder = holding(stage, lambda: d.pop("a"))
    reader = waits(stage, atomic(lambda: d.get("a")))
    assert d["a"] == 1  # from outside, at once
    assert (len(d), "a" in d) == (1, True)
    holder.resume()
    assert holder.result() == 1
    assert reader.result() is None


def test_insertions_do_not_conflict_with_each_other(stage):
    d, runs = STMDict(), []
    holder = holding(stage, lambda: [d.__setitem__(number, 1) for number in range(0, 200, 2)])

    @atomic
    def insert():
        runs.append("run")
        for number in range(1, 200, 2):
            d[number] = 2

    insert()
    assert holder.is_running()
    assert (len(d), runs) == (100, ["run"])
    holder.resume()
    holder.result()
    assert list(d) == [*range(1, 200, 2), *range(0, 200, 2)]


def test_the_same_key_is_inserted_once(stage):
    d = STMDict()
    holder = holding(stage, lambda: d.__setitem__(Key(1), "first"))
    inserter = waits(stage, d.__setitem__, Key(1), "second")
    assert (len(d), d.get(Key(1))) == (0, None)
    holder.resume()
    holder.result()
    inserter.result()
    assert [(key.value, value) for key, value in d.items()] == [(1, "second")]
    assert len(d) == 1


def test_the_length_conflicts_with_what_changes_it(stage):
    d = STMDict(a=1)
    holder = holding(stage, lambda: len(d))
    d["a"] = 2  # does not change it
    inserter = waits(stage, d.__setitem__, "b", 1)
    holder.resume()
    assert holder.result() == 1
    inserter.result()
    grows = holding(stage, lambda: d.__setitem__("c", 1))
    atomically(d.pop, "b")
    assert len(d) == 1
    asks = waits(stage, atomic(len), d)
    grows.resume()
    grows.result()
    assert asks.result() == 2


@pytest.mark.parametrize("first", ["grows", "shrinks"])
def test_who_grows_it_and_who_shrinks_it_do_not_conflict(stage, first):
    d, runs = STMDict.fromkeys(range(100)), []
    grow = lambda: d.update(dict.fromkeys(range(100, 300)))  # noqa: E731
    shrink = lambda: [d.pop(number) for number in range(50)]  # noqa: E731
    holder = holding(stage, grow if first == "grows" else shrink)

    @atomic
    def other():
        runs.append("run")
        shrink() if first == "grows" else grow()

    other()
    assert holder.is_running()
    assert runs == ["run"]
    holder.resume()
    holder.result()
    assert list(d) == list(range(50, 300))
    assert len(d) == 250


def test_threads_that_grow_it_and_shrink_it_do_not_abort_each_other(stage):
    d, turns, attempts = STMDict.fromkeys(range(0, -2000, -1)), 1000, []

    @atomic
    def grow(turn):
        d[turn * 2 + 1] = turn
        d[turn * 2 + 2] = turn
        attempts.append(turn)

    @atomic
    def shrink(turn):
        del d[-2 * turn]
        del d[-2 * turn - 1]
        attempts.append(turn)

    def work(act):
        for turn in range(turns):
            act(turn)

    for task in [stage.start(work, act) for act in (grow, shrink)]:
        task.result()
    assert (len(d), len(list(d))) == (2 * turns, 2 * turns)
    assert len(attempts) == 2 * turns


def test_iteration_sees_a_consistent_whole(stage):
    d = STMDict((number, 100) for number in range(20))
    stop = threading.Event()

    @atomic
    def move(turn):
        d[turn % 20] -= 1
        d[turn * 7 % 20] += 1
        d["new", turn] = d.pop(("new", turn - 1), 0)

    def work():
        turn = 0
        while not stop.is_set():
            turn += 1
            move(turn)

    worker = stage.start(work)
    try:
        for _ in range(100):
            assert sum(d.values()) == sum(d.copy().values()) == 2000
            assert sum(atomically(lambda: [*d.values()])) == 2000
            assert len(list(d)) <= 21
    finally:
        stop.set()
    worker.result()


def test_a_large_dict_outside_is_of_one_moment(stage):
    """Two values at its ends are always changed together, and keys come as others go."""
    d = STMDict.fromkeys(range(2000), 0)

    @atomic
    def change(turn):
        d[0] += 1
        d[1999] = d[0]
        del d[turn % 1998 + 1]
        d[turn % 1998 + 1] = 0

    def look():
        seen = dict(d.items())
        assert seen[0] == seen[1999]
        assert len(seen) == len(d) == 2000

    stage.look_while(change, look)


def test_a_dict_that_grows_outside_is_of_one_moment(stage):
    d = STMDict.fromkeys(range(2000), 0)
    d["left"] = 3000

    @atomic
    def change(turn):
        if turn < 3000:
            d["left"] -= 1
            d["new", turn] = 1

    def look():
        assert sum(d.values()) == 3000

    stage.look_while(change, look)


@pytest.mark.parametrize(
    "together",
    [
        lambda a, b: "key" in a | b,
        lambda a, b: "key" in a.keys() | b.keys(),
        lambda a, b: not a.keys() & b.keys(),
        lambda a, b: "key" in a.keys() ^ b.keys(),
        lambda a, b: a.keys().isdisjoint(b.keys()),
        lambda a, b: a.keys() != b.keys(),
        lambda a, b: a.items() != b.items(),
        lambda a, b: a != b,
    ],
)
def test_two_dicts_outside_are_of_one_moment(stage, together):
    """The one key is now in the one of them, now in the other."""
    a, b = STMDict(key=0), Named("b")

    @atomic
    def move(turn):
        source, target = (a, b) if "key" in a else (b, a)
        target["key"] = source.pop("key")

    def look():
        assert together(a, b)

    stage.look_while(move, look)


@pytest.mark.parametrize(
    "copy_to",
    [
        lambda source, target: target.update(source),
        lambda source, target: target.update(source, other=1),
        lambda source, target: target.__ior__(source),
        lambda source, target: target.__init__(source),
    ],
)
def test_what_another_dict_has_is_set_in_one_transaction(stage, copy_to):
    source, target = STMDict(key=0), STMDict(key=0)

    @atomic
    def change(turn):
        source["key"] = target["key"] = turn

    @atomic
    def differ():
        return source["key"] != target["key"]

    def look():
        copy_to(source, target)
        assert not differ()

    stage.look_while(change, look)


def test_a_comparison_that_enters_unrecorded_and_stays_there_is_told_so():
    d = STMDict({Odd(0): "a", Odd(3): "b"})
    stay = unrecorded()

    @atomic
    def look():
        Odd.act = stay.__enter__
        try:
            return d[Odd(6)]
        finally:
            Odd.act = staticmethod(lambda: None)
            stay.__exit__(None, None, None)

    with pytest.raises(TransactionUsageError, match="unrecorded"):
        look()


def test_a_sum_stays_the_same_among_many_threads(stage):
    d, turns = STMDict((str(number), 10) for number in range(10)), 200

    @atomic
    def move(source, target):
        if d.get(source, 0) == 0:
            return
        d[source] -= 1
        if d[source] == 0:
            del d[source]
        d[target] = d.get(target, 0) + 1

    @atomic
    def add_up():
        assert sum(d.values()) == 100
        assert len(d) == len(list(d))

    def work(number):
        for turn in range(turns):
            move(str((number * turn) % 23), str((number + turn * 5) % 23))
            if turn % 50 == number:
                add_up()
            if turn % 40 == number:
                assert sum(d.values()) == 100

    for task in [stage.start(work, number) for number in range(8)]:
        task.result()
    assert sum(d.values()) == 100
    assert len(d) == len(list(d))
    assert all(d.values())


def test_the_table_grows_under_readers_and_writers(stage):
    d, done = STMDict(there=1), threading.Event()

    def insert(number):
        for turn in range(600):
            d[number, turn] = turn
            assert d[number, turn] == turn
            if turn % 3 == 0:
                assert atomically(d.pop, (number, turn)) == turn

    def look():
        while not done.is_set():
            assert d["there"] == 1
            assert "absent" not in d
            assert atomically(lambda: (d["there"], d.get("absent"))) == (1, None)

    readers = [stage.start(look) for _ in range(2)]
    for task in [stage.start(insert, number) for number in range(4)]:
        task.result()
    done.set()
    for reader in readers:
        reader.result()
    assert len(d) == len(list(d)) == 1 + 4 * 400


def test_two_threads_that_insert_one_key_at_once_agree(stage):
    dicts, arrived = [STMDict() for _ in range(200)], STMList([0, 0])

    def insert(mine, others):
        seen = []
        for turn, d in enumerate(dicts):
            arrived[mine] = turn + 1
            while arrived[others] <= turn:
                pass
            seen.append(d.setdefault(Key(turn), mine))
        return seen

    first, second = stage.start(insert, 0, 1), stage.start(insert, 1, 0)
    assert first.result() == second.result()
    assert all(len(d) == len(list(d)) == 1 for d in dicts)


def test_threads_that_insert_the_same_keys_agree_on_one_value(stage):
    d, start = STMDict(), threading.Barrier(8)

    def insert(number):
        start.wait()
        return [d.setdefault(Key(turn, hash(turn)), (number, turn)) for turn in range(300)]

    seen = [task.result() for task in [stage.start(insert, number) for number in range(8)]]
    assert all(one == seen[0] for one in seen)
    assert len(d) == len(list(d)) == 300


def test_a_key_found_absent_stays_so_when_its_transaction_inserts_many_others(stage):
    d = STMDict()

    def fill():
        assert ["x" in d, "y" in d] == [False, False]
        d.update(dict.fromkeys(range(2000)))

    holder = holding(stage, fill)
    inserters = [waits(stage, d.__setitem__, key, 1) for key in "xy"]
    assert len(d) == 0
    holder.resume()
    holder.result()
    for inserter in inserters:
        inserter.result()
    assert list(d)[:2000] == list(range(2000))
    assert len(d) == 2002


@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
def test_whoever_waits_for_a_key_is_woken_by_its_insertion(stage, many):
    d = STMDict()
    waiting = threading.Event()

    @atomic
    def wait():
        waiting.set()
        check("x" in d)
        return d["x"]

    waiter = stage.start(wait)
    assert waiting.wait(20)
    if many:
        d.update(dict.fromkeys(range(2000)))
        for number in range(2000, 4000):
            d[number] = None
    assert waiter.is_running()
    d["x"] = 1
    assert waiter.result() == 1


def test_whoever_waits_for_a_value_is_woken_by_its_change_and_its_end(stage):
    d = STMDict(x=1)
    seen = threading.Semaphore(0)

    @atomic
    def wait(value):
        seen.release()
        check(d.get("x") == value)

    for value in (2, None, 3):
        waiter = stage.start(wait, value)
        assert seen.acquire(timeout=20)
        if value is None:
            del d["x"]
        else:
            d["x"] = value
        waiter.result()


def test_unrecorded_looks_leave_no_trace_and_wait_for_nobody(stage):
    d = STMDict(a=1, b=2)
    holder = holding(stage, lambda: (d.pop("a"), d.__setitem__("c", 3)))

    @atomic
    def look():
        d["b"] = 20
        with unrecorded():
            seen = (dict(d), len(d), d["a"], "c" in d, repr(d), d == {"a": 1, "b": 20}, list(d.items()))
            with pytest.raises(TransactionUsageError):
                d["a"] = 5
        assert [
            name
            for of, name in access_map().by_attribute
            if of is d and current_transaction() in access_map().by_attribute[of, name]
        ] == ["['b']"]
        return seen

    assert look() == ({"a": 1, "b": 20}, 2, 1, False, "{'a': 1, 'b': 20}", True, [("a", 1), ("b", 20)])
    assert holder.is_running()
    holder.resume()
    holder.result()
    assert d == {"b": 20, "c": 3}


def test_a_key_that_goes_and_comes_back_is_never_missed(stage):
    d, last = STMDict(a=0), 0

    @atomic
    def renew(_):
        d["a"] = d.pop("a") + 1

    def look():
        nonlocal last
        for _ in range(100):
            now = d["a"]
            assert last <= now
            last = now

    stage.look_while(renew, look)


def test_a_key_that_goes_as_another_one_comes_is_never_missed(stage):
    """One of the two is always there, and both have entries among others of their hash."""
    one, other = Key(1), Key(2)
    d = STMDict({one: 0})

    @atomic
    def move(source, target):
        d[target] = d.pop(source)

    def work(_):
        move(one, other)
        move(other, one)

    def look():
        seen = atomically(lambda: [key in d for key in (Key(1), Key(2))])
        assert sorted(seen) == [False, True]
        assert len(d) == 1

    stage.look_while(work, look)


# --- iteration


def test_a_transaction_that_changes_the_size_meets_it_when_it_iterates():
    d = STMDict(a=1, b=2, c=3)

    @atomic
    def work():
        with pytest.raises(RuntimeError, match="changed size"):
            for key in d:
                d[key + key] = 1

    work()
    assert len(d) == 4


def test_an_iterator_outside_keeps_what_was_there():
    d = STMDict(a=1, b=2)
    keys = iter(d.items())
    d["c"] = 3
    del d["a"]
    assert list(keys) == [("a", 1), ("b", 2)]


def test_an_iterator_shows_the_values_of_now_to_its_transaction():
    d = STMDict(a=1, b=2)

    @atomic
    def work():
        seen = []
        for key, value in d.items():
            d["b"] = 10
            seen.append((key, value))
        return seen

    assert work() == [("a", 1), ("b", 10)]


# --- hostile keys


class Bad:
    def __init__(self, act):
        self.act = act

    def __hash__(self):
        return 0

    def __eq__(self, other):
        return self is other or self.act()


def test_an_exception_of_eq_leaves_everything_as_it_was():
    def fail():
        raise Reverted

    d = STMDict({Bad(fail): 1})
    for act in (
        lambda: d[Key(1)],
        lambda: d.__setitem__(Key(1), 2),
        lambda: d.pop(Key(1), None),
        lambda: d.setdefault(Key(1), 2),
        lambda: d.update({Key(1): 2}),
        lambda: Key(1) in d,
    ):
        for how in (lambda act: act(), atomically):
            with pytest.raises(Reverted):
                how(act)
            assert len(d) == len(list(d)) == 1


@pytest.mark.parametrize("how", [lambda act: act(), atomically], ids=["outside", "inside"])
def test_eq_may_take_away_the_key_that_it_says_is_equal(how):
    for act, left in (
        (lambda d: d.__setitem__(Key(1), 2), [2]),
        (lambda d: d.setdefault(Key(1), 2), [2]),
        (lambda d: d.pop(Key(1), None), []),
        (lambda d: Key(1) in d, []),
    ):
        d = STMDict()
        d[Bad(lambda d=d: d.clear() or True)] = 1
        how(lambda act=act, d=d: act(d))
        assert list(d.values()) == left
        assert len(d) == len(left)


def test_a_deleted_key_is_not_compared_any_more():
    def fail():
        raise Reverted

    bad = Bad(fail)
    d = STMDict({bad: 1})
    del d[bad]
    d[Key(1)] = 2
    assert (d[Key(1)], len(d)) == (2, 1)


@pytest.mark.parametrize("how", [lambda act: act(), atomically], ids=["outside", "inside"])
def test_eq_may_change_the_dict(how):
    d, filled = STMDict(), []

    def clear():
        d.clear()
        return False

    def fill():
        if not filled:
            filled.append(True)
            d[Key(1)] = "of eq"
        return False

    for act, left in ((clear, [2]), (fill, [2])):
        d.clear()
        d[Bad(act)] = 1
        how(lambda: d.__setitem__(Key(1), 2))
        assert [value for key, value in d.items() if isinstance(key, Key)] == left
        assert len(d) == len(list(d))


def test_a_key_dies_with_its_entry():
    d, key = STMDict(), Key(1)
    died = weakref.ref(key)
    d[key] = 1
    del d[key], key
    gc.collect()
    assert died() is None

    @atomic
    def insert():
        key = Key(2)
        d[key] = 1
        raise Reverted

    with pytest.raises(Reverted):
        insert()
    gc.collect()
    assert not [one for one in gc.get_objects() if isinstance(one, Key) and one.value == 2]


# --- what is seen of it


def test_the_access_map_names_the_keys():
    d = STMDict(a=1)

    @atomic
    def work():
        d["a"] = 2
        d["b"] = 3
        assert list(access_map().by_attribute[d, "['a']"].values()) == ["write"]
        assert list(access_map().by_attribute[d, "['b']"].values()) == ["write"]
        assert list(access_map().by_attribute[d, "len"].values()) == ["add"]
        return revert_log()

    assert work() == [(d, "['a']", 1), (d, "['b']", MISSING)]


def test_a_dict_in_a_cycle_is_collected():
    d = Named("first")
    died = weakref.ref(d)
    d["itself"] = d
    d.me = d
    assert repr(d) == "{'itself': {...}}"
    del d
    gc.collect()
    assert died() is None


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol):
    d = Named("n", a=1, b=[2])
    d["itself"] = d
    made = pickle.loads(pickle.dumps(d, protocol))
    assert (type(made), made.name, list(made), made["b"]) == (Named, "n", ["a", "b", "itself"], [2])
    assert made["itself"] is made


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, atomic(copy.deepcopy)])
def test_copies(how):
    d = Named("n", a=[1])
    made = how(d)
    d["b"] = 2
    assert (type(made), made.name, made) == (Named, "n", {"a": [1]})
    assert (made["a"] is d["a"]) is (how is copy.copy)


keys = st.integers(0, 8) | st.builds(Odd, st.integers(0, 4))
some_pairs = st.lists(st.tuples(keys, st.integers()), max_size=6)


def put_back(d, items):
    d.clear()
    d.update(items)


TestDictMachine = machine(
    st.one_of(
        st.builds(lambda key, value: lambda d, _: d.__setitem__(key, value), keys, st.integers()),
        st.builds(lambda key, value: lambda d, _: d.setdefault(key, value), keys, st.integers()),
        st.builds(lambda key: lambda d, _: d.__delitem__(key), keys),
        st.builds(lambda key: lambda d, _: d.pop(key), keys),
        st.builds(lambda key: lambda d, _: d.pop(key, None), keys),
        st.builds(lambda key: lambda d, _: (d.get(key), key in d), keys),
        st.builds(lambda pairs: lambda d, _: d.update(pairs), some_pairs),
        st.builds(lambda pairs: lambda d, _: d.__ior__(dict(pairs)) is d, some_pairs),
        st.builds(lambda pairs: lambda d, _: (dict(d | dict(pairs)), d == dict(pairs)), some_pairs),
        st.builds(lambda some: lambda d, _: (d.keys() & some, d.keys() - some), st.lists(keys, max_size=4)),
        st.sampled_from(
            [
                lambda d, _: d.popitem(),
                lambda d, _: d.clear(),
                lambda d, _: (len(d), list(reversed(d)), list(d.keys()), list(d.values()), d == dict(d)),
            ]
        ),
    ),
    st.sampled_from([STMDict, lambda: Named("n")]).map(lambda make: make()),
    plain=lambda _: {},
    contents=lambda d: list(d.items()),
    put_back=put_back,
    keyed=True,
)
