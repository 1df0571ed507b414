"""`with atomic():` is a block that re-runs. Only compiled code can have it."""

from __future__ import annotations

import contextlib
import gc
import sys
import traceback
import weakref

import pytest
from cells import Cell, Reverted
from rivals import swallowing

import stmpy
from stmpy import (
    STMObject,
    TooManyAttempts,
    TransactionTimeout,
    TransactionUsageError,
    atomic,
    current_transaction,
    in_transaction,
    on_abort,
    on_commit,
)
from stmpy import atomic as transaction


@pytest.fixture
def cell():
    return Cell(0)


# --- what a block does


def test_a_block_commits_when_it_is_left(cell):
    with atomic():
        assert in_transaction()
        cell.value = 1
    assert not in_transaction()
    assert cell.value == 1


def test_an_exception_reverts_and_leaves_once_as_the_same_object(cell):
    error, runs = Reverted(), []
    with pytest.raises(Reverted) as caught:
        with atomic():
            runs.append(1)
            cell.value = 1
            raise error
    assert caught.value is error and error.__context__ is None
    assert runs == [1] and cell.value == 0 and not in_transaction()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, MemoryError, GeneratorExit, StopIteration])
def test_an_exception_of_any_kind_leaves(cell, kind):
    def run():
        with atomic():
            cell.value = 1
            raise kind

    with pytest.raises(kind):
        run()
    assert cell.value == 0 and not in_transaction()


def test_an_aborted_block_runs_again(cell, rival):
    attempts = []
    with atomic() as tx:
        attempts.append(tx.attempt)
        cell.value += 1
        rival.meet()
    assert attempts == [1, 2]
    assert cell.value == 1


def test_what_stands_before_the_block_is_not_run_again(cell, rival):
    before = 0
    before += 1
    with atomic():
        cell.value += 1
        rival.meet()
    assert (before, cell.value) == (1, 1)


def test_the_target_is_the_transaction(cell):
    class Place(STMObject):
        pass

    place, items = Place(), [None]
    with atomic() as tx:
        assert tx.id == current_transaction().id and tx.state == "active"
        with (
            atomic() as place.tx,
            atomic() as items[0],
            atomic() as (tx.__class__.unused if False else items)[0],
        ):
            assert place.tx.id == tx.id == items[0].id
    assert tx.state == "ended"


def test_the_name_is_the_functions_or_the_one_that_is_given():
    with atomic():
        assert current_transaction().name.endswith("test_the_name_is_the_functions_or_the_one_that_is_given")
    with atomic(name="other"):
        assert current_transaction().name == "other"


def test_it_is_found_by_what_names_mean():
    with transaction():
        assert in_transaction()
    with stmpy.atomic():
        assert in_transaction()
    with atomic():
        assert in_transaction()


def test_another_atomic_is_not_ours():
    @contextlib.contextmanager
    def atomic():
        yield "not stmpy's"

    with stmpy.atomic():
        with atomic() as what:
            assert what == "not stmpy's"


def test_arguments_are_evaluated_once_and_outside(cell, rival):
    seen = []

    def limit():
        seen.append(in_transaction())
        return 20

    with atomic(timeout=limit(), max_attempts=5, reads="exclusive", name="named"):
        cell.value += 1
        rival.meet()
    assert seen == [False] and cell.value == 1


def test_wrong_arguments_are_refused():
    with atomic():
        pass
    with pytest.raises(TransactionUsageError, match="retries"):
        with atomic(retries=3):
            raise AssertionError
    with pytest.raises(TransactionUsageError, match="compiled for stmpy.atomic"):
        with atomic(len):
            raise AssertionError


# --- how it is left


def test_return_commits(cell):
    def run():
        with atomic():
            cell.value += 1
            return cell.value

    assert run() == 1 and cell.value == 1 and not in_transaction()


def test_break_and_continue_are_the_users_loops(cell):
    seen = []
    for number in range(5):
        with atomic():
            cell.value += 1
            if number == 1:
                continue
            if number == 3:
                break
        seen.append(number)
    else:
        seen.append("else")
    assert seen == [0, 2] and cell.value == 4


def test_loops_inside_keep_their_jumps_and_else_clauses(cell):
    seen = []
    with atomic():
        for number in range(3):
            if number == 1:
                continue
            seen.append(number)
        else:
            seen.append("else")
        while True:
            break
        else:
            seen.append("never")
    assert seen == [0, 2, "else"]


def test_jumps_out_of_an_inner_loops_else_clause(cell):
    seen = []
    for number in range(3):
        with atomic():
            for _ in ():
                pass
            else:
                if number == 1:
                    break
            seen.append(number)
    assert seen == [0]


@pytest.mark.parametrize("how", ["end", "return", "break", "continue"])
def test_a_commit_that_fails_takes_back_how_the_block_was_being_left(cell, rival, how):
    left = []

    def run():
        for turn in range(2):
            with atomic():
                cell.value += 1
                swallowing(rival.meet)
                if how == "return":
                    return "returned"
                if how == "break":
                    break
                if how == "continue":
                    continue
            left.append(turn)
        return "done"

    result = run()
    assert cell.value == (2 if how in ("end", "continue") else 1)
    assert result == ("returned" if how == "return" else "done")
    assert left == ([0, 1] if how == "end" else [])


def test_try_and_finally_around_and_inside(cell, rival):
    seen = []

    def run():
        try:
            with atomic() as tx:
                try:
                    cell.value += 1
                    rival.meet()
                    return "returned"
                finally:
                    seen.append((tx.attempt, cell.value))
        finally:
            seen.append("outside" if not in_transaction() else "inside")

    assert run() == "returned"
    assert seen == [(1, 1), (2, 1), "outside"]


def test_a_jump_that_is_cancelled_inside_does_not_leave(cell):
    seen = []
    for number in range(2):
        with atomic():
            with contextlib.suppress(KeyError):
                try:
                    break
                finally:
                    raise KeyError
            seen.append(number)
    assert seen == [0, 1]


# --- several items, nesting


class Manager:
    def __init__(self, log, name):
        self.log, self.name = log, name

    def __enter__(self):
        self.log.append((self.name, "enter", in_transaction()))
        return self.name

    def __exit__(self, kind, *rest):
        self.log.append((self.name, "exit", in_transaction()))


def test_items_before_are_entered_once_and_items_behind_in_each_attempt(rival):
    log = []
    with Manager(log, "before") as a, atomic() as tx, Manager(log, "behind") as b:
        log.append((a, b, tx.attempt))
        rival.meet()
    assert log == [
        ("before", "enter", False),
        ("behind", "enter", True),
        ("before", "behind", 1),
        ("behind", "exit", True),
        ("behind", "enter", True),
        ("before", "behind", 2),
        ("behind", "exit", True),
        ("before", "exit", False),
    ]


def test_items_in_brackets_over_lines(cell):
    log = []
    with (
        Manager(log, "a") as a,  # the first
        Manager(log, "b"),
        atomic(
            name="over lines",
        ) as tx,
        Manager(log, "c") as (c),
        Manager(log, "d"),
    ):
        cell.value = (a, c, tx.name)
    assert cell.value == ("a", "c", "over lines")
    assert [entry[0] for entry in log] == ["a", "b", "c", "d", "d", "c", "b", "a"]


def test_a_block_on_one_line(cell, rival):
    # fmt: off
    with atomic(): cell.value += 1; rival.meet()  # noqa: E701, E702
    # fmt: on
    assert cell.value == 1


def test_a_nested_block_is_a_savepoint(cell):
    with atomic():
        cell.value = 1
        with pytest.raises(Reverted):
            with atomic():
                cell.value = 2
                raise Reverted
        assert cell.value == 1
        with atomic():
            cell.other = 3
    assert (cell.value, cell.other) == (1, 3)


def test_two_blocks_in_one_statement(cell):
    with pytest.raises(Reverted):
        with atomic() as outer, atomic() as inner:
            assert outer.id == inner.id
            cell.value = 1
            raise Reverted
    assert cell.value == 0


def test_an_abort_in_a_nested_block_runs_the_outermost_again(cell, rival):
    log = []
    for _ in range(1):
        with atomic():
            log.append("outer")
            with atomic():
                log.append("inner")
                cell.value += 1
                rival.meet()
                break
    assert log == ["outer", "inner"] * 2 and cell.value == 1


def test_jumps_through_nested_blocks(cell):
    seen = []
    for number in range(4):
        with atomic():
            with atomic():
                if number == 1:
                    continue
                if number == 2:
                    break
            seen.append("between")
        seen.append(number)
    assert seen == ["between", 0] and not in_transaction()


def test_a_block_in_an_atomic_function_and_calls_in_a_block(cell, rival):
    runs = []

    @atomic
    def add(amount):
        with atomic():
            cell.value += amount

    @atomic
    def outer():
        runs.append(1)
        with atomic():
            add(1)
            rival.meet()

    with atomic():
        outer()
        add(1)
    assert cell.value == 2 and runs == [1, 1]


# --- in functions of every kind


def test_in_a_generator_function_between_yields(cell, rival):
    def generate():
        for _ in range(2):
            with atomic():
                cell.value += 1
                rival.meet()
            yield cell.value

    assert list(generate()) == [1, 2]


def test_in_a_coroutine_between_awaits(cell):
    async def run():
        with atomic():
            cell.value += 1
        return cell.value

    with pytest.raises(StopIteration) as caught:
        run().send(None)
    assert caught.value.value == 1


def test_in_methods_and_with_private_names(cell, rival):
    class Account(STMObject):
        def __init__(self):
            self.__balance = 1

        def add(self):
            __amount = 2
            with atomic():
                __amount += 1
                self.__balance += __amount
                __late = 5
                rival.meet()
            return self.__balance, __amount

    assert Account().add() == (4, 3)


# --- names that the block binds


def test_locals_are_put_back_before_a_re_run(rival):
    number, items = 1, ["item"]
    with atomic():
        number += 1
        items = [*items, "more"]
        rival.meet()
    assert number == 2 and items == ["item", "more"]


def test_parameters_are_put_back(rival):
    def run(number, *rest, **more):
        with atomic():
            number += 1
            rest += (2,)
            more = {**more, "n": len(more)}
            rival.meet()
        return number, rest, more

    assert run(1, 1, a=1) == (2, (1, 2), {"a": 1, "n": 1})


def test_unbound_locals_are_unbound_again(rival):
    seen = []
    with atomic():
        try:
            late  # noqa: B018, F821
        except UnboundLocalError:
            seen.append("unbound")
        late = 1
        rival.meet()
    assert seen == ["unbound"] * 2 and late == 1


def test_deleted_locals_are_bound_again(rival):
    name = "bound"
    with atomic():
        assert name == "bound"
        del name
        rival.meet()
    with pytest.raises(UnboundLocalError):
        name  # noqa: B018, F821


def test_every_way_to_bind_a_name(rival):
    seen = []
    with atomic():
        seen.append([name for name in sorted(locals()) if len(name) == 1])
        a = 1
        b = c = 2
        (d, *e) = [3, 4]
        for f in [5]:  # noqa: B007
            pass
        with contextlib.nullcontext(6) as g:
            pass
        try:
            raise KeyError
        except KeyError as h:  # noqa: F841
            pass
        import os as i  # noqa: F401

        def j():
            pass

        class k:
            pass

        match 7:
            case l:  # noqa: E741
                pass
        if m := 8:
            pass
        [n := 9 for _ in [1]]
        o: int = 10
        a += 1
        rival.meet()
    assert seen == [[], []]
    assert (a, b, c, d, e, f, g, m, n, o) == (2, 2, 2, 3, [4], 5, 6, 8, 9, 10)


def test_cells_are_put_back(rival):
    number = 1

    def read():
        return number

    with atomic():
        assert read() == 1
        number += 1
        rival.meet()
    assert read() == 2


def test_nonlocal_names_are_put_back(rival):
    number = 1

    def run():
        nonlocal number, other
        with atomic():
            number += 1
            with pytest.raises(NameError):
                other  # noqa: B018
            other = 1
            rival.meet()

    run()
    assert (number, other) == (2, 1)  # noqa: F821
    other = 2


GLOBAL = 1


def test_global_names_are_put_back(rival):
    with atomic():
        global GLOBAL, LATE
        GLOBAL += 1
        assert "LATE" not in globals()
        LATE = 1
        rival.meet()
    assert (GLOBAL, LATE) == (2, 1)
    del LATE


def test_names_beyond_ascii_are_put_back(rival):
    if rival:
        ﬁ = 1
    with atomic():
        ﬁ += 1
        rival.meet()
    assert ﬁ == 2


def test_two_spellings_of_a_name_are_one_variable(rival):
    seen = []
    z = "before"
    with atomic():
        seen.append(ｚ)
        z = "bound"
        rival.meet()
    assert seen == ["before", "before"] and z == "bound"


def test_a_variable_is_put_back_that_a_swallowed_exception_leaves_unbound_in_the_re_run(rival):
    attempts, x = [], "before"
    with atomic(), contextlib.suppress(KeyError):
        attempts.append(1)
        if len(attempts) == 2:
            raise KeyError
        x = "first"
        rival.meet()
    assert attempts == [1, 1] and x == "before"


def test_a_variable_that_an_earlier_turn_bound_is_put_back_to_that(rival):
    seen = []
    for turn in range(2):
        with atomic():
            if turn == 1:
                seen.append(value)  # noqa: F821
                value += 1  # noqa: F821
                rival.meet()
            else:
                value = 10
    assert seen == [10, 10] and value == 11


def test_locals_stay_as_a_users_exception_leaves_them(cell):
    number = 1
    with pytest.raises(Reverted):
        with atomic():
            number += 1
            raise Reverted
    assert number == 2


def test_a_block_keeps_nothing_alive(cell, rival):
    class Value:
        pass

    value = Value()
    alive = weakref.ref(value)
    with atomic():
        value = None
        late = Value()  # noqa: F841
        cell.value += 1
        rival.meet()
    late_alive = weakref.ref(late)
    del late
    gc.collect()
    assert alive() is None and late_alive() is None and value is None


# --- limits


def test_a_timeout_ends_the_wait_between_attempts(cell, held):
    number = 1
    with pytest.raises(TransactionTimeout, match=r"\w+ waited longer") as caught:
        with atomic(timeout=0.02):
            cell.value = 1
            number += 1
            held.value  # noqa: B018
    assert cell.value == 0 and number == 1
    assert caught.value.__context__ is None and not in_transaction()


def test_max_attempts(cell, rival):
    runs = []
    with pytest.raises(TooManyAttempts, match="2 times") as caught:
        with atomic(max_attempts=2, reads="exclusive"):  # a senior would make the rival yield
            runs.append(1)
            cell.value = 1
            rival.meet(times=2)
    assert runs == [1, 1] and cell.value == 0 and caught.value.__context__ is None


def test_a_nested_timeout_counts(cell, held):
    with pytest.raises(TransactionTimeout, match="the inner one"):
        with atomic(timeout=30):
            cell.value = 1
            with atomic(timeout=0.02, name="the inner one"):
                held.value  # noqa: B018
    assert cell.value == 0


# --- exceptions look as in a plain with statement


def frames(call):
    try:
        call()
    except BaseException as error:
        return [(frame.name, frame.line) for frame in traceback.extract_tb(error.__traceback__)], error
    raise AssertionError


def test_a_traceback_shows_the_users_lines_only(cell):
    def fail():
        raise Reverted

    def block():
        with contextlib.nullcontext(), atomic(), contextlib.nullcontext():
            fail()

    entries, error = frames(block)
    assert entries == [("frames", "call()"), ("block", "fail()"), ("fail", "raise Reverted")]
    assert error.__context__ is None


def test_the_context_of_an_exception_is_the_users(cell, rival):
    first = KeyError("first")

    def block():
        try:
            raise first
        except KeyError:
            with atomic():
                rival.meet()
                raise Reverted  # noqa: B904

    _, error = frames(block)
    assert error.__context__ is first and first.__context__ is None


def test_the_handled_exception_is_what_it_was(cell, rival):
    assert sys.exc_info() == (None, None, None)
    with atomic():
        assert sys.exc_info() == (None, None, None)
        rival.meet()
    assert sys.exc_info() == (None, None, None)
    try:
        raise Reverted
    except Reverted as error:
        with atomic():
            assert sys.exc_info()[1] is error
            cell.value = 1
        assert sys.exc_info()[1] is error


def test_an_exception_that_was_raised_before_can_be_raised_again(cell):
    with pytest.raises(Reverted):
        try:
            raise Reverted
        except Reverted as error:
            with atomic():
                cell.value = 1
                raise error
    assert cell.value == 0


# --- misuse of what generated code calls


def test_steps_that_are_called_out_of_order_raise(cell):
    from stmpy._barriers import block_aborted, block_attempts, block_begin, block_saved

    with atomic():
        pass
    order = "out of its order"
    with pytest.raises(RuntimeError, match=order):
        block_attempts()
    with pytest.raises(RuntimeError, match=order):
        block_attempts(atomic(), "name", 1, 2)
    with pytest.raises(RuntimeError, match=order):
        block_attempts(atomic(), "name", (1,), ())
    for step in (block_begin, block_aborted, block_saved):
        with pytest.raises(TypeError, match="a block is needed"):
            step(1)
    block = block_attempts(atomic(), "name")
    with pytest.raises(RuntimeError, match=order):
        block_begin(block)
    assert next(block) is block
    for step in (next, block_saved, lambda block: block.__exit__(None, None, None)):
        with pytest.raises(RuntimeError, match=order):
            step(block)
    assert block_aborted(block) == ()
    block_begin(block)
    inner = block_attempts(atomic(), "inner")
    next(inner)
    block_begin(inner)
    for step in (
        next,
        block_begin,
        block_aborted,
        block_saved,
        lambda block: block.__exit__(None, None, None),
    ):
        with pytest.raises(RuntimeError, match=order):
            step(block)
    inner.__exit__(None, None, None)
    with pytest.raises(RuntimeError, match=order):
        block_aborted(block)
    cell.value = 1
    block.__exit__(None, None, None)
    assert cell.value == 1 and not in_transaction()
    assert list(block) == []
    with pytest.raises(RuntimeError, match=order):
        block_begin(block)


def test_a_block_that_is_abandoned_is_taken_back(cell):
    from stmpy._barriers import block_attempts, block_begin

    with atomic():
        pass
    block = next(block_attempts(atomic(), "name"))
    block_begin(block)
    cell.value = 1
    assert in_transaction()
    del block
    assert not in_transaction() and cell.value == 0


def test_a_call_that_leaves_a_block_open_ends_it(cell):
    from stmpy._barriers import block_attempts, block_begin

    with atomic():
        pass

    @atomic
    def leaves():
        block = next(block_attempts(atomic(), "name"))
        block_begin(block)
        cell.value = 1
        return block

    block = leaves()
    assert not in_transaction() and cell.value == 1
    with pytest.raises(RuntimeError, match="order"):
        block.__exit__(None, None, None)


def test_on_commit_runs_behind_a_block_however_it_is_left(cell, rival):
    calls = []

    def returns():
        with atomic():
            cell.value += 1
            on_commit(lambda: calls.append((cell.value, in_transaction())))
            on_abort(lambda: calls.append("aborted"))
            rival.meet()
            with atomic():
                on_commit(calls.append, "nested")
            return "result"

    assert returns() == "result"
    assert calls == ["aborted", (1, False), "nested"]


def test_an_error_of_on_commit_leaves_a_block_that_has_committed(cell):
    calls, error = [], ValueError("mine")

    def fails():
        raise error

    with pytest.raises(ValueError) as caught:
        with atomic():
            cell.value = 1
            on_commit(fails)
            on_commit(calls.append, 1)
            on_abort(calls.append, "aborted")
    assert caught.value is error and error.__context__ is None
    assert (cell.value, calls, in_transaction()) == (1, [1], False)


def test_on_abort_runs_behind_a_block_that_an_exception_leaves(cell):
    calls = []

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(Reverted):
        with atomic():
            cell.value = 1
            on_abort(lambda: calls.append((cell.value, in_transaction())))
            raise Reverted
    assert calls == [(0, False)]
    with pytest.raises(KeyboardInterrupt) as caught:
        with atomic():
            on_abort(interrupt)
            raise Reverted
    assert type(caught.value.__context__) is Reverted
