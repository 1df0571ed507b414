"""or_else(f, g, …): the first alternative that does not retry()."""

from __future__ import annotations

import contextlib
import functools
import threading

import pytest
from cells import Cell, Reverted
from rivals import swallowing

from stmpy import (
    AbortTransaction,
    TransactionTimeout,
    TransactionUsageError,
    atomic,
    atomically,
    check,
    compiled,
    current_transaction,
    in_transaction,
    or_else,
    retry,
    revert_log,
    stats,
)


@pytest.fixture
def sleepers(stage):
    """Waits until so many more attempts have ended in retry(); what is watched is so from then on."""
    before = stats().retries
    return lambda count: stage.until(lambda: stats().retries >= before + count)


@atomic
def take(cell):
    value = cell.value
    check(value)
    cell.value = 0
    return value


def take_from(*cells):
    """Of each cell an alternative."""
    return or_else(*(functools.partial(take, cell) for cell in cells))


def in_a_transaction(*alternatives):
    return atomically(or_else, *alternatives)


def in_a_nested_one(*alternatives):
    return atomically(atomically, or_else, *alternatives)


def within_another(*alternatives):
    return or_else(retry, lambda: or_else(*alternatives))


@atomic
def in_an_atomic_function(*alternatives):
    return or_else(*alternatives)


every_way = pytest.mark.parametrize(
    "choose",
    [or_else, in_a_transaction, in_a_nested_one, within_another, in_an_atomic_function],
    ids=lambda choose: choose.__name__,
)


@every_way
def test_the_first_that_does_not_retry_is_the_result(choose):
    full, empty = Cell(3), Cell()
    assert choose(lambda: take(full), lambda: take(empty)) == 3
    full.value = 4
    assert choose(lambda: take(empty), lambda: take(full)) == 4
    assert choose(lambda: take(empty), lambda: take(empty), lambda: "neither") == "neither"
    assert choose(lambda: None) is None
    assert not in_transaction()


@every_way
def test_what_a_retried_alternative_changed_is_taken_back(choose):
    cell, seen = Cell("before"), []

    def first():
        cell.value = "first"
        cell.fresh = 1
        del cell.other
        atomically(setattr, cell, "value", "nested")
        retry()

    def second():
        seen.append((cell.value, hasattr(cell, "fresh"), cell.other))
        cell.value = "second"

    choose(first, second)
    assert seen == [("before", False, 0)]
    assert (cell.value, hasattr(cell, "fresh"), cell.other) == ("second", False, 0)


def test_what_was_written_before_stays():
    cell = Cell()

    def first():
        cell.value += 10
        cell.other += 10
        retry()

    @atomic
    def transaction():
        cell.value = 1
        or_else(first, lambda: None)
        cell.other += 1
        return [(attribute, old) for _, attribute, old in revert_log()]

    transaction()
    assert (cell.value, cell.other) == (1, 1)


def test_after_a_retried_alternative_everything_is_noticed_as_before(stage, sleepers):
    """What was hidden from inline checks while it unwound is found again, and savepoints log anew."""
    cell = Cell(1)

    def first():
        cell.value += 1
        retry()

    def fail():
        cell.value += 5
        raise Reverted

    @atomic
    def transaction():
        cell.value += 1
        for _ in range(3):
            or_else(first, lambda: None)
            with contextlib.suppress(Reverted):
                atomically(fail)
            cell.value += 10
        return cell.value

    assert transaction() == 32
    assert cell.value == 32


@every_way
def test_where_all_retry_it_waits_for_what_any_of_them_has_read(stage, sleepers, choose):
    cells = [Cell() for _ in range(3)]
    for number, cell in enumerate(cells):
        task = stage.start(choose, *(functools.partial(take, each) for each in cells))
        sleepers(number + 1)
        cell.value = "change"
        assert task.result() == "change"


@every_way
def test_an_exception_takes_its_alternative_back_and_leaves(choose):
    cell, others = Cell("before"), []

    def first():
        cell.value = "first"
        raise Reverted

    with pytest.raises(Reverted) as caught:
        choose(first, lambda: others.append(1))
    assert caught.value.__context__ is None
    assert cell.value == "before"
    assert others == []
    with pytest.raises(Reverted):
        choose(retry, first)
    assert cell.value == "before"


def test_an_exception_reverts_just_its_alternative():
    cell = Cell("before")

    def first():
        cell.value = "first"
        raise Reverted

    @atomic
    def transaction():
        cell.other = "kept"
        try:
            or_else(first)
        except Reverted:
            return cell.value

    assert transaction() == "before"
    assert cell.other == "kept"


def test_the_nearest_alternative_goes_on():
    log = []

    def inner():
        return or_else(lambda: log.append("a") or retry(), lambda: log.append("b") or retry())

    assert or_else(inner, lambda: log.append("c") or "c") == "c"
    assert or_else(lambda: or_else(retry, lambda: "inner"), lambda: "outer") == "inner"
    assert or_else(lambda: or_else(retry, retry), lambda: or_else(retry, lambda: "last")) == "last"
    assert log == ["a", "b", "c"]


def test_a_retry_goes_through_nested_calls_to_the_nearest_alternative():
    cell, log = Cell(), []

    @atomic
    def deep():
        try:
            cell.value += 1
            retry()
        finally:
            log.append(cell.value)
            cell.value += 1

    @atomic
    def between():
        try:
            deep()
        finally:
            log.append(cell.value)

    assert or_else(between, lambda: cell.value) == 0
    assert log == [1, 2]
    assert atomic(lambda: or_else(between, lambda: cell.value))() == 0
    assert cell.value == 0


@compiled
def compiled_alternative(cell):
    for _ in range(3):
        cell.value += 1
    check(cell.value > 100)
    return cell.value


def test_alternatives_that_write_what_the_caller_writes_too():
    cell = Cell(1)

    @atomic
    def transaction():
        for turn in range(5):
            cell.value += 1
            or_else(lambda: compiled_alternative(cell), lambda turn=turn: turn)
            cell.value += 1
        return cell.value

    assert transaction() == 11
    assert cell.value == 11


# --- a retry in an alternative cannot be swallowed


def swallow_everything(cell):
    """Never compiled."""
    cell.value = "inside"
    swallowing(retry)
    return [swallowing(lambda: cell.value), swallowing(atomic(lambda: None)), swallowing(retry)]


def return_from_finally(cell):
    cell.value = "inside"
    try:
        retry()
    finally:
        return "swallowed"  # noqa: B012


def replace(cell):
    cell.value = "inside"
    try:
        retry()
    except BaseException:
        raise ValueError from None


def swallow_in_a_nested_call(cell):
    return swallowing(atomic(replace), cell)


@compiled
def swallow_compiled(cell):
    cell.value = "inside"
    try:
        retry()
    except:  # noqa: E722
        return "swallowed"


@compiled
def suppress_compiled(cell):
    cell.value = "inside"
    with contextlib.suppress(BaseException):
        retry()
    return "swallowed"


@every_way
@pytest.mark.parametrize(
    "swallow",
    [
        swallow_everything,
        return_from_finally,
        replace,
        swallow_in_a_nested_call,
        swallow_compiled,
        suppress_compiled,
    ],
)
def test_an_alternative_that_retried_is_left_however_it_ends(choose, swallow):
    cell = Cell("before")
    assert choose(lambda: swallow(cell), lambda: cell.value) == "before"
    assert cell.value == "before"


def test_a_swallowed_retry_is_met_at_the_next_access_in_the_alternative():
    cell, met = Cell(), []

    def first():
        cell.value += 1
        met.extend(swallow_everything(cell))

    assert or_else(first, lambda: "second") == "second"
    assert met == ["swallowed"] * 3


def test_clean_up_in_an_alternative_uses_what_is_owned_and_is_taken_back():
    cell, other, log = Cell(), Cell(), []
    lock = threading.Lock()

    @atomic
    def helper():
        other.value += 1
        return or_else(lambda: other.value, retry)

    def first():
        lock.acquire()
        try:
            cell.value = 1
            retry()
        except AbortTransaction:
            cell.value += 1
            raise
        finally:
            log.append((cell.value, helper()))
            lock.release()

    assert or_else(first, lambda: (cell.value, other.value)) == (0, 0)
    assert log == [(2, 1)]
    assert not lock.locked()


def test_a_retry_in_clean_up_is_the_one_that_is_under_way():
    log = []

    def first():
        try:
            retry()
        finally:
            or_else(retry, lambda: log.append("never"))

    assert or_else(first, lambda: "second") == "second"
    assert log == []


@pytest.mark.parametrize("leaving", [KeyboardInterrupt, SystemExit, MemoryError])
def test_what_must_leave_leaves_in_place_of_a_retry(leaving):
    cell = Cell("before")

    def first():
        cell.value = "first"
        try:
            retry()
        finally:
            raise leaving

    with pytest.raises(leaving):
        or_else(first, lambda: "second")
    assert cell.value == "before"
    assert or_else(retry, lambda: "second") == "second"


def test_a_finaliser_behind_a_retried_alternative_uses_the_transaction():
    cell, log = Cell(), []

    class Finalised:
        def __del__(self):
            cell.value += 1
            log.append(or_else(retry, lambda: cell.value))

    def first():
        kept = Finalised()  # dies with the frame, behind the exception
        retry()
        return kept

    assert or_else(first, lambda: cell.value) == 1
    assert log == [1]


# --- with conflicts, timeouts, signals


def test_a_conflict_in_an_alternative_runs_the_outermost_again(rival):
    cell, runs = Cell(), []

    def first():
        cell.value += 1
        rival.meet()
        retry()

    @atomic
    def transaction():
        runs.append(current_transaction().attempt)
        return or_else(first, lambda: cell.value)

    assert transaction() == 0
    assert runs == [1, 2]


def test_clean_up_that_needs_what_is_not_free_goes_on_retrying(held):
    met = []

    def first():
        try:
            retry()
        finally:
            met.append(swallowing(lambda: held.value))

    assert or_else(first, lambda: "second") == "second"
    assert met == ["swallowed"]


def test_a_timeout_in_an_alternative_leaves_or_else_in_its_own_place():
    cell, seen = Cell(), []

    @atomic(timeout=0.01)
    def impatient():
        check(cell.value)

    def first():
        cell.other = "inside"
        try:
            impatient()
        except TransactionTimeout:
            seen.append("late")
            raise

    with pytest.raises(TransactionTimeout, match="impatient waited"):
        or_else(first, lambda: take(cell))
    assert seen == ["late"]
    assert cell.other == 0
    assert or_else(lambda: impatient() or "first", lambda: "second") == "second"


def test_a_timeout_around_or_else_is_for_all_of_it():
    cell, tried = Cell(), []

    @atomic(timeout=0.01)
    def impatient():
        return or_else(lambda: tried.append(1) or take(cell), lambda: tried.append(2) or take(cell))

    with pytest.raises(TransactionTimeout, match="impatient waited"):
        impatient()
    assert tried == [1, 2]

    @atomic
    def outer():
        try:
            return impatient()
        except TransactionTimeout:
            return "late"

    assert outer() == "late"
    assert or_else(outer, lambda: "time is left, and there is another way") != "late"


def test_with_nothing_read_by_any_it_is_a_usage_error_that_names_the_place():
    def second():
        retry()

    line = second.__code__.co_firstlineno + 1
    with pytest.raises(
        TransactionUsageError, match=rf"retry\(\) in .*test_or_else.py, line {line}: .*nothing"
    ):
        or_else(retry, second)
    assert not in_transaction()


@pytest.mark.parametrize(
    ("alternatives", "remedy"),
    [
        ((), "needs an alternative"),
        ((1,), "pass a function"),
        ((lambda: 1, None), "pass a function"),
        ((lambda x: x,), "lambda that passes"),
        ((lambda *, x: x,), "lambda that passes"),
        ((Cell().__setattr__, lambda: (yield)), "cannot span a yield"),
    ],
)
def test_a_misuse_is_a_usage_error_with_its_remedy(alternatives, remedy):
    for act in (or_else, in_a_transaction):
        with pytest.raises(TransactionUsageError, match=remedy):
            act(*alternatives)
    assert not in_transaction()


def test_anything_that_can_be_called_so_is_an_alternative():
    class Choice:
        def __init__(self, value=5):
            self.value = value

        def __call__(self, *args, extra=None):
            return self.value

        def method(self, extra=None, *args, **kwargs):
            return self.value

    for alternative in (
        Choice(5),
        Choice().method,
        functools.partial(int, 5),
        lambda x=5: x,
        atomic(lambda: 5),
    ):
        assert or_else(retry, alternative) == 5
    assert or_else(Choice).value == 5


def test_a_name_for_its_transaction():
    assert or_else(lambda: current_transaction().name) == "or_else"


def test_consumers_of_two_queues_lose_nothing(stage):
    one, two, count = Cell(), Cell(), 200

    @atomic
    def put(cell, value):
        check(not cell.value)
        cell.value = value

    def produce(cell, first):
        for number in range(first, first + count):
            put(cell, number)

    def consume():
        return [take_from(one, two) for _ in range(count)]

    producers = [stage.start(produce, one, 1), stage.start(produce, two, 1001)]
    consumers = [stage.start(consume) for _ in range(2)]
    for producer in producers:
        producer.result()
    taken = sorted(consumers[0].result() + consumers[1].result())
    assert taken == [*range(1, 1 + count), *range(1001, 1001 + count)]
