"""retry() with collections: a change of what was read of one wakes, and of nothing else."""

from __future__ import annotations

import contextlib
import queue
import sys

import pytest
from cells import Reverted

from stmpy import STMCounter, STMDict, STMList, STMQueue, STMSet, atomic, atomically, check, stats


def filled(*items, maxsize=0):
    made = STMQueue(maxsize)
    for item in items:
        made.put(item)
    return made


# What is read, and what changes it, by name. Where there is a third, it takes the change back.
CHANGES = {
    "dict: a value": (lambda: STMDict(a=1), lambda d: d["a"], lambda d: d.__setitem__("a", 2)),
    "dict: a value, by an update": (lambda: STMDict(a=1), lambda d: d["a"], lambda d: d.update(a=2)),
    "dict: a key that goes": (
        lambda: STMDict(a=1),
        lambda d: "a" in d,
        lambda d: d.pop("a"),
        lambda d: d.setdefault("a", 1),
    ),
    "dict: a key that goes with all": (lambda: STMDict(a=1, b=2), lambda d: d.get("a"), lambda d: d.clear()),
    "dict: an absent key": (
        STMDict,
        lambda d: "a" in d,
        lambda d: d.__setitem__("a", 1),
        lambda d: d.__delitem__("a"),
    ),
    "dict: an absent key, by its value": (STMDict, lambda d: d.get("a"), lambda d: d.setdefault("a", 1)),
    "dict: an absent key of many": (
        lambda: STMDict.fromkeys(range(1000)),
        lambda d: d.get("a"),
        lambda d: d.update({number: 0 for number in range(1000, 3000)}, a=1),
    ),
    "dict: the length, when it grows": (
        lambda: STMDict(a=1),
        len,
        lambda d: d.__setitem__("b", 1),
        lambda d: d.pop("b"),
    ),
    "dict: the length, when it shrinks": (lambda: STMDict(a=1), len, lambda d: d.popitem()),
    "dict: keys": (lambda: STMDict(a=1), list, lambda d: d.__setitem__("b", 1)),
    "dict: values": (lambda: STMDict(a=1), lambda d: list(d.values()), lambda d: d.__setitem__("a", 2)),
    "dict: a comparison": (lambda: STMDict(a=1), lambda d: d == {"a": 1}, lambda d: d.__setitem__("a", 2)),
    "set: an element": (
        lambda: STMSet("ab"),
        lambda s: "a" in s,
        lambda s: s.discard("a"),
        lambda s: s.add("a"),
    ),
    "set: an absent element": (
        STMSet,
        lambda s: "a" in s,
        lambda s: s.add("a"),
        lambda s: s.remove("a"),
    ),
    "set: an absent element, by an update": (STMSet, lambda s: "a" in s, lambda s: s.update("cba")),
    "set: the length, when it grows": (
        lambda: STMSet("a"),
        len,
        lambda s: s.add("b"),
        lambda s: s.discard("b"),
    ),
    "set: the length, when it shrinks": (lambda: STMSet("a"), len, lambda s: s.pop()),
    "set: all elements": (lambda: STMSet("a"), sorted, lambda s: s.add("b")),
    "set: a comparison": (lambda: STMSet("a"), lambda s: s <= {"a"}, lambda s: s.add("b")),
    "list: an element": (
        lambda: STMList([1, 2]),
        lambda s: s[0],
        lambda s: s.__setitem__(0, 3),
        lambda s: s.__setitem__(0, 1),
    ),
    "list: an element that moves": (lambda: STMList([1, 2]), lambda s: s[0], lambda s: s.reverse()),
    "list: the last element": (lambda: STMList([1, 2]), lambda s: s[-1], lambda s: s.append(3)),
    "list: an element that is not there": (
        lambda: STMList([1, 2]),
        lambda s: s[2:3] == [3],
        lambda s: s.append(3),
    ),
    "list: the length, when it grows": (
        lambda: STMList([1]),
        len,
        lambda s: s.append(2),
        lambda s: s.pop(),
    ),
    "list: the length, when it shrinks": (lambda: STMList([1]), len, lambda s: s.clear()),
    "list: a slice": (lambda: STMList([1, 2]), lambda s: list(s[1:]), lambda s: s.__setitem__(1, 3)),
    "list: membership": (lambda: STMList([1, 2]), lambda s: 3 in s, lambda s: s.insert(0, 3)),
    "list: iteration": (lambda: STMList([1, 2]), list, lambda s: s.extend([3])),
    "list: a comparison": (lambda: STMList([2, 1]), lambda s: s == [2, 1], lambda s: s.sort()),
    "queue: that it is empty": (STMQueue, lambda q: q.empty(), lambda q: q.put(1), lambda q: q.get()),
    "queue: that it is not empty": (lambda: filled(1), lambda q: q.empty(), lambda q: q.get()),
    "queue: that it is full": (lambda: filled(1, maxsize=1), lambda q: q.full(), lambda q: q.get()),
    "queue: the size": (lambda: filled(1, 2), lambda q: q.qsize(), lambda q: q.put(3), lambda q: q.get()),
    "counter: the value, by an addition": (
        STMCounter,
        lambda c: c.value,
        lambda c: c.add(1),
        lambda c: c.add(-1),
    ),
    "counter: the value that is set": (STMCounter, int, lambda c: setattr(c, "value", 5)),
}


def nested(change, of):
    """A transaction that has made the change in a part that is taken back, before it makes it."""

    @atomic
    def taken_back():
        change(of)
        raise Reverted

    with contextlib.suppress(Reverted):
        taken_back()
    change(of)


HOW = {
    "outside": lambda change, of: change(of),
    "committed": lambda change, of: atomically(change, of),
    "nested": lambda change, of: atomically(nested, change, of),
}


@pytest.fixture
def sleepers(stage):
    """Waits until so many more attempts have ended in retry(); what is watched is so from then on."""
    before = stats().retries
    return lambda count: stage.until(lambda: stats().retries >= before + count)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_what_was_read_wakes(stage, sleepers, name, how):
    make, look, change, *_ = CHANGES[name]
    of = make()
    first, attempts = look(of), []

    @atomic
    def wait():
        attempts.append(1)
        seen = look(of)
        check(seen != first)
        return seen

    waiter = stage.start(wait)
    sleepers(1)
    HOW[how](change, of)
    assert waiter.result() == look(of) != first
    assert len(attempts) == 2


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_is_taken_back_wakes_nobody(stage, sleepers, name):
    make, look, change, *_ = CHANGES[name]
    of = make()
    first, attempts = look(of), []

    @atomic
    def wait():
        attempts.append(1)
        check(look(of) != first)

    @atomic
    def taken_back():
        change(of)
        assert look(of) != first
        raise Reverted

    waiter = stage.start(wait)
    sleepers(1)
    for _ in range(3):
        with pytest.raises(Reverted):
            taken_back()
    assert look(of) == first
    change(of)
    waiter.result()
    assert len(attempts) == 2


# What is read, a change that does not concern it, and one that does.
OTHERS_OF_A_DICT = {
    "dict: another key": (lambda d: d.get("a"), lambda d: d.__setitem__("b", 5), lambda d: d.pop("a")),
    "dict: a new key": (lambda d: d.get("a"), lambda d: d.__setitem__("new", 5), lambda d: d.pop("a")),
    "dict: another absent key": (lambda d: 1 in d, lambda d: d.__setitem__(2, 5), lambda d: d.update({1: 1})),
    "dict: a value, for the length": (len, lambda d: d.__setitem__("a", 5), lambda d: d.pop("a")),
}
OTHERS = {
    "set: another element": (
        lambda: STMSet("ab"),
        lambda s: "a" in s,
        lambda s: (s.discard("b"), s.add("c")),
        lambda s: s.clear(),
    ),
    "set: another absent element": (
        STMSet,
        lambda s: 1 in s,
        lambda s: (s.add(2), s.discard(2)),
        lambda s: s.add(1),
    ),
    "list: another element": (
        lambda: STMList([1, 2]),
        lambda s: s[0],
        lambda s: s.__setitem__(1, 5),
        lambda s: s.insert(0, 3),
    ),
    "list: an append, for an element": (
        lambda: STMList([1, 2]),
        lambda s: s[0],
        lambda s: s.append(5),
        lambda s: s.pop(0),
    ),
    "list: an element, for the length": (
        lambda: STMList([1, 2]),
        len,
        lambda s: s.__setitem__(1, 5),
        lambda s: s.append(3),
    ),
    "queue: a put, where there are items": (
        lambda: filled(1),
        lambda q: q.empty(),
        lambda q: q.put(2),
        lambda q: [q.get() for _ in range(q.qsize())],
    ),
    "counter: an addition to another one": (
        STMCounter,
        lambda c: c.value,
        lambda c: STMCounter().add(1),
        lambda c: c.add(1),
    ),
} | {name: (lambda: STMDict(a=1, b=2), *rest) for name, rest in OTHERS_OF_A_DICT.items()}


@pytest.mark.parametrize("name", OTHERS)
def test_a_change_of_something_else_wakes_nobody(stage, sleepers, name):
    make, look, other, change = OTHERS[name]
    of = make()
    first, attempts = look(of), []

    @atomic
    def wait():
        attempts.append(1)
        check(look(of) != first)

    waiter = stage.start(wait)
    sleepers(1)
    for _ in range(3):
        other(of)
        atomically(other, of)
    assert look(of) == first
    atomically(change, of)
    waiter.result()
    assert len(attempts) == 2


BACK_AND_FORTH = [name for name, change in CHANGES.items() if len(change) == 4]


@pytest.mark.parametrize("how", ["outside", "committed"])
@pytest.mark.parametrize("name", BACK_AND_FORTH)
def test_no_wake_up_is_lost(stage, name, how):
    """Two threads: one makes the change where it is not made, the other takes it back where it is."""
    make, look, change, back = CHANGES[name]
    of, turns = make(), 300
    first = look(of)

    @atomic
    def wait_until(changed):
        check((look(of) != first) == changed)

    def work(awaited, act):
        for _ in range(turns):
            if how == "committed":
                atomically(lambda: (wait_until(awaited), act(of)))
            else:
                wait_until(awaited)
                act(of)

    for task in [stage.start(work, False, change), stage.start(work, True, back)]:
        task.result()
    assert look(of) == first


@pytest.mark.parametrize("how", HOW)
def test_join_is_woken_by_the_last_item_that_is_done(stage, sleepers, how):
    of, attempts = filled(1, 2), []

    @atomic
    def wait():
        attempts.append(1)
        of.join()

    waiter = stage.start(wait)
    sleepers(1)
    of.put(3)  # concerns it, and does not wake it
    for _ in range(2):
        of.get()
    of.task_done()
    of.task_done()
    assert waiter.is_running()
    HOW[how](lambda q: q.task_done(), of)
    waiter.result()
    assert len(attempts) <= 4


PUT = lambda q: q.put(1)  # noqa: E731


@pytest.mark.skipif(sys.version_info < (3, 13), reason="queue.Queue has no shutdown() yet")
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("act", [STMQueue.get, PUT], ids=["get", "put"])
def test_shutdown_wakes_who_waits(stage, sleepers, act, how):
    of = STMQueue(1)
    if act is PUT:
        of.put(0)
    waiter = stage.start(act, of)
    sleepers(1)
    HOW[how](lambda q: q.shutdown(), of)
    with pytest.raises(queue.ShutDown):
        waiter.result()
