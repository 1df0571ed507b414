"""Transactions beside what else Python has: tracing, asyncio, context variables, generators, pools."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import sys
import threading

import pytest
from cells import Cell, Reverted
from rivals import swallowing

from stmpy import AbortTransaction, atomic, in_transaction, stats


@atomic
def increment(cell):
    cell.value += 1
    return cell.value


def test_a_trace_function_may_access_objects():
    cell, watched, lines = Cell(0), Cell(5), []

    def trace(frame, event, argument):
        if frame.f_code.co_name == "traced":
            lines.append((event, watched.value))
        return trace

    @atomic
    def traced():
        cell.value = 1
        cell.value += 1
        return cell.value

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        assert traced() == 2
    finally:
        sys.settrace(before)
    assert [value for _, value in lines] == [5] * len(lines)
    assert [event for event, _ in lines if event != "line"] == ["call", "return"]


def test_a_trace_function_that_writes_takes_part():
    cell, counted = Cell(0), Cell(0)

    def trace(frame, event, argument):
        if frame.f_code.co_name == "traced":
            counted.value += 1
        return trace

    @atomic
    def traced():
        cell.value = 1
        raise Reverted

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with pytest.raises(Reverted):
            traced()
    finally:
        sys.settrace(before)
    assert (cell.value, counted.value) == (0, 0)


def test_a_trace_function_that_raises_reverts():
    cell = Cell(0)

    def trace(frame, event, argument):
        if frame.f_code.co_name == "traced" and event == "return":
            raise Reverted
        return trace

    @atomic
    def traced():
        cell.value = 1

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with pytest.raises(Reverted):
            traced()
    finally:
        sys.settrace(before)
    assert cell.value == 0


def test_asyncio_calls_atomic_functions_as_ordinary_ones():
    cell = Cell(0)

    async def work():
        for _ in range(20):
            increment(cell)
            assert not in_transaction()
            await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*(work() for _ in range(10)))
        await asyncio.gather(*(asyncio.to_thread(increment, cell) for _ in range(20)))

    asyncio.run(main())
    assert cell.value == 220


def test_a_coroutine_made_inside_runs_outside():
    cell = Cell(0)

    async def look():
        return in_transaction()

    @atomic
    def make():
        cell.value = 1
        return look()

    assert asyncio.run(make()) is False


def test_an_event_loop_inside_of_a_transaction_takes_part():
    cell = Cell(0)

    async def work():
        cell.value += 1
        await asyncio.sleep(0)
        return in_transaction()

    @atomic
    def run(fail):
        assert asyncio.run(work())
        if fail:
            raise Reverted

    with pytest.raises(Reverted):
        run(True)
    assert cell.value == 0
    run(False)
    assert cell.value == 1


def test_context_variables_are_the_callers():
    variable = contextvars.ContextVar("variable", default="default")
    cell = Cell(0)

    @atomic
    def change():
        cell.value = variable.get()
        variable.set("changed inside")

    variable.set("callers")
    change()
    assert cell.value == "callers"
    assert variable.get() == "changed inside"
    assert contextvars.copy_context().run(lambda: in_transaction()) is False
    assert atomic(lambda: contextvars.copy_context().run(in_transaction))() is True


def test_a_generator_iterated_inside_belongs_to_whoever_iterates():
    cells = [Cell(number) for number in range(5)]

    def values():
        for cell in cells:
            yield cell.value, in_transaction()
            cell.value += 1

    @atomic
    def total(fail):
        result = sum(value for value, inside in values() if inside)
        if fail:
            raise Reverted
        return result

    with pytest.raises(Reverted):
        total(True)
    assert total(False) == 10
    iterator = values()
    assert next(iterator) == (1, False)
    assert atomic(lambda: next(iterator))() == (2, True)
    assert [cell.value for cell in cells] == [2, 2, 3, 4, 5]


def test_a_generator_suspended_in_a_handler_of_the_abort_does_not_make_it_handled(stage):
    """What counts is this thread's stack of handled exceptions, not what a suspended generator has."""
    cell, mine, inside, met = Cell("old"), Cell(0), stage.pause(), []

    @atomic
    def hold():
        cell.value = "new"
        inside.here()

    def suspended_in_handler():
        try:
            yield cell.value
        except AbortTransaction:
            yield "from the handler"

    @atomic
    def meet():
        mine.value = 1
        iterator = suspended_in_handler()
        result = next(iterator)
        if result == "from the handler":
            met.append(swallowing(getattr, mine, "value"))
        return result

    holder = stage.start(hold)
    inside.reached()
    before = stats().aborted_by_conflict
    task = stage.start(meet)
    stage.until(lambda: stats().aborted_by_conflict > before)
    inside.resume()
    holder.result()
    assert task.result() == "new"
    assert met == ["swallowed"]


def test_context_managers_and_exit_stacks_inside():
    cell, order = Cell(0), []

    @contextlib.contextmanager
    def noting(name):
        order.append(f"enter {name}")
        cell.value += 1
        try:
            yield in_transaction()
        finally:
            order.append(f"exit {name}")
            cell.value += 1

    @atomic
    def use(fail):
        with contextlib.ExitStack() as stack:
            assert stack.enter_context(noting("a"))
            with noting("b"):
                if fail:
                    raise Reverted

    with pytest.raises(Reverted):
        use(True)
    assert cell.value == 0
    assert order == ["enter a", "enter b", "exit b", "exit a"]
    use(False)
    assert cell.value == 4


def test_locks_taken_inside_are_released_by_an_abort(stage):
    """Also a lock that is reached by an attribute that the transaction has read."""
    cell, mine, inside = Cell("old"), Cell(threading.Lock()), stage.pause()

    @atomic
    def hold():
        cell.value = "new"
        inside.here()

    @atomic
    def meet():
        mine.value.acquire()
        try:
            return cell.value
        finally:
            mine.value.release()

    holder = stage.start(hold)
    inside.reached()
    before = stats().aborted_by_conflict
    task = stage.start(meet)
    stage.until(lambda: stats().aborted_by_conflict > before)
    assert mine.value.acquire(timeout=10)
    mine.value.release()
    inside.resume()
    holder.result()
    assert task.result() == "new"


def test_a_plain_lock_around_transactions(stage):
    lock, cell = threading.Lock(), Cell(0)

    def work():
        for _ in range(100):
            with lock:
                increment(cell)

    for task in [stage.start(work) for _ in range(4)]:
        task.result()
    assert cell.value == 400


def test_pools_of_threads():
    cell = Cell(0)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: increment(cell), range(400)))
    assert sorted(results) == list(range(1, 401))


def test_callbacks_of_builtins():
    cell = Cell(0)

    @atomic
    def key(item):
        cell.value += 1
        return -item

    assert sorted([1, 3, 2], key=key) == [3, 2, 1]
    assert functools.reduce(atomic(lambda a, b: a + b), [1, 2, 3]) == 6
    assert max([1, 2, 3], key=key) == 1
    assert cell.value == 6


def test_code_that_is_executed_inside_takes_part():
    cell = Cell(0)

    @atomic
    def run():
        exec("cell.value += 1", {"cell": cell})
        assert eval("cell.value", {"cell": cell}) == 1
        raise Reverted

    with pytest.raises(Reverted):
        run()
    assert cell.value == 0
