"""In compiled code an abort is stopped where it would be swallowed, and clean-up code works all the same."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import traceback

import pytest
from cells import Cell, Reverted
from rivals import swallowing

import stmpy.compiler
from stmpy import AbortTransaction, atomic, compiled, current_transaction

EVERYTHING = BaseException
SEVERAL = (ValueError, KeyError, BaseException)


@compiled
def bare_except(meet, seen):
    try:
        meet()
    except:  # noqa: E722
        seen.append("swallowed")


@compiled
def except_base_exception(meet, seen):
    try:
        meet()
    except BaseException as error:
        seen.append(error)


@compiled
def except_a_tuple(meet, seen):
    try:
        meet()
    except (ValueError, BaseException):
        seen.append("swallowed")


@compiled
def except_a_name(meet, seen):
    try:
        meet()
    except EVERYTHING:
        seen.append("swallowed")


@compiled
def except_a_name_of_a_tuple(meet, seen):
    try:
        meet()
    except KeyError:
        seen.append("never")
    except SEVERAL:
        seen.append("swallowed")


@compiled
def except_the_abort_itself(meet, seen):
    try:
        meet()
    except stmpy.AbortTransaction:
        seen.append("swallowed")


@compiled
def except_a_result(meet, seen):
    try:
        meet()
    except type(AbortTransaction()):
        seen.append("swallowed")


@compiled
def except_star(meet, seen):
    try:
        meet()
    except* ValueError:
        seen.append("never")
    except* BaseException:
        seen.append("swallowed")


@compiled
def except_in_a_handler_of_another_exception(meet, seen):
    try:
        raise KeyError
    except KeyError:
        try:
            meet()
        except BaseException:
            seen.append("swallowed")


@compiled
def a_handler_that_raises_on_one_way_only(meet, seen):
    try:
        meet()
    except BaseException:
        if not seen:
            seen.append("swallowed")
            return
        raise


@compiled
def return_in_finally(meet, seen):
    def inside():
        try:
            meet()
        finally:
            return "returned", 1  # noqa: B012

    inside()
    seen.append("swallowed")


@compiled
def bare_return_in_finally(meet, seen):
    def inside():
        try:
            meet()
        finally:
            return  # noqa: B012

    inside()
    seen.append("swallowed")


@compiled
def break_in_finally(meet, seen):
    for _ in range(2):
        try:
            meet()
        finally:
            break  # noqa: B012
    seen.append("swallowed")


@compiled
def continue_in_finally(meet, seen):
    for _ in range(2):
        try:
            meet()
        finally:
            if not seen:
                continue  # noqa: B012
        seen.append("never")
    seen.append("swallowed")


@compiled
def suppress(meet, seen):
    with contextlib.suppress(BaseException):
        meet()
    seen.append("swallowed")


class Swallow:
    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return True


@compiled
def exit_that_returns_true(meet, seen):
    with contextlib.nullcontext(), Swallow() as _:
        with contextlib.nullcontext():
            meet()
    seen.append("swallowed")


@compiled
def exit_in_a_with_on_one_line(meet, seen):
    # fmt: off
    with Swallow(): meet()  # noqa: E701
    # fmt: on
    seen.append("swallowed")


@compiled
def exit_stack(meet, seen):
    with contextlib.ExitStack() as stack:
        stack.enter_context(Swallow())
        meet()
    seen.append("swallowed")


@compiled
def exit_of_an_item_in_a_nested_block(meet, seen):
    with atomic(), Swallow():
        meet()
    seen.append("swallowed")


@compiled
def exit_around_a_nested_block(meet, seen):
    with Swallow(), atomic():
        meet()
    seen.append("swallowed")


@compiled
def asynchronous_exit(meet, seen):
    class Manager:
        async def __aenter__(self):
            pass

        async def __aexit__(self, *exception):
            return True

    async def run():
        async with Manager():
            meet()
        seen.append("swallowed")

    with contextlib.suppress(StopIteration):
        run().send(None)
    seen.append("swallowed")


@compiled
def a_loop_that_calls_what_swallows(meet, seen):
    while True:
        swallowing(meet)
        if current_transaction().state == "active":
            break
    seen.append("swallowed") if current_transaction().attempt == 1 else None


@compiled
def a_loop_that_begins_with_another(meet, seen):
    while True:
        for _ in range(1):
            swallowing(meet)
        if current_transaction().attempt == 2:
            break


@compiled
def a_loop_over_something_endless(meet, seen):
    for _ in iter(int, 1):
        swallowing(meet)
        if current_transaction().attempt == 2:
            break


@compiled
def a_loop_that_swallows(meet, seen):
    while True:
        try:
            meet()
            break
        except BaseException:
            seen.append("swallowed")
            continue


SWALLOWERS = [
    bare_except,
    except_base_exception,
    except_a_tuple,
    except_a_name,
    except_a_name_of_a_tuple,
    except_the_abort_itself,
    except_a_result,
    except_star,
    except_in_a_handler_of_another_exception,
    a_handler_that_raises_on_one_way_only,
    return_in_finally,
    bare_return_in_finally,
    break_in_finally,
    continue_in_finally,
    suppress,
    exit_that_returns_true,
    exit_in_a_with_on_one_line,
    exit_stack,
    exit_of_an_item_in_a_nested_block,
    exit_around_a_nested_block,
    asynchronous_exit,
    a_loop_that_calls_what_swallows,
    a_loop_that_begins_with_another,
    a_loop_over_something_endless,
    a_loop_that_swallows,
]


@pytest.mark.parametrize("swallow", SWALLOWERS, ids=lambda function: function.__name__)
def test_an_abort_is_stopped_where_it_would_be_swallowed(rival, swallow):
    first, runs = [], []

    @atomic
    def transaction():
        runs.append(1)
        swallow(rival.meet, first if len(runs) == 1 else [])

    transaction()
    assert (first, len(runs)) == ([], 2)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the syntax is newer")
def test_types_without_brackets(rival):
    source = "def run(meet):\n    try: meet()\n    except KeyError, BaseException: return 'swallowed'\n"
    namespace = {}
    exec(stmpy.compiler.compile_source(source, compile_all=True).code(), namespace)
    run = namespace["run"]
    assert atomic(lambda: run(rival.meet))() is None
    assert run(lambda: 1 / 0) == "swallowed"


def test_a_handler_behind_a_swallowed_abort_raises_it_again(rival):
    seen = []

    @atomic
    def transaction():
        swallowing(rival.meet)
        try:
            raise Reverted
        except Reverted:
            seen.append(current_transaction().attempt)

    transaction()
    assert seen == [2]


# --- clean-up code works


def test_handlers_that_end_in_a_raise_clean_up(rival):
    cell, seen = Cell(), []

    @atomic
    def transaction():
        try:
            cell.value = "open"
            rival.meet()
        except BaseException:
            for _ in range(2):
                continue
            seen.append(cell.value)
            cell.value = "closed"
            raise
        cell.value = "done"

    transaction()
    assert seen == ["open"] and cell.value == "done"


def test_clean_up_may_handle_an_abort_of_its_own(rival, held):
    seen = []

    @atomic
    def transaction():
        try:
            rival.meet()
        finally:
            if current_transaction().attempt == 1:
                try:
                    held.value  # noqa: B018
                except AbortTransaction:
                    seen.append("not free")
                with contextlib.suppress(BaseException):
                    held.value  # noqa: B018
                seen.append("behind")

    transaction()
    assert seen == ["not free", "behind"]


@compiled
def finally_that_returns(what):
    try:
        what.append("tried")
    finally:
        return "returned"  # noqa: B012


@compiled
def finally_that_drops_an_exception():
    try:
        raise Reverted
    finally:
        return "dropped"  # noqa: B012


@compiled
def loops_and_statements(seen):
    turns = 0
    while turns < 2:
        len(seen)
        turns += 1
    for _ in range(2):
        try:
            turns += 1
        finally:
            continue  # noqa: B012
    with contextlib.nullcontext(), contextlib.suppress(KeyError):
        raise KeyError
    try:
        raise Reverted
    except EVERYTHING:
        turns += 1
    return turns


def test_clean_up_may_call_anything_that_has_guards(rival):
    seen = []

    @atomic
    def transaction():
        try:
            rival.meet()
        finally:
            seen.append(finally_that_returns(seen))
            seen.append(loops_and_statements(seen))

    transaction()
    assert seen == ["tried", "returned", 5] * 2


def test_exit_methods_clean_up(rival):
    seen = []

    class Closing:
        def __enter__(self):
            pass

        def __exit__(self, kind, *rest):
            seen.append(kind)

    @atomic
    def transaction():
        with Closing():
            rival.meet()

    transaction()
    assert seen == [AbortTransaction, None]


# --- nothing else is changed


@pytest.mark.parametrize("run", [atomic, lambda function: function], ids=["inside", "outside"])
@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit, AbortTransaction, Reverted])
@pytest.mark.parametrize("swallow", SWALLOWERS[:20], ids=lambda function: function.__name__)
def test_other_exceptions_are_caught_as_written(run, kind, swallow):
    """An AbortTransaction of the program's own is one of them."""
    error = kind("mine")
    compiled_seen, plain_seen = [], []

    def fail():
        raise error

    def outcome(function, seen):
        try:
            return run(function)(fail, seen)
        except BaseException as raised:
            return raised if raised is error else (type(raised), raised.exceptions)

    plain = UNCOMPILED[swallow.__name__]
    if swallow is exit_of_an_item_in_a_nested_block or swallow is exit_around_a_nested_block:
        assert outcome(swallow, compiled_seen) is None and compiled_seen == ["swallowed"]
        return
    assert outcome(swallow, compiled_seen) == outcome(plain, plain_seen)
    assert compiled_seen == plain_seen


UNCOMPILED = {"__name__": "uncompiled"}
with open(__file__) as file:
    exec(compile(file.read().partition("SWALLOWERS = ")[0], __file__, "exec"), UNCOMPILED)


def test_the_handled_exception_and_its_traceback_are_the_plain_ones():
    @compiled
    def run(fail):
        try:
            fail()
        except EVERYTHING as error:
            return error, sys.exc_info()

    def fail():
        raise Reverted("here")

    error, (kind, value, tb) = run(fail)
    assert kind is Reverted and value is error and error.__context__ is None
    assert [entry.line for entry in traceback.extract_tb(tb)] == ["fail()", 'raise Reverted("here")']
    assert sys.exc_info() == (None, None, None)


def test_a_wrong_handler_is_pythons_type_error():
    @compiled
    def run(types):
        try:
            raise Reverted
        except types:
            pass

    with pytest.raises(TypeError, match="catching classes that do not inherit from BaseException") as caught:
        run(3)
    assert isinstance(caught.value.__context__, Reverted)


def test_a_finally_drops_other_exceptions_as_written():
    assert finally_that_drops_an_exception() == "dropped"
    assert atomic(finally_that_drops_an_exception)() == "dropped"


def test_guards_that_are_called_by_hand_raise():
    from stmpy._barriers import caught, checkpoint, leaving

    assert caught() is BaseException and caught(KeyError) is KeyError
    assert leaving(1) == 1 and checkpoint(None) is None
    with pytest.raises(TypeError, match="expected 1 arguments, got 2"):
        caught(1, 2)


def test_coroutines_run_as_written():
    @compiled
    async def run():
        async with contextlib.AsyncExitStack():
            await asyncio.sleep(0)
        return "done"

    assert asyncio.run(run()) == "done"
