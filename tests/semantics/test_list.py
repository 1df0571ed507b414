"""STMList: what a list does, element by element in transactions."""

from __future__ import annotations

import collections.abc
import contextlib
import copy
import gc
import pickle
import random
import sys
import threading
import weakref

import pytest
from cells import Cell, Reverted
from hypothesis import strategies as st
from machines import Odd, machine

from stmpy import MISSING, STMList, STMObject, access_map, atomic, atomically, revert_log, stats, unrecorded


class Named(STMList):
    def __init__(self, name, items=()):
        super().__init__(items)
        self.name = name


# --- what it is


def test_it_is_a_mutable_sequence_and_an_stm_object():
    made = STMList("ab")
    assert isinstance(made, collections.abc.MutableSequence)
    assert isinstance(made, STMObject)
    assert not isinstance(made, list)
    assert repr(made) == "STMList(['a', 'b'])"
    assert repr(Named("n", [1])) == "Named([1])"
    assert STMList[int].__origin__ is STMList
    assert sys.getsizeof(STMList(range(1000))) > sys.getsizeof(STMList()) > 0
    with pytest.raises(TypeError):
        hash(made)
    with pytest.raises(TypeError):
        STMList(items=[])
    with pytest.raises(TypeError):
        STMList([], [])
    match made:
        case [first, *rest]:
            assert (first, rest) == ("a", ["b"])
        case _:
            raise AssertionError("it is a sequence")


def test_a_list_that_holds_itself_can_be_shown():
    made = STMList([1])
    made.append(made)
    assert repr(made) == "STMList([1, [...]])"


def test_lists_of_both_kinds_are_compared_and_concatenated():
    assert STMList([1, 2]) == [1, 2] == STMList([1, 2])
    assert STMList([1, 2]) < [1, 3] < STMList([2])
    assert STMList([1]) != (1,)
    for both in (STMList([1]) + [2], [1] + STMList([2]), STMList([1]) + STMList([2])):
        assert type(both) is STMList
        assert both == [1, 2]
    with pytest.raises(TypeError):
        STMList([1]) + (2,)
    with pytest.raises(TypeError):
        (1,) + STMList([2])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol):
    made = pickle.loads(pickle.dumps(Named("n", [1, [2]]), protocol))
    assert (type(made), made, made.name) == (Named, [1, [2]], "n")


def test_copies():
    made = Named("n", [[1], 2])
    made.append(made)
    for how in (copy.copy, atomic(copy.copy)):
        other = how(made)
        assert (type(other), other.name, other[0] is made[0], other[2] is made) == (Named, "n", True, True)
    other = copy.deepcopy(made)
    assert (type(other), other[0], other[0] is made[0], other[2] is other) == (Named, [1], False, True)
    assert type(made.copy()) is STMList


def test_a_list_in_a_cycle_is_collected():
    made = STMList([1, 2])
    died = weakref.ref(made)
    made.append(made)
    del made
    gc.collect()
    assert died() is None


def repeat(items):
    items *= 3


CHANGES = {
    "copied": lambda items: list(items[1:]),
    "appended to itself": lambda items: items.extend(items),
    "repeated": repeat,
    "assigned to a part": lambda items: items.__setitem__(slice(1, 2), items),
    "without a part": lambda items: items.__delitem__(slice(None, None, 2)),
}


class Pops:
    """Garbage that takes the last item away when it is collected."""

    def __init__(self, items):
        self.items, self.myself = items, self

    def __del__(self):
        self.items.pop()


# Up to 3.11 the collector runs where something is allocated, which may be in the middle of an operation.
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_finaliser_changes_it_before_an_operation_or_behind_it(change):
    def outcome(first, second):
        items = list(range(6))
        results = first(items), second(items)
        return items, results[0] or results[1]

    def pop(items):
        items.pop()

    @atomic
    def run(items, allocations):
        Pops(items)
        gc.set_threshold(allocations)
        try:
            return change(items)
        finally:
            gc.set_threshold(*thresholds)

    thresholds = gc.get_threshold()
    for allocations in range(1, 30):
        items = STMList(range(6))
        gc.collect()
        result = run(items, allocations)
        gc.collect()
        assert (list(items), result) in (outcome(pop, change), outcome(change, pop))


def test_elements_live_as_long_as_they_are_in_it():
    items = [Cell(number) for number in range(100)]
    died = [weakref.ref(item) for item in items]
    made = STMList(items)
    del items
    gc.collect()
    assert all(ref() is not None for ref in died)
    del made[10:]
    made.pop(3)
    gc.collect()
    assert sum(ref() is not None for ref in died) == 9
    del made
    gc.collect()
    assert all(ref() is None for ref in died)


def test_deeply_nested_lists_die():
    made = STMList()
    for _ in range(100_000):
        made = STMList([made])
    del made


@pytest.mark.parametrize("step", [sys.maxsize, -sys.maxsize - 1, sys.maxsize - 1])
@pytest.mark.parametrize("where", [lambda act: act(), atomically], ids=["outside", "inside"])
def test_a_step_may_be_larger_than_any_list(where, step):
    made, plain, selected = STMList(range(5)), list(range(5)), slice(3, None, step)
    assert where(lambda: made[selected]) == plain[selected]
    where(lambda: made.__setitem__(selected, ["new"]))
    plain[selected] = ["new"]
    assert made == plain
    where(lambda: made.__delitem__(selected))
    del plain[selected]
    assert made == plain


# --- transactions


def changes():
    """Each change of a list of six, by name."""

    def setting(s):
        s[2] = "x"

    def slices(s):
        s[1:3] = "abc"

    def steps(s):
        s[::2] = "abc"

    def deleting(s):
        del s[1]

    def deleting_slice(s):
        del s[1:4]

    def deleting_steps(s):
        del s[::-2]

    def adding(s):
        s += [1, 2]

    def multiplying(s):
        s *= 3

    def emptying(s):
        s *= 0

    return [
        setting, slices, steps, deleting, deleting_slice, deleting_steps, adding, multiplying, emptying,
        lambda s: s.append("x"), lambda s: s.extend("xyz"), lambda s: s.insert(1, "x"), lambda s: s.pop(),
        lambda s: s.pop(0), lambda s: s.remove(3), lambda s: s.clear(), lambda s: s.reverse(),
        lambda s: s.sort(key=lambda n: n % 3), lambda s: s.sort(reverse=True), lambda s: s.extend(s),
        lambda s: s.__setitem__(slice(1, 3), s), lambda s: s.__init__("abc"),
        lambda s: [s.append(n) for n in range(50)],
    ]  # fmt: skip


@pytest.mark.parametrize("change", changes())
def test_a_change_is_a_lists_and_is_taken_back(change):
    plain, ours = [3, 1, 4, 1, 5, 9], STMList([3, 1, 4, 1, 5, 9])
    before = plain.copy()
    returned = change(plain)

    @atomic
    def fail():
        assert change(ours) == returned
        assert ours == plain
        assert (len(ours), ours.copy(), ours[:]) == (len(plain), plain, plain)
        raise Reverted

    @atomic
    def nested_and_kept():
        ours.append(7)
        assert ours.pop() == 7
        with pytest.raises(Reverted):
            fail()
        assert ours == before
        change(ours)

    with pytest.raises(Reverted):
        fail()
    assert ours == before
    nested_and_kept()
    assert ours == plain
    other = STMList(before)
    assert change(other) == returned
    assert other == plain


def test_an_iterable_that_raises_extends_nothing():
    made = STMList([1])

    def failing():
        yield 2
        raise Reverted

    for how in (made.extend, atomic(made.extend), made.__iadd__, made.__init__):
        with pytest.raises(Reverted):
            how(failing())
        assert made == [1]


def test_an_iterator_meets_what_is_appended():
    made, met = STMList([1, 2]), []
    for item in made:
        met.append(item)
        if len(met) < 20:
            made.append(len(met) + 2)
    assert met == made == list(range(1, 22))
    iterator = iter(made)
    assert len(list(iterator)) == 21
    made.append(0)
    assert list(iterator) == []
    assert list(reversed(STMList([1, 2, 3]))) == [3, 2, 1]


class Hostile:
    """Does something to the list when it is compared."""

    def __init__(self, act):
        self.act = act

    def __eq__(self, other):
        self.act()
        return NotImplemented

    __lt__ = __eq__
    __hash__ = None


@pytest.mark.parametrize("how", [lambda f: f(), atomically], ids=["outside", "inside"])
def test_comparisons_that_change_the_list(how):
    made = STMList()
    made.extend([Hostile(made.clear), 2, 3])

    def work():
        for look in (lambda: 5 in made, lambda: made == [1, 2, 3], lambda: made.count(5), lambda: made < [9]):
            made[:] = [Hostile(made.clear), 2, 3]
            try:
                look()
            except TypeError:
                pass
            assert made == []
        made[:] = [Hostile(lambda: made.append(1)), 7]
        made.remove(7)
        made[:] = [Hostile(made.clear), 7]
        with pytest.raises(ValueError):
            made.remove(7)

    how(work)


@pytest.mark.parametrize("how", [lambda f: f(), atomically], ids=["outside", "inside"])
def test_sorting(how):
    made = STMList([3, 1, 2])

    def failing(item):
        raise Reverted

    def modifying(item):
        made.append(item)
        return item

    def work():
        with pytest.raises(Reverted):
            made.sort(key=failing)
        assert made == [3, 1, 2]
        with pytest.raises(ValueError, match="modified"):
            made.sort(key=modifying)
        made[:] = [3, 1, "x"]
        with pytest.raises(TypeError):
            made.sort()
        with pytest.raises(TypeError):
            made.sort(None)
        assert made == [3, 1, "x"]

    how(work)


# --- conflicts


def hold(stage, act, *args):
    """Another transaction that has done something, until `resume` is called."""
    inside = stage.pause()

    @atomic
    def holder():
        result = act(*args)
        inside.here()
        return result

    task = stage.start(holder)
    inside.reached()
    task.resume = inside.resume
    return task


UNDISTURBED = {
    "two elements": (lambda s: s.__setitem__(0, "x"), lambda s: s.__setitem__(1, "y")),
    "append, and elements that are there": (lambda s: s.append(1), lambda s: (s[0], s.__setitem__(2, "y"))),
    "pop, and elements that stay": (lambda s: s.pop(), lambda s: s[0]),
    "insert, and elements before it": (lambda s: s.insert(3, "x"), lambda s: (s[0], s[2])),
    "an element, and the length": (lambda s: s.__setitem__(0, "x"), lambda s: len(s)),
    "an element, and an append": (lambda s: s[0], lambda s: s.append("y")),
    "readers": (lambda s: list(s), lambda s: (s == [], len(s))),
    "a sort of what is sorted, and readers": (lambda s: s.sort(), lambda s: list(s)),
}


@pytest.mark.parametrize("name", UNDISTURBED)
def test_do_not_conflict(stage, name):
    first, second = UNDISTURBED[name]
    made, runs = STMList([1, 2, 3, 4]), []
    holder = hold(stage, first, made)

    @atomic
    def work():
        runs.append("run")
        second(made)

    work()
    assert runs == ["run"]
    assert holder.is_running()
    holder.resume()
    holder.result()


DISTURBED = {
    "one element": (lambda s: s.__setitem__(0, "x"), lambda s: s[0]),
    "two appends": (lambda s: s.append(1), lambda s: s.append(1)),
    "append and length": (lambda s: s.append(1), lambda s: len(s)),
    "append, and the element it makes": (lambda s: s.append(1), lambda s: s[4:5]),
    "the element that an append makes": (
        lambda s: pytest.raises(IndexError, lambda: s[4]),
        lambda s: s.append(1),
    ),
    "the end of an iteration, and an append": (lambda s: list(iter(s)), lambda s: s.append(1)),
    "the element from the end, and a pop": (lambda s: s[-1], lambda s: s.pop()),
    "insert, and elements behind it": (lambda s: s.insert(1, "x"), lambda s: s[2]),
    "delete, and elements behind it": (lambda s: s.__delitem__(0), lambda s: s[2]),
    "sort and an element that moves": (lambda s: s.sort(reverse=True), lambda s: s[0]),
    "membership and a change": (lambda s: 9 in s, lambda s: s.__setitem__(3, "x")),
}


@pytest.mark.parametrize("name", DISTURBED)
def test_conflict(stage, name):
    first, second = DISTURBED[name]
    made, mine, runs = STMList([1, 2, 3, 4]), Cell(), []
    holder = hold(stage, first, made)

    @atomic
    def work():
        runs.append(holder.is_running())
        mine.value += 1
        second(made)

    aborted = stats().aborted_by_conflict
    worker = stage.start(work)
    stage.until(lambda: stats().aborted_by_conflict > aborted)
    holder.resume()
    holder.result()
    worker.result()
    assert len(runs) == 2


def test_a_read_outside_sees_what_is_committed_at_once(stage):
    made = STMList(range(5))

    def change(s):
        s[0] = "x"
        del s[3:]
        s.insert(1, "y")

    holder = hold(stage, change, made)
    assert [made[index] for index in range(-5, 5)] == list(range(5)) * 2
    assert (len(made), made == list(range(5)), made[1:3], repr(made)) == (
        5,
        True,
        [1, 2],
        "STMList([0, 1, 2, 3, 4])",
    )
    assert (list(made), made.copy(), 4 in made, made.index(4)) == (list(range(5)), list(range(5)), True, 4)
    assert list(reversed(made)) == [4, 3, 2, 1, 0]
    with pytest.raises(IndexError):
        made[-6]
    holder.resume()
    holder.result()
    assert made == ["x", "y", 1, 2]


def test_a_whole_list_outside_is_of_one_moment(stage):
    """Two elements, and the length, are always changed together."""
    made, stop = STMList([0, 0, 0]), threading.Event()

    @atomic
    def change(number):
        made[0] = number
        made[1] = number
        if number % 2:
            made.append(number)
        else:
            made.pop()

    def work():
        number = 0
        while not stop.is_set():
            number += 1
            change(number)

    worker = stage.start(work)
    try:
        for _ in range(3000):
            seen = made.copy()
            assert seen[0] == seen[1], "half of a transaction was seen"
            assert len(seen) == 3 + seen[0] % 2, "half of a transaction was seen"
            assert made[-1] >= 0
    finally:
        stop.set()
    worker.result()


def test_a_long_list_outside_is_of_one_moment(stage):
    """Written one after the other, outside: the first is never behind the last one, and one ahead at most."""
    made = STMList([0] * 2000)

    def change(number):
        made[0] = number
        made[-1] = number

    def look():
        seen = made.copy()
        assert 0 <= seen[0] - seen[-1] <= 1, "elements of two moments were seen"

    stage.look_while(change, look)


def test_a_long_list_that_grows_and_shrinks_is_of_one_moment(stage):
    made = STMList([0] * 2000)

    @atomic
    def change(number):
        made[0] = number
        made.append(number) if number % 2 else made.pop()

    def look():
        seen = made.copy()
        assert len(seen) == 2000 + seen[0] % 2, "half of a transaction was seen"

    stage.look_while(change, look)


@pytest.mark.parametrize(
    "together",
    [lambda a, b: a != b, lambda a, b: len(a + b) == 3, lambda a, b: sum(a + b) == 6],
)
def test_two_lists_outside_are_of_one_moment(stage, together):
    a, b = STMList([1, 2]), STMList([3])

    @atomic
    def swap(turn):
        a[:], b[:] = b.copy(), a.copy()

    def look():
        assert together(a, b)

    stage.look_while(swap, look)


@pytest.mark.parametrize(
    "copy_to",
    [
        lambda source, target: target.extend(source),
        lambda source, target: target.__iadd__(source),
        lambda source, target: target.__setitem__(slice(None), source),
        lambda source, target: target.__setitem__(slice(None, None, -1), source),
    ],
)
def test_what_another_list_has_is_put_in_in_one_transaction(stage, copy_to):
    source, target = STMList([0]), STMList([0])

    @atomic
    def change(turn):
        source[0] = turn
        target[:] = [turn]

    @atomic
    def differ():
        return {*source} != {*target}

    def look():
        with contextlib.suppress(ValueError):  # its length is another one by now
            copy_to(source, target)
        assert not differ()

    stage.look_while(change, look)


def test_a_copy_in_unrecorded_has_no_elements_that_nobody_put_there(stage):
    made = STMList(range(2000))

    def change(turn):
        if turn % 2:
            del made[10:]
        else:
            made.extend(range(10, 2000))

    @atomic
    def look():
        with unrecorded():
            assert None not in made.copy()

    stage.look_while(change, look)


def test_a_write_outside_waits_for_its_turn(stage):
    made = STMList([1, 2, 3])
    holder = hold(stage, lambda s: (s[0], len(s)), made)
    made[1] = "at once"
    attempts = stats().attempts
    writers = [stage.start(made.__setitem__, 0, "x"), stage.start(made.append, 4)]
    stage.until(lambda: stats().attempts >= attempts + 2)
    assert made == [1, "at once", 3]
    holder.resume()
    holder.result()
    for writer in writers:
        writer.result()
    assert made == ["x", "at once", 3, 4]


def test_a_stack_of_eight_threads_loses_and_doubles_nothing(stage):
    stack, taken, turns = STMList(), [], 200

    def take():
        return stack.pop() if stack else None

    def push_two(number):
        stack.append(number)
        stack.append(-number)

    def work(worker):
        mine = random.Random(worker)
        for turn in range(turns):
            number = 1 + worker * turns + turn
            if mine.random() < 0.5:
                atomically(push_two, number)
            else:
                stack.append(number)
                stack.insert(0, -number)
            for _ in range(2):
                item = atomically(take)
                if item is not None:
                    taken.append(item)

    workers = [stage.start(work, worker) for worker in range(8)]
    for worker in workers:
        worker.result()
    expected = [sign * number for number in range(1, 8 * turns + 1) for sign in (1, -1)]
    assert sorted([*taken, *stack]) == sorted(expected)


def test_elements_in_parallel(stage):
    made = STMList([0] * 8)

    @atomic
    def add(index):
        made[index] += 1

    def work(index):
        for _ in range(500):
            add(index)

    workers = [stage.start(work, index % 8) for index in range(8)]
    for worker in workers:
        worker.result()
    assert made == [500] * 8


def test_the_maps_name_elements_and_the_length():
    made = STMList([1, 2])

    @atomic
    def work():
        made[1]
        made.append(3)
        seen = {
            name: list(modes.values()) for (s, name), modes in access_map().by_attribute.items() if s is made
        }
        assert seen == {"[1]": ["read"], "[2]": ["write"], "len": ["write"]}
        return revert_log()

    assert sorted(work(), key=lambda entry: entry[1]) == [(made, "[2]", MISSING), (made, "len", 2)]


# --- against a list


indices = st.integers(-12, 12)
slices = st.builds(slice, *[st.none() | indices] * 2, st.none() | st.integers(-3, 3).filter(bool))
elements = st.integers(0, 9) | st.builds(Odd, st.integers(0, 4))
some_elements = st.lists(elements, max_size=6)

TestAgainstAList = machine(
    st.one_of(
        st.builds(lambda i, v: lambda s, _: s.__setitem__(i, v), indices, elements),
        st.builds(lambda i: lambda s, _: s[i], indices),
        st.builds(lambda which: lambda s, _: list(s[which]), slices),
        st.builds(lambda which, v: lambda s, _: s.__setitem__(which, v), slices, some_elements),
        st.builds(lambda which: lambda s, _: s.__delitem__(which), slices | indices),
        st.builds(lambda i, v: lambda s, _: s.insert(i, v), indices, elements),
        st.builds(lambda v: lambda s, _: s.append(v), elements),
        st.builds(lambda v: lambda s, _: s.extend(v), some_elements),
        st.builds(lambda v: lambda s, _: s.remove(v), elements),
        st.builds(lambda v: lambda s, _: (v in s, s.count(v)), elements),
        st.builds(lambda v: lambda s, _: s.index(v), elements),
        st.builds(lambda i: lambda s, _: s.pop(i), indices),
        st.builds(lambda n: lambda s, _: list(s * n), st.integers(-1, 2)),
        st.builds(lambda n: lambda s, _: len(s) < 100 and s.__imul__(n) is s, st.integers(-1, 2)),
        st.sampled_from(
            [
                lambda s, _: s.pop(),
                lambda s, _: s.reverse(),
                lambda s, _: s.sort(key=repr),
                lambda s, _: s.clear(),
                lambda s, _: len(s),
            ]
        ),
    ),
    st.sampled_from([STMList, lambda: Named("n")]).map(lambda make: make()),
    plain=lambda _: [],
    contents=list,
    put_back=lambda s, items: s.__setitem__(slice(None), items),
    keyed=True,
)
