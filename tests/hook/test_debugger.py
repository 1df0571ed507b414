"""pdb on compiled code: whole sessions, line by line as on the dynamic tier."""

import re

import pytest

SHOP = """\
import stmpy
from stmpy import atomic


class Account(stmpy.STMObject):
    def __init__(self, balance):
        self.balance = balance


def fee(amount):
    rate = 10
    return amount // rate


@atomic
def transfer(src, dst, amount):
    '''Moves money.'''
    total = 0
    for part in [amount, 1,
                 2]:
        src.balance -= part
        if src.balance < 0:
            raise ValueError("insufficient funds")
        dst.balance = (
            dst.balance
            + part - fee(part)
        )
        total += part
    src.last, dst.last = total, [total + n for n in range(2)]
    return src.balance


@stmpy.compiled
def spread(accounts):
    for account in accounts:
        yield account.balance


def main():
    a, b = Account(50), Account(6)
    left = transfer(a, b, 30)
    print(left, b.balance, list(spread([a, b])))
    try:
        transfer(a, b, 100)
    except ValueError as error:
        print(error)
    return transfer(b, a, 2)
"""

SESSIONS = {
    "next through everything": ["b shop.py:18", "c", *["n"] * 30, "p sorted(locals())", "c", "c", "c"],
    "step into and out of everything": ["b shop.py:18", "c", *["s"] * 60, "clear 1", "c"],
    "until": ["b shop.py:19", "c", "clear 1", "until", "until", "until 28", "until 30", "until", "c"],
    "return": ["b shop.py:22", "c", "r", "n", "clear 1", "s", "r", "s", "s", "r", "c"],
    "a breakpoint in the middle of a statement": ["b shop.py:26", "c", "c", "c", "clear 1", "c"],
    "a breakpoint in a comprehension": ["b shop.py:29", *["c"] * 6],
    "a condition": ["b shop.py:22, part == 2 and src.balance", "c", "p part, src.balance", *["c"] * 4],
    "a later condition": [
        "b shop.py:28",
        "condition 1 total > 0",
        "c",
        "p total",
        "c",
        "p total",
        "c",
    ],
    "a breakpoint that counts": ["b shop.py:21", "ignore 1 3", "c", "p amount, part", "clear 1", "c"],
    "a temporary breakpoint": ["tbreak shop.py:24", "c", "b", "c"],
    "a function": ["b shop.fee", "c", "a", "c", "a", "clear 1", "c"],
    "an atomic function": ["b shop.transfer", "c", "a", "c", "a", "clear 1", "c"],
    "a generator": ["b shop.spread", "c", "n", "n", "n", "n", "clear 1", "c"],
    "commands": [
        "b shop.py:28",
        "commands 1",
        "silent",
        "p part, src.balance",
        "end",
        "c",
        "c",
        "c",
        "c",
        "c",
        "c",
    ],
    "looking around": [
        *[
            "b shop.fee",
            "c",
            "w",
            "u",
            "p src.balance, dst.balance",
            "p vars(src)",
            "l",
            "ll",
            "a",
            "whatis part",
        ],
        *["whatis part", "d", "l 1, 12", "source shop.Account", "p amount", "clear 1", "c"],
    ],
    "display": [
        "b shop.py:21",
        "c",
        "display src.balance",
        "n",
        "n",
        "n",
        "undisplay src.balance",
        "clear 1",
        "c",
    ],
    "assignments": ["b shop.py:21", "c", "!amount = 5", "!src.balance = 1000", "clear 1", "c"],
    "jumps": ["b shop.py:22", "c", "j 28", "n", "n", "j 21", "p part", "clear 1", "c"],
    "quitting": ["b shop.py:28", "c", "p src.balance", "q"],
}

HOOKED = {"plain": "import stmpy as hook", "compiled": "import stmpy.hook"}
STOPPED = "{hook}\nimport pdb, shop\npdb.Pdb(nosigint=True, readrc=False).set_trace()\nshop.main()\n"


def transcript(project, commands, *arguments):
    """What a program prints while pdb obeys the commands."""
    run = project.python(*arguments, input="\n".join([*commands, "q", ""]), status=None)
    # Names of ours among the variables are such as `.1_src`.
    return re.sub(r" at 0x[0-9a-f]+|'\.\d+(_\w+)?'(: [^,}]+)?, ", "", run.out + run.err)


def transcripts(project, program, commands):
    """The transcripts on both tiers. The program has a line for the hook."""
    project.write("shop.py", SHOP)
    for hook in HOOKED.values():
        path = project.write("program.py", program.replace("{hook}", hook))
        yield transcript(project, commands, path).replace(hook, "HOOK")


@pytest.mark.parametrize("name", SESSIONS)
def test_sessions_are_those_of_the_dynamic_tier(project, name):
    plain, compiled = transcripts(project, STOPPED, SESSIONS[name])
    assert compiled == plain
    assert "shop.py" in plain


def test_a_breakpoint_at_an_atomic_function_stops_in_it(project):
    for shown in transcripts(project, STOPPED, ["b shop.transfer", "c", "a"]):
        assert re.search(r"shop\.py\(\d+\)transfer\(\)", shown) and "amount = 30" in shown


def test_post_mortem_is_where_the_error_was(project):
    program = """{hook}
import pdb, sys, shop
try:
    shop.transfer(shop.Account(1), shop.Account(None), 0)
except TypeError as error:
    pdb.post_mortem(error.__traceback__)
"""
    plain, compiled = transcripts(
        project, program, ["w", "l", "a", "p part, total", "u", "p shop.__name__", "d"]
    )
    assert compiled == plain
    assert "shop.py(25)transfer()" in plain or "shop.py(24)transfer()" in plain
    assert "part = 0" in plain or "(0, 0)" in plain


def test_pdb_runs_a_program_that_installs_the_hook(project):
    project.write("shop.py", SHOP)
    commands = ["b shop:22, part == 2", "c", "w", "p src.balance", "clear 1", "c"]
    shown = []
    for hook in HOOKED.values():
        project.write("program.py", f"{hook}\nimport shop\nshop.main()\n")
        shown.append(transcript(project, commands, "-m", "pdb", "program.py").replace(hook, "HOOK"))
    assert shown[0] == shown[1]
    assert "-> if src.balance < 0:" in shown[0]


@pytest.mark.parametrize("as_module", [False, True], ids=["script", "module"])
def test_breakpoint_in_a_program_of_the_run_command(project, as_module):
    main = SHOP.replace("def main():\n", "def main():\n    breakpoint()\n") + "\n\nmain()\n"
    project.write("program.py", main)
    commands = ["b transfer", "c", "n", "n", "n", "p src.balance", "a", "u", "clear 1", "c"]
    target = ["-m", "program"] if as_module else ["program.py"]
    plain = transcript(project, commands, *target)
    assert transcript(project, commands, "-m", "stmpy", "run", *target) == plain
    assert "program.py(19)transfer()" in plain


def test_post_mortem_of_a_program_of_the_run_command(project):
    program = (
        SHOP
        + "\n\nimport sys, pdb\nsys.excepthook = lambda k, e, tb: pdb.post_mortem(tb)\ntransfer(1, 2, 3)\n"
    )
    project.write("program.py", program)
    commands = ["w", "u", "p amount if 'amount' in dir() else __name__", "u"]
    assert transcript(project, commands, "-m", "stmpy", "run", "program.py") == transcript(
        project, commands, "program.py"
    )
