"""Modules that do not mention stmpy: Python's own cache means for them what it means without the hook."""

import os
import py_compile

import pytest

MODULE = "def where():\n    return where.__code__.co_filename\n\nVALUE = 1\n"
PROGRAM = "{hook}\nimport sys\nsys.path.insert(0, 'lib')\nimport plain\nprint(plain.VALUE, plain.where())\n"
INVALIDATION = py_compile.PycInvalidationMode


def move(project):
    project.python("-c", "import sys; sys.path.insert(0, 'old'); import plain")
    (project.root / "old").rename(project.root / "lib")


def change_within_a_second(project):
    path = project.root / "old" / "plain.py"
    stamp = path.stat().st_mtime_ns
    move(project)
    path = project.write("lib/plain.py", MODULE.replace("1", "2"))
    os.utime(path, ns=(stamp, stamp))


def cached_as(mode, value):
    def prepare(project):
        (project.root / "old").rename(project.root / "lib")
        path = project.root / "lib" / "plain.py"
        py_compile.compile(str(path), invalidation_mode=mode)
        project.write("lib/plain.py", MODULE.replace("1", value))

    return prepare


def damage(change):
    def prepare(project):
        move(project)
        [cached] = (project.root / "lib" / "__pycache__").glob("plain.*.pyc")
        cached.write_bytes(change(cached.read_bytes()))

    return prepare


# What is done to a module in `old` before it is imported from `lib`.
CASES = {
    "moved with its cache": move,
    "changed within a second": change_within_a_second,
    "cached by hash": cached_as(INVALIDATION.CHECKED_HASH, "1"),
    "cached by hash, and changed": cached_as(INVALIDATION.CHECKED_HASH, "2"),
    "cached by a hash that nobody checks": cached_as(INVALIDATION.UNCHECKED_HASH, "2"),
    "cached by time, and changed": cached_as(INVALIDATION.TIMESTAMP, "23"),
    "a cache that is cut short": damage(lambda data: data[:-20]),
    "a cache without code": damage(lambda data: data[:16] + b"N"),
    "a cache of another Python": damage(lambda data: b"\0\0\r\n" + data[4:]),
    "an empty cache": damage(lambda data: b""),
}


@pytest.mark.parametrize("case", CASES)
def test_the_import_is_pythons(project, case):
    project.write("old/plain.py", MODULE)
    CASES[case](project)
    before = {path: path.read_bytes() for path in (project.root / "lib").rglob("*.pyc")}
    ends = []
    for hook in "import stmpy", "import stmpy.hook":
        for path, data in before.items():
            path.write_bytes(data)
        run = project.script(PROGRAM.format(hook=hook), status=None)
        assert "_loader.py" not in run.err
        ends.append((run.status, run.out, run.err.splitlines()[-1:]))
    assert ends[0] == ends[1]


def test_verbose_python_says_what_it_loads(project):
    project.write("lib/plain.py", MODULE)
    project.write("program.py", PROGRAM.format(hook="import stmpy.hook"))
    project.python("program.py")
    assert (
        "plain.py"
        in [line for line in project.python("-v", "program.py").err.splitlines() if "matches" in line][-1]
    )
