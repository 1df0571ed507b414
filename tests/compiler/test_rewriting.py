"""Each access becomes the one call that its context asks for, and nothing else in the text changes."""

import pytest
from compiling import compile_all, rewritten, without_prologue

from stmpy import _compiler

# A statement, and what becomes of it. Where the second is None it stays as it is.
REWRITES = {
    # loads
    "x = o.a": 'x = _stm_load(o, "a")',
    "x = o.a.b.c": 'x = _stm_load(_stm_load(_stm_load(o, "a"), "b"), "c")',
    "x = o.a[p.b]": 'x = _stm_load(o, "a")[_stm_load(p, "b")]',
    "x = o[0].a": 'x = _stm_load(o[0], "a")',
    "x = o().a": 'x = _stm_load(o(), "a")',
    "x = (o or p).a": 'x = _stm_load((o or p), "a")',
    "x = -o.a ** 2": 'x = -_stm_load(o, "a") ** 2',
    "x = not o.a in p.b": 'x = not _stm_load(o, "a") in _stm_load(p, "b")',
    "x = o.a if p.b else n.c": 'x = _stm_load(o, "a") if _stm_load(p, "b") else _stm_load(n, "c")',
    "x = o.a < p.b <= n.c": 'x = _stm_load(o, "a") < _stm_load(p, "b") <= _stm_load(n, "c")',
    "x = [*o.a, *p.b]": 'x = [*_stm_load(o, "a"), *_stm_load(p, "b")]',
    "x = {**o.a, o.b: o.c}": 'x = {**_stm_load(o, "a"), _stm_load(o, "b"): _stm_load(o, "c")}',
    "x = o.a[o.b:o.c:o.d, ...]": (
        'x = _stm_load(o, "a")[_stm_load(o, "b"):_stm_load(o, "c"):_stm_load(o, "d"), ...]'
    ),
    "if (x := o.a): pass": 'if (x := _stm_load(o, "a")): pass',
    "x = 1 .real": 'x = _stm_load(1 , "real")',
    "x = 1..real": 'x = _stm_load(1., "real")',
    "x = 'a' 'b'.c": "x = _stm_load('a' 'b', \"c\")",
    "x = o . a": 'x = _stm_load(o ,  "a")',
    "o.a": '_stm_load(o, "a")',
    "return o.a, p.b": 'return _stm_load(o, "a"), _stm_load(p, "b")',
    "raise o.a from p.b": 'raise _stm_load(o, "a") from _stm_load(p, "b")',
    "assert o.a, p.b": 'assert _stm_load(o, "a"), _stm_load(p, "b")',
    "x = yield o.a": 'x = yield _stm_load(o, "a")',
    "x = (yield).a": 'x = _stm_load((yield), "a")',
    "yield from o.a": 'yield from _stm_load(o, "a")',
    "x = (  # why\n    o\n    .a)": 'x = (  # why\n    _stm_load(o\n    , "a"))',
    "x = o\\\n    .a": 'x = _stm_load(o\\\n    , "a")',
    # method calls keep their form
    "o.m()": None,
    "o.m(1, *n, k=n, **n)": None,
    "(o.m)()": None,
    "o.a.m(p.b)": '_stm_load(o, "a").m(_stm_load(p, "b"))',
    "x = o.m().a.k()": 'x = _stm_load(o.m(), "a").k()',
    "x = o.m(a=p.a)": 'x = o.m(a=_stm_load(p, "a"))',
    "x = ', '.join(o.a)": "x = ', '.join(_stm_load(o, \"a\"))",
    "x = o.a()()": None,
    "x = o.a[0]()": 'x = _stm_load(o, "a")[0]()',
    # stores
    "o.a = 1": '_stm_open_write(o, "a").a = 1',
    "o.a = p.b = n.c": '_stm_open_write(o, "a").a = _stm_open_write(p, "b").b = _stm_load(n, "c")',
    "o.a.b = 1": '_stm_open_write(_stm_load(o, "a"), "b").b = 1',
    "o.a[0] = 1": '_stm_load(o, "a")[0] = 1',
    "o.m().a = 1": '_stm_open_write(o.m(), "a").a = 1',
    "o.a, (p.b, *n.c) = x": (
        '_stm_open_write(o, "a").a, (_stm_open_write(p, "b").b, *_stm_open_write(n, "c").c) = x'
    ),
    "[o.a, p.b] = x": '[_stm_open_write(o, "a").a, _stm_open_write(p, "b").b] = x',
    "(o.a) = 1": '(_stm_open_write(o, "a").a) = 1',
    "(o\n  .a) = 1": '(_stm_open_write(o\n  , "a").a) = 1',
    "o.a: int = p.b": '_stm_open_write(o, "a").a: int = _stm_load(p, "b")',
    "o.a.b: int": '_stm_load(o, "a").b: int',
    "x: o.a = p.b": 'x: o.a = _stm_load(p, "b")',
    "for o.a in p.b: pass": 'for _stm_open_write(o, "a").a in _stm_load(p, "b"): pass',
    "for o.a, *p.b in n: pass": ('for _stm_open_write(o, "a").a, *_stm_open_write(p, "b").b in n: pass'),
    "with o.a as p.b, n: pass": (
        'with _stm_load(o, "a") as _stm_open_write(p, "b").b, n: pass\n_stm_checkpoint(None)'
    ),
    "with (o.a as p.b, n.c): pass": (
        'with (_stm_load(o, "a") as _stm_open_write(p, "b").b, _stm_load(n, "c")): pass\n'
        "_stm_checkpoint(None)"
    ),
    "with (o.a, p.b) as n.c: pass": (
        'with (_stm_load(o, "a"), _stm_load(p, "b")) as _stm_open_write(n, "c").c: pass\n'
        "_stm_checkpoint(None)"
    ),
    "with o.a as (p.b, n.c): pass": (
        'with _stm_load(o, "a") as (_stm_open_write(p, "b").b, _stm_open_write(n, "c").c): pass\n'
        "_stm_checkpoint(None)"
    ),
    # deletes
    "del o.a": 'del _stm_open_delete(o, "a").a',
    "del o.a, (p.b, n.c[0])": (
        'del _stm_open_delete(o, "a").a, (_stm_open_delete(p, "b").b, _stm_load(n, "c")[0])'
    ),
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
    "o.b.a += 1": '_stm_iadd(_stm_load(o, "b"), "a", 1)',
    "o.a += \\\n  1": '_stm_iadd(o, "a", \\\n  1)',
    # … and an opened object where it is not
    "o.a += p.b": '_stm_open_update(o, "a").a += _stm_load(p, "b")',
    "o.a += n + 1": '_stm_open_update(o, "a").a += n + 1',
    "o.a += m()": '_stm_open_update(o, "a").a += m()',
    "o.a += 1,": '_stm_open_update(o, "a").a += 1,',
    "o.a += f'{n}'": "_stm_open_update(o, \"a\").a += f'{n}'",
    "o.a += yield": '_stm_open_update(o, "a").a += yield',
    "o.a += some_global": '_stm_open_update(o, "a").a += some_global',
    "o.a += not 1": '_stm_open_update(o, "a").a += not 1',
    "(o.a) += 1": '(_stm_open_update(o, "a").a) += 1',
    "o.a[0] += 1": '_stm_load(o, "a")[0] += 1',
    "n += o.a": 'n += _stm_load(o, "a")',
    "o.a += n; del n": '_stm_open_update(o, "a").a += n; del n',
    "o.a += n; f = lambda: n": '_stm_open_update(o, "a").a += n; f = lambda: n',
    "o.a += n; f = [n for _ in p]": '_stm_open_update(o, "a").a += n; f = [n for _ in p]',
    "try:\n    o.a += n\nexcept E as n: pass": (
        'try:\n    _stm_open_update(o, "a").a += n\nexcept _stm_caught(E) as n: pass'
    ),
    # comprehensions, lambdas and what is defined inside
    "x = [e.a for e in o.b if e.c]": (
        'x = [_stm_load(e, "a") for e in _stm_load(o, "b") if _stm_load(e, "c")]'
    ),
    "x = {e.a: e.b for e in o.c for p.d in e.e}": (
        'x = {_stm_load(e, "a"): _stm_load(e, "b") for e in _stm_load(o, "c")'
        ' for _stm_open_write(p, "d").d in _stm_load(e, "e")}'
    ),
    "x = sum(e.a for e in o.b)": 'x = sum(_stm_load(e, "a") for e in _stm_load(o, "b"))',
    "f = lambda e=o.a, *, k=o.b: e.c": (
        'f = lambda e=_stm_load(o, "a"), *, k=_stm_load(o, "b"): _stm_load(e, "c")'
    ),
    "def g(e=o.a): return e.b": 'def g(e=_stm_load(o, "a")): return _stm_load(e, "b")',
    "@o.a\ndef g(): pass": '@_stm_load(o, "a")\ndef g(): pass',
    "@o.a(p.b)\nclass G(o.c, metaclass=o.d): pass": (
        '@o.a(_stm_load(p, "b"))\nclass G(_stm_load(o, "c"), metaclass=_stm_load(o, "d")): pass'
    ),
    # control flow
    "while o.a: break\nelse: o.b": 'while _stm_load(o, "a"): break\nelse: _stm_load(o, "b")',
    "try: o.a\nexcept o.b: o.c\nfinally: o.d": (
        'try: _stm_load(o, "a")\nexcept _stm_caught(_stm_load(o, "b")): _stm_load(o, "c")\n'
        'finally: _stm_load(o, "d")'
    ),
    "try: o.a\nexcept* o.b: pass": 'try: _stm_load(o, "a")\nexcept* _stm_caught(_stm_load(o, "b")): pass',
    "match o.a:\n    case _ if o.b: o.c": (
        'match _stm_load(o, "a"):\n    case _ if _stm_load(o, "b"): _stm_load(o, "c")'
    ),
    # formatted strings
    "x = f'{o.a}'": "x = f'{_stm_load(o, \"a\")}'",
    'x = f"{o.a!r:>{o.b}}"': "x = f\"{_stm_load(o, 'a')!r:>{_stm_load(o, 'b')}}\"",
    # … in quotes that do not end the string, in Python 3.11 too
    'x = f"""{o.a}"""': 'x = f"""{_stm_load(o, "a")}"""',
    'x = f"""{f\'{o.a}\'}{f"{o.a}"}"""': 'x = f"""{f\'{_stm_load(o, "a")}\'}{f"{_stm_load(o, \'a\')}"}"""',
    "x = f'''{f\"{f'{o.a}'}{o.b}\"}'''": "x = f'''{f\"{f'{o.a}'}{_stm_load(o, 'b')}\"}'''",
    "x = f'''{o.a}''' f\"{o.a}\"": "x = f'''{_stm_load(o, \"a\")}''' f\"{_stm_load(o, 'a')}\"",
    "x = rf'\\{o.a}'": "x = rf'\\{_stm_load(o, \"a\")}'",
    "x = f'{{o.a}}'": None,
    "x = f'\\N{DIGIT ONE}{o.a}'": "x = f'\\N{DIGIT ONE}{_stm_load(o, \"a\")}'",
    # what stays on the dynamic tier
    "x = f'{o.a=}'": None,
    "x = f\"{f'{o.a}'}\"": None,
    "x = t'{o.a}'": None,
    "match o:\n    case p.a | p.b(c=p.d): pass": None,
    "x = super().a": None,
    "x = super(C, o).a": None,
    "super().a = 1": None,
    "x = super().a.b": 'x = _stm_load(super().a, "b")',
    "x = o.größe": None,
    "def g(e: o.a) -> o.b: pass": None,
    "class G:\n    x = o.a": None,
    "class G:\n    x = [e.a for e in o.a]": None,
    "class G:\n    def g(self, e=o.a): self.b": ('class G:\n    def g(self, e=o.a): _stm_load(self, "b")'),
    "type A[T: o.a] = o.b": None,
    "def g[T: o.a](e: T): pass": None,
    "class G[T](o.a): pass": None,
    "from . import a; x = a.b": 'from . import a; x = _stm_load(a, "b")',
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
    source = f"class C:\n    def f(self):\n        self.{name} = self.{name}\n"
    line = without_prologue(compile_all(source).source).splitlines()[-1].strip()
    assert line == f'_stm_open_write(self, "{expected}").{name} = _stm_load(self, "{expected}")'


@pytest.mark.parametrize("class_name, expected", [("_C", "_C__x"), ("___", "__x"), ("É", None)])
def test_mangling_follows_the_class_name(class_name: str, expected: str | None) -> None:
    source = f"class {class_name}:\n    def f(self):\n        return self.__x\n"
    line = without_prologue(compile_all(source).source).splitlines()[-1].strip()
    assert line == ("return self.__x" if expected is None else f'return _stm_load(self, "{expected}")')


def test_private_names_belong_to_the_innermost_class() -> None:
    source = "class A:\n    class B:\n        def f(self):\n            def g():\n                self.__x\n"
    assert '_stm_load(self, "_B__x")' in compile_all(source).source


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
    body = "import os\n\ndef f(o):\n    return o.a\n"
    before, prologue, after = compile_all(head + body).source.partition("from stmpy._barriers")
    assert before == head
    assert prologue
    assert after.splitlines()[1] == "import os"


def test_the_prologue_imports_what_is_used_alone() -> None:
    line = compile_all("def f(o):\n    o.a = o.b\n").source.splitlines()[0]
    assert line == (
        "from stmpy._barriers import abi_1 as _stm_abi, load as _stm_load, open_write as _stm_open_write"
    )


def test_names_of_the_user_s_keep_their_prefix() -> None:
    source = "def f(o):\n    _stm_load = _stm1_x = 1\n    return o.a\n"
    assert compile_all(source).source.endswith('return _stm2_load(o, "a")\n')


def test_a_source_without_accesses_is_unchanged() -> None:
    result = compile_all("def f(o):\n    return o\n")
    assert not result.changed
    assert result.source == "def f(o):\n    return o\n"


def test_the_report_says_what_became_of_each_access() -> None:
    result = compile_all("def f(o, n):\n    'ü'; o.a += n\n    del o.b\n    o.m()\n")
    (function,) = result.report
    assert (function["name"], function["line"], function["reason"]) == ("f", 1, "compile_all")
    summary = [(a["line"], a["column"], a["attribute"], a["kind"], a["plan"]) for a in function["accesses"]]
    assert summary == [
        (2, 9, "a", "update", "in_place"),
        (3, 8, "b", "delete", "open_delete"),
        (4, 4, "m", "call", "dynamic: a method call keeps its form"),
    ]


MODULE_LEVEL = {
    "f = lambda o, p=q.a: o.a": 'f = lambda o, p=q.a: _stm_load(o, "a")',
    "x = o.a": "x = o.a",
    "x = [e.a for e in o.b if e.c]": 'x = [_stm_load(e, "a") for e in o.b if _stm_load(e, "c")]',
    "x = {e.a: f.b for e in o.c for f in e.d}": (
        'x = {_stm_load(e, "a"): _stm_load(f, "b") for e in o.c for f in _stm_load(e, "d")}'
    ),
    "def f(a=lambda: o.a): pass": 'def f(a=lambda: _stm_load(o, "a")): pass',
    "@(lambda f: f.a)\ndef f(): pass": '@(lambda f: _stm_load(f, "a"))\ndef f(): pass',
    "class C(o.a):\n    f = lambda o: o.a": 'class C(o.a):\n    f = lambda o: _stm_load(o, "a")',
    "x = [a for a.b, *e in f]": 'x = [a for _stm_open_write(a, "b").b, *e in f]',
    "class C:\n    x = [e.a for e in o]": "class C:\n    x = [e.a for e in o]",
    "class C:\n    x: (lambda: o.a)": "class C:\n    x: (lambda: o.a)",
    "x: (lambda: o.a) = [e.a for e in o]": 'x: (lambda: o.a) = [_stm_load(e, "a") for e in o]',
    "f'{(lambda: o.a)=}'": "f'{(lambda: o.a)=}'",
}


@pytest.mark.parametrize("source", MODULE_LEVEL)
def test_lambdas_and_comprehensions_outside_of_functions_are_compiled(source: str) -> None:
    assert without_prologue(compile_all(source).source) == MODULE_LEVEL[source]


def test_what_is_outside_of_functions_is_compiled_with_compile_all_alone() -> None:
    source = "from stmpy import atomic\nf = lambda o: o.a\n@atomic\ndef g(o): o.a\n"
    assert "lambda o: o.a" in _compiler.compile(source, "test.py").source
