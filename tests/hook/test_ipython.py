"""`%load_ext stmpy`: cells of IPython, compiled and shown as the user typed them."""

import re

import pytest
from projects import BANK, SHOW_TIER

pytest.importorskip("IPython")

SETUP = "import stmpy\nfrom stmpy import atomic\n"
ACCOUNT = """\
class Account(stmpy.STMObject):
    def __init__(self, balance):
        self.balance = balance
"""
F = "@atomic\ndef f(o):\n    o.balance += 0\n    return o.balance\n"
CALL = "f(Account(4))"
LOAD = "%load_ext stmpy"
SHOW = (
    "import inspect\nprint('compiled' if 'stm' in str(inspect.unwrap({}).__code__.co_names) else 'dynamic')"
)


@pytest.fixture
def cells(project):
    """Runs cells in a shell of their own; returns what they print."""

    def run(*cells, before="", **environment):
        program = f"""
from IPython.core.interactiveshell import InteractiveShell
{before}
shell = InteractiveShell.instance()
shell.run_line_magic("colors", "nocolor")
for cell in {cells!r}:
    print("In: " + cell.splitlines()[0])
    shell.run_cell(cell, store_history=True)
"""
        home = {"IPYTHONDIR": str(project.root / "ipython"), "HOME": str(project.root)}
        shown = project.script(program, **home, **environment)
        return re.sub(
            r"<ipython-input-(\d+)-\w+>|(?<=Wall time: ).*|(?<=CPU times: ).*", r"CELL \1", shown.out
        )

    return run


def test_atomic_functions_of_cells_are_compiled(cells):
    shown = cells(LOAD, SETUP, ACCOUNT, F, SHOW.format("f"), "f(Account(3))")
    assert "compiled" in shown and "Out[6]: 3" in shown


def test_without_the_extension_they_are_not(cells):
    assert "dynamic" in cells(SETUP, F, SHOW.format("f"))


NAMED = {
    "the module": ("import stmpy", "@stmpy.atomic"),
    "the module by another name": ("import stmpy as s", "@s.atomic(name='g')"),
    "the decorator": ("from stmpy import atomic", "@atomic"),
    "the decorator by another name": ("from stmpy import atomic as tx", "@tx"),
    "compiled": ("from stmpy import compiled", "@compiled"),
}


@pytest.mark.parametrize("way", NAMED)
@pytest.mark.parametrize("where", ["another cell", "the same cell", "both"])
def test_what_is_atomic_is_known_from_earlier_cells(cells, way, where):
    binding, decorator = NAMED[way]
    function = f"{decorator}\ndef f(o):\n    o.balance += 0\n    return o.balance\n"
    together = f"{binding}\n{function}"
    texts = {"another cell": [binding, function], "the same cell": [together], "both": [together, together]}
    assert "compiled" in cells(LOAD, *texts[where], SHOW.format("f"))


def test_a_name_that_an_earlier_cell_assigned_is_known(cells):
    function = F.replace("atomic", "mark")
    assert "compiled" in cells(LOAD, "import stmpy\nmark = stmpy.atomic", function, SHOW.format("f"))


def test_names_that_mean_something_else_by_now_are_not_atomic(cells):
    assert "dynamic" in cells(LOAD, SETUP, "atomic = lambda function: function", F, SHOW.format("f"))


FAILING = """\
# A comment in front.
@atomic
def outer(o):
    ä = "é"; o.balance = inner(o) + o.missing

@stmpy.compiled
def inner(o):
    return (lambda: o.balance
            )()
"""


def test_tracebacks_show_the_cell(cells):
    texts = [SETUP, ACCOUNT, FAILING, "outer(Account(3))", "inner(5)", "1/0\n@atomic\ndef f(o):\n    o.x\n"]
    plain = cells("pass", *texts)
    compiled = cells(LOAD, *texts)
    assert compiled.replace(LOAD, "pass") == plain
    assert '----> 4     ä = "é"; o.balance = inner(o) + o.missing' in plain


def test_carets_of_python_are_under_the_cells_text(cells):
    show = """
import traceback
try:
    outer(Account(3))
except AttributeError:
    print(traceback.format_exc())
"""
    plain = cells("pass", SETUP, ACCOUNT, FAILING, show)
    assert cells(LOAD, SETUP, ACCOUNT, FAILING, show).replace(LOAD, "pass") == plain
    assert re.search(r"\n    ä = .* \+ o.missing\n +\^{9}\n", plain)


def test_the_source_of_a_function_can_be_shown(cells):
    cell = "# Above.\n@atomic\ndef f(o):\n    'Doc.'\n    return o.x\n"
    shown = cells(LOAD, SETUP, cell, "import inspect; print(inspect.getsource(f))")
    assert shown.endswith("@atomic\ndef f(o):\n    'Doc.'\n    return o.x\n\n")


def test_a_syntax_error_is_the_cells(cells):
    cell = "@atomic\ndef f(o):\n    return o.x\nx = = 1\n"
    plain = cells("pass", SETUP, cell)
    assert cells(LOAD, SETUP, cell).replace(LOAD, "pass") == plain
    assert "SyntaxError" in plain


MAGICS = {
    "time": [f"%%time\n{F}{CALL}"],
    "time of a line": [F, f"%time {CALL}"],
    "timeit": [F, f"%timeit -n1 -r1 -q {CALL}", CALL],
    "timeit of a definition": [F, f"%%timeit -n1 -r1 -q\n{F.replace('def f', 'def g')}", CALL],
    "await": [f"import asyncio\nasync def g():\n    return 4\n{F}await g()\n"],
    "await in a block": [
        f"{F}import asyncio\nasync with asyncio.timeout(9):\n    await asyncio.sleep(0)\n{CALL}"
    ],
    "a shell command": [F + "!true\nx = !echo 4\nint(x[0])\n"],
    "a future import": [f"from __future__ import annotations\n{F.replace('(o)', '(o: X)')}4\n"],
    "a docstring": [f"'text'\n{F}{CALL}"],
    "a silenced cell": [f"{F}{CALL};", CALL],
    "capture": [f"%%capture out\n{F}print({CALL})", "int(out.stdout)"],
    "prun": [F, f"%prun -q {CALL}", CALL],
    "an annotation": [f"x: int\n{F}{CALL}"],
}


@pytest.mark.parametrize("magic", MAGICS)
def test_magics_and_awaits_go_on_working(cells, magic):
    shown = cells(LOAD, SETUP, ACCOUNT, *MAGICS[magic], SHOW.format("f"))
    assert ": 4\n" in shown and "compiled" in shown and "Error" not in shown


def test_other_cells_are_left_to_ipython(cells):
    broken = "import stmpy.compiler; stmpy.compiler.translate = None"
    assert "Out[3]: 7" in cells(LOAD, "x = 3", "x + 4", before=broken)


def test_nothing_of_ours_is_among_the_users_names(cells):
    plain = cells(SETUP, ACCOUNT, F, "%who")
    shown = cells(LOAD, SETUP, ACCOUNT, F, "%who")
    assert shown.splitlines()[-2:] == plain.splitlines()[-2:]


def test_modules_that_cells_import_are_compiled(project, cells):
    project.write("bank.py", BANK)
    assert "compiled" in cells(LOAD, "import bank\n" + SHOW_TIER.format("bank"))


EDIT = """
import os, time
with open("bank.py") as file:
    text = file.read().replace("return sum(", "return 1000 + sum(")
with open("bank.py", "w") as file:
    file.write(text.replace("dst.balance + amount", "dst.balance + 2 * amount"))
os.utime("bank.py", (time.time() + 10,) * 2)
"""


def test_autoreload_compiles_the_new_source(project, cells):
    project.write("bank.py", BANK)
    shown = cells(
        LOAD,
        "%load_ext autoreload",
        "%autoreload 2",
        "import bank\na, b = bank.Account(5), bank.Account(6)\nbank.transfer(a, b, 1)\nbank.total(a, b)",
        EDIT,
        "bank.transfer(a, b, 1)\nprint(b.balance, bank.total(a, b), type(a) is bank.Account)",
        SHOW_TIER.format("bank"),
    )
    assert "Out[4]: 11" in shown and "9 1012 True" in shown and "compiled" in shown


def test_unloading_ends_it(project, cells):
    project.write("bank.py", BANK)
    imports = "import bank\n" + SHOW_TIER.format("bank")
    shown = cells(LOAD, SETUP, "%unload_ext stmpy", F, SHOW.format("f"), imports)
    assert shown.count("dynamic") == 2


def test_it_can_be_loaded_again(cells):
    assert "compiled" in cells(
        LOAD, SETUP, "%unload_ext stmpy", LOAD, "%reload_ext stmpy", F, SHOW.format("f")
    )


def test_diagnostics_are_warnings_about_the_cell(cells):
    setup = SETUP + "import sys, warnings\nsys.stderr = sys.stdout\nwarnings.simplefilter('always')\n"
    generator = "try:\n    @atomic\n    def f(o):\n        yield o.balance\nexcept Exception:\n    pass\n"
    assert re.search(r"CELL 3:[234]: CompilerWarning: STM", cells(LOAD, setup, generator))
