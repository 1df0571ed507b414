"""Functions are compiled for what their decorators mean, never for the bare word."""

import pytest

from stmpy import _compiler


def compiled_functions(source: str) -> dict[str, str]:
    result = _compiler.compile(source, "test.py")
    return {function["name"]: function["reason"] for function in result.report}


def codes(source: str) -> list[tuple[str, str, int]]:
    return [(d.code, d.severity, d.line) for d in _compiler.compile(source, "test.py").diagnostics]


# Sources whose function f is compiled, with the reason.
COMPILED = {
    "from stmpy import atomic\n@atomic\ndef f(): ...\n": "@atomic",
    "from stmpy import atomic as tx\n@tx\ndef f(): ...\n": "@atomic",
    "from stmpy import (atomic,\n  compiled as fast)\n@fast\ndef f(): ...\n": "@compiled",
    "from stmpy import *\n@atomic\ndef f(): ...\n": "@atomic",
    "import stmpy\n@stmpy.atomic\ndef f(): ...\n": "@atomic",
    "import stmpy as s\n@s.compiled\ndef f(): ...\n": "@compiled",
    "import stmpy.hook\n@stmpy.atomic\ndef f(): ...\n": "@atomic",
    "import os, stmpy as s\n@s.atomic\ndef f(): ...\n": "@atomic",
    "lazy import stmpy\n@stmpy.atomic\ndef f(): ...\n": "@atomic",
    "from stmpy import atomic\n@atomic(timeout=1, name='x')\ndef f(): ...\n": "@atomic",
    "import stmpy\n@stmpy.atomic()\ndef f(): ...\n": "@atomic",
    "from stmpy import atomic, compiled\n@compiled\n@atomic\ndef f(): ...\n": "@atomic",
    "from stmpy import atomic\n@staticmethod\n@atomic\n@other\ndef f(): ...\n": "@atomic",
    "from stmpy import atomically\n@atomically\ndef f(): ...\n": "@atomically",
    "from stmpy import compiled\n@compiled\nasync def f(): await x\n": "@compiled",
    "from stmpy import compiled\n@compiled\ndef f(): yield\n": "@compiled",
    "from stmpy import invariant\n@invariant\ndef f(self): ...\n": "@invariant",
    "from stmpy import *\n@invariant\ndef f(self): ...\n": "@invariant",
    "import stmpy\n@stmpy.invariant\n@stmpy.atomic\ndef f(self): ...\n": "@atomic",
    "from stmpy import atomic\n@atomic\ndef f():\n    return lambda: (yield)\n": "@atomic",
    "from stmpy import atomic\n@atomic\ndef f():\n    def g(): yield\n": "@atomic",
    "try:\n    from stmpy import atomic\nexcept ImportError:\n    def atomic(f): return f\n"
    "@atomic\ndef f(): ...\n": "@atomic",
    "if True:\n    import stmpy\n@stmpy.atomic\ndef f(): ...\n": "@atomic",
    "if x:\n    from stmpy import atomic\nfor x in y:\n    @atomic\n    def f(): ...\n": "@atomic",
    "@stmpy.atomic\ndef f(): ...\nimport stmpy\n": "@atomic",
    "from stmpy import atomic\ndef g(atomic): ...\n@atomic\ndef f(): ...\n": "@atomic",
    "from stmpy import atomic\ndef g(): atomic = 1\n@atomic\ndef f(): ...\n": "@atomic",
    "from stmpy import atomic\nx = [atomic for atomic in y]\n@atomic\ndef f(): ...\n": "@atomic",
    "from stmpy import atomic\n@atomic\ndef atomic(): ...\n@atomic\ndef f(): ...\n": "@atomic",
    "from stmpy import atomic\ntx = atomic(timeout=1)\n@tx\ndef f(): ...\n": "@atomic",
    "import stmpy as s\ntx = s.atomic()\nx = 1\n@tx\ndef f(): ...\n": "@atomic",
    "from stmpy import atomic, compiled\ntx, fast = atomic, 1\nfast = compiled\nslow = compiled\n"
    "@slow\ndef f(): ...\n": "@compiled",
    "from stmpy import atomic\ntx = atomic(name='x')\ndef g(tx, atomic): ...\n@tx\ndef f(): ...\n": "@atomic",
    "from stmpy import atomic\ntx = atomic(timeout=1)\ntx2 = tx\n@tx2\ndef f(): ...\n": "@atomic",
}

# Sources whose function f is not.
NOT_COMPILED = [
    "@atomic\ndef f(): ...\n",
    "from other import atomic\n@atomic\ndef f(): ...\n",
    "from .stmpy import atomic\n@atomic\ndef f(): ...\n",
    "from . import atomic\n@atomic\ndef f(): ...\n",
    "import stmpy.hook as stmpy_hook\n@stmpy_hook.atomic\ndef f(): ...\n",
    "import stmpy\n@stmpy.hook.atomic\ndef f(): ...\n",
    "import stmpy\n@stmpy\ndef f(): ...\n",
    "import stmpy\n@stmpy.Transaction\ndef f(): ...\n",
    "from stmpy import atomic\n@wrap(atomic)\ndef f(): ...\n",
    "from stmpy import atomic\n@atomic.something\ndef f(): ...\n",
    "from stmpy import atomic\natomic = other\n@atomic\ndef f(): ...\n",
    "from stmpy import atomic\nfrom other import atomic\n@atomic\ndef f(): ...\n",
    "from stmpy import atomic\ndef atomic(f): ...\n@atomic\ndef f(): ...\n",
    "from stmpy import atomic\nclass atomic: ...\n@atomic\ndef f(): ...\n",
    "from stmpy import atomic\nfor atomic in x: ...\n@atomic\ndef f(): ...\n",
    "from stmpy import atomic\n(atomic := x)\n@atomic\ndef f(): ...\n",
    "from stmpy import atomic\nwith x as (atomic, y): ...\n@atomic\ndef f(): ...\n",
    "from stmpy import atomic\nmatch x:\n    case [atomic]: ...\n@atomic\ndef f(): ...\n",
    "from stmpy import atomic\n[x for _ in y if (atomic := _)]\n@atomic\ndef f(): ...\n",
    "from stmpy import atomic\ndef g():\n    global atomic\n    atomic = 1\n@atomic\ndef f(): ...\n",
    "import stmpy\nstmpy = 1\n@stmpy.atomic\ndef f(): ...\n",
    "def g():\n    from stmpy import atomic\n@atomic\ndef f(): ...\n",
    "from stmpy import atomic\ndef f(): ...\n",
    "from stmpy import atomic\ntx = atomic(timeout=1)\ntx = other\n@tx\ndef f(): ...\n",
    "from stmpy import atomic\ntx = atomic(other)\n@tx\ndef f(): ...\n",
    "from stmpy import atomic\ntx = atomic(timeout=1)\n@tx()\ndef f(): ...\n",
    "from stmpy import atomically\ntx = atomically\n@tx\ndef f(): ...\n",
    "from stmpy import atomic\ntx = atomic(timeout=1)\ndel tx\n@tx\ndef f(): ...\n",
    "from stmpy import atomic\ntx = atomic()\ndef g():\n    global tx\n    tx = 1\n@tx\ndef f(): ...\n",
    "from stmpy import atomic\natomic = 1\ntx = atomic()\n@tx\ndef f(): ...\n",
    "from stmpy import atomic\n@atomic\nclass C:\n    def f(self): ...\n",
]


@pytest.mark.parametrize("source", COMPILED)
def test_a_function_is_compiled(source: str) -> None:
    assert compiled_functions(source)["f"] == COMPILED[source]


@pytest.mark.parametrize("source", NOT_COMPILED)
def test_a_function_is_left_alone(source: str) -> None:
    assert "f" not in compiled_functions(source)
    assert "C.f" not in compiled_functions(source)


def test_methods_are_found_in_classes_and_classes_in_functions() -> None:
    source = """
from stmpy import atomic
class A:
    @atomic
    def m(self): ...
    class B:
        from stmpy import compiled as c
        @c
        def m(self): ...
def outer():
    import stmpy as s
    @s.atomic
    def inner(): ...
"""
    assert compiled_functions(source) == {
        "A.m": "@atomic",
        "A.B.m": "@compiled",
        "outer.<locals>.inner": "@atomic",
    }


def test_a_class_s_names_are_not_seen_in_its_methods() -> None:
    source = """
class A:
    from stmpy import atomic
    def m(self):
        @atomic
        def f(): ...
"""
    assert compiled_functions(source) == {}


def test_what_is_defined_in_a_compiled_function_is_compiled() -> None:
    source = """
from stmpy import atomic
@atomic
def f():
    def g():
        def h(): ...
    class C:
        def m(self): ...
    async def k(): ...
def other(): ...
"""
    assert compiled_functions(source) == {
        "f": "@atomic",
        "f.<locals>.g": "in f",
        "f.<locals>.g.<locals>.h": "in f.<locals>.g",
        "f.<locals>.C.m": "in f",
        "f.<locals>.k": "in f",
    }


def test_compile_all_takes_every_function() -> None:
    source = "def f(): ...\nclass C:\n    def m(self): ...\n    async def n(self): ...\n"
    report = _compiler.compile(source, "test.py", compile_all=True).report
    assert [function["name"] for function in report] == ["f", "C.m", "C.n"]


def test_a_block_in_a_compiled_function_does_not_hide_the_decorator() -> None:
    source = """
from stmpy import atomic
@atomic
def f(o):
    @atomic
    def atomic():
        o.x += 1
    @atomic(timeout=1)
    def atomic():
        o.x += 2
"""
    text = _compiler.compile(source, "test.py").source
    assert text.count("def _stm_block():") == 2
    assert "def atomic" not in text
    assert text.count("_stm_iadd(o, ") == 2


def test_a_block_outside_of_functions_keeps_its_name() -> None:
    source = "from stmpy import atomic\n@atomic\ndef atomic():\n    o.x += 1\n"
    text = _compiler.compile(source, "test.py").source
    assert "def atomic():" in text
    assert '_stm_iadd(o, "x", 1)' in text


@pytest.mark.parametrize(
    "definition",
    [
        "def f(o):\n    yield o.x\n",
        "def f(o):\n    o.y = [(yield)]\n",
        "def f(o):\n    with o.x:\n        return (yield from o.y)\n",
        "async def f(o):\n    return o.x\n",
        "async def f(o):\n    yield o.x\n",
    ],
)
def test_what_suspends_cannot_be_atomic(definition: str) -> None:
    source = f"from stmpy import atomic\n@atomic\n{definition}"
    result = _compiler.compile(source, "test.py")
    assert not result.changed
    assert [(d.code, d.severity, d.line) for d in result.diagnostics] == [("STM101", "error", 3)]


def test_one_that_suspends_leaves_the_others_compiled() -> None:
    source = """
from stmpy import atomic
@atomic
def f(o): yield o.x
@atomic
def g(o): return o.x
"""
    assert compiled_functions(source) == {"g": "@atomic"}
    assert codes(source) == [("STM101", "error", 4)]


def test_a_rebound_decorator_is_said_once() -> None:
    source = "from stmpy import atomic\natomic = 1\n@atomic\ndef f(): ...\n@atomic\ndef g(): ...\n"
    assert codes(source) == [("STM102", "warning", 3)]


def test_decorators_and_defaults_are_evaluated_outside() -> None:
    source = "from stmpy import atomic\n@o.a\n@atomic(timeout=o.b)\ndef f(x=o.c) -> o.d:\n    x.y += 1\n"
    lines = _compiler.compile(source, "test.py").source.splitlines()
    assert lines[2:] == [
        "@o.a",
        "@atomic(timeout=o.b)",
        "def f(x=o.c) -> o.d:",
        '    _stm_iadd(x, "y", 1)',
    ]


def test_functions_that_are_not_atomic_stay_as_they_are() -> None:
    plain = "def f(o): o.x += 1\n"
    source = f"from stmpy import atomic\n{plain}@atomic\ndef g(o): o.x += 1\n{plain}"
    text = _compiler.compile(source, "test.py").source
    assert text.count("o.x += 1") == 2
    assert text.count("_stm_iadd(o, ") == 1


def test_attributes_of_modules_stay_as_they_are() -> None:
    source = """
import os, os.path as p
from stmpy import atomic
@atomic
def f(o):
    os.environ += 1
    p.sep += 1
    os.environ.x += 1
"""
    lines = _compiler.compile(source, "test.py").source.splitlines()
    assert lines[-3:] == ["    os.environ += 1", "    p.sep += 1", '    _stm_iadd(os.environ, "x", 1)']


def test_unrelated_statements_need_not_be_understood() -> None:
    source = "from stmpy import atomic\nx = = 1\n@atomic\ndef f(o): return o.x\n"
    assert compiled_functions(source) == {"f": "@atomic"}
