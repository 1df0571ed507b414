"""Modules that are run or imported in other ways than by an import statement."""

import sys
import zipfile

import pytest
from projects import BANK, SHOW_TIER

TIER = """
def tier():
    import inspect
    return "compiled" if "stm" in str(inspect.unwrap(transfer).__code__.co_names) else "dynamic"
"""
MAIN = BANK + TIER + "\nprint(__name__, tier(), total(Account(3)))\n"


def test_run_path_of_a_directory_or_archive_is_compiled(project):
    project.write("app/__main__.py", MAIN)
    with zipfile.ZipFile(project.root / "app.zip", "w") as archive:
        archive.writestr("__main__.py", MAIN)
    run = project.script(
        "import stmpy.hook, runpy\nfor path in 'app', 'app.zip':\n    runpy.run_path(path)\n"
    )
    assert run.out == "<run_path> compiled 3\n" * 2


def test_run_path_of_a_file_is_pythons_own(project):
    # runpy reads and compiles the file itself.
    project.write("main.py", MAIN)
    run = project.script("import stmpy.hook, runpy\nrunpy.run_path('main.py')\n")
    assert run.out == "<run_path> dynamic 3\n"


def test_run_module_of_a_package_is_compiled(project):
    project.write("shop/__init__.py", BANK)
    project.write("shop/__main__.py", MAIN)
    run = project.script(
        "import stmpy.hook, runpy\nrunpy.run_module('shop', run_name='__main__', alter_sys=True)\n"
    )
    assert run.out == "__main__ compiled 3\n"


DOCUMENTED = (
    """\"\"\"A bank.

>>> a, b = Account(5), Account(6)
>>> transfer(a, b, 2)
>>> total(a, b)
11
>>> total(a)
4

>>> transfer(a, b, 9)
Traceback (most recent call last):
    ...
ValueError: insufficient funds
\"\"\"
"""
    + BANK
)


def test_doctests_of_a_compiled_module_run_and_fail_as_ever(project):
    project.write("bank.py", DOCUMENTED)
    program = "import doctest, bank\nprint(doctest.testmod(bank, verbose=True))\n"
    plain = project.script(program).out
    compiled = project.script("import stmpy.hook\n" + program + SHOW_TIER.format("bank"))
    assert compiled.out == plain + "compiled\n"
    assert "failed=1, " in plain and "Expected:\n    4\nGot:\n    3\n" in plain


POOL = (
    BANK
    + TIER
    + """
def work(number):
    a = Account(number)
    transfer(a, Account(0), 1)
    return a.balance, tier(), __name__

if __name__ == "__main__":
    import multiprocessing, sys
    from concurrent.futures import ProcessPoolExecutor
    context = multiprocessing.get_context(sys.argv[1]) if len(sys.argv) > 1 else None
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        print(*sorted(set(pool.map(work, [5] * 4))))
"""
)


@pytest.mark.parametrize(
    "method", [[], ["spawn"], ["forkserver"], ["fork"]], ids=lambda m: m[0] if m else "default"
)
@pytest.mark.parametrize("way", [["program.py"], ["-m", "program"]], ids=["script", "module"])
def test_process_pools_of_the_run_command_are_compiled(project, method, way):
    project.write("program.py", POOL)
    shown = project.python("-m", "stmpy", "run", *way, *method).out
    forked = method == ["fork"] or not method and sys.version_info < (3, 14)
    assert shown == f"(4, 'compiled', '{'__main__' if forked else '__mp_main__'}')\n"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_import_compiled_modules_if_their_program_installs_the_hook(bank, method):
    bank.write(
        "program.py",
        f"""
import stmpy.hook, bank, multiprocessing
def work(_):
    import inspect
    return "stm" in str(inspect.unwrap(bank.transfer).__code__.co_names)
if __name__ == "__main__":
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        print(pool.map(work, range(2)))
""",
    )
    assert bank.python("program.py").out == "[True, True]\n"


def test_a_reload_gives_compiled_code_to_the_same_module(bank):
    program = """
import stmpy.hook, bank, importlib
account, module = bank.Account(3), bank
with open("bank.py", "a") as file:
    file.write("\\nADDED = 1\\n")
importlib.reload(bank)
print(bank is module, bank.ADDED, bank.total(account), isinstance(account, bank.Account))
"""
    assert bank.script(program + SHOW_TIER.format("bank")).out == "True 1 3 False\ncompiled\n"


def test_namespace_packages_over_archives_and_directories_are_compiled(project):
    project.write("first/shared/bank.py", BANK)
    with zipfile.ZipFile(project.root / "second.zip", "w") as archive:
        archive.writestr("shared/other.py", BANK)
        archive.writestr("shared/", "")
    paths = "import sys; sys.path += ['first', 'second.zip']"
    assert project.tier_of("shared.bank", before=paths) == "compiled"
    assert project.tier_of("shared.other", before=paths) == "compiled"


@pytest.mark.skipif(sys.version_info < (3, 15), reason="lazy imports are new in 3.15")
class TestLazyImports:
    """PEP 810: the module is loaded, and compiled, at its first use."""

    def test_a_lazy_import_is_compiled_at_first_use(self, bank):
        program = "import stmpy.hook, sys\nlazy import bank\nprint('bank' in sys.modules)\nbank.total\n"
        assert bank.script(program + SHOW_TIER.format("bank")).out == "False\ncompiled\n"

    def test_a_name_of_a_lazy_import_is_compiled_at_first_use(self, bank):
        program = (
            "import stmpy.hook, sys\nlazy from bank import transfer\nprint('bank' in sys.modules)\ntransfer\n"
        )
        show = "import bank\n" + SHOW_TIER.format("bank")
        assert bank.script(program + show).out == "False\ncompiled\n"

    def test_compiled_modules_import_lazily(self, project):
        project.write("slow.py", "print('loaded')\n")
        project.write("bank.py", "import sys\nlazy import slow\n" + BANK)
        program = "import stmpy.hook, bank\nprint('before')\nbank.slow\n"
        assert project.script(program + SHOW_TIER.format("bank")).out == "before\nloaded\ncompiled\n"

    def test_all_imports_can_be_lazy(self, bank):
        bank.write(
            "program.py",
            "import stmpy.hook\nstmpy.hook.handle\nimport bank, sys\nbank.total\n" + SHOW_TIER.format("bank"),
        )
        assert bank.python("-X", "lazy_imports=all", "program.py").out == "compiled\n"

    def test_stmpy_itself_can_be_imported_lazily(self, project):
        program = (
            "lazy import stmpy\nlazy from stmpy import atomic\n@atomic\ndef f():\n    return 3\nprint(f())\n"
        )
        project.write("program.py", program)
        for command in (["program.py"], ["-m", "stmpy", "run", "program.py"]):
            assert project.python(*command).out == "3\n"
