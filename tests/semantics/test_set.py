"""STMSet: a set in which transactions conflict element by element."""

from __future__ import annotations

import copy
import pickle
from collections.abc import MutableSet

import pytest
from cells import Reverted
from hypothesis import strategies as st
from machines import Odd, machine

from stmpy import STMDict, STMObject, STMSet, access_map, atomic, atomically, stats


class Named(STMSet):
    def __init__(self, name, *args):
        super().__init__(*args)
        self.name = name


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


def test_a_set_is_a_set():
    s = STMSet("abc")
    assert isinstance(s, MutableSet)
    assert isinstance(s, STMObject)
    assert ("a" in s, "d" in s, len(s), sorted(s)) == (True, False, 3, ["a", "b", "c"])
    s.add("a")
    s.add("d")
    s.discard("a")
    s.discard("z")
    s.remove("b")
    with pytest.raises(KeyError) as raised:
        s.remove((1, 2))
    assert raised.value.args == ((1, 2),)
    assert s == {"c", "d"}
    assert (repr(STMSet()), repr(STMSet([1])), repr(Named("n", [1]))) == (
        "STMSet()",
        "STMSet({1})",
        "Named({1})",
    )
    with pytest.raises(TypeError, match="unhashable"):
        hash(s)
    with pytest.raises(TypeError, match="unhashable"):
        s.add([])
    assert STMSet([frozenset([1])]) >= {frozenset([1])}
    assert {1} in STMSet([frozenset([1])])
    assert STMSet([1]) in STMSet([frozenset([1])])


def test_operators_with_sets_of_all_kinds():
    s = STMSet([1, 2, 3])
    for other in ({2, 4}, frozenset({2, 4}), STMSet([2, 4]), STMDict({2: 0, 4: 0}).keys()):
        assert (s | other, s & other, s - other, s ^ other) == ({1, 2, 3, 4}, {2}, {1, 3}, {1, 3, 4})
        assert {type(one) for one in (s | other, s & other, s - other, s ^ other)} == {STMSet}
        assert not s.isdisjoint(other)
        assert s != other
        assert not s <= other
    for cls in (set, frozenset):
        made = cls([2, 4]) | s, cls([2, 4]) & s, cls([2, 4]) - s, cls([2, 4]) ^ s
        assert made == ({1, 2, 3, 4}, {2}, {4}, {1, 3, 4})
        assert {type(one) for one in made} == {cls}
        assert cls([1, 2, 3]) == s
        assert cls([1]) < s
    with pytest.raises(TypeError):
        s | [1]
    assert s.union([7], {8}) == {1, 2, 3, 7, 8}
    assert s.issubset(range(5))
    assert s.issuperset([1])


def test_changes_in_place():
    s = same = STMSet([1, 2, 3])
    s |= {4}
    s &= {2, 3, 4}
    s -= {4}
    s ^= {3, 5}
    assert s is same
    assert s == {2, 5}
    s ^= s
    assert s == set()
    s.update([1], iter([2]), STMSet([3]))
    s.intersection_update([1, 2, 9], [1, 2])
    s.difference_update([2], [7])
    s.symmetric_difference_update([8, 1])
    assert s == {8}


def test_order_is_that_of_the_commits(stage):
    s = STMSet(["z", "y"])
    late = holding(stage, lambda: s.update(["m", "l"]))
    s.add("a")
    late.resume()
    late.result()
    assert list(s) == ["z", "y", "a", "m", "l"]
    assert list(s | STMSet(["c", "b"])) == [*s, "c", "b"]
    assert list(s.copy()) == list(s)


def test_different_elements_do_not_conflict(stage):
    s, runs = STMSet(range(0, 100, 2)), []

    def change(first):
        for number in range(first, 100, 4):
            assert number in s
            s.remove(number)
            s.add(-number - 1)

    holder = holding(stage, lambda: change(0))

    @atomic
    def others():
        runs.append("run")
        change(2)

    others()
    assert holder.is_running()
    assert runs == ["run"]
    holder.resume()
    holder.result()
    assert sorted(s) == sorted(-number - 1 for number in range(0, 100, 2))


def test_an_absent_element_conflicts_with_its_insertion(stage):
    s = STMSet()
    holder = holding(stage, lambda: 1 in s)
    adder = waits(stage, s.add, 1)
    assert 1 not in s
    holder.resume()
    assert holder.result() is False
    adder.result()
    assert 1 in s


def test_an_element_is_added_once(stage):
    s = STMSet()
    holder = holding(stage, lambda: s.add((1, 2)))
    adder = waits(stage, s.add, (1, 2))
    holder.resume()
    holder.result()
    adder.result()
    assert (list(s), len(s)) == ([(1, 2)], 1)


def test_two_that_pop_get_different_elements(stage):
    s = STMSet(range(10))
    holder = holding(stage, s.pop)
    other = s.pop()
    assert holder.is_running()
    holder.resume()
    assert {holder.result(), other} | set(s) == set(range(10))
    assert len(s) == 8
    last = holding(stage, lambda: [s.pop() for _ in range(8)])
    popper = waits(stage, atomic(s.pop))
    last.resume()
    last.result()
    with pytest.raises(KeyError):
        popper.result()


def test_a_pop_waits_for_the_last_element_which_may_come_back(stage):
    s, inside = STMSet(["last"]), stage.pause()

    @atomic
    def take():
        assert s.pop() == "last"
        inside.here()
        raise Reverted

    taker = stage.start(take)
    inside.reached()
    popper = waits(stage, s.pop)
    inside.resume()
    with pytest.raises(Reverted):
        taker.result()
    assert popper.result() == "last"


def test_no_pop_finds_a_set_empty_that_is_not(stage):
    s = STMSet(range(20_000))

    def work():
        return [s.pop() for _ in range(4500)]

    taken = [task.result() for task in [stage.start(work) for _ in range(4)]]
    assert len({element for some in taken for element in some}) == 18_000
    assert len(s) == len(list(s)) == 2000


def test_each_element_is_popped_once(stage):
    s = STMSet(range(400))

    def work(number):
        return [atomically(s.pop) if turn % 2 else s.pop() for turn in range(50)]

    taken = [task.result() for task in [stage.start(work, number) for number in range(8)]]
    assert sorted(element for some in taken for element in some) == list(range(400))
    assert (len(s), list(s)) == (0, [])


def test_many_insertions_do_not_keep_off_who_looks_for_something_else(stage):
    s = STMSet(range(20000))
    holder = holding(stage, lambda: s.update(range(-50, 0)))
    absent = [number for number in range(10**6, 10**6 + 200) if atomically(finds_free, s, number)]
    assert holder.is_running()
    assert len(absent) > 180
    holder.resume()
    holder.result()


def finds_free(s, number):
    """Whether it is found absent before anybody has to wait: a re-run says no."""
    from stmpy import current_transaction

    return current_transaction().attempt == 1 and number not in s


def test_a_reader_of_the_whole_conflicts_with_changes(stage):
    s = STMSet([1, 2])
    holder = holding(stage, lambda: sorted(s))
    adder = waits(stage, s.add, 3)
    holder.resume()
    assert holder.result() == [1, 2]
    adder.result()
    assert s == {1, 2, 3}


@pytest.mark.parametrize(
    "together",
    [
        lambda a, b: 1 in a | b,
        lambda a, b: 1 in a ^ b,
        lambda a, b: not a & b,
        lambda a, b: a.isdisjoint(b),
        lambda a, b: a != b,
        lambda a, b: 1 in a.union(b),
    ],
)
def test_two_sets_outside_are_of_one_moment(stage, together):
    """The one element is now in the one of them, now in the other."""
    a, b = STMSet([1]), STMSet()

    @atomic
    def move(turn):
        source, target = (a, b) if 1 in a else (b, a)
        target.add(source.pop())

    def look():
        assert together(a, b)

    stage.look_while(move, look)


def test_an_exception_takes_everything_back():
    s = STMSet([1, 2, 3])

    @atomic
    def fail():
        s.add(4)
        s.discard(1)
        s.clear()
        s.update([1, 7])
        raise Reverted

    with pytest.raises(Reverted):
        fail()
    assert (list(s), len(s)) == ([1, 2, 3], 3)


def test_the_access_map_names_the_elements():
    s = STMSet([1])

    @atomic
    def work():
        assert 1 in s
        s.add("a")
        names = access_map().by_attribute
        return [*names[s, "[1]"].values()], [*names[s, "['a']"].values()], [*names[s, "len"].values()]

    assert work() == (["read"], ["write"], ["add"])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol):
    s = Named("n", [3, 1, 2])
    made = pickle.loads(pickle.dumps(s, protocol))
    assert (type(made), made.name, list(made)) == (Named, "n", [3, 1, 2])


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, atomic(copy.copy)])
def test_copies(how):
    s = Named("n", [3, 1, 2])
    made = how(s)
    s.add(4)
    assert (type(made), made.name, list(made)) == (Named, "n", [3, 1, 2])


elements = st.integers(0, 8) | st.builds(Odd, st.integers(0, 4))
some_elements = st.lists(elements, max_size=5)


def pop(s, told):
    """Any element: the other one gives up the same."""
    if told is None:
        return s.pop()
    s.remove(told)
    return told


def put_back(s, elements):
    s.clear()
    s.update(elements)


def everything_of(s, other):
    return (
        (s | other, s & other, s - other, s ^ other),
        (s <= other, s >= other, s == other, s.isdisjoint(other)),
    )


TestSetMachine = machine(
    st.one_of(
        st.builds(lambda element: lambda s, _: s.add(element), elements),
        st.builds(lambda element: lambda s, _: s.discard(element), elements),
        st.builds(lambda element: lambda s, _: s.remove(element), elements),
        st.builds(lambda element: lambda s, _: element in s, elements),
        st.builds(lambda other: lambda s, _: everything_of(s, set(other)), some_elements),
        st.builds(
            lambda name, others: lambda s, _: getattr(s, name)(*others),
            st.sampled_from(["update", "intersection_update", "difference_update"]),
            st.lists(some_elements, max_size=2),
        ),
        st.builds(lambda other: lambda s, _: s.symmetric_difference_update(other), some_elements),
        st.builds(lambda other: lambda s, _: s.__iand__(set(other)) is s, some_elements),
        st.sampled_from([pop, pop, lambda s, _: s.clear(), lambda s, _: (len(s), s == set(s))]),
    ),
    st.sampled_from([STMSet, lambda: Named("n")]).map(lambda make: make()),
    plain=lambda _: set(),
    contents=lambda s: sorted(s, key=repr),
    put_back=put_back,
    keyed=True,
)
