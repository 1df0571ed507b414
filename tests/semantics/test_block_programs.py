"""Programs made at random of blocks, loops, handlers and jumps do what they do with plain blocks.

A plain block is a manager that takes changes back where an exception leaves it. Without a conflict the two do
the same steps; with a conflict in some attempt the steps of the other attempts leave the same state.
"""

from __future__ import annotations

import contextlib
import warnings

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from rivals import Rival
from stage import Stage

import stmpy
from stmpy import STMObject, in_transaction
from stmpy.compiler import compile_source

PROGRAM = """\
{atomic}

@compiled
def program(log, meet, manager, state, E):
    y = "outside"

    def inner():
        nonlocal y
        global z
{body}
        return "end"

    try:
        return inner()
    finally:
        state["y"] = y if "y" in locals() else "unbound"
"""


class Maker:
    """Text of a program, from choices that hypothesis makes."""

    def __init__(self, draw):
        self._draw = draw
        self._steps = 0
        self._loops = 0

    def _choose(self, *choices):
        return self._draw(st.sampled_from(choices))

    def step(self):
        self._steps += 1
        return self._steps

    def suite(self, depth, in_loop):
        lines = []
        for _ in range(self._draw(st.integers(1, 3))):
            lines += self.statement(depth, in_loop)
        return ["    " + line for line in lines]

    def statement(self, depth, in_loop):
        simple = ("log", "log", "bind", "unbind", "meet", "meet", "raise", "return")
        jumps = ("break", "continue") if in_loop else ()
        compound = ("block", "block", "block", "if", "for", "while", "try", "with") if depth else ()
        return getattr(self, "_" + self._choose(*simple, *jumps, *compound))(depth, in_loop)

    def _log(self, *_):
        return [f"log({self.step()})"]

    def _bind(self, *_):
        name = self._choose("x", "y", "z")
        value = self._choose(f"{self.step()}", f"{name} + 1", "log(0)")
        return [self._choose(f"{name} = {value}", f"log(({name} := {value}))", f"{name} += 1")]

    def _unbind(self, *_):
        return [f"del {self._choose('x', 'y', 'z')}"]

    def _meet(self, *_):
        return ["meet()"]

    def _raise(self, *_):
        return [
            f"if log({self.step()}) % {self._choose(1, 2, 3)} == 0: raise {self._choose('E', 'KeyError')}"
        ]

    def _jump(self, word):
        return [f"if log({self.step()}) % {self._choose(1, 2, 3)} == 0: {word}"]

    def _return(self, *_):
        return self._jump(self._choose("return", f"return log({self.step()})"))

    def _break(self, *_):
        return self._jump("break")

    def _continue(self, *_):
        return self._jump("continue")

    def _if(self, depth, in_loop):
        lines = [f"if log({self.step()}) % 2:", *self.suite(depth - 1, in_loop)]
        return lines + (["else:", *self.suite(depth - 1, in_loop)] if self._choose(True, False) else [])

    def _for(self, depth, in_loop):
        head = f"for {self._choose('x', '_')} in range({self._choose(1, 2)}):"
        return self._loop(head, depth, in_loop)

    def _while(self, depth, in_loop):
        self._loops += 1
        count = f"n{self._loops}"
        head, *body = self._loop(f"while {count} < 2:", depth, in_loop)
        return [f"{count} = 0", head, f"    {count} += 1", *body]

    def _loop(self, head, depth, in_loop):
        lines = [head, *self.suite(depth - 1, True)]
        return lines + (["else:", *self.suite(depth - 1, in_loop)] if self._choose(True, False) else [])

    def _try(self, depth, in_loop):
        lines = ["try:", *self.suite(depth - 1, in_loop)]
        handlers = self._choose(["E"], ["E as x"], [""], ["BaseException"], ["KeyError", "E"], [])
        for kind in handlers:
            lines += [f"except {kind}:".replace(" :", ":"), *self.suite(depth - 1, in_loop)]
        if handlers and self._choose(True, False):
            lines += ["else:", *self.suite(depth - 1, in_loop)]
        if not handlers or self._choose(True, False):
            lines += ["finally:", *self.suite(depth - 1, in_loop)]
        return lines

    def _with(self, depth, in_loop):
        swallows = self._choose(True, False)
        return [f"with manager({self.step()}, {swallows}) as x:", *self.suite(depth - 1, in_loop)]

    def _block(self, depth, in_loop):
        head = self._choose(
            "with atomic():",
            "with atomic() as x:",
            f"with manager({self.step()}), atomic():",
            f"with atomic() as _, manager({self.step()}) as y:",
            f"with (manager({self.step()}) as x, atomic() as _, manager({self.step()})):",
            "with atomic(), atomic():",
        )
        target = ["    x = 'transaction'"] if "() as x" in head and "manager" not in head else []
        return [head, *target, *self.suite(depth - 1, in_loop)]


@st.composite
def programs(draw):
    return "\n".join("    " + line for line in Maker(draw).suite(4, False))


class E(Exception):
    pass


class State(STMObject):
    def __init__(self):
        self.steps = ()


class Run:
    """One execution: what it steps through, what is left behind, how it ends."""

    def __init__(self, atomic, body, meet=lambda: None):
        self.steps = []
        self.state = State()
        source = PROGRAM.format(atomic=atomic, body=body)
        namespace = {"plain_block": self._plain_block, "z": "module"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of jumps out of a `finally`
            if atomic == COMPILED:
                compilation = compile_source(source)
                # Python allows 20 statements in each other, of which a block is three.
                assume(not any("nested blocks" in said.message for said in compilation.diagnostics))
                assert compilation.diagnostics == []
                code = compilation.code()
            else:
                code = compile(source, "<plain>", "exec")
        exec(code, namespace)
        variables = {}
        try:
            ended = namespace["program"](self._log, meet, self._manager, variables, E)
        except Exception as error:
            ended = type(error), error.__cause__
        assert not in_transaction()
        self.left = ended, self.state.steps, variables, namespace.get("z", "unbound")

    def _log(self, step):
        self.steps.append(step)
        self.state.steps += (step,)
        return len(self.state.steps)

    @contextlib.contextmanager
    def _manager(self, step, swallows=False):
        self._log(step)
        try:
            yield step
        except BaseException:
            self._log(-step)
            if not swallows:
                raise
        else:
            self._log(-step)

    @contextlib.contextmanager
    def _plain_block(self, **_):
        before = self.state.steps
        try:
            yield
        except BaseException:
            self.state.steps = before
            raise


COMPILED = "from stmpy import atomic, compiled"
PLAIN = "from stmpy import compiled\natomic = plain_block"

made_at_random = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@made_at_random
@given(programs())
def test_without_a_conflict_it_does_the_same_steps(body):
    compiled, plain = Run(COMPILED, body), Run(PLAIN, body)
    assert compiled.steps == plain.steps
    assert compiled.left == plain.left


@made_at_random
@given(programs(), st.integers(0, 3))
def test_with_a_conflict_it_leaves_the_same_state(body, when):
    stage = Stage()
    rival, met = Rival(stage), []

    def meet():
        if in_transaction():
            met.append(1)
            if len(met) > when:
                rival.meet()

    try:
        assert Run(COMPILED, body, meet).left == Run(PLAIN, body).left
    finally:
        stage.close()
    assert stmpy.current_transaction() is None
