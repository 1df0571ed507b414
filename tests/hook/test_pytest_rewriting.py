"""Test modules that define atomic functions: compiled, with their assertions rewritten by pytest."""

import re

import pytest
from projects import BANK, SHOW_TIER

TESTS = (
    BANK
    + """
@atomic
def overdraw(account, amount):
    account.balance = account.balance - amount
    return account.ballance


def test_tier():
    import inspect
    assert any("stm" in name for name in inspect.unwrap(overdraw).__code__.co_names) == COMPILED


def test_transfer():
    a, b = Account(5), Account(6)
    transfer(a, b, 2)
    assert a.balance == 4 and b.balance in [8,
                                            9]


def test_error():
    ä = Account(5); overdraw(ä, 1)


def test_message():
    assert total(Account(1), Account(2)) == 4, "a message"


def test_always_true():
    assert (1, "a message")


class TestMethods:
    def test_method(self):
        assert not [account.balance for account in [Account(1)]]
"""
)

WAYS = {
    "a conftest": ("import stmpy.hook\n", []),
    "the plugin": ("", ["-p", "stmpy.pytest"]),
    "the plugin, named by a conftest": ("pytest_plugins = ['stmpy.pytest']\n", []),
    "the plugin, with a hook that was there before": ("", ["-p", "stmpy.hook", "-p", "stmpy.pytest"]),
}


PYTEST = ["-m", "pytest", "-p", "no:cacheprovider"]


def pytest_run(project, *arguments, status=1, **environment):
    run = project.python(*PYTEST, *arguments, status=status, **environment)
    return re.sub(r" in \d+\.\d+s| at 0x[0-9a-f]+", "", run.out)


def without_header(output):
    return "\n".join(line for line in output.splitlines() if not line.startswith(("stmpy", "plugins")))


@pytest.mark.parametrize("way", WAYS)
def test_the_report_is_that_of_the_dynamic_tier(project, way):
    conftest, arguments = WAYS[way]
    project.write("test_bank.py", TESTS.replace("COMPILED", "False"))
    plain = pytest_run(project)
    project.write("test_bank.py", TESTS.replace("COMPILED", "True"))
    project.write("conftest.py", conftest)
    compiled = pytest_run(project, *arguments)
    assert without_header(compiled) == without_header(plain).replace("COMPILED", "True")
    assert "where 3 = <test_bank.Account" in plain
    assert "4 failed, 2 passed, 1 warning" in plain


def test_assertions_in_atomic_functions_are_explained_too(project):
    assertion = "assert a.balance + len(str(a.balance)) == a.balance, f'why {a.balance}'"
    check = f"@atomic\ndef check(a):\n    {assertion}\n"
    project.write("test_bank.py", f"{BANK}\n{check}\ndef test_it():\n    check(Account(3))\n")
    plain, compiled = pytest_run(project), pytest_run(project, "-p", "stmpy.pytest")
    assert without_header(compiled) == without_header(plain)
    assert "E        +  where 3 = <test_bank.Account object>.balance" in plain


def test_modules_under_test_and_conftests_are_compiled(bank):
    bank.write("conftest.py", "import stmpy.hook\n")
    bank.write("sub/conftest.py", BANK)
    show = "".join(SHOW_TIER.format(module) for module in ("bank", "conftest"))
    bank.write("sub/test_it.py", f"import bank, conftest\n{show}\ndef test_it():\n    pass\n")
    assert pytest_run(bank, "-q", "-s", status=0).count("compiled") == 2


def test_a_test_module_that_uses_no_atomic_functions_is_pytests_alone(project):
    project.write("test_it.py", "import stmpy\n\ndef test_it():\n    assert __loader__.__class__\n")
    shown = pytest_run(project, "-p", "stmpy.pytest", status=0, STMPY_TRACE_IMPORTS="1")
    assert "1 passed" in shown


def test_doctests_of_compiled_modules_are_collected(project):
    doctest = '"""\n>>> a = Account(3)\n>>> transfer(a, Account(1), 2)\n>>> a.balance\n1\n"""\n'
    project.write("test_bank.py", doctest + BANK)
    project.write("bank2.py", doctest + BANK)
    shown = pytest_run(project, "-p", "stmpy.pytest", "--doctest-modules", status=0)
    assert "2 passed" in shown


def test_a_syntax_error_is_reported_as_by_pytest(project):
    project.write("test_bank.py", BANK + "x = = 1\n")
    plain, ours = (pytest_run(project, *plugin, status=2) for plugin in ([], ["-p", "stmpy.pytest"]))
    for shown in plain, ours:
        assert "E     File" in shown and "E       x = = 1" in shown
    assert ours.splitlines()[-8:] == plain.splitlines()[-8:]


def test_an_error_while_a_test_module_is_imported_shows_no_frame_of_ours(project):
    project.write("test_bank.py", BANK + "1 / 0\n")
    plain = pytest_run(project, status=2)
    assert without_header(pytest_run(project, "-p", "stmpy.pytest", status=2)) == without_header(plain)


def test_a_pytest_that_rewrites_in_another_way_has_the_module_to_itself(project):
    conftest = "import _pytest.assertion.rewrite as r\ndel r.rewrite_asserts\nimport stmpy.hook\n"
    project.write("conftest.py", conftest)
    project.write("test_bank.py", BANK + "\ndef test_it():\n    pass\n")
    run = project.python(*PYTEST, status=None, STMPY_TRACE_IMPORTS="1")
    assert "test_bank: not compiled: it is loaded by _pytest.assertion.rewrite" in run.out + run.err


def test_the_plugin_ends_with_pytest(project):
    project.write("test_it.py", "def test_it():\n    pass\n")
    program = """
import pytest, sys
pytest.main(["-q", "-p", "stmpy.pytest", "-p", "no:cacheprovider", "test_it.py"])
print([f for f in sys.meta_path if "stmpy" in type(f).__module__])
"""
    assert project.script(program).out.splitlines()[-1] == "[]"
