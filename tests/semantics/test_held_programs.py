"""Programs made at random do the same to objects whether compiled code holds what it opens, or not, or is not
compiled at all: whatever the functions that they call do to the objects meanwhile.

What is right is what ordinary objects do, with a plain block in the place of transactions.
"""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ways import Plain, Undone, seen

from stmpy import STMObject, _compiler, in_transaction

PROGRAM = """\
{atomic}

@atomic()
def program(o, p, do, log, Undone):
{body}
    return "end"
"""
COMPILED = "from stmpy import atomic"
PLAIN = "atomic = plain_block"


def set_property(o):
    type(o).n = property(lambda self: 7, lambda self, value: vars(self).update(m=value))


def restore_class(o):
    for name in {"n", "__setattr__"} & set(vars(type(o))):
        delattr(type(o), name)


def override_setattr(o):
    def set(self, name, value):
        object.__setattr__(self, name, value + 10 if name == "n" else value)

    type(o).__setattr__ = set


def delete_and_store(o):
    del o.n
    o.n = 50


def writes(o):
    o.n += 10


def deletes(o):
    del o.n
    o.m = 60


def assigns_class(o):
    o.__class__ = o.other


# What uncompiled code does to an object, and what it does in a nested call.
DEEDS = {
    "write": writes,
    "delete": lambda o: vars(o).pop("n", 0),
    "restore": lambda o: vars(o).setdefault("n", 1),
    "delete_and_store": delete_and_store,
    "set_default": lambda o: setattr(type(o), "n", 100),
    "set_property": set_property,
    "override_setattr": override_setattr,
    "restore_class": restore_class,
    "assign_class": assigns_class,
}
NESTED = {"writes": writes, "deletes": deletes, "assigns_class": assigns_class, "adds": delete_and_store}


class Maker:
    """Text of a program, from choices that hypothesis makes."""

    def __init__(self, draw):
        self._draw = draw
        self._loops = 0

    def _choose(self, *choices):
        return self._draw(st.sampled_from(choices))

    def suite(self, depth, in_loop):
        lines = []
        for _ in range(self._draw(st.integers(1, 4))):
            lines += self._statement(depth, in_loop)
        return ["    " + line for line in lines]

    def _statement(self, depth, in_loop):
        simple = ("access", "access", "access", "deed", "bind")
        compound = ("loop", "loop", "block", "catch", "condition") if depth else ()
        jumps = ("jump",) if in_loop else ()
        return getattr(self, "_" + self._choose(*simple, *compound, *jumps))(depth, in_loop)

    def _place(self):
        return self._choose("o.n", "o.n", "o.n", "p.n", "p.n", "o.m")

    def _access(self, *_):
        place, other = self._place(), self._place()
        return [
            self._choose(
                f"log({place}, {place}, {other})",
                f"{place} += 1",
                f"{place} = {other} + {other}",
                f"{place} += {other}",
                f"{place} += log({other})",
                f"{place} = 5",
                f"del {place}",
            )
        ]

    def _deed(self, *_):
        which = self._choose(*DEEDS, *(f"{kind} {name}" for name in NESTED for kind in ("keep", "revert")))
        act = f"do({which!r}, {self._choose('o', 'p')})"
        return [self._choose(act, act, f"{self._place()} += {act}")]

    def _bind(self, *_):
        return [self._choose("o = p", "p = o", "o, p = p, o", "q = o; q.n += 1; q = p", "if (o := p): pass")]

    def _loop(self, depth, in_loop):
        self._loops += 1
        head = self._choose(
            "for _ in range(3):", "for _ in range(3):", "for o in (p, o):", f"while {self._place()} < 3:"
        )
        guard = [f"    if log(0) > {20 * self._loops}: break"] if head.startswith("while") else []
        return [head, *guard, *self.suite(depth - 1, True)]

    def _block(self, depth, in_loop):
        block = ["with atomic():", *self.suite(depth - 1, in_loop)]
        if self._choose(True, False):
            return block
        return [
            "try:",
            *("    " + line for line in block),
            "        raise Undone",
            "except Undone:",
            "    log(1)",
        ]

    def _catch(self, depth, in_loop):
        handler = ["except AttributeError as error:", "    log(str(error))"]
        return ["try:", *self.suite(depth - 1, in_loop), *handler]

    def _condition(self, depth, in_loop):
        lines = [f"if log({self._place()}) % 2:", *self.suite(depth - 1, in_loop)]
        return lines + (["else:", *self.suite(depth - 1, in_loop)] if self._choose(True, False) else [])

    def _jump(self, *_):
        return [f"if log({self._place()}) % 3 == 0: {self._choose('break', 'continue')}"]


@st.composite
def programs(draw):
    return "\n".join(Maker(draw).suite(3, False))


class Run:
    """One execution upon objects of a base: what was logged, how it ended, what is left of the objects."""

    def __init__(self, base, source, aliased):
        class Second(base):
            pass

        class First(base):
            pass

        First.other, Second.other = Second, First
        self._objects = [First(), First()]
        for o in self._objects:
            o.n, o.m = 1, 2
        self._logged = []
        namespace = {"plain_block": self._plain_block}
        exec(compile(source, "<program>", "exec"), namespace)
        self._atomic = namespace["atomic"]
        o, p = self._objects
        try:
            ended = namespace["program"](o, o if aliased else p, self._do, self._log, Undone)
        except (AttributeError, Undone) as error:
            ended = type(error), str(error)
        assert not in_transaction()
        self.left = self._logged, ended, seen(self._objects)

    def _log(self, *values):
        self._logged.append(values)
        return len(self._logged) if isinstance(values[0], str) else sum(values) + len(self._logged)

    def _do(self, which, o):
        kind, _, name = which.partition(" ")
        if not name:
            DEEDS[which](o)
            return 1

        @self._atomic()
        def nested():
            NESTED[name](o)
            if kind == "revert":
                raise Undone

        with contextlib.suppress(Undone):
            nested()
        return 2

    @contextlib.contextmanager
    def _plain_block(self):
        before = [(o, type(o), dict(vars(o))) for o in self._objects]
        try:
            yield
        except BaseException:
            for o, cls, attributes in before:
                o.__class__ = cls
                o.__dict__.clear()
                o.__dict__.update(attributes)
            raise


@pytest.mark.parametrize("aliased", [False, True])
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=programs())
def test_whatever_is_held_a_program_does_what_it_does_to_ordinary_objects(aliased, body):
    expected = Run(Plain, PROGRAM.format(atomic=PLAIN, body=body), aliased).left
    source = PROGRAM.format(atomic=COMPILED, body=body)
    for holds in (True, False):
        text = _compiler.compile(source, "<program>", _holds=holds).source
        assert Run(STMObject, text, aliased).left == expected, text
