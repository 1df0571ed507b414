"""Each access becomes the one call that its context asks for, and nothing else in the text changes."""

import pytest
from compiling import compile_all, rewritten, without_prologue

from stmpy import _compiler

# A statement, and what becomes of it. Where the second is None it stays as it is.
REWRITES = {
    # loads
    "x = o.a": None,
    "x = o.a.b.c": None,
    "x = o.a[p.b]": None,
    "x = o[0].a": None,
    "x = o().a": None,
    "x = (o or p).a": None,
    "x = -o.a ** 2": None,
    "x = not o.a in p.b": None,
    "x = o.a if p.b else n.c": None,
    "x = o.a < p.b <= n.c": None,
    "x = [*o.a, *p.b]": None,
    "x = {**o.a, o.b: o.c}": None,
    "x = o.a[o.b:o.c:o.d, ...]": None,
    "if (x := o.a): pass": None,
    "x = 1 .real": None,
    "x = 1..real": None,
    "x = 'a' 'b'.c": None,
    "x = o . a": None,
    "o.a": None,
    "return o.a, p.b": None,
    "raise o.a from p.b": None,
    "assert o.a, p.b": None,
    "x = yield o.a": None,
    "x = (yield).a": None,
    "yield from o.a": None,
    "x = (  # why\n    o\n    .a)": None,
    "x = o\\\n    .a": None,
    # method calls keep their form
    "o.m()": None,
    "o.m(1, *n, k=n, **n)": None,
    "(o.m)()": None,
    "o.a.m(p.b)": None,
    "x = o.m().a.k()": None,
    "x = o.m(a=p.a)": None,
    "x = ', '.join(o.a)": None,
    "x = o.a()()": None,
    "x = o.a[0]()": None,
    # stores
    "o.a = 1": None,
    "o.a = p.b = n.c": None,
    "o.a.b = 1": None,
    "o.a[0] = 1": None,
    "o.m().a = 1": None,
    "o.a, (p.b, *n.c) = x": None,
    "[o.a, p.b] = x": None,
    "(o.a) = 1": None,
    "(o\n  .a) = 1": None,
    "o.a: int = p.b": None,
    "o.a.b: int": None,
    "x: o.a = p.b": None,
    "for o.a in p.b: pass": None,
    "for o.a, *p.b in n: pass": None,
    "with o.a as p.b, n: pass": "with o.a as p.b, n: pass\n_stm_checkpoint(None)",
    "with (o.a as p.b, n.c): pass": "with (o.a as p.b, n.c): pass\n_stm_checkpoint(None)",
    "with (o.a, p.b) as n.c: pass": "with (o.a, p.b) as n.c: pass\n_stm_checkpoint(None)",
    "with o.a as (p.b, n.c): pass": "with o.a as (p.b, n.c): pass\n_stm_checkpoint(None)",
    # deletes
    "del o.a": None,
    "del o.a, (p.b, n.c[0])": None,
    # augmented assignments: one call where the right side is inert
    "o.a += 1": '_stm_iadd(o, "a", 1)',
    "o.a -= n": '_stm_isub(o, "a", n)',
    "o.a *= -1.5": '_stm_imul(o, "a", -1.5)',
    "o.a /= 2": '_stm_itruediv(o, "a", 2)',
    "o.a //= 2": '_stm_ifloordiv(o, "a", 2)',
    "o.a %= 2": '_stm_imod(o, "a", 2)',
    "o.a **= 2": '_stm_ipow(o, "a", 2)',
    "o.a &= 2": '_stm_iand(o, "a", 2)',
    "o.a |= True": '_stm_ior(o, "a", True)',
    "o.a ^= 2": '_stm_ixor(o, "a", 2)',
    "o.a <<= 2": '_stm_ilshift(o, "a", 2)',
    "o.a >>= 2": '_stm_irshift(o, "a", 2)',
    "o.a @= n": '_stm_imatmul(o, "a", n)',
    "o.a += 'x' 'y'": "_stm_iadd(o, \"a\", 'x' 'y')",
    "o.b.a += 1": '_stm_iadd(o.b, "a", 1)',
    "o.a += \\\n  1": '_stm_iadd(o, "a", \\\n  1)',
    # … and an opened object where it is not
    "o.a += p.b": '_stm_open_write(o, "a").a += p.b',
    "o.a += n + 1": '_stm_open_write(o, "a").a += n + 1',
    "o.a += m()": '_stm_open_write(o, "a").a += m()',
    "o.a += 1,": '_stm_open_write(o, "a").a += 1,',
    "o.a += f'{n}'": "_stm_open_write(o, \"a\").a += f'{n}'",
    "o.a += yield": None,
    "o.a += some_global": '_stm_open_write(o, "a").a += some_global',
    "o.a += not 1": '_stm_open_write(o, "a").a += not 1',
    "(o.a) += 1": '(_stm_open_write(o, "a").a) += 1',
    "o.a[0] += 1": None,
    "n += o.a": None,
    "o.a += n; del n": '_stm_open_write(o, "a").a += n; del n',
    "o.a += n; f = lambda: n": '_stm_open_write(o, "a").a += n; f = lambda: n',
    "o.a += n; f = [n for _ in p]": '_stm_open_write(o, "a").a += n; f = [n for _ in p]',
    "try: o.a += n\nexcept E as n: pass": (
        'try: _stm_open_write(o, "a").a += n\nexcept _stm_caught(E) as n: pass'
    ),
    # comprehensions, lambdas and what is defined inside
    "x = [e.a for e in o.b if e.c]": None,
    "x = {e.a: e.b for e in o.c for p.d in e.e}": None,
    "x = sum(e.a for e in o.b)": None,
    "f = lambda e=o.a, *, k=o.b: e.c": None,
    "def g(e=o.a): return e.b": None,
    "@o.a\ndef g(): pass": None,
    "@o.a(p.b)\nclass G(o.c, metaclass=o.d): pass": None,
    # control flow
    "while o.a: break\nelse: o.b": None,
    "try: o.a\nexcept o.b: o.c\nfinally: o.d": "try: o.a\nexcept _stm_caught(o.b): o.c\nfinally: o.d",
    "try: o.a\nexcept* o.b: pass": "try: o.a\nexcept* _stm_caught(o.b): pass",
    "match o.a:\n    case _ if o.b: o.c": None,
    # formatted strings
    "x = f'{o.a}'": None,
    'x = f"{o.a!r:>{o.b}}"': None,
    # … in quotes that do not end the string, in Python 3.11 too
    'x = f"""{o.a}"""': None,
    'x = f"""{f\'{o.a}\'}{f"{o.a}"}"""': None,
    "x = f'''{f\"{f'{o.a}'}{o.b}\"}'''": None,
    "x = f'''{o.a}''' f\"{o.a}\"": None,
    "x = rf'\\{o.a}'": None,
    "x = f'{{o.a}}'": None,
    "x = f'\\N{DIGIT ONE}{o.a}'": None,
    # what stays on the dynamic tier
    "x = f'{o.a=}'": None,
    "x = f\"{f'{o.a}'}\"": None,
    "x = t'{o.a}'": None,
    "match o:\n    case p.a | p.b(c=p.d): pass": None,
    "x = super().a": None,
    "x = super(C, o).a": None,
    "super().a = 1": None,
    "x = super().a.b": None,
    "x = o.größe": None,
    "def g(e: o.a) -> o.b: pass": None,
    "class G:\n    x = o.a": None,
    "class G:\n    x = [e.a for e in o.a]": None,
    "class G:\n    def g(self, e=o.a): self.b": None,
    "type A[T: o.a] = o.b": None,
    "def g[T: o.a](e: T): pass": None,
    "class G[T](o.a): pass": None,
    "from . import a; x = a.b": None,
    "import a.b; x = a.b": None,
}


@pytest.mark.parametrize("statement", REWRITES)
def test_an_access_becomes_the_call_of_its_context(statement: str) -> None:
    expected = REWRITES[statement]
    assert rewritten(statement) == (statement if expected is None else expected)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("__x", "_C__x"),
        ("__x__", "__x__"),
        ("_x", "_x"),
        ("__", "__"),
    ],
)
def test_private_names_are_mangled_in_the_calls(name: str, expected: str) -> None:
    source = f"class C:\n    def f(self):\n        self.{name} += 1\n"
    line = without_prologue(compile_all(source).source).splitlines()[-1].strip()
    assert line == f'_stm_open_write(self, "{expected}").{name} += 1'


@pytest.mark.parametrize("class_name, expected", [("_C", "_C__x"), ("___", "__x"), ("É", None)])
def test_mangling_follows_the_class_name(class_name: str, expected: str | None) -> None:
    source = f"class {class_name}:\n    def f(self):\n        self.__x += 1\n"
    line = without_prologue(compile_all(source).source).splitlines()[-1].strip()
    assert line == ("self.__x += 1" if expected is None else f'_stm_open_write(self, "{expected}").__x += 1')


def test_private_names_belong_to_the_innermost_class() -> None:
    source = (
        "class A:\n    class B:\n        def f(self):\n            def g():\n                self.__x += 1\n"
    )
    assert '_stm_open_write(self, "_B__x").__x' in compile_all(source).source


@pytest.mark.parametrize(
    "head",
    [
        "",
        "# a comment\n\n",
        '"""A docstring."""\n',
        '("A docstring"\n " in brackets.")\n',
        '# -*- coding: utf-8 -*-\n"""Doc."""; x = 1\n',
        '"""Doc."""\n\nfrom __future__ import annotations\nfrom __future__ import (division)\n',
        "from __future__ import annotations\n",
    ],
)
def test_the_prologue_stands_behind_docstring_and_future_imports(head: str) -> None:
    body = "import os\n\ndef f(o):\n    o.a += 1\n"
    before, prologue, after = compile_all(head + body).source.partition("from stmpy._barriers")
    assert before == head
    assert prologue
    assert after.splitlines()[1] == "import os"


def test_the_prologue_imports_what_is_used_alone() -> None:
    line = compile_all("def f(o):\n    o.a += 1\n    o.b -= 1\n").source.splitlines()[0]
    assert line == "from stmpy._barriers import abi_2 as _stm_abi, open_write as _stm_open_write"


def test_names_of_the_user_s_keep_their_prefix() -> None:
    source = "def f(o):\n    _stm_load = _stm1_x = 1\n    o.a += 1\n"
    assert compile_all(source).source.endswith('    _stm2_open_write(o, "a").a += 1\n')


def test_a_source_without_accesses_is_unchanged() -> None:
    result = compile_all("def f(o):\n    return o\n")
    assert not result.changed
    assert result.source == "def f(o):\n    return o\n"


def test_the_report_says_what_became_of_each_access() -> None:
    result = compile_all("def f(o, n):\n    'ü'; o.a += n\n    del o.b\n    o.m()\n    'x'.y\n")
    (function,) = result.report
    assert (function["name"], function["line"], function["reason"]) == ("f", 1, "compile_all")
    keys = "line", "column", "attribute", "kind", "plan", "mode", "barrier", "first_turn", "of"
    assert [tuple(access[key] for key in keys) for access in function["accesses"]] == [
        (2, 9, "a", "update", "opened", "write", "open_write", False, None),
        (3, 8, "b", "delete", "as written", None, None, False, None),
        (4, 4, "m", "call", "dynamic", None, None, False, None),
        (5, 4, "y", "load", "free", None, None, False, None),
    ]
    assert all(access["why"] for access in function["accesses"])


MODULE_LEVEL = {
    "f = lambda o, p=q.a: o.a": "f = lambda o, p=q.a: o.a",
    "x = o.a": "x = o.a",
    "x = [e.a for e in o.b if e.c]": "x = [e.a for e in o.b if e.c]",
    "x = {e.a: f.b for e in o.c for f in e.d}": "x = {e.a: f.b for e in o.c for f in e.d}",
    "def f(a=lambda: o.a): pass": "def f(a=lambda: o.a): pass",
    "@(lambda f: f.a)\ndef f(): pass": "@(lambda f: f.a)\ndef f(): pass",
    "class C(o.a):\n    f = lambda o: o.a": "class C(o.a):\n    f = lambda o: o.a",
    "x = [a for a.b, *e in f]": "x = [a for a.b, *e in f]",
    "class C:\n    x = [e.a for e in o]": "class C:\n    x = [e.a for e in o]",
    "class C:\n    x: (lambda: o.a)": "class C:\n    x: (lambda: o.a)",
    "x: (lambda: o.a) = [e.a for e in o]": "x: (lambda: o.a) = [e.a for e in o]",
    "f'{(lambda: o.a)=}'": "f'{(lambda: o.a)=}'",
}


@pytest.mark.parametrize("source", MODULE_LEVEL)
def test_lambdas_and_comprehensions_outside_of_functions_are_compiled(source: str) -> None:
    assert without_prologue(compile_all(source).source) == MODULE_LEVEL[source]


def test_what_is_outside_of_functions_is_compiled_with_compile_all_alone() -> None:
    source = "from stmpy import atomic\nf = lambda o: o.a\n@atomic\ndef g(o): o.a\n"
    assert "lambda o: o.a" in _compiler.compile(source, "test.py").source
