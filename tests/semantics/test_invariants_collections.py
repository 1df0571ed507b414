"""Invariants of subclasses of collections are checked when the content changes."""

from __future__ import annotations

import copy
import pickle
import sys

import pytest

from stmpy import (
    InvariantViolated,
    STMCounter,
    STMDict,
    STMList,
    STMQueue,
    STMSet,
    atomic,
    atomically,
    invariant,
    stats,
)


class Stock(STMDict):
    """No amount is negative."""

    @invariant
    def all_positive(self):
        return all(amount >= 0 for amount in self.values())


class Named(Stock):
    def __init__(self, name, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.name = name


class Odds(STMSet):
    @invariant
    def are_odd(self):
        return all(number % 2 for number in self)


class Sorted(STMList):
    @invariant
    def is_sorted(self):
        items = list(self)
        return items == sorted(items)


class Short(STMQueue):
    @invariant
    def is_short(self):
        return self.qsize() <= 2


class Balance(STMCounter):
    @invariant
    def is_positive(self):
        return self.value >= 0


class Limited(STMQueue):
    """Its invariant needs an attribute."""

    def __init__(self, limit):
        super().__init__(5)
        self.limit = limit

    @invariant
    def is_within_its_limit(self):
        return self.qsize() <= self.limit


def limited():
    made = Limited(2)
    made.put(1)
    made.put(2)
    return made


def of_two():
    made = Short()
    made.put(1)
    made.put(2)
    return made


def augmented(method, *args):
    return lambda of: getattr(of, method)(*args)


# What is made, what it has, and everything that would leave it as it must not be.
STOCK, ODDS, SORTED = (lambda: Stock(a=1, b=2)), (lambda: Odds([1, 3])), (lambda: Sorted([1, 2, 3]))
VIOLATIONS = [
    (STOCK, dict, augmented("__setitem__", "a", -1)),
    (STOCK, dict, augmented("__setitem__", "new", -1)),
    (STOCK, dict, augmented("setdefault", "new", -1)),
    (STOCK, dict, lambda of: of.update(a=5, b=-1)),
    (STOCK, dict, augmented("__ior__", {"b": -1})),
    (STOCK, dict, lambda of: Stock.__init__(of, b=-1)),
    (ODDS, set, augmented("add", 2)),
    (ODDS, set, augmented("update", [5], [2])),
    (ODDS, set, augmented("symmetric_difference_update", [1, 2])),
    (ODDS, set, augmented("__ior__", {2})),
    (ODDS, set, augmented("__ixor__", {2})),
    (ODDS, set, augmented("__init__", [2])),
    (SORTED, list, augmented("__setitem__", 0, 9)),
    (SORTED, list, augmented("__setitem__", slice(0, 2), [9, 8])),
    (SORTED, list, augmented("__setitem__", slice(None, None, 2), [9, 8])),
    (SORTED, list, augmented("append", 0)),
    (SORTED, list, augmented("extend", [0])),
    (SORTED, list, augmented("__iadd__", [0])),
    (SORTED, list, augmented("__imul__", 2)),
    (SORTED, list, augmented("insert", 0, 9)),
    (SORTED, list, augmented("reverse")),
    (SORTED, list, lambda of: of.sort(reverse=True)),
    (SORTED, list, augmented("__init__", [3, 1])),
    (of_two, Short.qsize, augmented("put", 3)),
    (limited, Limited.qsize, augmented("put", 3)),
    (of_two, Short.qsize, augmented("put_nowait", 3)),
    (of_two, Short.qsize, augmented("put", 3, True, 10)),
    (lambda: Balance(1), int, augmented("add", -2)),
    (lambda: Balance(1), int, augmented("__iadd__", -2)),
    (lambda: Balance(1), int, augmented("__isub__", 2)),
    (lambda: Balance(1), int, lambda of: setattr(of, "value", -1)),
    (lambda: Balance(1), int, augmented("__init__", -1)),
]


@pytest.mark.parametrize("how", [lambda f, *args: f(*args), atomically], ids=["outside", "inside"])
@pytest.mark.parametrize("number", range(len(VIOLATIONS)))
def test_a_change_that_violates_it_is_taken_back(number, how):
    make, contents, act = VIOLATIONS[number]
    of = make()
    before = contents(of)
    with pytest.raises(InvariantViolated) as raised:
        how(act, of)
    assert raised.value.object is of
    assert contents(of) == before


class Kept(STMList):
    """Nothing is ever taken away."""

    @invariant
    def has_three(self):
        return len(self) == 3


class KeptDict(STMDict):
    @invariant
    def has_three(self):
        return len(self) == 3


class KeptSet(STMSet):
    @invariant
    def has_three(self):
        return len(self) == 3


class KeptQueue(STMQueue):
    @invariant
    def is_never_empty(self):
        return self.qsize() > 0 or not hasattr(self, "filled")


def kept_queue():
    made = KeptQueue()
    made.put(1)
    made.filled = True
    return made


DICT, SET, LIST = (lambda: KeptDict(a=1, b=2, c=3)), (lambda: KeptSet("abc")), (lambda: Kept([1, 2, 3]))
REMOVALS = [
    (DICT, augmented("pop", "a")),
    (DICT, augmented("popitem")),
    (DICT, augmented("clear")),
    (DICT, augmented("__delitem__", "a")),
    (SET, augmented("pop")),
    (SET, augmented("remove", "a")),
    (SET, augmented("discard", "a")),
    (SET, augmented("clear")),
    (SET, augmented("intersection_update", "a")),
    (SET, augmented("difference_update", "a")),
    (SET, augmented("__iand__", {"a"})),
    (SET, augmented("__isub__", {"a"})),
    (LIST, augmented("pop")),
    (LIST, augmented("remove", 2)),
    (LIST, augmented("clear")),
    (LIST, augmented("__delitem__", 0)),
    (LIST, augmented("__delitem__", slice(0, 2))),
    (LIST, augmented("__delitem__", slice(None, None, 2))),
    (kept_queue, augmented("get")),
    (kept_queue, augmented("get_nowait")),
]
if sys.version_info >= (3, 13):
    REMOVALS.append((kept_queue, augmented("shutdown", True)))


@pytest.mark.parametrize("how", [lambda f, *args: f(*args), atomically], ids=["outside", "inside"])
@pytest.mark.parametrize("number", range(len(REMOVALS)))
def test_taking_something_away_is_a_change(number, how):
    make, act = REMOVALS[number]
    of = make()
    with pytest.raises(InvariantViolated):
        how(act, of)
    assert (of.qsize() == 1) if isinstance(of, STMQueue) else (len(of) == 3)


def test_task_done_is_a_change():
    class Checked(STMQueue):
        @invariant
        def looks(self):
            checks.append(1)
            return True

    checks = []
    of = Checked()
    of.put(1)
    before = len(checks)
    of.task_done()
    assert len(checks) == before + 1


@pytest.mark.parametrize("how", [lambda f, *args: f(*args), atomically], ids=["outside", "inside"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: Stock(a=-1),
        lambda: Named("n", a=-1),
        lambda: Stock.fromkeys("a", -1),
        lambda: Odds([2]),
        lambda: Sorted([2, 1]),
        lambda: Balance(-1),
        lambda: KeptDict(),
        lambda: KeptSet(),
        lambda: Kept(),
    ],
)
def test_a_collection_that_is_made_is_checked(make, how):
    with pytest.raises(InvariantViolated):
        how(make)


def test_states_between_are_nobodys_business():
    of = Sorted([1, 3])

    @atomic
    def work():
        of.append(2)
        of[1], of[2] = 2, 3
        stock["a"] -= 5
        stock["a"] += 5

    stock = Stock(a=1)
    work()
    assert (list(of), stock["a"]) == ([1, 2, 3], 1)


def test_what_only_reads_is_not_checked():
    class Checked(STMDict):
        @invariant
        def looks(self):
            checks.append(1)
            return True

    checks = []
    of = Checked(a=1)
    checks.clear()
    for how in (lambda f: f(), atomically):
        how(lambda: (of["a"], "b" in of, len(of), list(of), of == {}, of.get("c"), repr(of), of.copy()))
    assert checks == []
    of["a"] = 2
    assert checks == [1]


def test_a_check_that_adds_to_a_counter_is_repeated():
    """What commutes has no entry in the log, and is a write all the same."""

    class Odd(STMCounter):
        @invariant
        def looks(self):
            checks.append(self.value)
            if self.value == 1:
                self.add(1)
            return True

    checks = []
    of = Odd()
    of.add(1)
    assert checks[-1] == of.value == 2


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda of: pickle.loads(pickle.dumps(of))])
@pytest.mark.parametrize(
    "make", [STOCK, lambda: Named("n", a=1), ODDS, SORTED, of_two, limited, lambda: Balance(1)]
)
@pytest.mark.parametrize("where", [lambda f, *args: f(*args), atomically], ids=["outside", "inside"])
def test_copies_are_made_and_checked_from_then_on(make, how, where):
    of = make()
    made = where(how, of)
    assert type(made) is type(of)
    bad = next(act for kind, _, act in VIOLATIONS if type(kind()) in type(of).__mro__)
    with pytest.raises(InvariantViolated):
        bad(made)


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda of: pickle.loads(pickle.dumps(of))])
@pytest.mark.parametrize("make", [DICT, SET, LIST])
def test_a_copy_is_filled_element_by_element(make, how):
    made = how(make())
    assert len(made) == 3
    with pytest.raises(InvariantViolated):
        made.clear()


def test_among_threads_what_must_hold_holds(stage):
    of, refused = Balance(10), STMCounter()

    def work():
        for turn in range(200):
            try:
                of.add(-1) if turn % 2 else atomically(of.add, -1)
            except InvariantViolated:
                refused.add(1)
            if turn % 10 == 0:
                of.add(1)
            assert of.value >= 0

    for task in [stage.start(work) for _ in range(4)]:
        task.result()
    assert of.value == 10 + 4 * 20 - (4 * 200 - refused.value)


def test_a_change_outside_waits_for_its_turn(stage):
    of, inside = Stock(a=1), stage.pause()

    @atomic
    def hold():
        of["a"] = 5
        inside.here()

    @atomic
    def take():
        of["a"] -= 3

    holder = stage.start(hold)
    inside.reached()
    attempts = stats().attempts
    taker = stage.start(take)
    stage.until(lambda: stats().attempts > attempts)
    inside.resume()
    holder.result()
    taker.result()
    assert of["a"] == 2
