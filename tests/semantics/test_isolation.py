"""What one thread sees of another one's transaction: nothing, until it is whole."""

from __future__ import annotations

import threading

import pytest
from cells import Cell, Reverted
from stage import someone_waits

from stmpy import STMObject, atomic, stats


class Pair(STMObject):
    def __init__(self, left=0, right=0):
        self.left, self.right = left, right


def test_a_reader_never_sees_half_of_a_transfer(stage):
    pair, between = Pair(10, 0), stage.pause()

    @atomic
    def move():
        pair.left -= 1
        between.here()
        pair.right += 1

    @atomic
    def both():
        return pair.right, pair.left

    mover = stage.start(move)
    between.reached()
    aborted = stats().aborted_by_conflict
    reader = stage.start(both)
    stage.until(lambda: stats().aborted_by_conflict == aborted + 1)
    between.resume()
    assert reader.result() == (1, 9)
    mover.result()


def test_a_read_outside_sees_the_last_committed_value_and_does_not_wait(stage):
    pair, inside = Pair("old", "old"), stage.pause()

    @atomic
    def change():
        pair.left = "uncommitted"
        pair.left = "uncommitted too"
        inside.here()

    changer = stage.start(change)
    inside.reached()
    assert pair.left == "old"
    assert getattr(pair, "left") == "old"  # noqa: B009
    assert vars(pair)["left"] == "old"
    assert changer.is_running()
    inside.resume()
    changer.result()
    assert pair.left == "uncommitted too"


def test_a_read_outside_sees_neither_new_nor_deleted_attributes(stage):
    pair, inside = Pair(1, 2), stage.pause()

    @atomic
    def change():
        pair.fresh = 1
        del pair.left
        inside.here()

    changer = stage.start(change)
    inside.reached()
    assert not hasattr(pair, "fresh")
    assert pair.left == 1
    inside.resume()
    changer.result()
    assert pair.fresh == 1
    assert not hasattr(pair, "left")


def test_a_read_outside_finds_the_old_value_in_a_huge_log(stage):
    cells, inside = [Cell(number) for number in range(30_000)], stage.pause()

    @atomic
    def change():
        for cell in cells:
            cell.value = -1
        inside.here()
        raise Reverted

    changer = stage.start(change)
    inside.reached()
    for number in (0, 1, 31, 32, 4096, 15_000, 29_999):
        assert cells[number].value == number
    inside.resume()
    with pytest.raises(Reverted):
        changer.result()
    assert all(cell.value == number for number, cell in enumerate(cells))


def test_a_read_outside_sees_the_value_before_nested_writes_and_reverts(stage):
    cell, inside = Cell("old"), stage.pause()

    @atomic
    def nested(value, fail):
        cell.value = value
        if fail:
            raise Reverted

    @atomic
    def change():
        with pytest.raises(Reverted):
            nested("reverted", True)
        cell.value = "mine"
        nested("kept", False)
        with pytest.raises(Reverted):
            nested("reverted", True)
        assert cell.value == "kept"
        inside.here()

    changer = stage.start(change)
    inside.reached()
    assert cell.value == "old"
    inside.resume()
    changer.result()
    assert cell.value == "kept"


def test_a_write_outside_waits_for_its_turn(stage):
    cell, inside = Cell(0), stage.pause()

    @atomic
    def change():
        cell.value = "inside"
        inside.here()
        return cell.value

    def write():
        cell.value = "outside"

    changer = stage.start(change)
    inside.reached()
    writer = stage.start(write)
    stage.until(someone_waits)
    assert cell.value == 0
    inside.resume()
    assert changer.result() == "inside"
    writer.result()
    assert cell.value == "outside"


def test_a_write_outside_waits_for_readers_too(stage):
    cell, inside = Cell(1), stage.pause()

    @atomic
    def read_twice():
        first = cell.value
        inside.here()
        return first, cell.value

    def write():
        cell.value = 2

    reader = stage.start(read_twice)
    inside.reached()
    writer = stage.start(write)
    stage.until(someone_waits)
    assert cell.value == 1
    inside.resume()
    assert reader.result() == (1, 1)
    writer.result()
    assert cell.value == 2


def test_a_delete_outside_waits_for_its_turn(stage):
    cell, inside = Cell(1), stage.pause()

    @atomic
    def read_twice():
        first = cell.value
        inside.here()
        return first, cell.value

    def delete():
        del cell.value

    reader = stage.start(read_twice)
    inside.reached()
    deleter = stage.start(delete)
    stage.until(someone_waits)
    inside.resume()
    assert reader.result() == (1, 1)
    deleter.result()
    assert not hasattr(cell, "value")


def test_what_was_read_stays_as_it_was_until_the_end(stage):
    """Opacity: a running transaction never sees a state that no serial order has."""
    pair, between = Pair(0, 0), stage.pause()

    @atomic
    def both():
        left = pair.left
        between.here()
        return left, pair.right

    @atomic
    def change():
        pair.right = 1
        pair.left = 1

    reader = stage.start(both)
    between.reached()
    aborted = stats().aborted_by_conflict
    changer = stage.start(change)
    stage.until(lambda: stats().aborted_by_conflict == aborted + 1)
    between.resume()
    assert reader.result() == (0, 0)
    changer.result()
    assert (pair.left, pair.right) == (1, 1)


def test_no_attempt_ever_sees_two_values_that_never_were_together(stage):
    """Also not those attempts that are going to be aborted."""
    pair, torn = Pair(0, 0), []
    enough = threading.Event()

    @atomic
    def change():
        left, right = pair.left, pair.right
        if left != right:
            torn.append((left, right))
        pair.left = left + 1
        pair.right = right + 1

    @atomic
    def look(backwards):
        seen = (pair.right, pair.left) if backwards else (pair.left, pair.right)
        if seen[0] != seen[1]:
            torn.append(seen)

    def changing():
        for _ in range(300):
            change()

    def looking(backwards):
        while not enough.is_set():
            look(backwards)

    changers = [stage.start(changing) for _ in range(3)]
    lookers = [stage.start(looking, backwards) for backwards in (False, True)]
    for changer in changers:
        changer.result()
    enough.set()
    for looker in lookers:
        looker.result()
    assert torn == []
    assert (pair.left, pair.right) == (900, 900)


def test_a_read_outside_never_sees_a_value_that_was_reverted(stage):
    cell, enough, wrong = Cell(0), threading.Event(), []

    @atomic
    def fail():
        cell.value = "never"
        raise Reverted

    def failing():
        for _ in range(1000):
            with pytest.raises(Reverted):
                fail()

    def looking():
        while not enough.is_set():
            if cell.value != 0:
                wrong.append(cell.value)

    looker = stage.start(looking)
    failing()
    enough.set()
    looker.result()
    assert wrong == []


def test_writes_outside_are_not_lost_between_transactions(stage):
    """A write outside and a transaction that reads and writes exclude each other."""
    cell, rounds = Cell((0, 0)), 300

    @atomic
    def count_mine():
        outside, inside = cell.value
        cell.value = (outside, inside + 1)
        return outside

    def counting():
        seen = [count_mine() for _ in range(rounds)]
        assert seen == sorted(seen)

    counter = stage.start(counting)
    for number in range(rounds):
        cell.value = (number, 0)
    counter.result()
    assert cell.value[0] == rounds - 1
