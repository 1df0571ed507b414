"""Compiled code shows the user's source: in tracebacks with their carets, to inspect, to tracers."""

import sys

import pytest
from projects import BANK, COMPILED, SHOW_TIER

PRELUDE = f"""\
import stmpy
from stmpy import atomic


class Account(stmpy.STMObject):
    owner = None

    def __init__(self, balance):
        self.balance = balance

    def fail(self, *arguments):
        raise LookupError(*arguments)

    @property
    def fixed(self):
        return self.balance


@atomic
def deposit(o, amount):
    o.balance += amount


account = Account(10)
if {COMPILED}: print("compiled")
"""

FAILING = f"{PRELUDE}\n@atomic\ndef f(o):\n    o.balance += 1; return o.missing\nf(account)\n"

# Bodies of `f(o)`: each ends in an exception.
FAILURES = {
    "a missing attribute": "return o.missing",
    "a misspelt attribute": "return o.balence",
    "an attribute of a result": "return o.balance.missing",
    "an operator between attributes": "return o.balance + 1 / (o.balance - 10)",
    "a comparison": "return 0 <= o.balance < o.owner",
    "a subscript": "return o.balance[o.owner]",
    "a call of a value": "value = o.balance\n    return value(o.owner)",
    "a method call": "return o.fail(o.balance, o.owner)",
    "a call with attributes for arguments": "return int(o.owner, base=o.balance)",
    "a store": "o.fixed = 1",
    "a store behind an expression": "o.balance = o.balance + o.missing",
    "a store into a subscript": "o.balance[0] = o.owner",
    "a delete": "del o.missing",
    "an augmented assignment": "o.balance += 'text'",
    "an augmented assignment of a call": "o.balance += int('text')",
    "an augmented assignment of a missing attribute": "o.missing += int('1')",
    "unpacking": "o.balance, o.owner = 1, 2, 3",
    "several statements on a line": "a = o.balance; b = o.owner; return a.real + b.real",
    "an expression over lines": "return (\n        o.balance\n        + o.owner.\n          real\n    )",
    "an expression continued by a backslash": "return o.balance + \\\n        o.owner",
    "text beyond ASCII in front": "ä = 'öß€🎉'; return ('é', o.balance, o.missing)",
    "text beyond ASCII in a name": "größe = o.balance\n    return größe.straße",
    "tabs": "if o.balance:\n    \treturn o.balance\t+ o.missing",
    "a comprehension": "return [item.real for item in [o.balance, o.owner]]",
    "a generator expression": "return sum(o.balance / item for item in [1, 0])",
    "a lambda": "return (lambda: o.balance + o.owner)()",
    "a nested function": "def g(value):\n        return value.real / o.owner\n    g(o.balance)",
    "a nested class": "o.balance\n    class Inner:\n        value = o.balance.missing",
    "a condition": "return o.balance if o.missing else o.owner",
    "an f-string": "return f'{o.balance} and {o.missing!r:>10}'",
    "a for target": "for o.fixed in [o.balance]:\n        pass",
    "a with target": "with __import__('contextlib').nullcontext(o.balance) as o.fixed:\n        pass",
    "an assertion": "assert o.balance == 11, o.owner",
    "a match": "match o.balance:\n        case 10 if o.missing:\n            pass",
    "cause": "try:\n        o.missing\n    except Exception as e:\n        raise KeyError(o.balance) from e",
    "a walrus": "return (value := o.balance) + value.missing",
    "a starred argument": "return max(*o.balance, **o.owner)",
    "a slice": "return [1, 2][o.balance:o.owner:o.missing]",
}


def tracebacks(project, program):
    """What the program prints to stderr on the dynamic and on the compiled tier."""
    project.write("program.py", program)
    plain = project.python("program.py", status=1)
    compiled = project.python("-m", "stmpy", "run", "program.py", status=1)
    assert compiled.out == "compiled\n" + plain.out
    return plain.err, compiled.err


# The body as it is; with writes behind, so that its reads are calls; with writes in front, so that they use
# what is open.
FORMS = """
@atomic
def f(o):
    {body}

@atomic
def g(o):
    {read}
    o.balance = o.owner = o.missing = None

@atomic
def h(o):
    for _ in range(1):
        o.balance = o.balance; o.owner = o.owner
        {deeper}

import traceback
for function in f, g, h:
    try:
        function(account)
    except Exception:
        traceback.print_exc()
1 / 0
"""


@pytest.mark.parametrize("failure", FAILURES)
def test_tracebacks_are_those_of_the_source(project, failure):
    body = FAILURES[failure]
    forms = FORMS.format(
        body=body, read=body.replace("return ", "value = "), deeper=body.replace("\n", "\n    ")
    )
    plain, compiled = tracebacks(project, PRELUDE + forms)
    assert compiled == plain


def test_tracebacks_through_methods_and_decorators(project):
    program = f"""{PRELUDE}
def passing(function):
    return function

class Bank(stmpy.STMObject):
    '''Doc.'''

    @passing
    @atomic
    @passing
    def audit(self, o, *, limit=3):
        '''Doc.'''
        return self.check(o, (
            limit
        ))

    @atomic
    def check(self, o, limit):
        return o.balance < limit.missing

Bank().audit(account)
"""
    plain, compiled = tracebacks(project, program)
    assert compiled == plain


def test_future_imports_and_docstrings_stay_where_they_are(project):
    program = f'''"""A docstring
of two lines."""
from __future__ import annotations
from stmpy import atomic
if {COMPILED}: print('compiled')
@atomic
def f(o: Undefined) -> Undefined:
    o.missing = o.missing
print(__doc__, f.__annotations__)
f(1)
'''
    plain, compiled = tracebacks(project, program)
    assert compiled == plain


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_all_line_endings_keep_their_lines(project, ending):
    plain, compiled = tracebacks(project, FAILING.replace("\n", ending))
    assert compiled == plain


def test_a_byte_order_mark_shifts_nothing(project):
    plain, compiled = tracebacks(project, b"\xef\xbb\xbf" + FAILING.encode())
    assert compiled == plain


def test_other_encodings_show_the_right_columns(project):
    program = "# coding: latin-1\n" + FAILING.replace("return", "ä = 'ö'; return")
    plain, compiled = tracebacks(project, program.encode("latin-1"))
    assert compiled == plain


def test_an_in_place_operator_names_its_statement(project):
    # One call loads, operates and stores: what goes wrong in it is at the whole statement.
    project.write("program.py", FAILING.replace("o.balance += 1; return o.missing", "o.missing += 1"))
    run = project.python("-m", "stmpy", "run", "program.py", status=1)
    assert ", in f\n    o.missing += 1\nAttributeError: " in run.err


def test_imported_modules_show_their_source(bank):
    program = """
import traceback
from bank import Account, transfer
try:
    transfer(Account(1), Account(2), 3)
except ValueError:
    traceback.print_exc()
"""
    assert bank.script("import stmpy.hook" + program).err == bank.script(program).err


def test_no_frame_is_added_while_a_module_is_imported(project):
    project.write("bank.py", BANK + "1 / 0\n")
    with_hook = project.script("import stmpy.hook\nimport bank\n", status=1).err
    without = project.script("\nimport bank\n", status=1).err
    assert with_hook == without


def test_no_frame_is_added_to_a_syntax_error(project):
    project.write("bank.py", BANK + "x = = 1\n")
    with_hook = project.script("import stmpy.hook\nimport bank\n", status=1).err
    without = project.script("\nimport bank\n", status=1).err
    assert with_hook == without


def test_inspect_shows_the_source(bank):
    program = """
import stmpy.hook, bank, inspect
print(inspect.getsource(bank.transfer))
print(inspect.getsourcelines(inspect.unwrap(bank.transfer))[1])
print(inspect.getsource(bank.Account))
print(inspect.signature(bank.transfer))
"""
    lines = BANK.splitlines(keepends=True)
    shown = bank.script(program).out
    assert "".join(lines[9:15]) in shown
    assert "\n10\n" in shown
    assert "".join(lines[4:7]) in shown
    assert "(src, dst, amount)" in shown


def test_a_block_has_the_name_it_was_written_with(project):
    project.write(
        "bank.py",
        BANK + "\n@atomic\ndef f(account):\n    @atomic\n    def atomic():\n"
        "        names.append((lambda: where(account.balance))())\n\n"
        "names = []\n\ndef where(_):\n    import sys\n    frame = sys._getframe(1)\n"
        "    return [f.f_code.co_qualname for f in (frame, frame.f_back)]\n",
    )
    program = """
import stmpy.hook, bank
bank.f(bank.Account(3))
print(*bank.names[0])
"""
    assert project.script(program).out == "f.<locals>.atomic.<locals>.<lambda> f.<locals>.atomic\n"


def test_a_block_of_another_name_keeps_it(project):
    program = PRELUDE + "from stmpy import atomic as tx\n"
    program += "@atomic\ndef f(o):\n    o.balance\n    @tx\n    def tx():\n        o.missing\nf(account)\n"
    project.write("program.py", program)
    run = project.python("-m", "stmpy", "run", "program.py", status=1)
    assert "in tx\n" in run.err and "_stm" not in run.err


def test_a_function_of_the_users_is_no_block_whatever_it_is_called(project):
    body = "def _stm_block():\n        o.missing\n    _stm_block()"
    project.write("program.py", f"{PRELUDE}\n@atomic\ndef f(o):\n    {body}\nf(account)\n")
    plain = project.python("program.py", status=1).err
    assert project.python("-m", "stmpy", "run", "program.py", status=1).err == plain
    assert "in _stm_block" in plain


def test_warnings_about_the_source_name_its_lines(project):
    project.write("bank.py", BANK + "\n\nTEXT = '\\d'\n")
    line = BANK.count("\n") + 3
    run = project.script("import stmpy.hook, bank\n" + SHOW_TIER.format("bank"), PYTHONWARNINGS="always")
    assert run.out == "compiled\n"
    assert f"bank.py:{line}: " in run.err
    assert run.err.count("invalid escape sequence") == 1
    assert "TEXT = " in run.err


def test_warnings_about_the_source_can_be_errors(project):
    project.write("bank.py", BANK + "\n\nTEXT = '\\d'\n")
    error = "error::DeprecationWarning,error::SyntaxWarning"
    with_hook = project.script("import stmpy.hook\nimport bank\n", status=1, PYTHONWARNINGS=error).err
    without = project.script("\nimport bank\n", status=1, PYTHONWARNINGS=error).err
    assert with_hook == without
    assert "SyntaxError" in without


def test_python_without_columns_has_none(bank):
    program = """
import stmpy.hook, bank, inspect
code = inspect.unwrap(bank.transfer).__code__
print({position[2:] for position in code.co_positions()})
print(sorted({line for _, _, line in code.co_lines() if line}))
"""
    bank.write("program.py", program)
    lines = [n for n, text in enumerate(BANK.splitlines(), 1) if 10 <= n <= 15 and n != 11]
    assert bank.python("-X", "no_debug_ranges", "program.py").out == f"{{(None, None)}}\n{lines}\n"


def test_deep_nesting_of_functions_is_restored(project):
    depth = 15
    source = "from stmpy import atomic\n@atomic\ndef f(o):\n"
    for level in range(depth):
        source += " " * (level + 1) + f"def g{level}(o):\n"
    source += " " * (depth + 1) + "o.missing = o.missing\n"
    for level in reversed(range(depth)):
        source += " " * (level + 1) + f"return g{level}(o)\n"
    source += f"if {COMPILED}: print('compiled')\nf(1)\n"
    plain, compiled = tracebacks(project, source)
    assert compiled == plain


@pytest.mark.skipif(sys.version_info < (3, 12), reason="f-strings are tokens since 3.12")
def test_nested_quotes_in_f_strings(project):
    program = PRELUDE + "@atomic\ndef f(o):\n    return f'{f'{o.balance}' + o.owner}'\n"
    program += "f(account)\n"
    plain, compiled = tracebacks(project, program)
    assert compiled == plain
