"""The runtime and the compiler exist once in a process, in its main interpreter, however often imported."""

from __future__ import annotations

import sys

import pytest
from child_programs import run_program

pytestmark = pytest.mark.usefixtures("one_tier")

# `in_subinterpreter(config, code)`: runs code in a new one, whose exceptions it raises.
SUBINTERPRETERS = """
import importlib.machinery, os, sys
if sys.version_info < (3, 13):
    import _xxsubinterpreters as interpreters
    def in_subinterpreter(config, code):
        interpreter = interpreters.create(isolated=config == "isolated")
        interpreters.run_string(interpreter, code)
        interpreters.destroy(interpreter)
else:
    import _interpreters as interpreters
    def in_subinterpreter(config, code):
        interpreter = interpreters.create(config)
        failure = interpreters.exec(interpreter, code)
        assert failure is None, failure
        interpreters.destroy(interpreter)

IMPORT = '''
import importlib.util, os
def loads(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
try:
    {statement}
except ImportError as error:
    os.write(1, (str(error) + chr(10)).encode())
else:
    raise AssertionError("imported")
'''
folder = list(importlib.machinery.PathFinder.find_spec("stmpy").submodule_search_locations)
def path_of(name):
    return importlib.machinery.PathFinder.find_spec(name, folder).origin

def goes_on():
    import stmpy
    from stmpy.compiler import compile_source
    class Cell(stmpy.STMObject):
        pass
    cell = Cell()
    cell.value = 1
    @stmpy.atomic
    def change():
        cell.value += 1
    change()
    object.__setattr__(cell, "value", cell.value + 1)
    assert cell.value == 3
    source = "import stmpy\\n@stmpy.atomic\\ndef f(o):\\n    o.x += 1; o.x += 1\\n"
    assert "_stm" in compile_source(source).source
"""


@pytest.mark.parametrize("when", ["before the main interpreter", "behind the main interpreter"])
@pytest.mark.parametrize("config", ["legacy", "isolated"])
@pytest.mark.parametrize(
    "statement",
    ["import stmpy", "import stmpy.hook", "loads('stmpy._runtime', {!r})", "loads('stmpy._compiler', {!r})"],
)
def test_a_subinterpreter_is_refused_and_the_main_one_goes_on(statement, config, when, tmp_path):
    module = "_compiler" if "_compiler" in statement else "_runtime"
    program = f"""
if {when.startswith("behind")}:
    goes_on()
for _ in range(2):
    in_subinterpreter({config!r}, IMPORT.format(statement={statement!r}.format(path_of({module!r}))))
goes_on()
"""
    done = run_program(program, "dynamic", tmp_path, prelude=SUBINTERPRETERS)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    for line in done.stdout.splitlines():
        assert line.startswith(f"stmpy.{module} cannot be imported in a subinterpreter: ")
        assert "Import it there, and use threads" in line


@pytest.mark.skipif(sys.version_info < (3, 14), reason="NEEDS Python 3.14: concurrent.interpreters")
def test_a_pool_of_interpreters_is_refused(tmp_path):
    program = """
from concurrent.futures import InterpreterPoolExecutor
goes_on()
def work():
    import stmpy
if __name__ == "__main__":
    with InterpreterPoolExecutor(1) as pool:
        print(pool.submit(exec, "import stmpy").exception())
    goes_on()
"""
    done = run_program(program, "dynamic", tmp_path, prelude=SUBINTERPRETERS)
    assert "stmpy._runtime cannot be imported in a subinterpreter" in done.stdout, done.stdout + done.stderr


AGAIN = """
import importlib, importlib.util, sys
import stmpy, stmpy._runtime, stmpy.compiler, stmpy._compiler

class Cell(stmpy.STMObject):
    pass
cell = Cell()
cell.value = 1
before = {name: value for name, value in vars(stmpy).items() if vars(stmpy._runtime).get(name) is value}
assert len(before) > 20, before

def is_the_same():
    import stmpy
    assert [name for name, value in before.items() if getattr(stmpy, name) is not value] == []
    @stmpy.atomic
    def change():
        object.__setattr__(cell, "value", cell.value + 1)
        return stmpy.current_transaction().state
    assert change() == "active"
    from stmpy.compiler import compile_source
    assert compile_source("import stmpy\\n@stmpy.atomic\\ndef f(o):\\n    o.x += 1\\n").diagnostics == []
    assert stmpy.MISSING is missing

missing = stmpy.MISSING
is_the_same()
"""


@pytest.mark.parametrize(
    "again",
    [
        "del sys.modules['stmpy._runtime'], sys.modules['stmpy._compiler']",
        "for name in [name for name in sys.modules if name.split('.')[0] == 'stmpy']: del sys.modules[name]\n"
        "import stmpy; missing = stmpy.MISSING",
        "importlib.reload(stmpy)",
        "importlib.reload(stmpy._runtime)",
        "importlib.reload(stmpy._compiler)",
        "for name in '_runtime', '_compiler':\n"
        "    spec = importlib.util.spec_from_file_location(name, sys.modules['stmpy.' + name].__file__)\n"
        "    spec.loader.exec_module(importlib.util.module_from_spec(spec))",
    ],
)
def test_whoever_imports_again_gets_what_is_there(again, tmp_path):
    done = run_program(f"{again}\nis_the_same()\nprint(cell.value)\n", "dynamic", tmp_path, prelude=AGAIN)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")


HALF_WAY = """
import collections.abc, sys
abstract = sys.modules["collections.abc"]
sys.modules["collections.abc"] = None
for expected in "import of collections.abc halted", "any more: its import has failed before, half-way":
    try:
        import stmpy
    except ImportError as error:
        assert expected in str(error), error
    else:
        raise AssertionError("imported")
    sys.modules["collections.abc"] = abstract
class Plain:
    pass
object.__setattr__(Plain(), "goes", "on")
"""


def test_an_import_that_failed_half_way_is_not_repeated(tmp_path):
    done = run_program("", "dynamic", tmp_path, prelude=HALF_WAY)
    assert (done.returncode, done.stderr) == (0, "")
