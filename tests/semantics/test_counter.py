"""STMCounter: additions of different transactions do not conflict, the value does."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref

import pytest
from cells import Cell, Reverted
from hypothesis import strategies as st
from machines import machine

from stmpy import MISSING, STMCounter, STMObject, access_map, atomic, atomically, revert_log, stats


class Named(STMCounter):
    def __init__(self, name: str, value: int = 0) -> None:
        super().__init__(value)
        self.name = name


@atomic
def read(counter):
    return counter.value


# --- what it is


def test_a_counter_counts():
    counter = STMCounter()
    counter.add()
    counter.add(5)
    counter.add(n=-2)
    assert counter.value == 4
    counter += 10
    counter -= 1
    assert isinstance(counter, STMCounter)
    assert int(counter) == 13
    counter.value = 7
    counter.value += 1
    assert (repr(counter), repr(Named("n", 3))) == ("STMCounter(8)", "Named(3)")
    assert STMCounter(value=3).value == 3
    assert STMCounter(True).value == 1


def test_counters_are_compared_by_identity():
    one, other = STMCounter(1), STMCounter(1)
    assert one == one
    assert one != other
    assert len({one, other}) == 2


@pytest.mark.parametrize("wrong", ["1", 1.0, None, [1]])
def test_only_whole_numbers_are_counted(wrong):
    counter = STMCounter(1)
    for act in (
        lambda: counter.add(wrong),
        lambda: STMCounter(wrong),
        lambda: setattr(counter, "value", wrong),
        lambda: counter.__iadd__(wrong) is NotImplemented and counter.add(wrong),
        lambda: atomically(counter.add, wrong),
    ):
        with pytest.raises(TypeError):
            act()
    with pytest.raises(TypeError):
        counter += wrong
    with pytest.raises(TypeError):
        counter.add(1, 2)
    with pytest.raises(TypeError):
        counter.add(m=1)
    with pytest.raises(AttributeError):
        del counter.value
    assert counter.value == 1


def test_sums_are_larger_than_amounts():
    counter, most = STMCounter(2**63 - 1), 2**63 - 1
    for _ in range(5):
        counter.add(most)
        atomically(counter.add, most)
    assert counter.value == 11 * most
    for value in (2**120, -(2**120), 2**64, -(2**64), -1, 2**63, -(2**63), 2**62, 0):
        counter.value = value
        assert counter.value == value
        assert STMCounter(value).value == value

        @atomic
        def change(value=value):
            counter.add(most)
            assert counter.value == value + most
            counter.value = -value
            counter.add(-(2**63))
            return counter.value

        assert change() == counter.value == -value - 2**63
    for amount in (2**63, -(2**63) - 1, 2**200):
        with pytest.raises(OverflowError):
            counter.add(amount)
    for value in (2**120 + 1, -(2**120) - 1, 2**200):
        with pytest.raises(OverflowError):
            counter.value = value


def test_a_transaction_sees_its_own_additions():
    counter = STMCounter(10)

    @atomic
    def work():
        counter.add(1)
        assert counter.value == 11
        counter.add(2)
        counter.add(3)
        assert counter.value == 16
        counter.value = 3
        counter.add(4)
        return counter.value

    assert work() == counter.value == 7


def test_additions_behind_a_read():
    counter = STMCounter(1)

    @atomic
    def work():
        counter.add(counter.value)
        counter.add(counter.value)
        counter.value += counter.value

    work()
    assert counter.value == 8


def test_many_counters_in_one_transaction():
    counters = [STMCounter(number) for number in range(200)]

    @atomic
    def work():
        for turn in range(3):
            for number, counter in enumerate(counters):
                counter.add(number)
            if turn:
                assert [counter.value for counter in counters] == [n * (turn + 2) for n in range(200)]

    work()
    assert [counter.value for counter in counters] == [number * 4 for number in range(200)]


def test_an_exception_takes_additions_back():
    counter = STMCounter(5)

    @atomic
    def fail():
        counter.add(1)
        counter.value = 100
        counter.add(1)
        raise Reverted

    with pytest.raises(Reverted):
        fail()
    assert counter.value == 5


def test_a_nested_exception_takes_its_own_additions_back():
    counter = STMCounter(0)

    @atomic
    def nested(change, fails):
        change()
        if fails:
            raise Reverted

    @atomic
    def outer():
        counter.add(1)
        nested(lambda: counter.add(10), False)
        with pytest.raises(Reverted):
            nested(lambda: counter.add(100), True)
        assert counter.value == 11
        with pytest.raises(Reverted):
            nested(lambda: (counter.add(100), counter.value, setattr(counter, "value", 7)), True)
        assert counter.value == 11
        counter.add(1000)
        with pytest.raises(Reverted):
            nested(lambda: counter.value == 1011 or counter.add(5), True)
        counter.add(1)

    outer()
    assert counter.value == 1012


class Looks:
    """Reads and adds when it dies, which is in the middle of a savepoint's revert."""

    def __init__(self, counter):
        self.counter, self.seen = counter, []

    def __del__(self):
        self.seen.append(self.counter.value)
        self.counter.add(1)
        self.seen.append(self.counter.value)


def test_a_finaliser_in_the_middle_of_a_revert_sees_what_is_left():
    counter, holder, seen = STMCounter(0), Cell(), []

    @atomic
    def nested():
        counter.add(10)
        counter.value
        holder.value = Looks(counter)
        seen.append(holder.value.seen)
        counter.add(100)
        raise Reverted

    @atomic
    def outer():
        counter.add(1)
        with pytest.raises(Reverted):
            nested()
        gc.collect()
        counter.add(1000)
        return counter.value

    assert outer() == counter.value == 1002
    assert seen == [[1, 2]]


# --- conflicts


def test_additions_do_not_conflict(stage):
    counter, mine, inside, runs = STMCounter(), Cell(), stage.pause(), []

    @atomic
    def hold():
        counter.add(1)
        inside.here()

    @atomic
    def add():
        runs.append("run")
        mine.value += 1
        counter.add(10)

    holder = stage.start(hold)
    inside.reached()
    add()
    counter.add(100)
    atomically(counter.add, 1000)
    assert counter.value == 1110
    assert holder.is_running()
    assert runs == ["run"]
    inside.resume()
    holder.result()
    assert counter.value == 1111


@pytest.mark.parametrize("first", [lambda c: c.value, lambda c: setattr(c, "value", 5)], ids=["read", "set"])
@pytest.mark.parametrize("how", [STMCounter.add, atomic(STMCounter.add)], ids=["outside", "inside"])
def test_an_addition_waits_for_who_has_read_or_set_the_value(stage, first, how):
    counter, inside = STMCounter(), stage.pause()

    @atomic
    def hold():
        first(counter)
        inside.here()
        return counter.value

    holder = stage.start(hold)
    inside.reached()
    attempts = stats().attempts
    adder = stage.start(how, counter)
    stage.until(lambda: stats().attempts > attempts)
    before = counter.value
    inside.resume()
    value = holder.result()
    adder.result()
    assert (before, counter.value) == (0, value + 1)


def test_a_reader_waits_for_adders(stage):
    counter, inside = STMCounter(), stage.pause()

    @atomic
    def hold():
        counter.add(1)
        inside.here()

    holder = stage.start(hold)
    inside.reached()
    reader = stage.start(read, counter)
    assert counter.value == 0  # from outside, at once
    assert reader.is_running()
    inside.resume()
    holder.result()
    assert reader.result() == 1


def test_a_read_outside_never_sees_what_is_not_committed(stage):
    counter, inside = STMCounter(1), stage.pause()

    @atomic
    def hold():
        counter.add(1)
        counter.value = 50
        inside.here()
        raise Reverted

    holder = stage.start(hold)
    inside.reached()
    assert (counter.value, int(counter), repr(counter)) == (1, 1, "STMCounter(1)")
    inside.resume()
    with pytest.raises(Reverted):
        holder.result()
    assert counter.value == 1


def test_a_read_outside_never_sees_a_part_of_what_a_transaction_adds(stage):
    counter, other = STMCounter(0), STMCounter(0)

    @atomic
    def there_and_back(_):
        for _ in range(100):
            counter.add(1)
            other.add(1)
        atomically(counter.add, 2**62)
        counter.add(-(2**62) - 100)

    def look():
        for _ in range(100):
            assert counter.value == 0
            assert other.value % 100 == 0

    stage.look_while(there_and_back, look)


def test_nothing_is_lost_among_many_threads(stage):
    counter, total, turns = STMCounter(), Cell(0), 300

    @atomic
    def add_twice(amount):
        counter.add(amount)
        counter.add(-1)

    @atomic
    def move():
        seen = counter.value
        counter.value = 0
        total.value += seen

    def work(number):
        for turn in range(turns):
            if turn % 3 == 0:
                counter.add(number)
            elif turn % 3 == 1:
                add_twice(number + 1)
            elif turn % 50 == 2:
                move()

    tasks = [stage.start(work, number) for number in range(8)]
    for task in tasks:
        task.result()
    move()
    assert total.value == sum(range(8)) * 2 * (turns // 3)


def test_a_value_that_was_read_stays_as_it_was(stage):
    counter, stop = STMCounter(), threading.Event()

    def add():
        while not stop.is_set():
            counter.add(1)
            atomically(counter.add, 1)

    adders = [stage.start(add) for _ in range(3)]

    @atomic
    def look():
        return [counter.value for _ in range(5)]

    try:
        for _ in range(100):
            assert len(set(look())) == 1
    finally:
        stop.set()
    for adder in adders:
        adder.result()


def test_calling_a_method_does_not_conflict_with_attributes_that_come(stage):
    counter, inside = STMCounter(), stage.pause()

    @atomic
    def hold():
        counter.more = 1
        inside.here()

    holder = stage.start(hold)
    inside.reached()
    atomically(lambda: counter.add(1))
    assert holder.is_running()
    inside.resume()
    holder.result()
    with pytest.raises(AttributeError, match="read-only"):
        counter.add = None
    with pytest.raises(AttributeError, match="read-only"):
        del counter.add
    assert (vars(counter), counter.value) == ({"more": 1}, 1)


class Shadowing(STMCounter):
    def __init__(self):
        super().__init__()
        self.add = self.value


def test_a_subclass_may_have_an_attribute_of_a_methods_name():
    counter = Shadowing()
    assert counter.add == atomically(lambda: counter.add) == 0
    del counter.add
    counter.add(1)
    assert counter.value == 1


# --- what is seen of it


def test_the_access_map_names_the_value():
    counter = STMCounter(3)

    @atomic
    def work():
        counter.add(1)
        mode = access_map().by_attribute[counter, "value"]
        assert list(mode.values()) == ["add"]
        assert revert_log() == []
        counter.value = 10
        assert list(access_map().by_attribute[counter, "value"].values()) == ["write"]
        return revert_log()

    assert work() == [(counter, "value", 4)]


def test_a_counter_is_an_stm_object():
    counter = Named("first", 4)

    @atomic
    def fail():
        counter.name, counter.more = "second", 1
        counter.add(1)
        assert (counter, "more", MISSING) in revert_log()
        raise Reverted

    assert isinstance(counter, STMObject)
    with pytest.raises(Reverted):
        fail()
    assert (vars(counter), counter.value) == ({"name": "first"}, 4)


def test_a_counter_in_a_cycle_is_collected():
    counter = Named("first")
    died = weakref.ref(counter)
    counter.itself = counter
    del counter
    gc.collect()
    assert died() is None


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol):
    made = pickle.loads(pickle.dumps(STMCounter(2**100), protocol))
    assert (type(made), made.value) == (STMCounter, 2**100)
    made = pickle.loads(pickle.dumps(Named("n", 7), protocol))
    assert (type(made), made.value, made.name) == (Named, 7, "n")


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, atomic(copy.copy)])
def test_copies(how):
    counter = Named("n", 7)
    counter.items = []
    made = how(counter)
    counter.add(1)
    assert (type(made), made.value, made.name) == (Named, 7, "n")
    assert (made.items is counter.items) is (how is not copy.deepcopy)


def test_a_subclass_with_arguments_of_its_own():
    class Strange(STMCounter):
        def __new__(cls, *args, **kwargs):
            return super().__new__(cls)

        def __init__(self, *, start):
            super().__init__(start)

        @property
        def value(self):
            return "mine"

    made = Strange(start=5)
    assert (int(made), made.value, repr(made)) == (5, "mine", "Strange(5)")
    assert int(copy.copy(made)) == 5


class Number:
    """What a counter is to one thread."""

    def __init__(self, value):
        self.value = value

    def add(self, amount):
        self.value += amount


amounts = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)

TestCounting = machine(
    st.one_of(
        st.builds(lambda amount: lambda c, _: c.add(amount), amounts),
        st.builds(lambda value: lambda c, _: setattr(c, "value", value), amounts),
        st.just(lambda c, _: c.value),
    ),
    st.sampled_from([STMCounter, lambda: Named("n")]).map(lambda make: make()),
    plain=lambda _: Number(0),
    contents=lambda c: c.value,
    put_back=lambda c, value: setattr(c, "value", value),
)
