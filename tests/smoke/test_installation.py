"""The installed package in a few lines, for the interpreters that the whole suite does not run on, too."""

import subprocess
import sys
import sysconfig

import pytest

PROGRAM = """
import threading
import stmpy
from stmpy import atomic

class Account(stmpy.STMObject):
    def __init__(self, balance):
        self.balance = balance

@atomic
def transfer(src, dst, amount):
    src.balance -= amount
    dst.balance += amount
    if src.balance < 0:
        raise ValueError("insufficient funds")

ann, bob = Account(100), Account(0)
threads = [threading.Thread(target=transfer, args=(ann, bob, 10)) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert (ann.balance, bob.balance) == (20, 80)
try:
    transfer(ann, bob, 30)
except ValueError:
    assert (ann.balance, bob.balance) == (20, 80)
else:
    raise AssertionError("the exception did not propagate")
"""


def python(*arguments, cwd):
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("how", [[], ["-m", "stmpy", "run"]], ids=["dynamic", "compiled"])
def test_a_program_runs_on_both_tiers(tmp_path, how):
    tmp_path.joinpath("program.py").write_text(PROGRAM)
    result = python(*how, "program.py", cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_the_compiler_rewrites_the_accesses_of_atomic_functions():
    import stmpy.compiler

    compilation = stmpy.compiler.compile_source(PROGRAM)
    assert compilation.changed and not compilation.diagnostics


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="needs a free-threaded Python")
def test_importing_both_modules_leaves_the_gil_off(tmp_path):
    # -W error: CPython also warns when it switches the lock on for a module that does not declare itself.
    program = "import sys, stmpy._runtime, stmpy._compiler; assert not sys._is_gil_enabled()"
    result = python("-W", "error", "-c", program, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_importing_stmpy_does_not_load_the_compiler(tmp_path):
    result = python("-c", "import sys, stmpy; assert 'stmpy._compiler' not in sys.modules", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
