"""Nested calls: savepoints that a user's exception reverts, and that a conflict does not stop at."""

from __future__ import annotations

import pytest
from cells import Cell

from stmpy import (
    MISSING,
    access_map,
    atomic,
    current_transaction,
    in_transaction,
    revert_log,
    stats,
)


class Inner(Exception):
    pass


@atomic
def assign(cell, value, fail=False):
    cell.value = value
    if fail:
        raise Inner


def test_an_exception_reverts_the_inner_part_only():
    cell = Cell("at first")

    @atomic
    def outer():
        cell.other = "before"
        with pytest.raises(Inner):
            assign(cell, "inner", True)
        assert (cell.value, cell.other) == ("at first", "before")
        cell.other = "after"

    before = stats()
    outer()
    assert (cell.value, cell.other) == ("at first", "after")
    assert stats().nested_reverts == before.nested_reverts + 1
    assert stats().committed == before.committed + 1


def test_writes_before_and_after_a_nested_revert_stay():
    cell = Cell(0)

    @atomic
    def outer():
        cell.value = 1
        with pytest.raises(Inner):
            assign(cell, 2, True)
        assert cell.value == 1
        cell.value = 3

    outer()
    assert cell.value == 3


def test_what_was_written_after_a_nested_revert_is_reverted_with_the_outer_part():
    cell = Cell(0)

    @atomic
    def outer():
        with pytest.raises(Inner):
            assign(cell, 2, True)
        cell.value = 3
        raise KeyError

    with pytest.raises(KeyError):
        outer()
    assert cell.value == 0


def test_a_nested_call_that_returns_is_reverted_with_the_outer_one():
    cell = Cell(0)

    @atomic
    def outer():
        cell.other = 1
        assign(cell, 1)
        assign(cell, 2)
        raise Inner

    with pytest.raises(Inner):
        outer()
    assert (cell.value, cell.other) == (0, 0)


def test_nested_reverts_in_a_loop():
    cell = Cell(0)

    @atomic
    def outer(fail):
        for number in range(200):
            try:
                assign(cell, number, number % 3 != 0)
            except Inner:
                pass
            assert cell.value == number - number % 3
        if fail:
            raise Inner

    with pytest.raises(Inner):
        outer(True)
    assert cell.value == 0
    outer(False)
    assert cell.value == 198


def test_savepoints_of_many_depths():
    cells = [Cell(0) for _ in range(30)]

    @atomic
    def descend(depth):
        cells[depth].value = 1
        cells[0].other = depth
        if depth == 29:
            raise Inner
        try:
            descend(depth + 1)
        except Inner:
            if depth >= 10:
                raise

    descend(0)
    assert [cell.value for cell in cells] == [1] * 10 + [0] * 20
    assert cells[0].other == 9


def test_the_same_pair_written_at_every_depth():
    cell, seen = Cell("outside"), []

    @atomic
    def descend(depth):
        cell.value = depth
        if depth == 5:
            raise Inner
        try:
            descend(depth + 1)
        except Inner:
            seen.append(cell.value)
            raise

    @atomic
    def outer():
        try:
            descend(0)
        except Inner:
            seen.append(cell.value)

    outer()
    assert seen == [4, 3, 2, 1, 0, "outside"]


def test_a_write_after_a_nested_revert_is_reverted_by_the_part_around_it():
    cell = Cell("outside")

    @atomic
    def middle():
        with pytest.raises(Inner):
            assign(cell, "inner", True)
        cell.value = "middle"
        raise Inner

    @atomic
    def outer():
        cell.value = "outer"
        with pytest.raises(Inner):
            middle()
        return cell.value

    assert outer() == "outer"


def test_more_pairs_than_a_savepoint_remembers_at_once():
    cells = [Cell(number) for number in range(500)]

    @atomic
    def nested(fail):
        for _ in range(3):
            for cell in cells:
                cell.value += 1000
        if fail:
            raise Inner

    @atomic
    def outer():
        nested(False)
        with pytest.raises(Inner):
            nested(True)
        assert [cell.value for cell in cells] == [3000 + number for number in range(500)]
        with pytest.raises(Inner):
            nested(True)

    outer()
    assert [cell.value for cell in cells] == [3000 + number for number in range(500)]


def test_attributes_that_come_and_go_in_nested_calls():
    cell = Cell(0)

    @atomic
    def nested():
        del cell.value
        cell.fresh = 1
        raise Inner

    @atomic
    def outer():
        cell.value = 1
        for _ in range(3):
            with pytest.raises(Inner):
                nested()
            assert cell.value == 1
            assert not hasattr(cell, "fresh")
        cell.fresh = 2

    outer()
    assert (cell.value, cell.fresh) == (1, 2)


def test_a_nested_call_inside_finally():
    cell = Cell(0)

    @atomic
    def outer():
        try:
            cell.value = 1
            raise KeyError
        finally:
            assign(cell, cell.value + 1)
            with pytest.raises(Inner):
                assign(cell, 100, True)
            assert cell.value == 2

    with pytest.raises(KeyError):
        outer()
    assert cell.value == 0


def test_a_conflict_in_a_nested_call_runs_the_outermost_again(stage):
    cell, mine, inside, runs = Cell("old"), Cell(), stage.pause(), []

    @atomic
    def hold():
        cell.value = "new"
        inside.here()

    @atomic
    def nested():
        runs.append("nested")
        return cell.value

    @atomic
    def outer():
        runs.append("outer")
        mine.value += 1
        try:
            return nested()
        except Exception:  # an abort passes by
            runs.append("caught")

    holder = stage.start(hold)
    inside.reached()
    before = stats().aborted_by_conflict
    task = stage.start(outer)
    stage.until(lambda: stats().aborted_by_conflict == before + 1)
    assert mine.value == 0
    inside.resume()
    holder.result()
    assert task.result() == "new"
    assert runs == ["outer", "nested"] * 2
    assert mine.value == 1


def test_what_a_reverted_nested_call_has_read_stays_read(stage):
    cell, inside = Cell("old"), stage.pause()

    @atomic
    def look():
        cell.value
        raise Inner

    @atomic
    def outer():
        with pytest.raises(Inner):
            look()
        inside.here()
        return cell.value

    task = stage.start(outer)
    inside.reached()
    writer = stage.start(assign, cell, "new")
    stage.until(lambda: len(access_map().by_transaction) == 2)
    inside.resume()
    assert task.result() == "old"
    writer.result()
    assert cell.value == "new"


def test_what_a_reverted_nested_call_has_written_stays_owned(stage):
    cell, inside = Cell("old"), stage.pause()

    @atomic
    def outer():
        with pytest.raises(Inner):
            assign(cell, "reverted", True)
        inside.here()
        return cell.value

    task = stage.start(outer)
    inside.reached()
    assert cell.value == "old"
    writer = stage.start(assign, cell, "new")
    stage.until(lambda: len(access_map().by_transaction) == 2)
    inside.resume()
    assert task.result() == "old"
    writer.result()


def test_a_nested_call_joins_the_transaction():
    @atomic
    def nested():
        return current_transaction()

    @atomic
    def outer():
        assert in_transaction()
        return current_transaction(), nested()

    before = stats()
    mine, nested_one = outer()
    assert mine == nested_one
    assert stats().begun == before.begun + 1
    assert not in_transaction()


def test_the_revert_log_says_what_savepoints_have_to_revert():
    cell = Cell("old")

    @atomic
    def outer():
        cell.value = "mine"
        with pytest.raises(Inner):
            assign(cell, "inner", True)
        cell.fresh = 1
        return revert_log()

    log = outer()
    assert (cell, "value", "old") in log
    assert (cell, "fresh", MISSING) in log
    assert "mine" not in [old for _, _, old in log]


def test_an_exception_that_a_nested_call_raises_is_the_one_that_leaves():
    raised = Inner("mine")

    @atomic
    def nested():
        raise raised

    @atomic
    def outer():
        nested()

    with pytest.raises(Inner) as caught:
        outer()
    assert caught.value is raised
