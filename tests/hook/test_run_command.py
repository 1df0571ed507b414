"""`python -m stmpy run`: programs run as Python runs them, and their own atomic functions are compiled."""

import sys
import zipfile

import pytest
from projects import BANK, COMPILED, SHOW_TIER

TIER = f"print('compiled' if {COMPILED} else 'dynamic')\n"
WITH_MAIN = BANK + "\nif __name__ == '__main__':\n    print('main')\n"


def run(project, *arguments, status=0, **environment):
    return project.python("-m", "stmpy", "run", *arguments, status=status, **environment)


def test_a_script_is_compiled(project):
    project.write("bank.py", WITH_MAIN + TIER)
    assert run(project, "bank.py").out == "main\ncompiled\n"


def test_what_a_script_imports_is_compiled(bank):
    bank.write("program.py", "import bank\n" + SHOW_TIER.format("bank"))
    assert run(bank, "program.py").out == "compiled\n"


def test_a_module_is_compiled(project):
    project.write("shop/__init__.py", "")
    project.write("shop/bank.py", WITH_MAIN + TIER)
    assert run(project, "-m", "shop.bank").out == "main\ncompiled\n"


def test_a_packages_main_is_compiled(project):
    project.write("shop/__init__.py", "")
    project.write("shop/__main__.py", WITH_MAIN + TIER)
    assert run(project, "-m", "shop").out == "main\ncompiled\n"


def test_a_directory_is_run_as_python_runs_it(project):
    project.write("app/__main__.py", WITH_MAIN + TIER + "import helper, sys\nprint(sys.argv, sys.path[0])\n")
    project.write("app/helper.py", "")
    plain = project.python("app", "x").out
    assert run(project, "app", "x").out == plain.replace("dynamic", "compiled")


def test_an_archive_is_compiled(project):
    with zipfile.ZipFile(project.root / "app.zip", "w") as archive:
        archive.writestr("__main__.py", WITH_MAIN + TIER + "import sys\nprint(sys.argv, sys.path[0])\n")
    plain = project.python("app.zip", "x").out
    assert run(project, "app.zip", "x").out == plain.replace("dynamic", "compiled") != plain


def test_compile_all_compiles_functions_that_are_not_atomic(project):
    project.write("program.py", "def f(o):\n    o.x += 1\n" + TIER)
    assert run(project, "program.py").out == "dynamic\n"
    assert run(project, "--compile-all", "program.py").out == "compiled\n"


def test_without_cache_nothing_is_written(project):
    project.write("bank.py", WITH_MAIN)
    run(project, "--no-cache", "bank.py")
    assert not project.entries()
    run(project, "bank.py")
    assert len(project.entries()) == 1


def test_a_script_leaves_no_cache_of_pythons(project):
    project.write("program.py", "import stmpy\n")
    run(project, "program.py")
    assert list(project.root.glob("__pycache__/*")) == project.entries()


SHOW_MAIN = """
import stmpy, sys, os
print(sys.argv)
print(sys.path[0])
print(__name__, os.path.abspath(__file__), __package__, __doc__, __builtins__)
print(sys.modules["__main__"].__dict__ is globals())
print(sorted(globals()))
"""


@pytest.mark.parametrize("name", ["program.py", "deep/program.py", "./program.py"])
def test_a_script_sees_what_python_shows_it(project, name):
    project.write(name, SHOW_MAIN)
    arguments = [name, "-m", "--flag", "--", "run", "-h"]
    assert run(project, *arguments).out == project.python(*arguments).out


def test_an_absolute_path_and_a_link_are_seen_as_python_shows_them(project):
    path = project.write("deep/program.py", SHOW_MAIN)
    (project.root / "link.py").symlink_to(path)
    for name in str(path), "link.py":
        assert run(project, name).out == project.python(name).out


def test_a_module_sees_what_python_shows_it(project):
    project.write("shop/__init__.py", "")
    project.write("shop/program.py", SHOW_MAIN + "print(__spec__.name, __spec__.origin)\n")
    arguments = ["-m", "shop.program", "-x", "--", "y"]
    assert run(project, *arguments).out == project.python(*arguments).out


def test_safe_path_adds_no_directory(project):
    project.write("program.py", "import stmpy, sys\nprint(sys.path)\n")
    plain = project.python("-P", "program.py").out
    assert project.python("-P", "-m", "stmpy", "run", "program.py").out == plain


@pytest.mark.parametrize("as_module", [False, True], ids=["script", "module"])
def test_uncaught_exceptions_are_shown_without_frames_of_ours(project, as_module):
    project.write("program.py", BANK + "\ndef f():\n    1 / 0\nf()\n")
    plain = project.python("program.py", status=1)
    ours = run(project, *(["-m", "program"] if as_module else ["program.py"]), status=1)
    assert ours.err == plain.err


@pytest.mark.parametrize(
    "ending",
    [
        "raise SystemExit(3)",
        "raise SystemExit('why')",
        "raise SystemExit",
        "import sys; sys.exit(0)",
        "raise KeyboardInterrupt",
        "raise ExceptionGroup('several', [ValueError(1), TypeError(2)])",
        "import os; os._exit(7)",
        "import atexit; atexit.register(print, 'bye'); 1 / 0",
        "import sys; sys.excepthook = lambda _, e, tb: print('mine', e, tb.tb_frame.f_code.co_name); 1 / 0",
        "import threading; threading.Thread(target=lambda: print(__name__)).start()",
        "raise ValueError(1) from KeyError(2)",
    ],
)
def test_programs_end_as_under_python(project, ending):
    project.write("program.py", f"import stmpy\n{ending}\n")
    plain = project.python("program.py", status=None)
    ours = run(project, "program.py", status=None)
    assert (ours.status, ours.out, ours.err) == (plain.status, plain.out, plain.err)


@pytest.mark.parametrize(
    "target", [["nowhere.py"], ["-m", "nowhere"], ["-m", "shop"], ["-m", "shop.nowhere"], ["shop"]]
)
def test_what_cannot_be_found_is_told_in_one_line(project, target):
    project.write("shop/__init__.py", "")
    ours = run(project, *target, status=1)
    assert len(ours.err.splitlines()) == 1
    assert target[-1] in ours.err


def test_an_import_that_fails_in_a_package_is_not_hidden(project):
    project.write("shop/__init__.py", "import missing_dependency\n")
    project.write("shop/main.py", "")
    assert "missing_dependency" in run(project, "-m", "shop.main", status=1).err


def test_classes_of_the_program_can_be_pickled(project):
    show = "print(type(pickle.loads(pickle.dumps(Point()))) is Point)\n"
    project.write("program.py", "import stmpy, pickle\nclass Point:\n    pass\n" + show)
    assert run(project, "program.py").out == "True\n"


SPAWNING = """
import multiprocessing, sys
from stmpy import atomic

@atomic
def real(number):
    return number.real

@atomic
def increment(o):
    o.x += 1

def work(number):
    compiled = '__stmpy.' in str(increment.__wrapped__.__code__.co_names)
    return real(number), __name__, compiled, __file__, sys.argv

if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        print(pool.map(work, [5])[0][:3], pool.map(work, [5])[0][3:] == work(5)[3:])
"""


@pytest.mark.parametrize("as_module", [False, True], ids=["script", "module"])
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_spawned_processes_run_the_compiled_program(project, method, as_module):
    project.write("program.py", SPAWNING)
    target = ["-m", "program"] if as_module else ["program.py"]
    assert run(project, *target, method).out == "(5, '__mp_main__', True) True\n"


def test_a_compiled_file_is_run(project):
    project.write("bank.py", WITH_MAIN + TIER)
    project.python("-m", "stmpy.stmpyc", "-o", "tree", "bank.py")
    assert run(project, "tree/bank.pyc").out == "main\ncompiled\n"


def test_the_command_line_explains_itself(project):
    assert "run" in project.python("-m", "stmpy", "--help").out
    assert project.python("-m", "stmpy", status=2).err
    assert project.python("-m", "stmpy", "run", status=2).err


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupted_program_ends_by_the_signal(project):
    project.write(
        "program.py", "import stmpy, os, signal\nos.kill(os.getpid(), signal.SIGINT)\nwhile True: pass\n"
    )
    plain = project.python("-m", "program", status=None)
    assert run(project, "program.py", status=None).status == plain.status
