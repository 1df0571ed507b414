"""A program that embeds the interpreter and initialises it anew: what was imported before is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from native import build

pytestmark = pytest.mark.usefixtures("one_tier")

PATIENCE = 120

# Three interpreters, one after the other; each imports and uses both modules, as far as it is let.
HOST = r"""
#include <Python.h>
static const char program[] =
    "for module in ('_runtime', '_compiler'):\n"
    "    try:\n"
    "        __import__('stmpy.' + module)\n"
    "    except ImportError as error:\n"
    "        print(error, flush=True)\n"
    "    else:\n"
    "        import stmpy\n"
    "        class Cell(stmpy.STMObject): pass\n"
    "        cell = Cell()\n"
    "        def change(): cell.value = 1\n"
    "        stmpy.atomically(change)\n"
    "        print(module, cell.value, flush=True)\n";
int main(void) {
  for (int round = 0; round < 3; ++round) {
    Py_Initialize();
    if (PyRun_SimpleString(program) != 0 || Py_FinalizeEx() != 0) return 1;
  }
  return 0;
}
"""


@pytest.fixture
def host(tmp_path):
    folder, name = sysconfig.get_config_vars("LIBDIR", "LDLIBRARY")
    library = Path(folder, name)
    if library.suffix == ".a" or not library.exists():
        pytest.skip("NEEDS an interpreter that is a shared library")
    source = tmp_path / "host.c"
    source.write_text(HOST)
    flags = [f"-I{sysconfig.get_path('include')}", str(library), f"-Wl,-rpath,{folder}"]
    return build("gcc", source, tmp_path / "host", *flags)


def test_an_interpreter_that_was_initialised_anew_is_refused(host):
    done = subprocess.run(
        [host],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    lines = done.stdout.splitlines()
    assert lines[:2] == ["_runtime 1", "_compiler 1"], done.stdout
    # The package's own import comes first, in each of the other two and for both modules.
    refused = (
        "stmpy._runtime cannot be imported any more: the interpreter that had imported it was finalized, "
        "and its objects belong to that. Start a new process"
    )
    assert lines[2:] == [refused] * 4
    assert done.returncode == 0
