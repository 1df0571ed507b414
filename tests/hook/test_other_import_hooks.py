"""The hook beside others: none is disabled, and what is not compiled runs on the dynamic tier and is told."""

import zipfile

import pytest
from projects import BANK, SHOW_TIER


@pytest.fixture
def zipped_bank(project):
    with zipfile.ZipFile(project.root / "bank.zip", "w") as archive:
        archive.writestr("bank.py", BANK)
    return project


def test_modules_in_zip_archives_run_uncompiled(zipped_bank):
    program = "import sys; sys.path.insert(0, 'bank.zip')\nimport stmpy.hook, bank\n"
    show = "print(type(bank.__loader__).__name__, bank.total(bank.Account(3)))\n"
    assert zipped_bank.script(program + show + SHOW_TIER.format("bank")).out == "zipimporter 3\ndynamic\n"


def test_trace_says_that_an_archive_is_left_alone(zipped_bank):
    program = "import sys; sys.path.insert(0, 'bank.zip')\nimport stmpy.hook, bank\n"
    run = zipped_bank.script(program, STMPY_TRACE_IMPORTS="1")
    assert "bank: not compiled: it is loaded by zipimport.zipimporter" in run.err


def test_archives_of_ahead_of_time_compiled_modules_are_compiled(bank):
    bank.python("-m", "stmpy.stmpyc", "-o", "tree", "bank.py")
    with zipfile.ZipFile(bank.root / "bank.zip", "w") as archive:
        archive.write(bank.root / "tree" / "bank.pyc", "bank.pyc")
    (bank.root / "bank.py").unlink()
    program = "import sys; sys.path.insert(0, 'bank.zip')\nimport bank\n" + SHOW_TIER.format("bank")
    assert bank.script(program).out == "compiled\n"


TEST_MODULE = (
    BANK
    + """
def test_transfer():
    a, b = Account(5), Account(6)
    transfer(a, b, 2)
    assert a.balance == 4
"""
)


@pytest.mark.parametrize("where", ["in the tests", "before the tests", "not at all"])
def test_pytest_rewrites_assertions_in_modules_with_atomic_code(project, where):
    project.write("test_bank.py", ("import stmpy.hook\n" if where == "in the tests" else "") + TEST_MODULE)
    if where == "before the tests":
        project.write("conftest.py", "import stmpy.hook\n")
    run = project.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_bank.py", status=1)
    assert "assert 3 == 4" in run.out
    assert "where 3 = <test_bank.Account" in run.out


def test_modules_under_test_are_compiled_under_pytest(bank):
    bank.write("conftest.py", "import stmpy.hook\n")
    bank.write("test_it.py", "import bank\ndef test_tier():\n    assert '_stm_abi' in vars(bank)\n")
    bank.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")


def test_status_names_pytests_loader(project):
    project.write("conftest.py", "import stmpy.hook\n")
    project.write("test_bank.py", BANK + "\ndef test_it():\n    pass\n")
    run = project.python("-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", STMPY_TRACE_IMPORTS="1")
    assert "test_bank: not compiled: it is loaded by _pytest.assertion.rewrite" in run.out + run.err


@pytest.mark.parametrize("order", ["stmpy first", "stmpy last"])
def test_typeguard_still_checks_what_it_was_asked_to(project, order):
    pytest.importorskip("typeguard")
    project.write("bank.py", BANK + "\ndef checked(x: int) -> int:\n    return x\n")
    installs = ["import stmpy.hook", "from typeguard import install_import_hook; install_import_hook('bank')"]
    if order == "stmpy last":
        installs.reverse()
    program = (
        "\n".join(installs)
        + """
import bank
print(bank.total(bank.Account(2), bank.Account(3)))
try:
    bank.checked("text")
except Exception as error:
    print(type(error).__name__)
"""
    )
    assert project.script(program).out == "5\nTypeCheckError\n"


@pytest.mark.parametrize("order", ["stmpy first", "stmpy last"])
def test_beartype_still_checks_what_it_was_asked_to(project, order):
    pytest.importorskip("beartype")
    project.write("shop/__init__.py", "")
    project.write("shop/bank.py", BANK + "\ndef checked(x: int) -> int:\n    return x\n")
    installs = ["import stmpy.hook", "from beartype.claw import beartype_package; beartype_package('shop')"]
    if order == "stmpy last":
        installs.reverse()
    program = (
        "\n".join(installs)
        + """
from shop import bank
print(bank.total(bank.Account(2), bank.Account(3)))
try:
    bank.checked("text")
except Exception as error:
    print('beartype' in type(error).__module__)
"""
    )
    assert project.script(program).out == "5\nTrue\n"


def test_coverage_counts_the_lines_of_the_source(bank):
    pytest.importorskip("coverage")
    program = "from bank import Account, transfer\ntransfer(Account(5), Account(6), 2)\n"
    measured = []
    for hook in "", "import stmpy.hook":
        bank.write("program.py", hook + "\n" + program)
        bank.python("-m", "coverage", "run", "--branch", "--include=bank.py", "program.py")
        bank.python("-m", "coverage", "json", "-o", "coverage.json")
        measured.append(
            bank.python(
                "-c",
                "import json; f = json.load(open('coverage.json'))['files']['bank.py'];"
                "print(f['executed_lines'], f['missing_lines'], f['missing_branches'])",
            ).out
        )
    assert measured[0] == measured[1]


def test_finders_that_were_there_first_are_asked(bank):
    # As editable installs do it.
    program = f"""
import sys, importlib.util
class Editable:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "mapped":
            return importlib.util.spec_from_file_location(name, {str(bank.root / "bank.py")!r})
sys.meta_path.{{}}
import stmpy.hook, mapped
"""
    for install in "insert(0, Editable)", "append(Editable)":
        run = bank.script(program.format(install) + SHOW_TIER.format("mapped"))
        assert run.out == "compiled\n"


def test_finders_that_come_later_win(bank):
    program = f"""
import stmpy.hook, sys, importlib.util
class Editable:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "bank":
            return importlib.util.spec_from_file_location(name, {str(bank.root / "bank.py")!r})
sys.meta_path.insert(0, Editable)
import bank
print(bank.total(bank.Account(2)))
"""
    assert bank.script(program + SHOW_TIER.format("bank")).out == "2\ndynamic\n"


def test_loaders_that_make_their_own_sources_are_left_alone(bank):
    program = """
import stmpy.hook, sys, importlib.util, importlib.machinery
class Loader(importlib.machinery.SourceFileLoader):
    def get_data(self, path):
        return super().get_data(path) + b"\\nMADE = 1\\n"
    def path_stats(self, path):
        raise OSError
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "bank":
            return importlib.util.spec_from_file_location(name, "bank.py", loader=Loader(name, "bank.py"))
sys.meta_path.insert(1, Finder)
import bank
print(bank.MADE)
"""
    assert bank.script(program + SHOW_TIER.format("bank")).out == "1\ndynamic\n"


def test_finders_of_the_old_kind_are_passed_over(bank):
    program = "import stmpy.hook, sys\nsys.meta_path.insert(1, object())\nimport bank\n"
    assert bank.script(program + SHOW_TIER.format("bank")).out == "compiled\n"


def test_runpy_runs_compiled_modules(bank):
    bank.write("shop.py", BANK + "\nif __name__ == 'shop_main':\n    print('_stm_abi' in globals())\n")
    program = "import stmpy.hook, runpy\nrunpy.run_module('shop', run_name='shop_main')\n"
    assert bank.script(program).out == "True\n"


def test_without_the_compiler_everything_runs_uncompiled_and_says_so_once(project):
    project.write("bank.py", BANK)
    project.write("bank2.py", BANK)
    program = "import sys; sys.modules['stmpy._compiler'] = None\nimport stmpy.hook, bank, bank2\n"
    run = project.script(program + SHOW_TIER.format("bank"))
    assert run.out == "dynamic\n"
    assert run.err.count("STM904") == 1
    assert not project.entries()


def test_a_full_cache_needs_no_compiler(bank):
    bank.script("import stmpy.hook, bank")
    program = "import stmpy.hook, bank, sys\nprint('stmpy._compiler' in sys.modules)\n"
    run = bank.script(program + SHOW_TIER.format("bank"))
    assert (run.out, run.err) == ("False\ncompiled\n", "")
