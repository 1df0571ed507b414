"""What looks at code, while it runs or afterwards, finds the source: inspect, warnings, faulthandler, dis."""

import pytest
from projects import SHOW_TIER
from workout import WORKOUT

# Where a function of the program's is called from a compiled one.
CALL = 1 + next(n for n, line in enumerate(WORKOUT.splitlines()) if line.strip().startswith("log(f"))


@pytest.fixture
def both(project):
    """Runs a program that uses the workout, uncompiled and compiled; returns what both print."""
    project.write("workout.py", WORKOUT)

    def run(program, *options, status=0):
        shown = []
        for hook, tier in ("import stmpy", "dynamic"), ("import stmpy.hook", "compiled"):
            project.write("program.py", f"{hook}\nimport workout\n{program}\n{SHOW_TIER.format('workout')}")
            result = project.python(*options, "program.py", status=status)
            if status == 0:
                assert result.out.splitlines()[-1] == tier
            shown.append((result.out.replace(f"{tier}\n", ""), result.err.replace(hook, "HOOK")))
        return shown

    return run


INSPECTIONS = {
    "source": "[inspect.getsource(f) for f in everything]",
    "lines": "[inspect.getsourcelines(inspect.unwrap(f)) for f in everything]",
    "blocks": "[inspect.getblock(inspect.getsourcelines(inspect.unwrap(f))[0]) for f in everything]",
    "files": "[inspect.getsourcefile(inspect.unwrap(f)) for f in everything]",
    "signatures": "[str(inspect.signature(f)) for f in everything]",
    "documentation": "[inspect.getdoc(f) for f in everything]",
    "kinds": "[(inspect.isroutine(f), inspect.isgeneratorfunction(inspect.unwrap(f))) for f in everything]",
    "closures": "[inspect.getclosurevars(inspect.unwrap(f)).nonlocals for f in functions]",
    "globals": "[sorted(n for n in inspect.getclosurevars(inspect.unwrap(f)).globals if '_stm' not in n)"
    " for f in functions]",
    "locals": "[[n for n in inspect.unwrap(f).__code__.co_varnames if n.isidentifier()] for f in functions]",
    "first lines": "[inspect.unwrap(f).__code__.co_firstlineno for f in functions]",
    "flags": "[inspect.unwrap(f).__code__.co_flags for f in functions]",
    "annotations": "[inspect.get_annotations(f) for f in functions]",
    "arguments": "[inspect.getfullargspec(inspect.unwrap(f)) for f in functions]",
    "nested code": "[[c.co_qualname for c in inspect.unwrap(f).__code__.co_consts if hasattr(c, 'co_code')]"
    " for f in functions]",
}

EVERYTHING = """
import inspect
functions = [workout.branches, workout.handlers, workout.expressions, workout.generator, workout.Account.add]
everything = [*functions, workout.uncompiled, workout.Account]
"""


@pytest.mark.parametrize("inspection", INSPECTIONS)
def test_inspect_says_the_same(both, inspection):
    plain, compiled = both(f"{EVERYTHING}print({INSPECTIONS[inspection]})")
    assert compiled == plain


def test_frames_show_their_arguments_and_locals(both):
    plain, compiled = both("""
import inspect
def log(_):
    for frame in inspect.stack()[1:3]:
        print(frame.function, frame.lineno, frame.code_context, frame.positions, sorted(frame.frame.f_locals))
        print(inspect.formatargvalues(*inspect.getargvalues(frame.frame)[:3], {"accounts": 1, "log": 2}))
workout.expressions([workout.Account(1)], log)
""")
    assert compiled == plain


def test_warnings_name_the_line_that_their_level_says(both):
    plain, compiled = both("""
import warnings
def log(_):
    for level in 1, 2, 3:
        warnings.warn(f"at level {level}", stacklevel=level)
warnings.simplefilter("always")
workout.expressions([workout.Account(1)], log)
""")
    assert compiled == plain
    assert f"workout.py:{CALL}: UserWarning: at level 2" in plain[1]


def test_faulthandler_shows_the_source_lines(both):
    plain, compiled = both("""
import faulthandler
workout.expressions([workout.Account(1)], lambda _: faulthandler.dump_traceback(all_threads=False))
""")
    assert compiled == plain
    assert f'workout.py", line {CALL} in expressions' in plain[1]


def test_a_crash_shows_the_source_lines(both):
    crash = (
        "import faulthandler; workout.expressions([workout.Account(1)], lambda _: faulthandler._sigabrt())"
    )
    plain, compiled = both(crash, "-X", "faulthandler", status=None)
    lines = [[line for line in shown[1].splitlines() if "workout.py" in line] for shown in (plain, compiled)]
    assert lines[0] == lines[1] != []


def test_allocations_are_traced_to_their_lines(both):
    plain, compiled = both("""
import tracemalloc
kept = []
tracemalloc.start(3)
workout.expressions([workout.Account(1)], lambda _: kept.append(bytearray(100_000)))
traces = [trace.traceback for trace in tracemalloc.take_snapshot().traces if 0 <= trace.size - 100_000 < 100]
print(sorted((frame.filename, frame.lineno) for trace in traces for frame in trace))
""")
    assert compiled == plain
    assert f"workout.py', {CALL})" in plain[0]


def test_dis_and_its_relatives_do_not_mind(both):
    both("""
import dis, inspect
dis.dis(workout)
dis.dis(inspect.unwrap(workout.branches), adaptive=True, show_caches=True)
for function in workout.branches, workout.expressions:
    code = inspect.unwrap(function).__code__
    dis.show_code(code)
    print(list(dis.findlinestarts(code))[0], list(dis.get_instructions(code))[-1].opname)
    for instruction in dis.get_instructions(code):
        line = instruction.positions.lineno
        assert line is None or code.co_firstlineno <= line <= 200, instruction
""")


def test_the_same_lines_have_code(both):
    plain, compiled = both("""
import dis, inspect
def lines(code):
    yield code.co_qualname, sorted({line for _, _, line in code.co_lines() if line})
    for constant in code.co_consts:
        if hasattr(constant, "co_code"):
            yield from lines(constant)
with open(workout.__file__) as file:
    plain = dict(lines(compile(file.read(), workout.__file__, "exec")))
loaded = dict(lines(workout.__spec__.loader.get_code("workout")))
print({name for name in plain if plain[name] != loaded.get(name)} - {"<module>"})
""")
    assert compiled == plain


def test_exceptions_format_as_ever(both):
    plain, compiled = both("""
import traceback
def log(_):
    raise ExceptionGroup("several", [ValueError(1), KeyError(2)])
try:
    workout.expressions([workout.Account(1)], log)
except ExceptionGroup as error:
    print("".join(traceback.TracebackException.from_exception(error, capture_locals=False).format()))
    for frame, line in traceback.walk_tb(error.__traceback__):
        print(frame.f_code.co_qualname, line, frame.f_lasti >= 0)
    for s in traceback.extract_tb(error.__traceback__):
        print(s.lineno, s.end_lineno, s.colno, s.end_colno, s.line)
""")
    assert compiled == plain
