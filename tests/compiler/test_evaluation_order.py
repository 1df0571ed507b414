"""Compiled code does the same things as plain code, in the same order, each once."""

from __future__ import annotations

import textwrap
import types
from collections.abc import Iterator
from typing import Any

import pytest
from compiling import compile_all
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st


class Traced:
    """An object that answers everything with another one and writes down what it was asked."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.__dict__.update(_name=name, _log=log)

    def _answer(self, what: str) -> Traced:
        self._log.append(f"{self._name}{what}")
        return Traced(f"{self._name}{what}", self._log)

    def __getattr__(self, name: str) -> Traced:
        return self._answer(f".{name}")

    def __setattr__(self, name: str, value: object) -> None:
        self._log.append(f"{self._name}.{name} = {value!r}")

    def __delattr__(self, name: str) -> None:
        self._log.append(f"del {self._name}.{name}")

    def __call__(self, *arguments: object, **keywords: object) -> Traced:
        return self._answer(f"(*{arguments!r}, **{keywords!r})")

    def __getitem__(self, key: object) -> Traced:
        return self._answer(f"[{key!r}]")

    def __setitem__(self, key: object, value: object) -> None:
        self._log.append(f"{self._name}[{key!r}] = {value!r}")

    def __delitem__(self, key: object) -> None:
        self._log.append(f"del {self._name}[{key!r}]")

    def __add__(self, other: object) -> Traced:
        return self._answer(f" + {other!r}")

    def __iadd__(self, other: object) -> Traced:
        return self._answer(f" += {other!r}")

    def __neg__(self) -> Traced:
        return self._answer(" negated")

    def __lt__(self, other: object) -> Traced:
        return self._answer(f" < {other!r}")

    def __bool__(self) -> bool:
        self._log.append(f"bool({self._name})")
        return len(self._name) % 2 == 0

    def __iter__(self) -> Iterator[Traced]:
        self._log.append(f"iter({self._name})")
        yield self._answer(" first")
        yield self._answer(" second")

    def __enter__(self) -> Traced:
        return self._answer(" entered")

    def __exit__(self, *exception: object) -> None:
        self._log.append(f"{self._name} left")

    def __format__(self, specification: str) -> str:
        self._log.append(f"format({self._name}, {specification!r})")
        return f"<{self._name}>"

    def __repr__(self) -> str:
        return str(self._name)


def run(source: str) -> list[str]:
    """What `f(o, p, n)` of a module does to its arguments, with how it ends."""
    log: list[str] = []
    namespace: dict[str, Any] = {}
    exec(compile(source, "<test>", "exec", dont_inherit=True), namespace)
    try:
        result = namespace["f"](*(Traced(name, log) for name in "opn"))
        if isinstance(result, types.GeneratorType):
            result = list(result)
        log.append(f"returned {result!r}")
    except Exception as error:
        log.append(f"raised {type(error).__name__}: {error}")
    return log


def function(body: str) -> str:
    return "def f(o, p, n):\n" + textwrap.indent(body, "    ") + "\n"


def assert_same_doings(body: str) -> None:
    source = function(body)
    assert run(compile_all(source).source) == run(source)


BODIES = [
    "o.a = p.b",
    "o.a.b = p.c.d",
    "o.a = p.b = n.c",
    "o.a, p.b = n.c",
    "(o.a, p.b[n.c]), n.d = (n.e, n.f)",
    "o.a, *p.b = n.c, n.d, n.e",
    "o.a[p.b] = n.c",
    "o.a[p.b] += n.c",
    "o.a += 1",
    "o.a += n",
    "o.a += n.c",
    "o.a += n.c + p.d",
    "o.a.b += p.c.d(n.e)",
    "o().a += p().b",
    "o.a: p.b = n.c",
    "o.a.b: p.c",
    "del o.a, p.b.c, n.d[o.e]",
    "for o.a in p.b: n.c",
    "for o.a, p.b[n.d] in [(1, 2), (3, 4)]: n.c = o.x\nelse: o.z",
    "with o.a as p.b, n.c as o.d.e: n.f",
    "with o.a as (p.b, n.c): o.d",
    "return [e.a for e in o.b if e.c]",
    "return {e.a: e.b for e in o.c for p.d in e.e}",
    "return [p.a for p.b in o.c], p.d",
    "return list(e.a + n.b for e in o.c)",
    "return (lambda e=o.a: e.b + n.c)().d",
    "return o.a(p.b, *n.c, d=o.d, **{'e': p.e}).f",
    "return o.a if p.b else n.c",
    "return o.a and p.b or n.c",
    "return o.a < p.b < n.c",
    "return -o.a + -p.b",
    "return f'{o.a}{p.b!r}{n.c:{o.d}}'",
    "return f'{o.a=}'",
    "if (x := o.a): return x.b\nreturn x.c",
    "while o.a: return p.b\nelse: return n.c",
    "try:\n    raise ValueError(o.a)\nexcept (ValueError, p.b) as e:\n    n.c = e\nfinally:\n    o.d",
    "try:\n    o.a = unbound\nfinally:\n    p.b",
    "unbound.a = o.b",
    "unbound.a += o.b",
    "o.a = unbound.b",
    "o.a += unbound",
    "x = yield o.a\no.b = yield p.c",
    "yield from (e.a for e in o.b)",
    "assert not o.a, p.b",
    "match o.a:\n    case 1 if p.b: return n.c\n    case [x, y]: return x.d\n    case _: return o.e",
    "def g(x=o.a, *, y=p.b): return x.c + y.d\nreturn g().e",
    "@o.a\n@(lambda g: g.__name__)\ndef g(): pass\nreturn g.b",
    "class C(object):\n    x = o.a\n    def m(self): return o.b + self.x\nreturn C().m().c",
    "class C:\n    __x = 1\n    def m(self):\n        self.__y = self.__x\nc = C(); c.m(); return vars(c)",
    "def g():\n    nonlocal o\n    o = p.a\n    return o.b\nreturn g() + o.c",
    "raise o.a from p.b",
    "global shared\nshared = o.a\nreturn shared.b",
]


@pytest.mark.usefixtures("stand_in_barriers")
@pytest.mark.parametrize("body", BODIES)
def test_compiled_code_does_the_same_things_in_the_same_order(body: str) -> None:
    assert_same_doings(body)


names = st.sampled_from(["o", "p", "n"])
attributes = st.sampled_from(["a", "b", "__c"])


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def form(template: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.tuples(*parts).map(lambda values: template.format(*values))

    return st.one_of(
        form("{}.{}", inner, attributes),
        form("{}.{}({})", inner, attributes, inner),
        form("{}[{}]", inner, inner),
        form("({} + {})", inner, inner),
        form("({} if {} else {})", inner, inner, inner),
        form("({} and {})", inner, inner),
        form("({} < {} < {})", inner, inner, inner),
        form("[e.{} for e in {} if {}]", attributes, inner, inner),
        form("(lambda e={}: e.{})()", inner, attributes),
        form("({}, *{})[0]", inner, inner),
        form("(x := {}).{}", inner, attributes),
        form("f'{{{}}}'", names.flatmap(lambda name: attributes.map(lambda a: f"{name}.{a}"))),
        form("{}.{}({}, *{}, k={})", inner, attributes, inner, inner, inner),
    )


expressions = st.recursive(names, _compound, max_leaves=6)
targets = st.one_of(
    st.tuples(expressions, attributes).map(lambda parts: f"{parts[0]}.{parts[1]}"),
    st.tuples(expressions, expressions).map(lambda parts: f"{parts[0]}[{parts[1]}]"),
)
statements = st.one_of(
    expressions,
    st.tuples(targets, expressions).map(lambda parts: f"{parts[0]} = {parts[1]}"),
    st.tuples(targets, targets, expressions).map(lambda parts: f"{parts[0]} = {parts[1]} = {parts[2]}"),
    st.tuples(targets, targets, expressions).map(lambda parts: f"{parts[0]}, *{parts[1]} = {parts[2]}"),
    st.tuples(targets, expressions).map(lambda parts: f"{parts[0]} += {parts[1]}"),
    st.tuples(targets, st.sampled_from(["1", "-1", "'s'", "n", "None"])).map(
        lambda parts: " += ".join(parts)
    ),
    targets.map(lambda target: f"del {target}"),
    st.tuples(targets, expressions, expressions).map(lambda p: f"for {p[0]} in {p[1]}: {p[2]}"),
    st.tuples(expressions, targets, expressions).map(lambda p: f"with {p[0]} as {p[1]}: {p[2]}"),
)


def _is_python(source: str) -> bool:
    """Such as a walrus in a comprehension's iterable is not."""
    try:
        compile(source, "<test>", "exec")
    except SyntaxError:
        return False
    return True


@pytest.mark.usefixtures("stand_in_barriers")
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(statements, min_size=1, max_size=3))
def test_any_code_does_the_same_things_in_the_same_order(body: list[str]) -> None:
    assume(_is_python(function("\n".join(body))))
    assert_same_doings("\n".join(body))
