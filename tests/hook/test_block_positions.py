"""A `with atomic():` block is at its own lines: for tracebacks, tracers, breakpoints and inspect.

What the same text does with `nullcontext` for `atomic` is right.
"""

import bdb
import itertools
import sys
import traceback

import pytest

from stmpy.compiler import compile_source

COMPILED = "from stmpy import atomic\n"
PLAIN = "from contextlib import nullcontext as atomic\n"

PROGRAMS = {
    "one statement": """
def run(log):
    log(1)
    with atomic():
        log(2)
    log(3)
""",
    "a return over lines": """
def run(log):
    with atomic():
        if log:
            return (
                log(1),
                2)
    return 3
""",
    "jumps out of a loop": """
def run(log):
    for i in range(5):
        with atomic() as tx:
            if i == 1:
                continue
            if i == 3:
                break
            log(i)
        log("behind")
    else:
        log("else")
    return log(4)
""",
    "continue only": """
def run(log):
    i = 0
    while i < 4:
        i += 1
        with atomic():
            if i == 2: continue
            log(i)
""",
    "several items": """
def run(log):
    with nullcontext(1) as a, atomic() as tx, nullcontext(2) as b:
        log(a, b)
        # behind it
    with (atomic(), nullcontext()): log(3)
""",
    "on one line": """
def run(log):
    with atomic(): log(1); log(2)
    log(3)
""",
    "an exception": """
def run(log):
    try:
        with atomic():
            log(1)
            log(1 / 0)
            log(2)
    except ZeroDivisionError:
        log(3)
    finally:
        log(4)
""",
    "nested blocks": """
def run(log):
    for i in range(3):
        with atomic():
            with atomic():
                if i == 1:
                    break
                try:
                    log(1)
                finally:
                    log(2)
            log(3)
""",
    "names that are put back, strings over lines, functions inside": """
def run(log):
    x = 1
    with atomic():
        y = x
        x = y + 1
        for z in range(2):
            log(z)
        text = '''a
b
    c'''
        def inner():
            '''doc
               more'''
            return text
        log(inner() + inner.__doc__)
    return log(x, y, z)
""",
    "tabs": """
def run(log):
	if log:
		with atomic():
		    log(1)
		    if log:
		    	log(2)
""",  # noqa: E101, W191
    "at the end of the file": "\ndef run(log):\n    with atomic():\n        log(1)",
}

programs = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)


def both(text):
    """The code that the compiler makes of a text, and the code of the same text with plain blocks."""
    text = f"from contextlib import nullcontext\n{text}"
    compilation = compile_source(COMPILED + text, "<the program>")
    assert compilation.changed and compilation.diagnostics == []
    return compilation.code(), compile(PLAIN + text, "<the program>", "exec")


def function(code, name="run"):
    namespace = {"__name__": "program"}
    exec(code, namespace)
    return namespace[name]


def lines_traced(code):
    """What was logged, and the events of a trace function; the same one twice in a row counts once."""
    events, logged = [], []
    run = function(code)

    def trace(frame, event, argument):
        if frame.f_code.co_filename != "<the program>":
            return None
        events.append((event, frame.f_code.co_name, frame.f_lineno))
        return trace

    sys.settrace(trace)
    try:
        run(lambda *what: logged.append(what))
    finally:
        sys.settrace(None)
    return logged, [event for event, _ in itertools.groupby(events)]


@programs
def test_a_tracer_sees_the_lines_of_the_source(program):
    compiled, plain = both(program)
    assert lines_traced(compiled) == lines_traced(plain)


@programs
def test_every_instruction_is_on_a_line_of_the_plain_code(program):
    compiled, plain = both(program)

    def lines(code):
        inner = [constant for constant in code.co_consts if hasattr(constant, "co_lines")]
        return {line for _, _, line in code.co_lines()}.union(*(lines(constant) for constant in inner))

    assert lines(compiled) == lines(plain)


ITEMS_OVER_LINES = """
def run(log):
    with (
        nullcontext(1) as a,  # the first
        atomic(
        ) as tx,

        nullcontext(
            2
        ) as b,
    ):
        log(a, b)
        log(1 / 0)
    with nullcontext(), \\
        atomic(), \\
        nullcontext(): log(1 / 0)
"""


def test_items_over_several_lines_keep_the_lines_behind_them():
    compiled, plain = both(ITEMS_OVER_LINES)
    lines = {line for _, _, line in function(plain).__code__.co_lines() if line}
    assert {line for _, _, line in function(compiled).__code__.co_lines() if line} <= lines
    first = function(plain).__code__.co_firstlineno
    assert function(compiled).__code__.co_firstlineno == first == 4


FAILURES = {
    "in the body": "with atomic():\n        1 / 0",
    "in a call": "with atomic():\n        log(\n            1 / 0)",
    "in the arguments": "with nullcontext(), atomic(timeout=1 / 0):\n        pass",
    "in an item before": "with nullcontext(1 / 0), atomic():\n        pass",
    "in an item behind": "with atomic(), nullcontext(1 / 0):\n        pass",
    "in an item on a line of its own": "with (\n        atomic(),\n        nullcontext(1 / 0),\n    ):\n"
    "        pass",
    "in the target": "with atomic() as log[1 / 0]:\n        pass",
    "behind it": "with atomic():\n        log = 1\n    1 / 0",
    "in a finally": "try:\n        with atomic():\n            1 / 0\n    finally:\n        1 + 1",
    "from a cause": "try:\n        1 / 0\n    except Exception as e:\n        with atomic():\n"
    "            raise KeyError(1) from e",
    "in a nested block": "with atomic():\n        with atomic() as tx:\n            1 / 0",
    "beyond ASCII": "with atomic():\n        'ä🎉'; 1 / 0",
    "in a function inside": "with atomic():\n        def g():\n            1 / 0\n        g()",
    "in a loop": "for i in [1]:\n        with atomic():\n            if not i: break\n            1 / 0",
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_tracebacks_are_those_of_the_source(failure):
    def shown(code):
        run = function(code)
        try:
            run([])
        except Exception as error:
            while_handling = error.__context__
            assert while_handling is None or type(while_handling) is ZeroDivisionError
            frames = [traceback.walk_tb(one.__traceback__) for one in (error, while_handling) if one]
            codes = [(frame.f_code, frame_line) for one in frames for frame, frame_line in one]
            positions = [
                list(tb.tb_frame.f_code.co_positions())[tb.tb_lasti // 2]
                for one in (error, while_handling)
                if one
                for tb in chain(one.__traceback__)
                if tb.tb_frame.f_code.co_filename == "<the program>"
            ]
            return type(error), [(code.co_name, line) for code, line in codes], positions
        raise AssertionError

    def chain(tb):
        while tb is not None:
            yield tb
            tb = tb.tb_next

    compiled, plain = both(f"def run(log):\n    {failure}\n")
    assert shown(compiled)[0::2] == shown(plain)[0::2]


def test_an_interrupt_while_it_waits_is_at_the_block():
    code, _ = both("def run(log):\n    with atomic(max_attempts=0):\n        pass\n")
    with pytest.raises(Exception, match="max_attempts") as caught:
        function(code)([])
    assert caught.traceback[-1].lineno + 1 == 4


def test_a_debugger_steps_over_it_and_stops_in_it():
    compiled, plain = both(PROGRAMS["jumps out of a loop"])

    class Debugger(bdb.Bdb):
        def __init__(self):
            super().__init__()
            self.lines = []

        def user_line(self, frame):
            if frame.f_code.co_filename == "<the program>" and frame.f_code.co_name == "run":
                self.lines.append(frame.f_lineno)
            self.set_next(frame)

    def stops(code):
        run = function(code)
        debugger = Debugger()
        debugger.runcall(run, lambda *what: None)
        return [line for line, _ in itertools.groupby(debugger.lines)]

    assert stops(compiled) == stops(plain)


def test_python_warns_about_nothing(recwarn):
    for program in PROGRAMS.values():
        both(program)
    assert [str(warning.message) for warning in recwarn] == []
