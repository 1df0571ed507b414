"""What Python shows of modules, functions and classes is the same, compiled or not."""

from __future__ import annotations

import builtins
import pickle
import sys
import types
from typing import Any

import pytest

from stmpy.compiler import compile_source

SOURCE = """
'''The module.'''
from __future__ import annotations

PUBLIC = 1

def f(o, *, default=PUBLIC) -> Undefined:
    '''The function.'''
    o.count = o.count + 1
    o.count += default
    return o.count

class C:
    '''The class.'''
    def __init__(self, count: int = 0):
        self.count = count
        for self.turn in (1, 2): pass
    def other(self):
        (self).name = self.__private = None

    class Inner:
        def __init__(self): self.inner = 1

def outer():
    @staticmethod
    class Decorated:
        def __init__(self): self.decorated = [0 for self.turn in (1, 2)]
    return Decorated
"""


def module(code: types.CodeType, name: str) -> types.ModuleType:
    made = types.ModuleType(name)
    exec(code, vars(made))
    return made


@pytest.fixture(params=[0, 1, 2], ids=["", "-O", "-OO"])
def both(request: pytest.FixtureRequest) -> tuple[types.ModuleType, types.ModuleType]:
    """The module compiled and plain, at one optimisation level."""
    compilation = compile_source(SOURCE, "shown.py", compile_all=True)
    assert compilation.changed
    plain = compile(SOURCE, "shown.py", "exec", dont_inherit=True, optimize=request.param)
    return module(compilation.code(optimize=request.param), "shown"), module(plain, "shown")


Both = tuple[types.ModuleType, types.ModuleType]


def test_a_module_s_names_are_its_own(both: Both) -> None:
    compiled, plain = both
    assert dir(compiled) == dir(plain)
    assert list(vars(compiled)) == list(vars(plain))


def test_a_module_exports_its_own_names(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shown", both[0])
    names: dict[str, Any] = {}
    exec("from shown import *", names)
    assert names.keys() - {"__builtins__"} == {"PUBLIC", "annotations", "f", "C", "outer"}


def test_functions_and_classes_say_the_same_of_themselves(both: Both) -> None:
    def said(module: types.ModuleType) -> list[object]:
        f, C = module.f, module.C
        return [
            module.__doc__,
            (f.__doc__, f.__name__, f.__qualname__, f.__kwdefaults__, f.__annotations__),
            ([n for n in f.__code__.co_varnames if n.isidentifier()], f.__code__.co_flags),
            f.__code__.co_firstlineno,
            (C.__doc__, C.__init__.__annotations__, C.other.__qualname__),
        ]

    compiled, plain = both
    assert said(compiled) == said(plain)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="classes know since 3.13")
def test_classes_know_what_their_methods_store_and_where_they_begin(both: Both) -> None:
    def known(module: types.ModuleType) -> list[object]:
        classes = (module.C, module.C.Inner, module.outer().__func__)
        return [(c.__name__, c.__static_attributes__, c.__firstlineno__) for c in classes]

    compiled, plain = both
    assert known(compiled) == known(plain)
    assert known(compiled)[0] == ("C", ("__private", "count", "name", "turn"), 13)


def test_functions_and_objects_can_be_pickled(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, _ = both
    monkeypatch.setitem(sys.modules, "shown", compiled)
    for value in (compiled.f, compiled.C, compiled.C.other):
        assert pickle.loads(pickle.dumps(value)) is value
    assert vars(pickle.loads(pickle.dumps(compiled.C(5)))) == vars(compiled.C(5))


def test_a_function_s_code_runs_with_other_globals(both: Both) -> None:
    compiled, _ = both
    elsewhere = types.FunctionType(compiled.f.__code__, {}, argdefs=None)
    elsewhere.__kwdefaults__ = {"default": 2}
    assert elsewhere(compiled.C(5)) == 8


def test_what_generated_code_uses_has_names_that_no_source_can_spell() -> None:
    ours = [name for name in vars(builtins) if "stmpy" in name]
    assert ours
    assert not any(name.isidentifier() for name in ours)


def test_the_user_s_own_names_are_left_alone() -> None:
    source = "class stm:\n    def f(self):\n        __load = self.x\n        return __load, _stm_load\n"
    code = compile_source(source, "shown.py", compile_all=True).code()
    shown = module(code, "shown")
    with pytest.raises(NameError, match="'_stm_load' is not defined"):
        shown.stm.f(types.SimpleNamespace(x=1))


def test_equal_constants_and_tables_are_one_object() -> None:
    # As Python's compiler makes them: a large module has many.
    code = compile_source("def g(o): o.x\ndef h(o): o.x\n", "shown.py", compile_all=True).code()
    shown = module(code, "shown")
    assert shown.g.__code__.co_linetable is shown.h.__code__.co_linetable
    assert shown.g.__code__.co_consts is shown.h.__code__.co_consts


@pytest.mark.skipif(sys.version_info < (3, 15), reason="PEP 810")
def test_barriers_are_there_when_all_imports_are_lazy() -> None:
    import subprocess

    program = (
        "import stmpy.compiler\n"
        "code = stmpy.compiler.compile_source('def f(o): return o.real', compile_all=True).code()\n"
        "exec(code)\nprint(f(3))\n"
    )
    command = [sys.executable, "-X", "lazy_imports=all", "-c", program]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "3\n"


@pytest.mark.parametrize("values", ["1,\n None,\n (-2, 'x')", "o,\n 1", "n(1,\n 2)\n", "(1,\n 2),\n n"])
def test_checks_in_loops_add_no_lines(values: str) -> None:
    source = f"def f(o, n):\n for i in n:\n  for k in (\n {values}\n ): n(k)\n"
    compiled = compile_source(source, "m", compile_all=True)
    assert "checkpoint" in compiled.source
    lines = []
    for code in (compile(source, "m", "exec"), compiled.code()):
        namespace: dict[str, Any] = {}
        exec(code, namespace)
        lines.append({line for *_, line in namespace["f"].__code__.co_lines()})
    assert lines[0] == lines[1]
