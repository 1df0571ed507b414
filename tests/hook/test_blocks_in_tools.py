"""`with atomic():` under tools: a loop of attempts that looks like the `with` statement it was written as."""

import json
import sys

import pytest

BLOCKS = """\
{atomic}
import stmpy


class Account(stmpy.STMObject):
    def __init__(self, balance):
        self.balance = balance


def leave(o, how):
    before = 1
    with atomic():
        o.balance += before
        for i in range(3):
            if i == how:
                continue
            if how == "break":
                break
            o.balance += i
        else:
            o.last = i
        if how == "return":
            return o.balance
        if how == "raise":
            raise ValueError(
                how
            )
        y = o.balance
    return y


def nested(o):
    for turn in range(2):
        with atomic(), atomic() as inner:
            o.balance -= turn
            if turn:
                break
    return inner


def main(*more):
    account = Account(5)
    for how in 1, "break", "return", *more:
        try:
            leave(account, how)
        except ValueError:
            account.balance = 0
    nested(account)
"""

# The same program, with an ordinary context manager, is what the blocks are compared with.
KINDS = {"plain": "from contextlib import nullcontext as atomic", "blocks": "from stmpy import atomic"}


@pytest.fixture
def both(project):
    def run(program, *options):
        for kind in KINDS.values():
            project.write("blocks.py", BLOCKS.format(atomic=kind))
            project.write("program.py", f"import stmpy.hook\nimport blocks\n{program}")
            yield project.python(*options, "program.py").out

    return run


TRACE = """
import sys
def trace(frame, event, argument):
    if frame.f_code.co_filename != blocks.__file__:
        return
    print(event, frame.f_code.co_name, frame.f_lineno)
    return trace
sys.settrace(trace)
blocks.main()
"""


def test_a_block_goes_through_its_lines_as_a_with_statement_does(both):
    plain, blocks = both(TRACE)
    assert blocks == plain
    assert plain.count("line leave") > 40


CORES = ["pytrace", "ctrace"] + ["sysmon"] * (sys.version_info >= (3, 12))


@pytest.mark.parametrize("core", CORES)
def test_coverage_reports_are_the_same(project, both, core):
    pytest.importorskip("coverage")
    branches = [] if core == "sysmon" and sys.version_info < (3, 14) else ["--branch"]
    project.environment["COVERAGE_CORE"] = core
    reports = []
    for _ in both("blocks.main('raise')", "-m", "coverage", "run", *branches, "--include=blocks.py"):
        project.python("-m", "coverage", "json", "-o", "coverage.json")
        reports.append(json.loads((project.root / "coverage.json").read_text())["files"]["blocks.py"])
    assert reports[0] == reports[1]
    assert reports[0]["summary"]["covered_lines"] > 30


def test_tracebacks_out_of_a_block_are_those_of_a_with_statement(both):
    plain, blocks = both("""
import traceback
try:
    blocks.leave(blocks.Account(1), "raise")
except ValueError:
    print(traceback.format_exc())
""")
    assert blocks == plain
    assert "raise ValueError(" in plain
