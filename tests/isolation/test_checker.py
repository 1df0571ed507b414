"""The checker finds what is wrong in a history, and nothing where nothing is."""

from __future__ import annotations

import random
import textwrap

import pytest
from checker import judge, with_peeks
from definition import is_opaque, is_strictly_serialisable
from guesses import QUEUE, guess
from history import History

# In each of them a and b are 0 at the beginning, and so is the counter n.
START = "0 0 - 1 committed; write a 0 0; write b 0 0; write n 0 0"


def history(text):
    return History.parse([START, *textwrap.dedent(text).strip().splitlines()])


RIGHT = {
    "nothing at all": "",
    "one after the other": """
        1 10 14 15 committed; read a 0 11; write a 1 12
        2 20 24 25 committed; read a 1 21; write a 2 22
    """,
    "two at a time, in either order": """
        1 10 24 25 committed; read a 0 13; read b 0 20
        2 11 16 30 committed; read b 0 14; write a 2 15
    """,
    "who began first comes last": """
        1 10 40 41 committed; read a 2 30; write b 1 31
        2 11 20 21 committed; write a 2 15
    """,
    "an abort that saw what was there": """
        1 10 - 20 aborted; read a 0 12; write a 1 13; refused b
        2 11 30 31 committed; write b 2 14; read a 0 25
    """,
    "a reverted savepoint": """
        1 10 30 31 committed; open; read a 0 12; write a 1 13; read a 1 14; revert; read a 0 15; write b 1 16
        2 40 - 41 committed; read b 1 41
    """,
    "savepoints that are kept": """
        1 10 30 31 committed; write a 1 11; open; write a 2 12; open; write a 3 13; close; close; read a 3 14
        2 40 - 41 committed; read a 3 41
    """,
    "an outside read while its writer commits, before and after": """
        1 10 20 30 committed; write a 1 11
        2 21 - 23 committed; read a 0 22
        2 24 - 26 committed; read a 1 25
    """,
    "a queue, first in first out": """
        1 10 20 21 committed; put q 1 11; put q 2 12
        2 30 40 41 committed; take q 1 31; put q 3 32
        1 50 60 61 committed; take q 2 51; take q 3 52; empty q - 53
    """,
    "own items behind those of others, and gone with a savepoint": """
        1 10 20 21 committed; put q 1 11
        2 30 40 41 committed; open; put q 2 31; take q 1 32; take q 2 33; revert; take q 1 34; empty q - 35
        1 50 - 52 committed; empty q - 51
    """,
    "a look into a queue that a put and a get do not know of": """
        1 10 50 51 committed; empty q - 11; write a 1 12
        2 20 30 31 committed; put q 1 21
        3 40 60 61 committed; take q 1 52
    """,
    "a peek while somebody else commits": """
        1 10 40 41 committed; read b 0 11; peek a 0 12; peek a 1 31; write b 1 32; peek b 1 33
        2 20 30 35 committed; write a 1 21
    """,
    "a peek behind a savepoint that has written": """
        1 10 40 41 committed; open; write a 1 11; peek a 1 12; revert; peek a 0 13
    """,
    "irrevocable ones, one after the other": """
        1 10 20 25 committed; irrevocable - - 11; write a 1 12
        2 12 30 31 committed; irrevocable - - 22; read a 1 23
        3 40 - 45 reverted; irrevocable - - 41; read a 1 42
    """,
    "a variable that comes and goes": """
        1 10 20 21 committed; write c 1 11
        2 30 40 41 committed; read c 1 31; write c - 32
        1 50 60 61 committed; read c - 51; write c 2 52; write c - 53
        2 70 - 72 committed; read c - 71
    """,
    "additions that do not know of each other": """
        1 10 20 50 committed; add n 1 11; add n 2 12; write a 1 13
        2 10 21 51 committed; add n 4 14; read n 4 15
        3 60 - 62 committed; read n 7 61
        3 70 71 72 committed; open; add n 8 70; revert; read n 7 70
        3 80 - 82 committed; read n 7 81
    """,
    "an addition of nothing": """
        1 10 20 21 committed; add n 1 11; write a 1 12
        2 10 30 31 committed; read n 1 25; read a 1 26; write b 1 27
        3 22 40 41 committed; read b 0 23; add n 0 24
    """,
    "additions to what was written": f"""
        1 10 20 21 committed; write n {1 << 62} 11; add n 1 12; read n {(1 << 62) + 1} 13
        2 30 31 32 committed; add n 2 30; read n {(1 << 62) + 3} 31
    """,
    "blind writes whose order a later reader shows": """
        1 10 20 50 committed; write a 1 11; write b 1 12
        2 10 20 50 committed; write a 2 13; write b 2 14
        3 60 - 62 committed; read a 1 61
        3 63 - 65 committed; read b 1 64
    """,
}

# With the names of those properties that are violated.
WRONG = {
    "a lost update": (
        """
        1 10 30 31 committed; read a 0 12; write a 1 13
        2 11 40 41 committed; read a 0 14; write a 2 15
        """,
        "opacity strict_serialisability",
    ),
    "write skew": (
        """
        1 10 30 31 committed; read a 0 12; write b 1 13
        2 11 40 41 committed; read b 0 14; write a 2 15
        """,
        "opacity strict_serialisability",
    ),
    "half of a transfer": (
        """
        1 10 20 21 committed; write a 1 11; write b 1 12
        2 11 30 31 committed; read a 0 13; read b 1 25
        """,
        "opacity strict_serialisability",
    ),
    "half of a transfer, seen by who is going to be aborted": (
        """
        1 10 20 21 committed; write a 1 11; write b 1 12
        2 11 - 31 aborted; read a 0 13; read b 1 25
        """,
        "opacity",
    ),
    "half of a transfer, seen by who is left by an exception": (
        """
        1 10 20 21 committed; write a 1 11; write b 1 12
        2 11 - 31 reverted; read a 0 13; read b 1 25
        """,
        "opacity",
    ),
    "half of a transfer, seen in a savepoint that is reverted": (
        """
        1 10 20 21 committed; write a 1 11; write b 1 12
        2 11 30 31 committed; open; read a 0 13; revert; read b 1 25
        """,
        "opacity strict_serialisability",
    ),
    "what was there long before": (
        """
        1 10 20 21 committed; write a 1 11
        2 30 - 32 committed; read a 0 31
        """,
        "opacity strict_serialisability",
    ),
    "what was taken twice": (
        """
        1 10 20 21 committed; put q 1 11
        2 30 40 41 committed; take q 1 31
        3 32 50 51 committed; take q 1 33
        """,
        "opacity strict_serialisability",
    ),
    "the second one first": (
        """
        1 10 20 21 committed; put q 1 11; put q 2 12
        2 30 40 41 committed; take q 2 31
        """,
        "opacity strict_serialisability",
    ),
    "a queue that is empty though something was put": (
        """
        1 10 20 21 committed; put q 1 11
        2 30 - 41 reverted; empty q - 31
        """,
        "opacity",
    ),
    "what was put by who was aborted": (
        """
        1 10 - 21 aborted; put q 1 11; refused a
        2 12 40 41 committed; take q 1 31; read a 0 32
        """,
        "opacity strict_serialisability",
    ),
    "what was put in an alternative that was taken back": (
        """
        1 10 20 21 committed; open; put q 1 11; revert; put q 2 12
        2 30 40 41 committed; take q 1 31
        """,
        "opacity strict_serialisability",
    ),
    "what was taken in an alternative and is not back": (
        """
        1 10 20 21 committed; put q 1 11; put q 2 12
        2 30 40 41 committed; open; take q 1 31; revert; take q 2 32
        """,
        "opacity strict_serialisability",
    ),
    "what was taken by who had not begun to commit": (
        """
        1 10 20 21 committed; put q 1 11; put q 2 12
        2 30 40 41 committed; take q 1 31
        3 32 50 51 committed; take q 2 35
        """,
        "opacity",
    ),
    "what an alternative that was taken back has left": (
        """
        1 10 20 21 committed; open; write a 1 11; revert; read a 1 12
        """,
        "opacity strict_serialisability",
    ),
    "a wait that saw half of a transfer": (
        """
        1 10 20 21 committed; write a 1 11; write b 1 12
        2 11 - 31 reverted; read a 0 13; read b 1 25; refused retry
        """,
        "opacity",
    ),
    "a key that was not there, and one that came later": (
        """
        1 10 20 21 committed; write d:x 1 11; write d:y 1 12
        2 11 30 31 committed; read d:x - 13; read d:y 1 25
        """,
        "opacity strict_serialisability",
    ),
    "a peek at what was not committed": (
        """
        1 10 30 31 committed; write a 1 11
        2 12 40 41 committed; peek a 1 20
        """,
        "opacity",
    ),
    "a peek at what is no more": (
        """
        1 10 20 21 committed; write a 1 11
        2 30 40 41 committed; read b 0 31; peek a 0 32
        """,
        "opacity strict_serialisability",
    ),
    "a peek that does not see what was written": (
        """
        1 10 20 21 committed; write a 1 11; peek a 0 12
        """,
        "opacity strict_serialisability",
    ),
    "an irrevocable one that was told to abort": (
        """
        1 10 - 21 aborted; irrevocable - - 11; write a 1 12; refused b
        2 13 30 31 committed; write b 1 14; read a 0 25
        """,
        "irrevocability",
    ),
    "two irrevocable ones at one time": (
        """
        1 10 30 31 committed; irrevocable - - 11; write a 1 25
        2 12 40 41 committed; irrevocable - - 13; write b 1 14
        """,
        "irrevocability",
    ),
    "backwards in time, outside": (
        """
        1 10 20 50 committed; write a 1 11
        2 21 - 23 committed; read a 1 22
        2 24 - 26 committed; read a 0 25
        """,
        "opacity strict_serialisability",
    ),
    "what was aborted": (
        """
        1 10 - 21 reverted; write a 1 11
        2 12 - 14 committed; read a 1 13
        """,
        "opacity strict_serialisability",
    ),
    "what is written over before the commit": (
        """
        1 10 20 21 committed; write a 1 11; write a 2 13
        2 11 - 14 committed; read a 1 12
        """,
        "opacity strict_serialisability",
    ),
    "what is not committed yet": (
        """
        1 10 20 21 committed; write a 1 11
        2 12 - 14 committed; read a 1 13
        """,
        "opacity",
    ),
    "what nobody wrote": (
        "1 10 20 21 committed; read a 7 11",
        "opacity strict_serialisability",
    ),
    "a reverted write, outside": (
        """
        1 10 20 21 committed; open; write a 1 11; revert; write b 1 15
        2 12 - 14 committed; read a 1 13
        """,
        "opacity strict_serialisability",
    ),
    "a savepoint that does not revert": (
        "1 10 20 21 committed; write a 1 11; open; write a 2 12; revert; read a 2 13",
        "opacity strict_serialisability",
    ),
    "a savepoint that reverts too much": (
        "1 10 20 21 committed; write a 1 11; open; write a 2 12; revert; read a 0 13",
        "opacity strict_serialisability",
    ),
    "a read that does not repeat": (
        """
        1 10 30 31 committed; read a 0 11; read a 1 25
        2 12 20 21 committed; write a 1 13
        """,
        "opacity strict_serialisability",
    ),
    "an own write that is not seen": (
        "1 10 20 21 committed; write a 1 11; read a 0 12",
        "opacity strict_serialisability",
    ),
    "a revert that leaves something": (
        """
        1 10 - 21 reverted; write a 1 11
        2 30 - 32 committed; read a 1 31
        """,
        "opacity strict_serialisability",
    ),
    "a commit that is lost": (
        """
        1 10 20 21 committed; write a 1 11
        2 30 - 42 aborted; read a 1 31; write a 2 32; refused b
        3 33 42 43 committed; read b 0 41
        3 50 - 52 committed; read a 0 51
        """,
        "opacity strict_serialisability",
    ),
    "a commit after an abort": (
        """
        1 10 20 21 committed; write a 1 11; refused b
        2 9 - 22 committed; read b 0 12
        """,
        "opacity strict_serialisability",
    ),
    "an addition that is lost": (
        """
        1 10 20 21 committed; add n 1 11
        2 10 20 21 committed; add n 2 11
        3 30 - 32 committed; read n 1 31
        """,
        "opacity strict_serialisability",
    ),
    "an addition that is made before the commit": (
        """
        1 10 20 21 committed; add n 1 11
        3 12 - 14 committed; read n 1 13
        """,
        "opacity",
    ),
    "an addition that is made although it was reverted": (
        """
        1 10 20 21 committed; open; add n 1 11; revert; add n 2 12
        3 30 - 32 committed; read n 3 31
        """,
        "opacity strict_serialisability",
    ),
    "an abort for nothing": (
        """
        1 10 - 21 aborted; write a 1 11
        2 9 30 31 committed; read b 0 12
        """,
        "progressiveness",
    ),
    "an abort for a read outside": (
        """
        1 10 - 21 aborted; write a 1 11
        2 12 - 14 committed; read a 0 13
        """,
        "progressiveness",
    ),
    "two that see each other's past": (
        """
        1 10 20 50 committed; write a 1 11; write b 1 12
        2 10 20 50 committed; write a 2 13; write b 2 14
        3 60 - 62 committed; read a 1 61
        3 63 - 65 committed; read b 2 64
        """,
        "opacity strict_serialisability",
    ),
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT.keys())
def test_a_right_history_is_found_right(text):
    assert judge(history(text)).right
    assert is_opaque(with_peeks(history(text)))


@pytest.mark.parametrize("text, violated", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_history_is_found_wrong(text, violated):
    verdict = judge(history(text))
    assert [name for name, part in verdict._asdict().items() if part] == violated.split(), verdict


def test_what_is_wrong_is_said_with_the_attempts_it_is_about():
    wrong = history(WRONG["what was aborted"][0])
    assert "read a = 1, which was never committed: [1 10 - 21 reverted; write a 1 11]" in str(judge(wrong))
    lost = str(judge(history(WRONG["a lost update"][0])))
    assert "after 1 of 3 attempts nobody can come next" in lost
    assert "write a 1 13]: a = 0 has yet to be seen by thread 2" in lost
    half = str(judge(history(WRONG["half of a transfer"][0])))
    assert "it saw b = 1, and there is 0" in half


def test_a_value_that_two_commits_wrote_decides_nothing():
    twice = """
        1 10 20 21 committed; write a 1 11
        2 30 40 41 committed; write a 1 31
    """
    with pytest.raises(ValueError, match="two commits wrote a = 1"):
        judge(history(twice))


def test_orders_that_come_to_the_same_are_not_tried_one_by_one():
    """Of twelve attempts at one time there are half a billion orders."""
    additions = [f"{thread} 10 20 50 committed; add n {1 << thread} 11" for thread in range(12)]
    assert judge(history("\n".join([*additions, "13 60 - 62 committed; read n 4095 61"]))).right
    assert not judge(history("\n".join([*additions, "13 60 - 62 committed; read n 4094 61"]))).right


def test_a_history_is_read_as_it_was_written():
    for text, _ in WRONG.values():
        assert str(History.parse(str(history(text)).splitlines())) == str(history(text))


@pytest.mark.parametrize("seed", range(20))
def test_the_checker_decides_as_the_definition_does(seed):
    """On random histories of up to five attempts, of which many are wrong in one way or another."""
    source = random.Random(seed)
    answers, misses = {True: 0, False: 0}, 0
    for _ in range(100):
        guessed = guess(source)
        verdict = judge(guessed)
        opaque, serialisable = is_opaque(guessed), is_strictly_serialisable(guessed)
        # Of queues it knows nearly all that prefixes say.
        missed = verdict.opacity is None and not opaque
        assert (verdict.opacity is None) == opaque or (
            missed and any(QUEUE in attempt.variables for attempt in guessed)
        ), f"{guessed}\n{verdict}"
        misses += missed
        if not opaque:
            assert (verdict.strict_serialisability is None) == serialisable, f"{guessed}\n{verdict}"
        answers[opaque] += 1
    assert min(answers.values()) >= 10, answers
    assert misses <= 1
