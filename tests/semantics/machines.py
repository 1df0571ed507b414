"""State machines: a collection against what it is to others, whatever transactions are made of it.

What is done outside, committed, taken back, taken back in part, or aborted and run again, is done to a
builtin as well, and the two are compared at each step; so are copies, with which the machine goes on.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

from cells import Reverted
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from rivals import Rival
from stage import Stage

from stmpy import atomically

Act = Callable[[Any, Any], Any]
"""Does something to either of the two, and returns what is compared. It gets what it returned for ours."""


def nothing() -> None:
    pass


class Odd:
    """A key that equals other objects, shares its hash, and does what it is told to when it is compared."""

    act: Callable[[], object] = staticmethod(nothing)

    def __init__(self, value: int) -> None:
        self.value = value

    def __hash__(self) -> int:
        return self.value % 3

    def __eq__(self, other: object) -> bool:
        Odd.act()
        return isinstance(other, Odd) and self.value == other.value

    def __repr__(self) -> str:
        return f"Odd({self.value})"


def fail() -> None:
    raise Reverted


def outcome(act: Act, target: Any, told: Any = None) -> tuple[str, Any]:
    try:
        return "returned", act(target, told)
    except Reverted:
        raise
    except Exception as error:
        return type(error).__name__, str(error)


def pickled(collection: Any) -> Any:
    return pickle.loads(pickle.dumps(collection))


def machine(
    acts: st.SearchStrategy[Act],
    ours: st.SearchStrategy[Any],
    plain: Callable[[Any], Any],
    contents: Callable[[Any], Any],
    put_back: Callable[[Any, Any], None],
    *,
    keyed: bool = False,
) -> type:
    """The test case of a machine.

    `plain` makes the other one for one of `ours`; `contents` is what either has in it, `put_back` puts that
    into the other one. `keyed`: elements are compared, and comparisons may do anything.
    """

    class Machine(RuleBasedStateMachine):
        @initialize(made=ours)
        def make(self, made: Any) -> None:
            self.stage = Stage()
            self.ours, self.plain = made, plain(made)

        def both(self, act: Act) -> None:
            done = outcome(act, self.ours)
            assert done == outcome(act, self.plain, done[1] if done[0] == "returned" else None)
            self.compare()

        def compare(self) -> None:
            assert contents(self.ours) == contents(self.plain)

        def run(self, some: list[Act], fails: bool) -> None:
            for act in some:
                self.both(act)
            if fails:
                raise Reverted

        def part(self, some: list[Act], fails: bool) -> None:
            before = contents(self.plain)
            try:
                atomically(self.run, some, fails)
            except Reverted:
                put_back(self.plain, before)
            self.compare()

        @rule(act=acts)
        def outside(self, act: Act) -> None:
            self.both(act)

        some = st.lists(acts, max_size=6)

        @rule(first=some, nested=some, last=some, ends=st.tuples(*[st.booleans()] * 2), aborted=st.booleans())
        def inside(
            self, first: list[Act], nested: list[Act], last: list[Act], ends: tuple[bool, bool], aborted: bool
        ) -> None:
            before, rival = contents(self.plain), Rival(self.stage)

            def attempt() -> None:
                put_back(self.plain, before)
                self.run(first, False)
                self.part(nested, ends[0])
                if aborted:
                    rival.meet()
                self.run(last, ends[1])

            try:
                atomically(attempt)
            except Reverted:
                put_back(self.plain, before)
            self.compare()

        @rule(how=st.sampled_from([copy.copy, copy.deepcopy, pickled]), inside=st.booleans())
        def copied(self, how: Callable[[Any], Any], inside: bool) -> None:
            made = atomically(how, self.ours) if inside else how(self.ours)
            assert type(made) is type(self.ours)
            assert made is not self.ours
            self.ours = made
            put_back(self.plain, contents(made))
            self.compare()

        @precondition(lambda _: keyed)
        @rule(act=acts, inside=st.booleans())
        def comparisons_that_raise(self, act: Act, inside: bool) -> None:
            before = contents(self.plain)
            Odd.act = fail
            try:
                done = atomically(outcome, act, self.ours) if inside else outcome(act, self.ours)
            except Reverted:
                done = None
            finally:
                Odd.act = nothing
            if done is None:
                assert contents(self.ours) == before
            else:
                assert done == outcome(act, self.plain, done[1] if done[0] == "returned" else None)
            self.compare()

        @precondition(lambda _: keyed)
        @rule(act=acts, inside=st.booleans())
        def comparisons_that_look(self, act: Act, inside: bool) -> None:
            looks = []

            def look() -> None:
                if not looks:
                    looks.append(None)
                    contents(self.ours)
                    looks.clear()

            Odd.act = look
            try:
                atomically(self.both, act) if inside else self.both(act)
            finally:
                Odd.act = nothing

        def teardown(self) -> None:
            if hasattr(self, "stage"):
                self.stage.close()

    Machine.TestCase.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)
    return Machine.TestCase
