"""What many threads do to one collection leaves right histories, and wrong ones are told from them."""

from __future__ import annotations

import pytest
from collection_kinds import DICT, KINDS, SET, Kind, replay
from collection_level import findings
from witness import Attempt, Nested, Step, has_witness

from stmpy import STMDict


def name(kind):
    return kind.name


@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_what_threads_do_to_a_collection_has_an_order(kind):
    judged = list(findings(kind, seed=1, programs=30, runs=5))
    assert len(judged) == 150
    assert [str(finding) for finding in judged if finding] == []


# The judge


def attempt(begin, end, *steps, committed=True):
    return Attempt(begin, end, committed, list(steps))


def is_right(kind, start, end, *attempts):
    return has_witness(attempts, start, end, lambda twin, step: replay(kind, twin, step))


def step(name, key, returned, value=0):
    return Step(name, (key, value), returned)


def test_operations_one_after_the_other_return_what_the_builtin_does():
    put, look = attempt(1, 2, step("set", "a", None, 5)), attempt(3, 4, step("get", "a", 5))
    assert is_right(DICT, (), (("a", 5),), put, look)
    assert not is_right(DICT, (), (("a", 6),), put, look)
    assert not is_right(DICT, (), (("a", 5),), put, attempt(3, 4, step("get", "a", None)))


def test_attempts_at_one_time_have_either_order():
    put = attempt(1, 4, step("set", "a", None, 5))
    for seen in (5, None):
        assert is_right(DICT, (), (("a", 5),), put, attempt(2, 3, step("get", "a", seen)))
    assert not is_right(DICT, (), (("a", 5),), put, attempt(2, 3, step("get", "a", 6)))


def test_two_that_both_found_a_key_absent_and_inserted_it_are_wrong():
    first, second = (
        attempt(begin, begin + 2, step("setdefault", "a", value, value)) for begin, value in ((1, 5), (2, 6))
    )
    assert not is_right(DICT, (), (("a", 6),), first, second)


def test_keys_are_in_the_order_in_which_they_were_committed():
    first, second = (attempt(begin, begin + 1, step("set", key, None)) for begin, key in ((1, "a"), (3, "b")))
    assert is_right(DICT, (), (("a", 0), ("b", 0)), first, second)
    assert not is_right(DICT, (), (("b", 0), ("a", 0)), first, second)


def test_who_is_aborted_sees_one_state_and_leaves_nothing():
    put = attempt(1, 2, step("set", "a", None, 5))
    seen = attempt(3, 4, step("get", "a", 5), step("pop", "a", 5), step("in", "a", False), committed=False)
    assert is_right(DICT, (), (("a", 5),), put, seen)
    assert not is_right(DICT, (), (), put, seen)
    torn = attempt(3, 4, step("get", "a", 5), step("in", "a", False), committed=False)
    assert not is_right(DICT, (), (("a", 5),), put, torn)


def test_who_changes_nothing_now_may_have_to_change_something_later():
    """The one order has the clearing behind what it clears, though it could come first."""
    assert is_right(
        DICT, (), (), attempt(1, 4, step("clear", "a", None)), attempt(2, 3, step("set", "a", None))
    )


def test_a_nested_call_that_failed_is_seen_by_nobody_behind_it():
    nested = Nested([step("set", "a", None, 5), step("get", "a", 5)], failed=True)
    assert is_right(DICT, (), (), attempt(1, 2, nested, step("get", "a", None)))
    assert not is_right(DICT, (), (), attempt(1, 2, nested, step("get", "a", 5)))
    nested.failed = False
    assert is_right(DICT, (), (("a", 5),), attempt(1, 2, nested, step("get", "a", 5)))


def test_a_set_may_choose_what_it_pops():
    for popped in "ab":
        rest = frozenset("ab") - {popped}
        assert is_right(SET, frozenset("ab"), rest, attempt(1, 2, step("pop", "a", popped)))
    assert not is_right(SET, frozenset("ab"), frozenset("ab"), attempt(1, 2, step("pop", "a", "c")))


# Wrong collections


class WithoutOwnership(STMDict):
    """Looks twice, and the second look is not the first one's."""

    def setdefault(self, key, default=None):
        if (found := self.get(key)) is not None:
            return found
        self[key] = default
        return default


def test_a_dict_whose_operation_is_two_is_found_out():
    wrong = Kind(**vars(DICT) | {"make": WithoutOwnership})
    assert any(findings(wrong, seed=1, programs=200, runs=5))
