"""What is opened once and used again: where it is held, and for which mode it is opened."""

from __future__ import annotations

import sys
import textwrap
import types
from typing import Any

import pytest
from compiling import compile_all, rewritten
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from test_evaluation_order import Traced, function, run

from stmpy import _compiler


def opened(source: str) -> list[tuple[str, str, str | None]]:
    """What became of each access in a body: its text, its plan, and the barrier."""
    (report,) = compile_all(
        f"from stmpy import atomic\n@atomic\ndef f(o, p, n):\n{textwrap.indent(source, '    ')}"
    ).report
    return [(access["attribute"], access["plan"], access["mode"]) for access in report["accesses"]]


HELD = {
    # a loop opens at its first turn
    "for _ in n:\n    o.a += 1": """
_stm_1_o = None
for _ in n:
    ((_stm_1_o := _stm_open_write(o, "a")) if _stm_1_o is None else _stm_1_o).a += 1""",
    "while n:\n    n = o.a\n    o.a = 1": """
_stm_1_o = None
while n:
    n = ((_stm_1_o := _stm_open_write(o, "a")) if _stm_1_o is None else _stm_1_o).a
    _stm_1_o.a = 1""",
    # … the outermost in which nothing ends it
    "for p in n:\n    for _ in n:\n        o.a += 1\n        p.a += 1": """
_stm_1_o = None
for p in n:
    _stm_2_p = None
    for _ in n:
        ((_stm_1_o := _stm_open_write(o, "a")) if _stm_1_o is None else _stm_1_o).a += 1
        ((_stm_2_p := _stm_open_write(p, "a")) if _stm_2_p is None else _stm_2_p).a += 1""",
    # what is open in front of a loop stays so
    "o.a = 1\no.a = 2\no.a = 3\no.a = 4": """
(_stm_1_o := _stm_open_write(o, "a")).a = 1
_stm_1_o.a = 2
_stm_1_o.a = 3
_stm_1_o.a = 4""",
    "o.a = 1\nfor _ in n:\n    o.a += 1": """
(_stm_1_o := _stm_open_write(o, "a")).a = 1
for _ in n:
    _stm_1_o.a += 1""",
    # a write needs more than a read has opened
    "for _ in n:\n    p = o.a, o.a\n    if p: o.a += 1": """
_stm_1_o = _stm_2_o = None
for _ in n:
    p = ((_stm_1_o := _stm_open_update(o, "a")) if _stm_1_o is None else _stm_1_o).a, _stm_1_o.a
    if p: ((_stm_2_o := _stm_open_write(o, "a")) if _stm_2_o is None else _stm_2_o).a += 1""",
    # a copy of the variable
    "for _ in n:\n    x = o\n    o.a += 1\n    x.a += 1": """
_stm_1_o = None
for _ in n:
    x = o
    ((_stm_1_o := _stm_open_write(o, "a")) if _stm_1_o is None else _stm_1_o).a += 1
    _stm_iadd(x, "a", 1)""",
    "for _ in n:\n    o.a += 1\n    x = o\n    x.a += 1": """
_stm_1_o = None
for _ in n:
    ((_stm_1_o := _stm_open_write(o, "a")) if _stm_1_o is None else _stm_1_o).a += 1
    x = o
    _stm_1_o.a += 1""",
    # a new value of the variable empties the temporary
    "for p in n:\n    for _ in n: p.a += 1\n    p = 1; o = 2": """
for p in n:
    _stm_1_p = None
    for _ in n: ((_stm_1_p := _stm_open_write(p, "a")) if _stm_1_p is None else _stm_1_p).a += 1
    p = 1; _stm_1_p = None; o = 2""",
    "for p in n:\n    p.a = 1\n    p.a = 2; p.a = 3; p.a = 4": """
for p in n:
    _stm_1_p = None; (_stm_1_p := _stm_open_write(p, "a")).a = 1
    _stm_1_p.a = 2; _stm_1_p.a = 3; _stm_1_p.a = 4""",
    "for p in n:\n    if p:\n        p.a = 1; p.a = 2; p.a = 3; p.a = 4": """
for p in n:
    _stm_1_p = None
    if p:
        (_stm_1_p := _stm_open_write(p, "a")).a = 1; _stm_1_p.a = 2; _stm_1_p.a = 3; _stm_1_p.a = 4""",
}


@pytest.mark.parametrize("body", HELD)
def test_what_is_held(body: str) -> None:
    assert rewritten(body) == HELD[body].removeprefix("\n")


# What may be left out, or comes earlier than it stands, opens for nobody.
UNSURE = [
    "x = p and o.a\no.b = o.a, o.a, o.a, o.a",
    "x = p < n < o.a\no.b = o.a, o.a, o.a, o.a",
    "x = o.a if p else 1\no.b = o.a, o.a, o.a, o.a",
    "assert o.a\no.b = o.a, o.a, o.a, o.a",
    "x = p(k=o.a, *n)\no.b = o.a, o.a, o.a, o.a",
    "if p: o.a\no.b = o.a, o.a, o.a, o.a",
    "for _ in p: o.a\no.b = o.a, o.a, o.a, o.a",
    "x = f'{o.a=}'\no.b = o.a, o.a, o.a, o.a",
    "x = [o.a for _ in p]\no.b = o.a, o.a, o.a, o.a",
]


@pytest.mark.parametrize("body", UNSURE)
def test_what_may_be_left_out_opens_nothing_for_what_follows(body: str) -> None:
    last = rewritten(body).splitlines()[-1]
    assert last == 'o.b = (_stm_1_o := _stm_open_read(o, "a")).a, _stm_1_o.a, _stm_1_o.a, _stm_1_o.a'


# The mode of the first access of `o.a`.
MODES = {
    "x = o.a": None,
    "x = o.a\no.a = 1": "write",
    "x = o.a\nif p: o.a = 1": "update",
    "x = o.a\nif p: o.a = 1\nelse: o.a = 2": "write",
    "if o.a: raise p\no.a = 1": "write",
    "if o.a: return\no.a = 1": "update",
    "x = o.a\nfor _ in p: o.a = 1": "update",
    "x = o.a\nwhile p: o.a += 1": "update",
    "x = o.a\no = p\no.a = 1": None,
    "x = o.a\nx = o\nx.a = 1": "write",
    "x = o.a\no = o\no.a = 1": "write",
    "x = o.a\np.a = 1": None,
    "x = o.a\nraise p": None,
    "while True: o.a": None,
    "while True:\n    x = o.a\n    if p:\n        o.a = 1\n        break": "write",
    "try:\n    x = o.a\n    p()\n    o.a = 1\nexcept E: pass": "update",
    "try:\n    x = o.a\n    p()\nfinally:\n    o.a = 1": None,
    "x = o.a\nmatch p:\n    case 1: o.a = 1\n    case _: o.a = 2": "update",
    "x = o.a\ndel o.a": "write",
    "x = o.a and (p or n)\no.a = 1": "write",
    "x = p and o.a\no.a = 1": "write",
    "x = o.a\nfor _ in p:\n    if n: break\nelse:\n    o.a = 1": "update",
    "x = o.a\nfor _ in p:\n    if n: continue\n    o.a = 1": "update",
    "for _ in p:\n    x = o.a\n    if n: continue\n    o.a = 1": "update",
}


@pytest.mark.parametrize("body", MODES)
def test_a_read_asks_for_what_follows_it(body: str) -> None:
    assert next(mode for attribute, _, mode in opened(body) if attribute == "a") == MODES[body]


def test_the_report_says_of_which_access_one_is_a_reuse() -> None:
    source = "@atomic\ndef f(o, n):\n    for _ in n:\n        x = o.a\n        o.a = x\n    return [].a, n\n"
    (report,) = compile_all(f"from stmpy import atomic\n{source}").report
    first, second, third = report["accesses"]
    assert (first["plan"], first["first_turn"], first["mode"], first["of"]) == ("opened", True, "write", None)
    assert (second["plan"], second["of"]) == ("reused", (5, 12))
    assert third["plan"] == "free"


def test_variables_of_fresh_containers_are_free() -> None:
    assert opened("x = []\nx.a = 1\nx = {}\nx.a += 1") == [("a", "free", None)] * 2
    assert opened("x = []\nx = p\nx.a += 1") == [("a", "opened", "write")]
    assert opened("x = [p][0]\nx.a += 1") == [("a", "opened", "write")]


# --- any program, with barriers that notice where something is held too long


class Handle:
    """What an open returns: for one attribute, in one mode, until a `with` begins or ends."""

    def __init__(self, o: Any, attribute: str, writes: bool) -> None:
        self.__dict__.update(_o=o, _attribute=attribute, _writes=writes, _epoch=epoch[0])

    def _check(self, name: str, writes: bool = False) -> Any:
        mine = self.__dict__
        assert name == mine["_attribute"] and (mine["_writes"] or not writes) and mine["_epoch"] == epoch[0]
        return mine["_o"]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._check(name), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._check(name, True), name, value)

    def __bool__(self) -> bool:
        raise AssertionError("asked whether it is true")


epoch = [0]


class Epochal(Traced):
    def _answer(self, what: str) -> Traced:
        if what == " entered":
            epoch[0] += 1
        self._log.append(f"{self._name}{what}")
        return Epochal(f"{self._name}{what}"[-40:], self._log)

    def __exit__(self, *exception: object) -> None:
        epoch[0] += 1
        super().__exit__(*exception)


@pytest.fixture
def strict_barriers(stand_in_barriers: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("open_read", "open_update", "open_write"):
        monkeypatch.setattr(
            stand_in_barriers,
            name,
            lambda o, attribute, name=name: Handle(o, attribute, name == "open_write"),
        )
    monkeypatch.setattr(sys.modules["test_evaluation_order"], "Traced", Epochal)


names = st.sampled_from("oopn")
accesses = st.tuples(names, st.sampled_from("aab")).map(".".join)


def _template(template: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda values: template.format(*values))


expressions = st.one_of(
    accesses,
    accesses,
    names,
    _template("({} + {})", accesses, accesses),
    _template("({} and {})", accesses, accesses),
    _template("({} < {} < {})", accesses, accesses, accesses),
    _template("({} if {} else {})", accesses, accesses, accesses),
    _template("{}.m({}, k={})", names, accesses, accesses),
    _template("{}.m({}, k={}, *{})", names, accesses, accesses, accesses),
    _template("[e.a for e in {}]", accesses),
    _template("(lambda: {})()", st.just("1")),
    _template("f'{{{}}}'", accesses),
)
simple_statements = st.one_of(
    _template("{} = {}", accesses, expressions),
    _template("{} = {}", accesses, expressions),
    _template("{} += {}", accesses, expressions),
    _template("{} += 1", accesses),
    _template("{}, {} = {}, {}", accesses, accesses, expressions, expressions),
    _template("{} = {}", names, names),
    _template("{} = {}", names, expressions),
    _template("{} = {} = {}", accesses, names, expressions),
    _template("del {}", accesses),
    _template("x = {}", expressions),
    _template("assert {}, {}", expressions, expressions),
    _template("raise ValueError({})", expressions),
    st.sampled_from(["break", "continue", "return o.a, p.a", "pass", "del o"]),
)


def _block(statements: list[str]) -> str:
    return textwrap.indent("\n".join(statements), "    ")


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    block = st.lists(inner, min_size=1, max_size=3).map(_block)
    return st.one_of(
        _template("for _ in (1, 2, 3):\n{}", block),
        _template("for _ in (1, 2, 3):\n{}\nelse:\n{}", block, block),
        _template("for {} in (p, n):\n{}", names, block),
        _template("for {} in {}:\n{}", accesses, accesses, block),
        _template("i = 3\nwhile (i := i - 1) and {}:\n{}", accesses, block),
        _template("if {}:\n{}\nelse:\n{}", expressions, block, block),
        _template("if {}:\n{}", expressions, block),
        _template("try:\n{}\nexcept ValueError:\n{}", block, block),
        _template("try:\n{}\nexcept ValueError as x:\n{}\nelse:\n{}", block, block, block),
        _template("try:\n{}\nfinally:\n{}", block, block),
        _template("with {} as {}:\n{}", expressions, names, block),
        _template("with {}, {}:\n{}", accesses, accesses, block),
        _template(
            "match {}:\n    case [1]:\n        pass\n    case x if x.a:\n        {}",
            accesses,
            simple_statements,
        ),
    )


programs = st.lists(st.recursive(simple_statements, _compound, max_leaves=12), min_size=1, max_size=4).map(
    "\n".join
)


def _is_python(source: str) -> bool:
    try:
        compile(source, "<test>", "exec")
    except SyntaxError:
        return False
    return True


@pytest.mark.usefixtures("strict_barriers")
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs)
def test_any_program_does_the_same_whatever_is_held(body: str) -> None:
    source = function(body)
    assume(_is_python(source))
    expected = run(source)
    for holds in (True, False):
        compiled = _compiler.compile(source, "test.py", compile_all=True, _holds=holds).source
        assert run(compiled) == expected, compiled


# A variable is bound and accessed before the statement, or the head of the loop, is over.
REBOUND_WITHIN = {
    "an argument": "x = p.m((o := p), o.a)",
    "an argument that comes first": "x = p.m(k=o.a, *(o := p))",
    "a display": "x = {(o := p): o.a}",
    "a target": "o, o.a = p, 77",
    "a chain": "o = o.a = p",
    "the value of a store": "o.a = (o := p)",
    "a subscript": "o, n[o.a] = p, 1",
    "an augmented assignment": "o.a += (o := p).a + o.a",
    "a loop's target": "for o, o.a in ((p, 5), (n, 6)): x = o.a, o.a, o.a, o.a",
    "a with statement": "with p as o, o.a as x: x = o.a, o.a, o.a, o.a",
    "a loop": "for _ in (1, 2):\n    x = o.a, o.a\n    o, o.a = p, 77\n    x = o.a, o.a, o.a",
    "a try statement": "try: x = p.m((o := p), o.a)\nfinally: x = o.a",
}
AROUND = ["x = o.a, o.a, o.a, o.a", "o.a += 1; o.a += 2; o.a += 3; o.a += 4"]


@pytest.mark.usefixtures("strict_barriers")
@pytest.mark.parametrize("around", AROUND, ids=["read", "written"])
@pytest.mark.parametrize("statement", REBOUND_WITHIN)
def test_what_is_opened_behind_a_binding_in_its_statement_is_right(statement: str, around: str) -> None:
    source = function(f"{around}\n{REBOUND_WITHIN[statement]}\n{around}\nreturn o.a")
    compiled = compile_all(source).source
    assert run(compiled) == run(source), compiled
