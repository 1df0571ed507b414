"""Each misuse of the API is a TransactionUsageError that says what to do instead."""

from __future__ import annotations

import functools
import itertools

import pytest
from cells import Cell

from stmpy import (
    TransactionError,
    TransactionUsageError,
    atomic,
    atomically,
    compiled,
    stats,
)


def generator():
    yield 1


async def coroutine():
    pass


async def async_generator():
    yield 1


class Methods:
    def generator(self):
        yield 1

    async def coroutine(self):
        pass


SUSPENDING = {
    "generator": generator,
    "coroutine": coroutine,
    "async generator": async_generator,
    "lambda": lambda: (yield),
    "method": Methods().generator,
    "coroutine method": Methods().coroutine,
    "partial": functools.partial(generator),
    "staticmethod": staticmethod(coroutine),
    "classmethod": classmethod(generator),
    "property": property(generator),
}


@pytest.mark.parametrize("function", SUSPENDING.values(), ids=SUSPENDING)
def test_what_suspends_is_refused_at_decoration(function):
    with pytest.raises(TransactionUsageError, match="ordinary function under @atomic"):
        atomic(function)
    with pytest.raises(TransactionUsageError, match="ordinary function under @atomic"):
        atomic(timeout=1)(function)


@pytest.mark.parametrize("function", [generator, coroutine, async_generator])
def test_what_suspends_is_not_run_by_atomically(function):
    with pytest.raises(TransactionUsageError, match="ordinary function under @atomic"):
        atomically(function)


@pytest.mark.parametrize("with_block", [atomic, atomic(), atomic(timeout=1)], ids=repr)
def test_a_with_block_that_is_not_compiled_says_how_to_compile(with_block):
    entered = []
    with pytest.raises(RuntimeError, match=r"'with atomic\(\):'.*stmpy run.*stmpy.hook.*atomically"):
        namespace = {"with_block": with_block, "entered": entered}
        exec("with with_block:\n    entered.append(1)\n", namespace)
    assert entered == []


MISUSES = {
    "class": (lambda: atomic(Cell), "decorate its methods"),
    "no function": (lambda: atomic(3), "needs a function, not 3"),
    "None": (lambda: atomic(None), "needs a function, not None"),
    "two arguments": (lambda: atomic(len, 3), r"@atomic\(timeout=1\.0\).*atomically"),
    "arguments of the function": (lambda: atomic(len, key=3), "atomically"),
    "positional timeout": (lambda: atomic(1.5), "needs a function, not 1.5"),
    "configured twice by position": (lambda: atomic(timeout=1)(3), "needs a function, not 3"),
    "unknown argument": (
        lambda: atomic(retries=3),
        "no argument 'retries': it takes timeout, max_attempts, reads, irrevocable and name",
    ),
    "timeout text": (lambda: atomic(timeout="5"), "timeout must be a number of seconds.*'5'"),
    "timeout negative": (lambda: atomic(timeout=-1), "timeout must be a number of seconds.*-1"),
    "timeout nan": (lambda: atomic(timeout=float("nan")), "timeout must be a number"),
    "timeout huge": (lambda: atomic(timeout=10**400), "timeout must be a number"),
    "max_attempts zero": (lambda: atomic(max_attempts=0), "max_attempts must be an integer, 1 or more.*0"),
    "max_attempts float": (lambda: atomic(max_attempts=1.5), "max_attempts must be an integer.*1.5"),
    "max_attempts huge": (lambda: atomic(max_attempts=10**30), "max_attempts must be an integer"),
    "reads": (lambda: atomic(reads="all"), '"shared" or "exclusive", not \'all\''),
    "reads None": (lambda: atomic(reads=None), '"shared" or "exclusive", not None'),
    "name": (lambda: atomic(name=3), "name must be a string or None, not 3"),
    "atomically nothing": (lambda: atomically(), r"atomically\(function, \*args, \*\*kwargs\)"),
    "atomically a class": (lambda: atomically(Cell), "is a class"),
    "atomically no function": (lambda: atomically(3), "needs a function, not 3"),
    "compiled no function": (lambda: compiled(3), "needs a function, not 3"),
}


@pytest.mark.parametrize("misuse, remedy", MISUSES.values(), ids=MISUSES)
def test_a_misuse_is_a_usage_error_with_its_remedy(misuse, remedy):
    with pytest.raises(TransactionUsageError, match=remedy) as caught:
        misuse()
    assert isinstance(caught.value, TransactionError)
    assert caught.value.__context__ is None


def test_arguments_that_mean_the_default():
    assert atomic(timeout=None, max_attempts=None, reads="shared", name=None)(lambda: 1)() == 1
    assert atomic(timeout=float("inf"), max_attempts=2**62)(lambda: 1)() == 1
    assert atomic(timeout=10**15)(lambda: 1)() == 1
    assert atomic(timeout=0)(lambda: 1)() == 1


# --- arguments that the first attempt used up


def started(iterator):
    next(iterator)
    return iterator


CONSUMED = {
    "list iterator": lambda: iter([1, 2, 3]),
    "generator": lambda: (number for number in (1, 2, 3)),
    "started generator": lambda: started(number for number in (0, 1, 2, 3)),
    "map": lambda: map(int, "123"),
    "zip": lambda: zip("123"),
    "enumerate": lambda: enumerate("123"),
    "reversed": lambda: reversed([1, 2, 3]),
    "dict iterator": lambda: iter({1: 1, 2: 2}),
    "chain": lambda: itertools.chain("123"),
    "count": lambda: itertools.islice(itertools.count(), 3),
}


class Meeting:
    """A cell in a transaction's way, until somebody was aborted for it."""

    def __init__(self, stage):
        self.cell, self.stage, self.inside = Cell("old"), stage, stage.pause()

    def run(self, function, *args, **kwargs):
        before = stats().aborted_by_conflict
        self.holder = self.stage.start(self.hold)
        self.inside.reached()
        task = self.stage.start(lambda: function(*args, **kwargs))
        self.stage.until(lambda: stats().aborted_by_conflict > before)
        self.inside.resume()
        self.holder.result()
        return task.result()

    @atomic
    def hold(self):
        self.cell.value = "new"
        self.inside.here()


@pytest.fixture
def meeting(stage):
    return Meeting(stage)


@pytest.mark.parametrize("make", CONSUMED.values(), ids=CONSUMED)
@pytest.mark.parametrize("whole", [False, True], ids=["first item", "whole"])
def test_a_consumed_iterator_is_refused_when_the_call_would_run_again(meeting, make, whole):
    mine, runs = Cell(0), []

    @atomic
    def consume(text, items):
        runs.append(1)
        mine.value += 1
        seen = list(items) if whole else next(items)
        meeting.cell.value
        return seen

    with pytest.raises(TransactionUsageError, match=r"consume .*its argument 2, .*pass a list or a tuple"):
        meeting.run(consume, "text", make())
    assert runs == [1]
    assert mine.value == 0


def test_a_consumed_keyword_argument_is_refused_too(meeting):
    mine = Cell(0)

    @atomic
    def consume(*, items):
        mine.value += 1
        next(items)
        return meeting.cell.value

    with pytest.raises(TransactionUsageError, match="its argument 1"):
        meeting.run(consume, items=iter([1, 2]))


def test_iterators_that_were_not_touched_may_be_given_again(meeting):
    mine = Cell(0)

    @atomic
    def look(*iterators):
        mine.value += 1
        return meeting.cell.value

    untouched = [iter([1, 2]), (n for n in ()), iter({1: 2}), iter(range(3)), reversed([1])]
    assert meeting.run(look, *untouched, generator, [1], "text", open) == "new"
    assert mine.value == 1


def test_a_consumed_iterator_is_no_matter_when_there_is_no_second_attempt():
    assert atomic(lambda items: list(items))(iter([1, 2])) == [1, 2]
