"""`python -m stmpy status`: what is compiled, what is not, and why."""

import platform
import zipfile

from projects import BANK


def status(project, *arguments, status=0, **environment):
    return project.python("-m", "stmpy", "status", *arguments, status=status, **environment).out


def test_the_installation_is_described(project):
    import stmpy

    shown = status(project)
    assert stmpy.__version__ in shown
    assert platform.python_version() in shown
    assert "GIL on" in shown or "GIL off" in shown
    assert "__pycache__" in shown
    assert "_compiler" in shown


def test_the_cache_is_shown_where_it_really_is(project):
    assert "/somewhere/else" in status(project, PYTHONPYCACHEPREFIX="/somewhere/else")
    assert "not written" in status(project, PYTHONDONTWRITEBYTECODE="1")


def test_compiled_functions_are_listed(bank):
    shown = status(bank, "bank")
    assert "1 function compiled" in shown
    assert "transfer" in shown and "6 accesses" in shown or "5 accesses" in shown
    assert "no entry yet" in shown
    bank.script("import stmpy.hook, bank")
    assert "up to date" in status(bank, "bank")


def test_a_module_that_does_not_mention_stmpy_is_left_to_python(project):
    project.write("plain.py", "")
    assert "does not mention stmpy" in status(project, "plain")
    assert "it has no source file" in status(project, "sys") or "left alone" in status(project, "sys")


def test_a_module_with_nothing_to_compile_says_so(project):
    project.write("shop.py", "import stmpy\n")
    assert "nothing in it to compile" in status(project, "shop")


def test_a_module_in_an_archive_is_compiled_without_a_cache(project):
    with zipfile.ZipFile(project.root / "bank.zip", "w") as archive:
        archive.writestr("bank.py", BANK)
        archive.writestr("plain.py", "")
    path = project.environment["PYTHONPATH"] + ":bank.zip"
    shown = status(project, "bank", PYTHONPATH=path)
    assert "1 function compiled" in shown and "compiled at each import" in shown
    assert "does not mention stmpy" in status(project, "plain", PYTHONPATH=path)


def test_a_module_that_has_no_source_says_by_whom_it_is_loaded(bank):
    bank.python("-c", "import py_compile; py_compile.compile('bank.py', 'only.pyc')")
    assert "SourcelessFileLoader" in status(bank, "only")


def test_a_module_that_is_not_python_says_so(project):
    project.write("bank.py", BANK + "def\n")
    assert "Python refuses it" in status(project, "bank")


def test_diagnostics_are_listed_with_their_lines(project):
    project.write("bank.py", BANK + "\n@atomic\ndef f(o):\n    yield o.balance\n")
    assert "error: STM" in status(project, "bank")


def test_a_missing_module_is_an_error(project):
    run = project.python("-m", "stmpy", "status", "nowhere", status=1)
    assert "nowhere" in run.err
