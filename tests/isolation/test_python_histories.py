"""Random programs on real objects leave right histories, on both tiers."""

from __future__ import annotations

import contextlib
import itertools
import random
import re

import pytest
import python_level
from checker import judge
from python_level import findings, history_of
from scripts import Script

from stmpy import STMDict, STMObject, STMQueue, on_abort, unrecorded

MOST = 300
"""Histories within which a mistake has to show; most need a few."""


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("tier", ["dynamic", "compiled"])
def test_what_threads_see_of_each_other_is_right(tier, seed):
    judged = list(findings(tier, seed=seed, programs=20, runs=5))
    assert len(judged) == 100
    assert [str(finding) for finding in judged if finding] == []


def programs(*needed):
    """Of four threads, without end: those in which all of that occurs."""
    for number in itertools.count():
        source = random.Random(number)
        script = Script(source, 4, blocks=False)
        if all(text in script.text for text in needed):
            yield script, source


def is_wrong(script, source, *, edit=lambda text: text, **instead):
    code = compile(edit(script.text), "<generated>", "exec")
    history, world = history_of(script, code, source, **instead)
    try:
        right = judge(history).right
    except ValueError:  # what was moved is in two places: no transactions leave that
        return True
    return not right or world.broken(history) is not None


def test_without_transactions_the_same_programs_leave_wrong_histories():
    def edit(text):
        return text.replace("import Failed,", "import Failed, untransacted as atomic,").replace(
            " atomic,\n", "\n"
        )

    some = (each for each in programs() if "retry()" not in each[0].text)
    assert sum(is_wrong(*each, edit=edit) for each in itertools.islice(some, 20)) >= 15


class Cell(STMObject):
    def __init__(self, value):
        self.value = value


class Declined(BaseException):
    pass


def decline():
    raise Declined


def take_nothing_back(*alternatives):
    for alternative in alternatives[:-1]:
        with contextlib.suppress(Declined):
            return alternative()
    return alternatives[-1]()


class WithoutOwnership(STMDict):
    """What is not there is nobody's."""

    def get(self, key, default=None):
        with unrecorded():
            absent = key not in self
        return default if absent else super().get(key, default)


class KeepsAll(STMQueue):
    """What an aborted attempt has put is there all the same."""

    def put(self, item):
        on_abort(super().put, item)
        super().put(item)


def mistaken_for_irrevocable(text):
    head = re.compile(r"@atomic\(irrevocable=True\)(\ndef .*\n    log.begins\(\)\n)")
    return head.sub(r"@atomic\1    log.is_irrevocable()\n", text)


WRONG = {
    "an alternative that is not taken back": (
        ("or_else(",),
        {"retry": decline, "or_else": take_nothing_back},
    ),
    "a key that is not there, and is not owned": (("d0.get",), {"STMDict": WithoutOwnership}),
    "a put that is not taken back": (("q0.put", "q0.get"), {"STMQueue": KeepsAll}),
    "an irrevocable transaction that is aborted": (
        ("@atomic(irrevocable=True)",),
        {"edit": mistaken_for_irrevocable},
    ),
    "an invariant that is not checked": (
        ("p0.left",),
        {"edit": lambda text: text.replace("    @invariant\n", "")},
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_found(name):
    needed, instead = WRONG[name]
    some = (each for each in programs(*needed) if "log.waits" not in each[0].text)
    assert any(is_wrong(*each, **instead) for each in itertools.islice(some, MOST))


def test_a_change_that_does_not_wake_is_found(monkeypatch):
    """The gate is looked at without a trace, so that nobody who waits watches it."""
    monkeypatch.setattr(python_level, "PATIENCE_WITH_SLEEPERS", 0.3)
    bell = Cell(0)

    def looked_at(gate):
        bell.value  # noqa: B018
        with unrecorded():
            return gate.value

    def edit(text):
        return text.replace("lambda: gate.value", "lambda: looked_at(gate)")

    try:
        with pytest.raises(AssertionError, match=r"who has read gate.value = 0 sleeps"):
            for each in itertools.islice(programs("log.waits"), MOST):
                is_wrong(*each, edit=edit, looked_at=looked_at)
    finally:
        bell.value = 1
