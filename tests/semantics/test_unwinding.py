"""An abort cannot be swallowed, and clean-up code works while it unwinds the stack."""

from __future__ import annotations

import contextlib

import pytest
from cells import Cell
from rivals import swallowing

from stmpy import AbortTransaction, atomic, current_transaction, stats


class Conflict:
    """An object whose attribute is written by a transaction that has not ended."""

    def __init__(self, stage):
        self.cell = Cell("old")
        self._inside = stage.pause()
        self._before = stats().aborted_by_conflict
        self._stage = stage
        self.holder = stage.start(self._hold)
        self._inside.reached()

    @atomic
    def _hold(self):
        self.cell.value = "new"
        self._inside.here()

    def end(self):
        """Lets it end, when somebody was aborted because of it."""
        self._stage.until(lambda: stats().aborted_by_conflict > self._before)
        self._inside.resume()
        self.holder.result()


@pytest.fixture
def conflict(stage):
    return Conflict(stage)


def run(stage, conflict, body):
    """Runs the body in a transaction that holds something, until it has committed."""
    mine, runs = Cell(), []

    @atomic
    def transaction():
        runs.append(current_transaction().attempt)
        mine.value += 1
        return body(conflict.cell, mine)

    task = stage.start(transaction)
    conflict.end()
    result = task.result()
    assert runs == [1, 2]
    assert mine.value == 1
    return result


def bare_except(cell, mine):
    try:
        return cell.value
    except:  # noqa: E722
        return "swallowed"


def except_base_exception(cell, mine):
    try:
        return cell.value
    except BaseException:
        return "swallowed"


def except_abort(cell, mine):
    try:
        return cell.value
    except AbortTransaction:
        return "swallowed"


def return_in_finally(cell, mine):
    result = "swallowed"
    try:
        result = cell.value
    finally:
        return result  # noqa: B012


def break_in_finally(cell, mine):
    result = "swallowed"
    while True:
        try:
            result = cell.value
        finally:
            break  # noqa: B012
    return result


def suppress(cell, mine):
    with contextlib.suppress(BaseException):
        return cell.value
    return "swallowed"


class Swallow:
    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return True


def exit_that_returns_true(cell, mine):
    with Swallow():
        return cell.value
    return "swallowed"


def hasattr_cannot(cell, mine):
    try:
        return cell.value if hasattr(cell, "value") else None
    except BaseException:
        return "swallowed"


def another_exception_instead(cell, mine):
    try:
        return cell.value
    except BaseException:
        raise ValueError("instead of the abort") from None


def another_exception_from_finally(cell, mine):
    result = None
    try:
        result = cell.value
    finally:
        if result is None:
            raise ValueError("instead of the abort")
    return result


def another_exception_later(cell, mine):
    try:
        return cell.value
    except BaseException:
        pass
    raise ValueError("after a swallowed abort")


@pytest.mark.parametrize(
    "body",
    [
        bare_except,
        except_base_exception,
        except_abort,
        return_in_finally,
        break_in_finally,
        suppress,
        exit_that_returns_true,
        hasattr_cannot,
        another_exception_instead,
        another_exception_from_finally,
        another_exception_later,
    ],
)
def test_an_attempt_that_was_aborted_runs_again_however_it_is_left(stage, conflict, body):
    assert run(stage, conflict, body) == "new"


@pytest.mark.parametrize(
    "touch",
    [
        lambda cell, mine: mine.value,
        lambda cell, mine: mine.other,
        lambda cell, mine: setattr(mine, "value", 1),
        lambda cell, mine: delattr(mine, "value"),
        lambda cell, mine: cell.value,
        lambda cell, mine: vars(mine),
        lambda cell, mine: atomic(lambda: None)(),
    ],
    ids=["read owned", "read free", "write", "delete", "conflict again", "dict", "begin"],
)
def test_a_swallowed_abort_is_met_again_at_the_next_access_or_begin(stage, conflict, touch):
    met = []

    def body(cell, mine):
        try:
            return cell.value
        except BaseException:
            pass
        for _ in range(3):
            try:
                touch(cell, mine)
            except AbortTransaction:
                met.append(current_transaction().attempt)

    assert run(stage, conflict, body) == "new"
    assert met == [1, 1, 1]


def test_clean_up_uses_what_the_transaction_owns(stage, conflict):
    seen = []

    def body(cell, mine):
        try:
            mine.other = "open"
            return cell.value
        finally:
            seen.append(mine.other)
            mine.other = "closed"
            seen.append(mine.other)
            mine.value += 10
            mine.value -= 10

    assert run(stage, conflict, body) == "new"
    assert seen == ["open", "closed"] * 2


def test_clean_up_uses_what_is_free(stage, conflict):
    free, seen = Cell("free"), []

    def body(cell, mine):
        try:
            return cell.value
        finally:
            seen.append(free.value)
            free.value = f"written in attempt {current_transaction().attempt}"

    assert run(stage, conflict, body) == "new"
    assert seen == ["free", "free"]
    assert free.value == "written in attempt 2"


def test_clean_up_that_needs_what_is_not_free_is_aborted_too(stage, conflict):
    seen = []

    def body(cell, mine):
        try:
            return cell.value
        finally:
            if current_transaction().attempt == 1:
                try:
                    cell.value
                except AbortTransaction:
                    seen.append("aborted")
                seen.append(mine.value)

    assert run(stage, conflict, body) == "new"
    assert seen == ["aborted", 1]


def test_exit_methods_use_what_the_transaction_owns(stage, conflict):
    seen = []

    class Closing:
        def __init__(self, cell):
            self.cell = cell

        def __enter__(self):
            self.cell.other = "open"

        def __exit__(self, kind, *rest):
            seen.append((self.cell.other, kind))
            self.cell.other = "closed"

    def body(cell, mine):
        with Closing(mine):
            return cell.value

    assert run(stage, conflict, body) == "new"
    assert seen == [("open", AbortTransaction), ("open", None)]


def test_clean_up_may_handle_exceptions_of_its_own(stage, conflict):
    seen = []

    def body(cell, mine):
        try:
            return cell.value
        finally:
            try:
                raise KeyError
            except KeyError:
                seen.append(mine.value)
            try:
                raise ValueError
            finally:
                seen.append(mine.other)

    with pytest.raises(ValueError):
        run(stage, conflict, body)
    assert seen == [1, 0, 1, 0]


def test_clean_up_may_call_atomic_functions(stage, conflict):
    @atomic
    def note(mine, text):
        mine.other = text
        return mine.other

    seen = []

    def body(cell, mine):
        try:
            return cell.value
        finally:
            seen.append(note(mine, "noted"))

    assert run(stage, conflict, body) == "new"
    assert seen == ["noted", "noted"]


def test_a_handler_of_another_exception_is_no_clean_up_of_the_abort(stage, conflict):
    met = []

    def body(cell, mine):
        try:
            raise KeyError
        except KeyError:
            try:
                return cell.value
            except BaseException:
                pass
            try:
                mine.value
            except AbortTransaction:
                met.append(1)

    assert run(stage, conflict, body) == "new"
    assert met == [1]


def test_a_swallowed_abort_in_a_nested_call_is_met_by_the_outer_one(stage, conflict):
    met = []

    @atomic
    def nested(cell):
        return swallowing(lambda: cell.value)

    def body(cell, mine):
        result = nested(cell)
        if result == "swallowed":
            try:
                mine.value
            except AbortTransaction:
                met.append(1)
        return result

    assert run(stage, conflict, body) == "new"
    assert met == [1]


def test_a_nested_call_that_fails_after_the_abort_is_reverted_for_clean_up_code(stage, conflict):
    seen = []

    @atomic
    def fails(cell, mine):
        mine.other = "nested"
        swallowing(lambda: cell.value)
        raise ValueError

    def body(cell, mine):
        mine.other = "outer"
        try:
            with contextlib.suppress(ValueError):
                fails(cell, mine)
            return cell.value
        finally:
            seen.append(mine.other)

    assert run(stage, conflict, body) == "new"
    assert seen == ["outer", "outer"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, MemoryError])
def test_what_must_leave_leaves_in_place_of_an_abort(stage, conflict, kind):
    mine, runs = Cell(), []

    @atomic
    def transaction():
        runs.append(1)
        mine.value = 1
        try:
            return conflict.cell.value
        finally:
            raise kind("mine")

    task = stage.start(transaction)
    with pytest.raises(kind, match="mine"):
        task.result()
    assert runs == [1]
    assert mine.value == 0
    conflict._inside.resume()


def test_an_abort_in_a_callback_whose_exceptions_are_dropped_still_aborts(stage, conflict, recwarn):
    class Finalised:
        def __del__(self):
            self.seen.append(self.cell.value)

    seen = []

    def body(cell, mine):
        dying = Finalised()
        dying.cell, dying.seen = cell, seen
        del dying
        return "came here"

    with contextlib.ExitStack() as unraisable:
        import sys

        unraisable.callback(setattr, sys, "unraisablehook", sys.unraisablehook)
        sys.unraisablehook = lambda report: None
        assert run(stage, conflict, body) == "came here"
    assert seen == ["new"]


def test_an_abort_inside_of_comparisons_sorting_and_generators(stage, conflict):
    def body(cell, mine):
        return sorted([2, 1], key=lambda number: (cell.value, number)), list(cell.value for _ in range(2))

    assert run(stage, conflict, body) == ([1, 2], ["new", "new"])
