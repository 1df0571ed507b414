"""retry() and check(): a transaction waits for a change of what it has read, and misses none."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
import weakref

import pytest
from cells import Cell, Reverted
from rivals import swallowing
from stage import PATIENCE

import stmpy
from stmpy import (
    AbortTransaction,
    STMObject,
    TooManyAttempts,
    TransactionTimeout,
    TransactionUsageError,
    atomic,
    atomically,
    check,
    compiled,
    current_transaction,
    in_transaction,
    retry,
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


@atomic
def put(cell, value):
    check(cell.value == 0)
    cell.value = value


@atomic
def write(cell, value):
    cell.value = value


def write_outside(cell, value):
    cell.value = value


def increment_outside(cell, value):
    cell.value += value


def write_dict(cell, value):
    cell.__dict__["value"] = value


def write_object(cell, value):
    object.__setattr__(cell, "value", value)


def replace_dict(cell, value):
    cell.__dict__ = {"value": value, "other": 0}


@compiled
def write_compiled(cell, value):
    cell.value = value


WRITES = [
    write,
    write_outside,
    increment_outside,
    write_dict,
    write_object,
    replace_dict,
    write_compiled,
    lambda cell, value: atomically(write_outside, cell, value),
]


@pytest.mark.parametrize("change", WRITES)
def test_a_change_of_what_was_read_wakes(stage, sleepers, change):
    cell = Cell()
    task = stage.start(take, cell)
    sleepers(1)
    change(cell, 7)
    assert task.result() == 7
    assert cell.value == 0


def test_who_need_not_wait_does_not(sleepers):
    cell, before = Cell(3), stats().retries
    assert take(cell) == 3
    check(True)
    assert stats().retries == before


def test_what_the_attempt_changed_is_taken_back_before_it_waits(stage, sleepers):
    cell, mine = Cell(), Cell("before")

    @atomic
    def wait():
        mine.value = "inside"
        mine.fresh = 1
        check(cell.value)
        return current_transaction().attempt

    task = stage.start(wait)
    sleepers(1)
    assert mine.value == "before"
    assert not hasattr(mine, "fresh")
    mine.value = "another"  # it is watched too
    sleepers(2)
    cell.value = 1
    assert task.result() == 3
    assert mine.value == "inside"


def test_it_holds_nothing_while_it_waits(stage, sleepers):
    cell, mine = Cell(), Cell()

    @atomic
    def wait():
        mine.value += 1
        check(cell.value)

    task = stage.start(wait)
    sleepers(1)
    assert stmpy.access_map().by_transaction == {}
    write(cell, 1)
    task.result()
    assert mine.value == 1


def test_a_change_of_anything_that_was_read_wakes(stage, sleepers):
    cells = [Cell() for _ in range(50)]

    @atomic
    def any_of_them():
        total = sum(cell.value for cell in cells)
        check(total)
        return total

    for number, cell in enumerate(cells):
        task = stage.start(any_of_them)
        sleepers(number + 1)
        write(cell, 5)
        assert task.result() == 5
        write(cell, 0)


def test_what_a_reverted_nested_call_has_read_wakes(stage, sleepers):
    cell, other = Cell(), Cell()

    @atomic
    def look():
        if not cell.value:
            raise Reverted

    @atomic
    def wait():
        try:
            look()
        except Reverted:
            check(other.value)
        return cell.value

    task = stage.start(wait)
    sleepers(1)
    cell.value = 2
    assert task.result() == 2


def test_a_change_of_something_else_wakes_nobody(stage, sleepers):
    cell, attempts = Cell(), []

    @atomic
    def wait():
        attempts.append(1)
        check(cell.value)

    task = stage.start(wait)
    sleepers(1)
    for number in range(100):
        cell.other = number
        write(Cell(), number)
    assert cell.value == 0  # a read is no change
    cell.value = 1
    task.result()
    assert len(attempts) == 2


def same_number(cell):
    cell.value = cell.value


def there_and_back(cell):
    before = cell.value
    cell.value = object()
    cell.value = before


def back_in_a_nested_call(cell):
    with contextlib.suppress(Reverted):
        atomically(there_and_gone, cell)


def there_and_gone(cell):
    cell.value = "another"
    raise Reverted


def aborted(cell):
    with contextlib.suppress(Reverted):
        there_and_gone(cell)
        return
    raise Reverted


@pytest.mark.parametrize("act", [same_number, there_and_back, back_in_a_nested_call, aborted])
@pytest.mark.parametrize(
    "value",
    [0, 1.5, "text", b"bytes", None, False, 2j, ..., range(3), (), (1, ("a", None)), Cell()],
    ids=lambda value: type(value).__name__,
)
def test_the_same_immutable_object_written_back_wakes_nobody(stage, sleepers, act, value):
    cell, attempts = Cell(value), []

    @atomic
    def wait():
        attempts.append(1)
        check(cell.value is not value)

    task = stage.start(wait)
    sleepers(1)
    for run in (act, atomic(act)):
        if run is act and act is there_and_back:
            continue  # outside of a transaction these are two changes
        for _ in range(3):
            swallowing_reverted(run, cell)
    write(cell, "changed")
    task.result()
    assert len(attempts) == 2


def swallowing_reverted(function, cell):
    with contextlib.suppress(Reverted):
        if function is aborted or function is there_and_gone:
            return
        function(cell)


def test_an_abort_wakes_nobody_and_leaves_the_watch(stage, sleepers):
    cell, attempts = Cell(), []

    @atomic
    def wait():
        attempts.append(1)
        check(cell.value)

    task = stage.start(wait)
    sleepers(1)
    for _ in range(3):
        with pytest.raises(Reverted):
            atomically(there_and_gone, cell)
    write(cell, 1)
    task.result()
    assert len(attempts) == 2


@pytest.mark.parametrize(
    "value", [[], {}, set(), ([],), (1, (2, [])), frozenset([1]), type("Number", (int,), {})(3)]
)
def test_the_same_mutable_object_written_back_wakes(stage, sleepers, value):
    cell, ready = Cell(value), []

    @atomic
    def wait():
        cell.value  # noqa: B018
        check(ready)

    task = stage.start(wait)
    sleepers(1)
    ready.append(1)
    cell.value = cell.value
    task.result()


def test_appending_to_a_list_with_an_assignment_wakes(stage, sleepers):
    cell = Cell([])
    items = cell.value
    task = stage.start(take, cell)
    sleepers(1)
    atomically(increment_outside, cell, ["item"])
    assert task.result() is items


def test_an_absent_attribute_is_waited_for(stage, sleepers):
    cell = Cell()

    @atomic
    def wait():
        check(hasattr(cell, "late"))
        return cell.late

    for late in ("first", "second"):
        task = stage.start(wait)
        sleepers(1 if late == "first" else 2)
        cell.late = late
        assert task.result() == late
        del cell.late


def test_a_deletion_wakes(stage, sleepers):
    cell = Cell()

    @atomic
    def wait():
        check(not hasattr(cell, "value"))

    task = stage.start(wait)
    sleepers(1)
    del cell.value
    task.result()


class Asleep(STMObject):
    def is_awake(self):
        return False


class Awake(Asleep):
    def is_awake(self):
        return True


def test_a_change_of_the_class_wakes_who_asked_for_it(stage, sleepers):
    sleeper = Asleep()

    @atomic
    def wait():
        check(sleeper.__class__ is Awake)

    task = stage.start(wait)
    sleepers(1)
    sleeper.__class__ = Awake
    task.result()


def test_who_listed_the_attributes_is_woken_by_a_new_one(stage, sleepers):
    cell = Cell()

    @atomic
    def wait():
        check(len(vars(cell)) == 3)

    task = stage.start(wait)
    sleepers(1)
    cell.third = 3
    task.result()


def test_exclusive_reads_wait_as_well(stage, sleepers):
    cell = Cell()
    task = stage.start(atomic(reads="exclusive")(lambda: take(cell)))
    sleepers(1)
    write(cell, 4)
    assert task.result() == 4


def test_a_nested_retry_waits_for_what_the_outer_call_has_read_too(stage, sleepers):
    cell, outer = Cell(), Cell()

    @atomic
    def wait():
        return outer.value or take(cell)

    task = stage.start(wait)
    sleepers(1)
    write(outer, 9)
    assert task.result() == 9


# --- what cannot be waited for


def test_with_nothing_read_it_is_a_usage_error_that_names_the_place():
    @atomic
    def wait():
        retry()

    with pytest.raises(TransactionUsageError, match="has read nothing") as caught:
        wait()
    frame = caught.value.__traceback__
    while frame.tb_next:
        frame = frame.tb_next
    assert f"{frame.tb_frame.f_code.co_filename}, line {frame.tb_lineno}:" in str(caught.value)
    assert not in_transaction()


def test_what_nobody_else_can_reach_is_a_usage_error_that_names_the_place():
    @atomic
    def wait():
        mine = Cell()
        mine.other = [mine.value]
        check(mine.value)

    line = wait.__code__.co_firstlineno + 4
    with pytest.raises(TransactionUsageError, match=rf"test_retry.py, line {line}: .*nobody else"):
        wait()
    assert not in_transaction()


def test_what_only_a_weak_reference_reaches_can_still_be_waited_for(stage, sleepers):
    known = []

    @atomic
    def wait():
        mine = Cell()
        known.append(weakref.ref(mine))
        if len(known) < 2:
            check(mine.value)

    task = stage.start(wait)
    sleepers(1)
    known[0]().value = 1
    task.result()


@pytest.mark.parametrize("act", [retry, lambda: check(False), lambda: check([])])
def test_outside_of_a_transaction_it_is_a_usage_error(act):
    with pytest.raises(TransactionUsageError, match="under @atomic"):
        act()


def test_check_asks_for_the_truth_of_its_argument():
    class Undecided:
        def __bool__(self):
            raise Reverted

    with pytest.raises(Reverted):
        check(Undecided())
    check(True)
    check([0])


def test_an_argument_that_was_consumed_is_refused(stage):
    cell = Cell()

    @atomic
    def wait(numbers):
        cell.value  # noqa: B018
        next(numbers)
        retry()

    with pytest.raises(TransactionUsageError, match="has to run again and cannot"):
        wait(iter([1, 2, 3]))


# --- the wait


def test_a_timeout_ends_it_with_nothing_changed():
    cell, mine = Cell(), Cell("before")

    @atomic(timeout=0.02)
    def wait():
        mine.value = "inside"
        check(cell.value)

    line = wait.__code__.co_firstlineno + 3
    with pytest.raises(
        TransactionTimeout,
        match=rf"wait waited .*a change of Cell.value .*test_retry.py, line {line}\); nothing was changed",
    ):
        wait()
    assert mine.value == "before"
    assert not in_transaction()


def test_a_timeout_says_what_it_waited_for():
    cells = [Cell() for _ in range(200)]

    @atomic(timeout=0)
    def wait():
        for cell in cells:
            cell.value, cell.other  # noqa: B018
        vars(cells[0])
        retry()

    with pytest.raises(TransactionTimeout, match=r"of Cell.value, Cell.other and 30\d more \("):
        wait()

    @atomic(timeout=0)
    def wait_for_the_class():
        check(cells[0].__class__ is Awake)

    with pytest.raises(TransactionTimeout, match=r"of Cell.__dict__ \("):
        wait_for_the_class()


def test_a_timeout_of_zero_tries_once():
    cell, runs = Cell(), []

    @atomic(timeout=0)
    def wait():
        runs.append(1)
        check(cell.value)
        return "there"

    with pytest.raises(TransactionTimeout):
        wait()
    assert len(runs) == 1
    cell.value = 1
    assert wait() == "there"


def test_a_nested_timeout_is_raised_in_its_own_place(stage, sleepers):
    cell, mine = Cell(), Cell("before")

    @atomic(timeout=0.02)
    def inner():
        mine.value = "inside"
        check(cell.value)

    @atomic
    def outer():
        try:
            inner()
        except TransactionTimeout as timeout:
            assert mine.value == "before"
            assert "inner waited longer" in str(timeout)
            return "late"

    assert outer() == "late"
    assert mine.value == "before"

    @atomic
    def lets_it_pass():
        mine.value = "changed"
        inner()

    with pytest.raises(TransactionTimeout, match="inner waited longer") as caught:
        lets_it_pass()
    assert caught.value.__context__ is None
    assert mine.value == "before"


def test_a_nested_timeout_that_is_handled_does_not_end_what_follows(stage, sleepers):
    cell, other = Cell(), Cell()

    @atomic(timeout=0.01)
    def inner():
        check(cell.value)

    @atomic
    def outer():
        try:
            inner()
        except TransactionTimeout:
            check(other.value)
            return "late", other.value
        return "in time", other.value

    task = stage.start(outer)
    sleepers(2)
    write(other, 1)
    assert task.result() == ("late", 1)
    assert atomic(lambda: outer())() == ("late", 1)


def test_the_time_of_a_nested_call_is_not_given_anew_by_wake_ups(stage):
    cell, done = Cell(), threading.Event()

    @atomic(timeout=0.2)
    def inner():
        check(cell.value == "never")

    @atomic
    def outer():
        try:
            inner()
        except TransactionTimeout:
            return current_transaction().attempt

    task = stage.start(outer)

    def disturb():
        number = 0
        while not done.wait(0.002):
            number += 1
            cell.value = number

    disturber = stage.start(disturb)
    try:
        assert task.result() > 2
    finally:
        done.set()
        disturber.result()


def test_the_tightest_of_nested_timeouts_is_raised_where_it_stands():
    cell, places = Cell(), []

    @atomic(timeout=1000)
    def inner():
        check(cell.value)

    @atomic(timeout=0.01)
    def middle():
        try:
            inner()
        except TransactionTimeout:
            places.append("inner")
            raise

    @atomic(timeout=1000)
    def outer():
        try:
            middle()
        except TransactionTimeout:
            places.append("middle")
            raise

    with pytest.raises(TransactionTimeout, match="middle waited"):
        outer()
    assert places == ["middle"]


def test_each_nested_call_has_a_time_of_its_own():
    cell, late = Cell(), []

    @atomic(timeout=0.005)
    def inner(number):
        check(cell.value)

    @atomic
    def outer():
        late.clear()
        for number in range(5):
            try:
                inner(number)
            except TransactionTimeout:
                late.append(number)
        return list(late)

    assert outer() == [0, 1, 2, 3, 4]


def test_a_change_before_the_time_is_up_is_in_time(stage, sleepers):
    cell = Cell()
    task = stage.start(atomic(timeout=1000)(lambda: take(cell)))
    sleepers(1)
    write(cell, 1)
    assert task.result() == 1


def test_max_attempts_counts_aborts_and_not_waits(stage, sleepers):
    cell, runs = Cell(), []

    @atomic(max_attempts=1)
    def wait():
        runs.append(1)
        check(cell.value == 3)

    task = stage.start(wait)
    for number in (1, 2, 3):
        sleepers(number)
        write(cell, number)
    task.result()
    assert len(runs) == 4


def test_max_attempts_still_counts_aborts_between_waits(stage, sleepers, rival):
    cell = Cell()

    @atomic(max_attempts=1)
    def wait():
        if cell.value:
            rival.meet()
        check(cell.value)

    task = stage.start(wait)
    sleepers(1)
    write(cell, 1)
    with pytest.raises(TooManyAttempts, match="aborted 1 times"):
        task.result()


def test_attempts_that_wait_are_counted_as_retries(stage, sleepers):
    cell, before = Cell(), stats()
    task = stage.start(take, cell)
    sleepers(1)
    write(cell, 1)
    task.result()
    after = stats()
    assert after.retries == before.retries + 1
    assert after.aborted_by_conflict == before.aborted_by_conflict
    assert after.aborted_by_exception == before.aborted_by_exception


def interrupt_when(stage, condition, number=signal.SIGINT):
    def send():
        stage.until(condition)
        signal.pthread_kill(threading.main_thread().ident, number)

    stage.start(send)


def test_a_keyboard_interrupt_ends_it_with_nothing_changed(stage):
    cell, mine, before = Cell(), Cell("before"), stats().retries
    interrupt_when(stage, lambda: stats().retries > before)

    @atomic
    def wait():
        mine.value = "inside"
        check(cell.value)

    with pytest.raises(KeyboardInterrupt):
        wait()
    assert mine.value == "before"
    assert not in_transaction()
    cell.value = 1
    wait()
    assert mine.value == "inside"


@pytest.fixture
def handler():
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda function: signal.signal(signal.SIGUSR1, function)
    signal.signal(signal.SIGUSR1, before)


def test_a_handler_that_returns_lets_it_go_on(stage, handler):
    cell, seen, before = Cell(), [], stats().retries

    def note(*_):
        seen.append(in_transaction())
        cell.value = len(seen)  # by its own thread

    handler(note)
    interrupt_when(stage, lambda: stats().retries > before, signal.SIGUSR1)
    assert take(cell) == 1
    assert seen == [False]


def test_a_handler_may_wait_itself(stage, handler):
    cell, inner, before = Cell(), Cell(), stats().retries

    def wait(*_):
        take(inner)

    handler(wait)
    interrupt_when(stage, lambda: stats().retries > before, signal.SIGUSR1)

    def wake():
        stage.until(lambda: stats().retries > before + 1)
        cell.value = 5  # this wake-up is kept
        inner.value = 1

    stage.start(wake)
    assert take(cell) == 5


# --- it cannot be swallowed


def bare_except(cell):
    try:
        check(cell.value)
    except:  # noqa: E722
        return "swallowed"


def except_base_exception(cell):
    try:
        check(cell.value)
    except BaseException:
        return "swallowed"


def except_abort(cell):
    try:
        check(cell.value)
    except AbortTransaction:
        return "swallowed"


def suppressed(cell):
    with contextlib.suppress(BaseException):
        check(cell.value)
    return "swallowed"


def returned_from_finally(cell):
    try:
        check(cell.value)
    finally:
        return "swallowed"  # noqa: B012


def swallowed_by_a_callback(cell):
    swallowing(take, cell)
    return "swallowed"


def replaced(cell):
    try:
        check(cell.value)
    except BaseException:
        raise ValueError from None


@pytest.mark.parametrize(
    "body",
    [
        bare_except,
        except_base_exception,
        except_abort,
        suppressed,
        returned_from_finally,
        swallowed_by_a_callback,
        replaced,
    ],
)
@pytest.mark.filterwarnings("ignore:'return' in a 'finally' block")
def test_an_attempt_that_retried_waits_however_it_is_left(stage, sleepers, body):
    cell, mine = Cell(), Cell()

    @atomic
    def wait():
        mine.value += 1
        body(cell)
        return mine.value

    task = stage.start(wait)
    sleepers(1)
    assert mine.value == 0
    write(cell, 1)
    assert task.result() == 1


def swallow_and_meet_again(cell, mine):
    """Never compiled: what raises is dropped, each time."""
    swallowing(retry)
    acts = (lambda: mine.value, lambda: cell.other, atomic(lambda: None), retry, lambda: Cell().value)
    return [swallowing(act) for act in acts]


def test_a_swallowed_retry_is_met_again_at_the_next_access_begin_and_retry(stage, sleepers):
    cell, mine, met = Cell(), Cell(), []

    @atomic
    def wait():
        mine.value += 1
        if not cell.value:
            met.extend(swallow_and_meet_again(cell, mine))
        return "done"

    task = stage.start(wait)
    sleepers(1)
    write(cell, 1)
    assert task.result() == "done"
    assert met == ["swallowed"] * 5


def test_clean_up_runs_and_uses_what_is_owned(stage, sleepers):
    cell, mine, log = Cell(), Cell(10), []

    @atomic
    def helper():
        mine.other += 1
        return mine.other

    @atomic
    def wait():
        lock.acquire()
        try:
            mine.value += 1
            check(cell.value)
        finally:
            mine.value += 1
            log.append((mine.value, helper()))
            lock.release()

    lock = threading.Lock()
    task = stage.start(wait)
    sleepers(1)
    assert not lock.locked()
    assert (mine.value, mine.other) == (10, 0)
    write(cell, 1)
    task.result()
    assert log == [(12, 1), (12, 1)]
    assert (mine.value, mine.other) == (12, 1)


def test_clean_up_that_retries_again_changes_nothing(stage, sleepers):
    cell = Cell()

    @atomic
    def wait():
        try:
            check(cell.value)
        finally:
            check(cell.value)

    task = stage.start(wait)
    sleepers(1)
    write(cell, 1)
    task.result()


@pytest.mark.parametrize("leaving", [KeyboardInterrupt, SystemExit, MemoryError])
def test_what_must_leave_leaves_in_place_of_the_wait(leaving):
    cell, mine, before = Cell(), Cell("before"), stats().retries

    @atomic
    def wait():
        mine.value = "inside"
        try:
            check(cell.value)
        finally:
            raise leaving

    with pytest.raises(leaving):
        wait()
    assert mine.value == "before"
    assert stats().retries == before
    assert not in_transaction()


# --- references, forks, threads


def test_what_it_watches_lives_until_it_wakes_and_nothing_does_afterwards(stage, sleepers):
    cell, first = Cell(), []

    @atomic
    def wait():
        if not first:
            first.append(weakref.ref(seen := Cell()))
            check(seen.value)
        return cell.value

    task = stage.start(wait)
    sleepers(1)
    gc.collect()
    watched = first[0]()
    assert watched is not None
    watched.value = 1
    task.result()
    del watched
    gc.collect()
    assert first[0]() is None


def test_it_leaves_no_references(sleepers):
    cell, value, taken = Cell(), object(), []
    before = sys.getrefcount(cell), sys.getrefcount(value)
    for number in range(5):
        thread = threading.Thread(target=lambda: taken.append(take(cell)), daemon=True)
        thread.start()
        sleepers(number + 1)
        write(cell, value)
        thread.join(PATIENCE)
        assert taken.pop() is value
    assert (sys.getrefcount(cell), sys.getrefcount(value)) == before


def test_finalisers_of_what_the_attempt_made_run_outside_of_it(stage, sleepers):
    cell, counted = Cell(), Cell()

    class Finalised:
        def __del__(self):
            counted.value += 1

    @atomic
    def wait():
        cell.other = Finalised()
        check(cell.value)
        cell.other = None

    task = stage.start(wait)
    stage.until(lambda: counted.value == 1)
    write(cell, 1)
    task.result()
    assert counted.value == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*use of fork")
def test_a_forked_child_has_no_watchers(stage, sleepers):
    cell = Cell()
    task = stage.start(take, cell)
    sleepers(1)
    child = os.fork()
    if child == 0:
        try:
            write(cell, 1)
            cell.value = 2
            os._exit(0 if take(cell) == 2 else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    write(cell, 1)
    assert task.result() == 1


def test_a_thousand_threads_wait_and_one_commit_wakes_those_who_watch_what_it_changed(stage, sleepers):
    cells, runs = [Cell() for _ in range(1000)], []

    @atomic
    def wait(cell):
        runs.append(1)
        check(cell.value)
        return cell.value

    tasks = [stage.start(wait, cell) for cell in cells]
    sleepers(1000)
    assert len(runs) == 1000

    @atomic
    def wake_some():
        for cell in cells[::10]:
            cell.value = "woken"

    wake_some()
    assert [task.result() for task in tasks[::10]] == ["woken"] * 100
    assert len(runs) == 1100
    for cell in cells:
        cell.value = "woken"
    assert [task.result() for task in tasks] == ["woken"] * 1000
    assert len(runs) == 2000


def test_a_thousand_threads_that_wait_for_one_cell(stage, sleepers):
    cell = Cell()
    tasks = [stage.start(take, cell) for _ in range(1000)]
    sleepers(1000)
    for number in range(1, 1001):
        put(cell, number)
    assert sorted(task.result() for task in tasks) == list(range(1, 1001))


def test_a_daemon_thread_that_waits_does_not_stop_the_interpreters_end(tmp_path):
    import subprocess

    script = tmp_path / "waits.py"
    script.write_text(
        "import threading, stmpy\n"
        "from stmpy import STMObject, atomic, check, retry, stats\n"
        "class Cell(STMObject):\n"
        "    def __init__(self): self.value = 0\n"
        "    def __del__(self): self.value = 1; print('finalised')\n"
        "cell = Cell()\n"
        "@atomic\n"
        "def wait(): check(cell.value)\n"
        "class AtTheEnd:\n"
        "    def __init__(self): self.usage_error, self.wait = stmpy.TransactionUsageError, wait\n"
        "    def __del__(self):\n"
        "        try: self.wait()\n"
        "        except self.usage_error: print('refused')\n"
        "stmpy.last = AtTheEnd()\n"
        "for _ in range(5): threading.Thread(target=wait, daemon=True).start()\n"
        "while stats().retries < 5: pass\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


# --- a bounded queue in a few lines


class Bounded(STMObject):
    def __init__(self, size):
        self.items, self.size = (), size

    @atomic
    def put(self, item):
        check(len(self.items) < self.size)
        self.items = (*self.items, item)

    @atomic
    def get(self):
        check(self.items)
        item, *rest = self.items
        self.items = tuple(rest)
        return item


@pytest.mark.parametrize("size", [1, 3])
def test_a_bounded_queue_between_eight_threads(stage, size):
    queue, count = Bounded(size), 100

    def produce(number):
        for item in range(count):
            queue.put((number, item))

    def consume():
        return [queue.get() for _ in range(count)]

    producers = [stage.start(produce, number) for number in range(4)]
    consumers = [stage.start(consume) for _ in range(4)]
    for producer in producers:
        producer.result()
    taken = [consumer.result() for consumer in consumers]
    assert sorted(sum(taken, [])) == [(number, item) for number in range(4) for item in range(count)]
    for items in taken:  # of one producer each consumer sees them in their order
        for number in range(4):
            mine = [item for producer, item in items if producer == number]
            assert mine == sorted(mine)
    assert queue.items == ()


def test_two_threads_that_hand_a_value_back_and_forth(stage):
    ping, pong, turns = Cell(), Cell(), 300

    def there():
        for number in range(1, turns):
            put(ping, number)
            assert take(pong) == number

    def back():
        for _ in range(1, turns):
            put(pong, take(ping))

    task = stage.start(there)
    back()
    task.result()
