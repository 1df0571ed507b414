"""`stmpyc`: ahead of time, for the hook's cache or into a tree that needs neither hook nor compiler."""

import importlib.util

import pytest
from projects import BANK, SHOW_TIER, stmpyc

FROM_CACHE = "import stmpy.hook, bank, sys\nassert 'stmpy._compiler' not in sys.modules\n"

# Neither the hook nor the compiler is there.
PLAIN_IMPORT = """
import sys
sys.modules["stmpy._compiler"] = sys.modules["stmpy.hook"] = None
sys.path.insert(0, "tree")
"""


def test_the_hook_finds_what_stmpyc_compiled(bank):
    stmpyc(bank, "bank.py")
    run = bank.script(FROM_CACHE + SHOW_TIER.format("bank"))
    assert (run.out, run.err) == ("compiled\n", "")


def test_directories_are_compiled_with_all_they_contain(project):
    project.write("src/shop/__init__.py", "import stmpy\n")
    project.write("src/shop/deep/bank.py", BANK)
    project.write("src/shop/plain.py", "")
    stmpyc(project, "src")
    assert project.entries("bank") and project.entries("__init__")
    assert not project.entries("plain")


def test_names_of_pythons_caches_are_never_written(project):
    project.write("src/bank.py", BANK)
    project.write("src/plain.py", "")
    stmpyc(project, "src")
    stmpyc(project, "-o", "tree", "src")
    theirs = {
        importlib.util.cache_from_source("src/bank.py"),
        importlib.util.cache_from_source("src/plain.py"),
    }
    written = {str(path.relative_to(project.root)) for path in project.root.rglob("*.pyc")}
    assert not theirs & written
    assert not list(project.root.glob("tree/**/__pycache__"))


def test_the_prefix_is_honoured(bank):
    prefix = bank.root / "prefix"
    stmpyc(bank, "bank.py", PYTHONPYCACHEPREFIX=str(prefix))
    assert [path for path in bank.entries() if prefix in path.parents] == bank.entries() != []


def test_an_optimisation_level_can_be_chosen(project):
    project.write("bank.py", BANK + "\n@atomic\ndef f(o):\n    assert o.balance\n    return 'no assertion'\n")
    stmpyc(project, "--optimize=1", "bank.py")
    project.write("program.py", FROM_CACHE + "print(bank.f(bank.Account(0)))\n" + SHOW_TIER.format("bank"))
    assert project.python("-O", "program.py").out == "no assertion\ncompiled\n"


def test_a_tree_runs_with_no_hook_no_sources_and_no_compiler(bank):
    stmpyc(bank, "-o", "tree", "bank.py")
    (bank.root / "bank.py").unlink()
    program = (
        PLAIN_IMPORT
        + """
import bank
a, b = bank.Account(5), bank.Account(6)
bank.transfer(a, b, 2)
print(a.balance, b.balance, bank.__file__)
"""
    )
    run = bank.script(program + SHOW_TIER.format("bank"))
    assert run.out == f"3 8 {bank.root}/tree/bank.pyc\ncompiled\n".replace(f"{bank.root}/tree", "tree") or (
        run.out == f"3 8 {bank.root}/tree/bank.pyc\ncompiled\n"
    )


def test_a_tree_keeps_packages_plain_modules_and_data(project):
    project.write("src/shop/__init__.py", "")
    project.write("src/shop/bank.py", BANK)
    project.write("src/shop/deep/__init__.py", "")
    project.write("src/shop/deep/bank.py", BANK)
    project.write("src/shop/plain.py", "VALUE = 1\n")
    project.write("src/shop/prices.txt", "data")
    stmpyc(project, "-o", "tree", "src")
    tree = {str(path.relative_to(project.root / "tree")) for path in project.root.glob("tree/**/*.*")}
    assert tree == {
        "shop/__init__.py",
        "shop/bank.pyc",
        "shop/deep/__init__.py",
        "shop/deep/bank.pyc",
        "shop/plain.py",
        "shop/prices.txt",
    }
    program = PLAIN_IMPORT + "import shop.bank, shop.deep.bank, shop.plain\nprint(shop.plain.VALUE)\n"
    run = project.script(program + SHOW_TIER.format("shop.bank") + SHOW_TIER.format("shop.deep.bank"))
    assert run.out == "1\ncompiled\ncompiled\n"


@pytest.mark.parametrize("argument", ["src/shop", "src/shop/bank.py"])
def test_a_tree_of_a_part_of_a_package_has_the_packages_name(project, argument):
    project.write("src/shop/__init__.py", "")
    project.write("src/shop/bank.py", BANK)
    stmpyc(project, "-o", "tree", argument)
    assert (project.root / "tree/shop/bank.pyc").exists()


def test_a_tree_is_brought_up_to_date(project):
    project.write("bank.py", "VALUE = 1\n")
    stmpyc(project, "-o", "tree", "bank.py")
    project.write("bank.py", BANK)
    stmpyc(project, "-o", "tree", "bank.py")
    assert [path.name for path in project.root.glob("tree/*")] == ["bank.pyc"]
    project.write("bank.py", "VALUE = 1\n")
    stmpyc(project, "-o", "tree", "bank.py")
    assert [path.name for path in project.root.glob("tree/*")] == ["bank.py"]


def test_a_tree_inside_of_its_source_does_not_grow(bank):
    for _ in range(2):
        stmpyc(bank, "-o", "tree", ".")
    assert [str(path.relative_to(bank.root)) for path in bank.root.rglob("bank.pyc")] == ["tree/bank.pyc"]
    assert not (bank.root / "tree" / "tree").exists()


@pytest.mark.parametrize("path", [".", "bank.py"])
def test_a_tree_is_never_written_over_its_source(bank, path):
    run = stmpyc(bank, "-o", ".", path, status=1)
    assert "over its own source" in run.err
    assert (bank.root / "bank.py").read_text() == BANK
    assert not list(bank.root.glob("*.pyc"))


def test_trees_are_the_same_for_the_same_sources(bank):
    stmpyc(bank, "-o", "one", "bank.py")
    stmpyc(bank, "-o", "two", "bank.py")
    assert (bank.root / "one/bank.pyc").read_bytes() == (bank.root / "two/bank.pyc").read_bytes()


def test_a_tree_for_another_version_of_the_runtime_is_refused(bank):
    stmpyc(bank, "-o", "tree", "bank.py")
    program = PLAIN_IMPORT + "from stmpy import _barriers\ndel _barriers.abi_2\n"
    run = bank.script(program + "import bank\n", status=1)
    assert "ImportError: " in run.err and "compile it again" in run.err and "stmpyc" in run.err


def test_tracebacks_of_a_tree_show_the_source(bank):
    stmpyc(bank, "-o", "tree", "bank.py")
    program = "import bank\nbank.transfer(bank.Account(1), bank.Account(2), 3)\n"
    bank.script(PLAIN_IMPORT + program, status=1)
    run = bank.script(PLAIN_IMPORT + program, status=1)
    assert f'File "{bank.root}/bank.py", line 13, in transfer\n    raise ValueError(' in run.err


def test_emit_source_shows_the_text_after_rewriting(bank):
    shown = stmpyc(bank, "--emit=source", "bank.py").out
    assert '_stm_load_write(src, "balance")' in shown
    compile(shown, "bank.py", "exec")
    assert not bank.entries()


def test_emit_source_shows_plain_modules_as_they_are(project):
    project.write("plain.py", "x = 1\n")
    assert stmpyc(project, "--emit=source", "plain.py").out == "x = 1\n"


def test_emit_report_lists_every_access(bank):
    shown = stmpyc(bank, "--emit=report", "bank.py").out
    assert "10: transfer" in shown or "11: transfer" in shown
    assert "12:7: balance" in shown
    assert not bank.entries()


def test_compile_all_compiles_functions_that_are_not_atomic(project):
    project.write("plain.py", "def f(o):\n    o.x += 1\n")
    assert "_stm_open_write" in stmpyc(project, "--compile-all", "--emit=source", "plain.py").out


@pytest.mark.parametrize("jobs", [1, 3, 0])
def test_several_processes_give_the_same_result(project, jobs):
    for number in range(6):
        project.write(f"src/bank{number}.py", BANK)
    project.write("src/wrong.py", "import stmpy\ndef\n")
    run = stmpyc(project, "-j", jobs, "src", status=1)
    assert len(project.entries()) == 6
    assert run.err.count("SyntaxError") == 1


def test_a_syntax_error_is_reported_with_its_place_and_the_rest_is_compiled(project):
    path = project.write("src/a.py", BANK + "x = = 1\n")
    project.write("src/bank.py", BANK)
    run = stmpyc(project, "src", status=1)
    assert run.err == f"{path}:20:5: error: SyntaxError: invalid syntax\n"
    assert project.entries("bank") and not project.entries("a")


def test_a_diagnostic_is_reported_with_its_place(project):
    path = project.write("bank.py", BANK + "\n@atomic\ndef f(o):\n    yield o.balance\n")
    run = stmpyc(project, "bank.py", status=1)
    assert run.err.startswith(f"{path}:2") and ": error: STM" in run.err


@pytest.mark.parametrize(
    "arguments",
    [[], ["nowhere.py"], ["--emit=nonsense", "bank.py"], ["--emit=source", "-o", "tree", "bank.py"]],
)
def test_wrong_arguments_are_a_usage_error(bank, arguments):
    assert stmpyc(bank, *arguments, status=2).err.startswith("usage: stmpyc")


def test_a_cache_that_cannot_be_written_is_an_error(bank):
    bank.write("__pycache__", "")
    assert "cannot write" in stmpyc(bank, "bank.py", status=1).err


def test_without_the_compiler_stmpyc_says_so(bank):
    program = "import sys; sys.modules['stmpy._compiler'] = None\nfrom stmpy.stmpyc import main\n"
    run = bank.script(program + "sys.exit(main(['bank.py']))", status=1)
    assert run.err.startswith("stmpyc: the compiler cannot be loaded")
