"""Sources the compiler or Python cannot read run as Python runs them, or fail as Python fails."""

import pytest
from projects import BANK, SHOW_TIER

NOT_PYTHON = {
    "a syntax error": BANK + "def\n",
    "a return outside of a function": BANK + "return 1\n",
    "an unknown encoding": b"# coding: no-such-encoding\nimport stmpy\n",
    "bytes that are not UTF-8": b"import stmpy\nx = '\xff\xfe'\n",
    "a declaration that the mark contradicts": b"\xef\xbb\xbf# coding: latin-1\nimport stmpy\n",
    "a null byte": BANK.encode() + b"x = 1\0\n",
    "only null bytes": b"\0" * 100 + b"stmpy",
    "mixed tabs and spaces": BANK + "if 1:\n        x = 1\n\ty = 2\n",
    "a wrong indentation": BANK + "if 1:\n    x = 1\n  y = 2\n",
    "an open string": BANK + "x = '''\n",
    "an open bracket": BANK + "x = (\n",
    "brackets nested too deep": BANK + "x = " + "(" * 2000 + ")" * 2000 + "\n",
    "blocks nested too deep": BANK + "".join(" " * i + "if 1:\n" for i in range(120)) + " " * 120 + "pass\n",
    "UTF-16": "import stmpy\n".encode("utf-16"),
}


@pytest.mark.parametrize("source", NOT_PYTHON)
def test_pythons_own_error_is_raised(project, source):
    project.write("bank.py", NOT_PYTHON[source])
    with_hook = project.script("import stmpy.hook\nimport bank\n", status=1).err
    without = project.script("\nimport bank\n", status=1).err
    assert with_hook == without
    assert not project.entries()


@pytest.mark.parametrize("source", NOT_PYTHON)
def test_compile_source_raises_pythons_own_error(source):
    from stmpy.compiler import compile_source

    with pytest.raises((SyntaxError, ValueError)) as plain:
        compile(NOT_PYTHON[source], "bank.py", "exec")
    with pytest.raises(plain.type) as ours:
        compile_source(NOT_PYTHON[source], "bank.py").code()
    assert ours.value.args == plain.value.args


@pytest.mark.parametrize("source", NOT_PYTHON)
def test_a_script_fails_as_under_python(project, source):
    project.write("bank.py", NOT_PYTHON[source])
    plain = project.python("bank.py", status=None)
    ours = project.python("-m", "stmpy", "run", "bank.py", status=plain.status)
    # Python reads the file itself, line by line: what it says about bytes that are no text differs.
    assert ours.err.splitlines()[-1].split(":")[0] == plain.err.splitlines()[-1].split(":")[0]


READABLE = {
    "nothing": (b"", "dynamic"),
    "only a comment": (b"# stmpy", "dynamic"),
    "a form feed": (b"\f\n" + BANK.encode(), "compiled"),
    "no newline at the end": (BANK.rstrip().encode(), "compiled"),
    "a byte order mark": (b"\xef\xbb\xbf" + BANK.encode(), "compiled"),
    "latin-1": (b"# coding: latin-1\nx = '\xe4'\n" + BANK.encode(), "compiled"),
    "shift-jis": ("# coding: shift-jis\nx = '表'\n".encode("shift-jis") + BANK.encode(), "compiled"),
    "an encoding named in two lines": (
        b"#!/usr/bin/python\n# -*- coding: cp1252 -*-\n" + BANK.encode(),
        "compiled",
    ),
    "carriage returns": (BANK.replace("\n", "\r").encode(), "compiled"),
    "tabs": (BANK.replace("    ", "\t").encode(), "compiled"),
    "a line of 100,000 characters": (BANK.encode() + b"x = '" + b"y" * 100_000 + b"'\n", "compiled"),
    "backslashes at line ends": (BANK.replace(" = dst.", " = \\\n dst.").encode(), "compiled"),
}


@pytest.mark.parametrize("source", READABLE)
def test_unusual_sources_are_imported(project, source):
    content, tier = READABLE[source]
    project.write("bank.py", content)
    run = project.script("import stmpy.hook, bank\n" + SHOW_TIER.format("bank"))
    assert (run.out, run.err) == (f"{tier}\n", "")


def test_brackets_as_deep_as_python_goes_run(project):
    project.write("bank.py", BANK + "x = " + "[" * 90 + "]" * 90 + "\n")
    run = project.script("import stmpy.hook, bank\nprint(len(bank.x))\n")
    assert run.out == "1\n"


def test_a_file_of_50_000_lines_is_compiled(project):
    filler = "".join(f"def f{i}(a, b):\n    c = a + b * {i}\n    return c\n\n\n" for i in range(10_000))
    project.write("bank.py", BANK + filler)
    run = project.script("import stmpy.hook, bank\nprint(bank.f9999(1, 1))\n" + SHOW_TIER.format("bank"))
    assert (run.out, run.err) == ("10000\ncompiled\n", "")


def test_a_source_that_vanished_is_pythons_own_error(bank):
    program = """
import stmpy.hook, importlib.util, os
spec = importlib.util.find_spec("bank")
os.unlink("bank.py")
try:
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
except FileNotFoundError as error:
    print("FileNotFoundError")
"""
    assert bank.script(program).out == "FileNotFoundError\n"
