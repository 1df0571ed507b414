"""What the compiler has to say reaches the user as warnings, from the cache as well as at first."""

import sys
import types

import pytest
from projects import BANK, SHOW_TIER

from stmpy.compiler import compile_source

GENERATOR = BANK + "\n\n@atomic\ndef pairs(a):\n    yield a.balance\n"
GENERATOR_LINE = BANK.count("\n") + 4
# The decorator itself refuses a generator: the module does not get further than that.
PROGRAM = "import stmpy.hook\ntry:\n    import bank\nexcept stmpy.TransactionUsageError:\n    pass\n"


@pytest.mark.parametrize("time", ["at first", "from the cache"])
def test_diagnostics_are_warnings_with_file_and_line(project, time):
    path = project.write("bank.py", GENERATOR)
    if time == "from the cache":
        project.script(PROGRAM)
        assert project.entries("bank")
    run = project.script(PROGRAM)
    warning, source_line, *rest = run.err.splitlines()
    assert warning.startswith(f"{path}:") and "CompilerWarning: STM" in warning
    assert int(warning.split(":")[1]) in range(GENERATOR_LINE - 1, GENERATOR_LINE + 2)
    assert source_line.strip() in GENERATOR
    assert not rest


def test_the_category_can_be_filtered_from_the_command_line(project):
    project.write("bank.py", GENERATOR)
    project.write("program.py", PROGRAM)
    assert project.python("-W", "ignore::stmpy.CompilerWarning", "program.py").err == ""
    run = project.python("-W", "error::stmpy.CompilerWarning", "program.py", status=1)
    assert "CompilerWarning: STM" in run.err


def test_the_module_can_be_filtered_by_name(project):
    project.write("bank.py", GENERATOR)
    run = project.script("import warnings\nwarnings.filterwarnings('ignore', module='bank')\n" + PROGRAM)
    assert run.err == ""


def test_a_failure_of_the_compiler_is_a_warning_and_the_module_runs(bank):
    program = """
import stmpy.hook, stmpy._compiler
def broken(*arguments, **options):
    raise RuntimeError("out of ideas")
stmpy._compiler.compile = broken
import bank
"""
    run = bank.script(program + SHOW_TIER.format("bank"))
    assert run.out == "dynamic\n"
    assert "STM902" in run.err and "out of ideas" in run.err


REFUSING = """
import stmpy.hook, stmpy._compiler
compile_ = stmpy._compiler.compile
class Refused:
    def __init__(self, result):
        self.result = result
    def __getattr__(self, name):
        value = getattr(self.result, name)
        return value + "def\\n" if name == "source" else value
stmpy._compiler.compile = lambda *arguments, **options: Refused(compile_(*arguments, **options))
"""


def test_text_that_python_refuses_is_a_warning_and_the_module_runs(bank):
    run = bank.script(f"{REFUSING}import bank\n{SHOW_TIER.format('bank')}")
    assert run.out == "dynamic\n"
    assert "STM903" in run.err and "runs uncompiled, with the same results;" in run.err


def test_the_warning_says_that_blocks_of_a_refused_module_raise(project):
    project.write("shop.py", "from stmpy import atomic\ndef sell(o):\n    with atomic(): o.sold = True\n")
    program = """
import shop
try: shop.sell(None)
except RuntimeError: print("raised")
"""
    run = project.script(REFUSING + program)
    assert run.out == "raised\n"
    assert "STM903" in run.err and "but for its 'with atomic():' blocks, which raise" in run.err


def test_trace_says_what_became_of_each_module(project):
    project.write("bank.py", BANK)
    project.write("shop.py", "import stmpy\n")
    project.write("plain.py", "")
    program = "import stmpy.hook, bank, shop, plain\n"
    first = project.script(program, STMPY_TRACE_IMPORTS="1").err
    assert first.splitlines() == [
        "stmpy: bank: 1 function compiled",
        "stmpy: shop: nothing in it to compile",
    ]
    second = project.script(program, STMPY_TRACE_IMPORTS="1").err
    assert second.splitlines() == [f"{line} (from the cache)" for line in first.splitlines()]
    assert project.script(program).err == ""
    assert project.script(program, STMPY_TRACE_IMPORTS="0").err == ""


def test_a_module_is_compiled_while_warnings_is_half_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "warnings", types.ModuleType("warnings"))
    compilation = compile_source("def f(o): o.x += 1\n", "half.py", compile_all=True)
    assert compilation.diagnostics == []
    assert compilation.changed
