"""The hook beside others: none is disabled, and what is not compiled runs on the dynamic tier and is told."""

import zipfile

import pytest
from projects import BANK, COMPILED, SHOW_TIER


@pytest.fixture
def zipped_bank(project):
    with zipfile.ZipFile(project.root / "bank.zip", "w") as archive:
        archive.writestr("bank.py", BANK)
    return project


FROM_ARCHIVE = "import sys; sys.path.insert(0, 'bank.zip')\nimport stmpy.hook, bank\n"


def test_modules_in_zip_archives_are_compiled(zipped_bank):
    show = """
import inspect, pkgutil, zipimport
print(isinstance(bank.__loader__, zipimport.zipimporter), bank.total(bank.Account(3)))
print(inspect.getsource(bank.transfer) in pkgutil.get_data("bank", "bank.py").decode())
"""
    assert (
        zipped_bank.script(FROM_ARCHIVE + show + SHOW_TIER.format("bank")).out == "True 3\nTrue\ncompiled\n"
    )


def test_tracebacks_into_archives_show_their_source(zipped_bank):
    program = """
import sys; sys.path.insert(0, 'bank.zip')
{}
import bank, traceback
try:
    bank.transfer(1, 2, 3)
except AttributeError:
    traceback.print_exc()
"""
    plain = zipped_bank.script(program.format("")).err
    assert zipped_bank.script(program.format("import stmpy.hook")).err == plain
    assert "if src.balance < amount" in plain


def test_packages_in_archives_are_compiled(project):
    with zipfile.ZipFile(project.root / "lib.zip", "w") as archive:
        archive.writestr("in/shop/__init__.py", BANK)
        archive.writestr("in/shop/money.py", BANK)
        archive.writestr("in/plain.py", "VALUE = 1\n")
    path = "import sys; sys.path.insert(0, 'lib.zip/in')"
    for module in "shop", "shop.money":
        assert project.tier_of(module, before=path) == "compiled"
    assert project.tier_of("plain", before=path) == "dynamic"


def test_a_syntax_error_in_an_archive_is_pythons_own(project):
    with zipfile.ZipFile(project.root / "bank.zip", "w") as archive:
        archive.writestr("bank.py", BANK + "x = = 1\n")
    with_hook = project.script(FROM_ARCHIVE, status=1).err
    without = project.script(FROM_ARCHIVE.replace("stmpy.hook, ", ""), status=1).err
    assert with_hook.splitlines()[-3:] == without.splitlines()[-3:]


def test_archives_of_ahead_of_time_compiled_modules_are_compiled(bank):
    bank.python("-m", "stmpy.stmpyc", "-o", "tree", "bank.py")
    with zipfile.ZipFile(bank.root / "bank.zip", "w") as archive:
        archive.write(bank.root / "tree" / "bank.pyc", "bank.pyc")
    (bank.root / "bank.py").unlink()
    program = "import sys; sys.path.insert(0, 'bank.zip')\nimport bank\n" + SHOW_TIER.format("bank")
    assert bank.script(program).out == "compiled\n"


CHECKED = (
    BANK
    + """
@atomic
def withdraw(account: Account, amount: int) -> int:
    account.balance = account.balance - amount
    return account.balance
"""
)

CHECKING = {
    "typeguard": "from typeguard import install_import_hook; install_import_hook('shop')",
    "beartype": "from beartype.claw import beartype_package; beartype_package('shop')",
}


@pytest.fixture(params=CHECKING)
def checker(request, project):
    pytest.importorskip(request.param)
    project.write("shop/__init__.py", "")
    project.write("shop/bank.py", CHECKED)
    return request.param


@pytest.mark.parametrize("order", ["stmpy last", "stmpy first, and again"])
@pytest.mark.parametrize("time", ["at first", "again"])
def test_type_checkers_check_compiled_functions(project, checker, order, time):
    installs = [CHECKING[checker], "import stmpy.hook"]
    if order == "stmpy first, and again":
        installs = ["import stmpy.hook", CHECKING[checker], "stmpy.hook.install()"]
    program = (
        "\n".join(installs)
        + """
from shop import bank
print(bank.withdraw(bank.Account(5), 3))
try:
    bank.withdraw(bank.Account(5), "text")
except Exception as error:
    print(type(error).__name__)
"""
    )
    expected = {"typeguard": "TypeCheckError", "beartype": "BeartypeCallHintParamViolation"}[checker]
    # A cache that the checker filled without the compiler, or the compiler's without it, is not mistaken.
    for line in installs[:2] if time == "again" else []:
        project.script(f"{line}\nfrom shop import bank\n")
    run = project.script(program + SHOW_TIER.format("bank"))
    assert run.out == f"2\n{expected}\ncompiled\n"
    plain = project.script(
        "from shop import bank\nbank.withdraw(bank.Account(5), 1.5)\n" + SHOW_TIER.format("bank")
    )
    assert plain.out == "dynamic\n"


def test_tracebacks_show_the_source_under_a_type_checker(project, checker):
    program = CHECKING[checker] + "\n{}\nfrom shop import bank\nbank.total(None)\n"
    failing = program + "bank.withdraw(bank.Account(None), 1)\n"
    shown = [project.script(failing.format(hook), status=1).err for hook in ("", "import stmpy.hook")]
    assert shown[0] == shown[1]


def test_a_type_checker_that_comes_last_is_not_disabled(project, checker):
    program = f"import stmpy.hook\n{CHECKING[checker]}\nfrom shop import bank\n"
    run = project.script(program + "bank.withdraw(bank.Account(5), 'text')\n", status=1)
    assert f"{checker}." in run.err


def test_type_checkers_keep_their_caches_of_other_modules(project, checker):
    project.write("shop/plain.py", "def f(x: int) -> int:\n    return x\n")
    program = f"import stmpy.hook\n{CHECKING[checker]}\nimport shop.plain\n"
    project.script(program)
    assert list((project.root / "shop" / "__pycache__").glob(f"plain.*{checker}*"))


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


LOADER = """
import {hook}sys, importlib.util, importlib.machinery
class Loader(importlib.machinery.SourceFileLoader):
{loader}
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "bank":
            return importlib.util.spec_from_file_location(name, "bank.py", loader=Loader(name, "bank.py"))
sys.meta_path.insert({place}, Finder)
import bank
"""


def test_loaders_that_make_their_own_sources_give_them_to_the_compiler(bank):
    loader = "    def get_data(self, path):\n        return super().get_data(path) + b'\\nMADE = 1\\n'"
    program = LOADER.format(hook="stmpy.hook, ", loader=loader, place=1) + "print(bank.MADE)\n"
    assert bank.script(program + SHOW_TIER.format("bank")).out == "1\ncompiled\n"


def test_a_loader_that_fails_on_compiled_text_gets_its_own(bank):
    loader = """
    @staticmethod
    def source_to_code(data, path, *arguments, **options):
        if b"_barriers" in data:
            raise RuntimeError("what is this?")
        return compile(data, path, "exec")
"""
    program = LOADER.format(hook="stmpy.hook, ", loader=loader, place=1) + SHOW_TIER.format("bank")
    run = bank.script(program, STMPY_TRACE_IMPORTS="1")
    assert run.out == "dynamic\n"
    assert "bank: not compiled: its loader fails on the compiled text with RuntimeError" in run.err


def test_loaders_that_do_everything_themselves_are_left_alone_and_told(bank):
    program = LOADER.replace("importlib.machinery.SourceFileLoader", "importlib.abc.Loader").format(
        hook="stmpy.hook, importlib.abc, ",
        loader="""
    def __init__(self, name, path):
        pass
    def exec_module(self, module):
        exec(open("bank.py").read(), module.__dict__)
""",
        place=1,
    )
    run = bank.script(program + SHOW_TIER.format("bank"), STMPY_TRACE_IMPORTS="1")
    assert run.out == "dynamic\n"
    assert "bank: not compiled: it is loaded by __main__.Loader" in run.err


def test_finders_of_the_old_kind_are_passed_over(bank):
    program = "import stmpy.hook, sys\nsys.meta_path.insert(1, object())\nimport bank\n"
    assert bank.script(program + SHOW_TIER.format("bank")).out == "compiled\n"


def test_runpy_runs_compiled_modules(bank):
    bank.write("shop.py", BANK + f"\nif __name__ == 'shop_main':\n    print({COMPILED})\n")
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
