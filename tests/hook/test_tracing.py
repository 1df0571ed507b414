"""What tracers, profilers and `sys.monitoring` see of compiled code: what they see of the source."""

import json
import sys

import pytest
from projects import SHOW_TIER
from workout import WORKOUT

RECORD = """
import json, sys
import workout
{show}
events = []
{record}
print(json.dumps(events))
"""


def recorded(project, record):
    """The events that a program records about the module, uncompiled and compiled."""
    project.write("workout.py", WORKOUT)
    for hook, tier in ("import stmpy", "dynamic"), ("import stmpy.hook", "compiled"):
        run = project.script(hook + RECORD.format(record=record, show=SHOW_TIER.format("workout")))
        assert run.out.splitlines()[0] == tier
        yield json.loads(run.out.splitlines()[1])


TRACE = """
def trace(frame, event, argument):
    if frame.f_code.co_filename != workout.__file__:
        return
    what = argument[0].__name__ if event == "exception" else None
    events.append((event, frame.f_code.co_qualname, frame.f_lineno, what))
    frame.f_trace_lines = True
    return trace
sys.settrace(trace)
workout.main()
sys.settrace(None)
"""


def test_tracers_see_the_same_events_at_the_same_lines(project):
    plain, compiled = recorded(project, TRACE)
    assert compiled == plain
    assert {event for event, *_ in plain} == {"call", "line", "return", "exception"}
    assert len(plain) > 200


def test_tracers_of_threads_see_the_same(project):
    threads = TRACE.replace("sys.settrace(trace)", "import threading; threading.settrace(trace)").replace(
        "workout.main()", "t = threading.Thread(target=workout.main); t.start(); t.join()"
    )
    plain, compiled = recorded(project, threads)
    assert compiled == plain
    assert len(plain) > 200


PROFILE = """
def profile(frame, event, argument):
    if frame.f_code.co_filename != workout.__file__:
        return
    called = argument.__name__ if event.startswith("c_") else None
    events.append((event, frame.f_code.co_qualname, frame.f_lineno, called))
sys.setprofile(profile)
workout.main()
sys.setprofile(None)
"""
OF_BARRIERS = {"load_update", "load_write", "iadd", "isub", "open_read", "open_update", "open_write"}
OF_BARRIERS |= {"caught", "leaving", "checkpoint"}


def test_profilers_see_the_same_calls_and_those_of_barriers(project):
    plain, compiled = recorded(project, PROFILE)
    barriers = [event for event in compiled if event[0].startswith("c_") and event[3] in OF_BARRIERS]
    assert [event for event in compiled if event not in barriers] == plain
    assert barriers and {event for event, *_ in barriers} == {"c_call", "c_return"}


CPROFILE = """
import cProfile, pstats
workout.main()  # what is imported at its first use is there
profiler = cProfile.Profile(builtins={builtins})
profiler.runcall(workout.main)
for (file, line, name), (_, calls, *_) in pstats.Stats(profiler).stats.items():
    events.append((file, line, name, calls))
events.sort()
"""


@pytest.mark.parametrize("builtins", [True, False])
def test_cprofile_counts_the_same_functions(project, builtins):
    plain, compiled = recorded(project, CPROFILE.format(builtins=builtins))
    barriers = [event for event in compiled if event not in plain]
    assert [event for event in compiled if event in plain] == plain
    assert all(file == "~" and "stmpy._runtime" in name for file, _, name, _ in barriers)
    assert barriers or not builtins


def test_frames_on_the_stack_are_the_users(project):
    record = """
def log(_):
    frame = sys._getframe()
    while frame:
        events.append((frame.f_code.co_filename, frame.f_code.co_qualname, frame.f_lineno))
        frame = frame.f_back
workout.expressions([workout.Account(1), workout.Account(2)], log)
"""
    plain, compiled = recorded(project, record)
    assert compiled == plain


MONITOR = """
m = sys.monitoring
m.use_tool_id(3, "test")
def at(name, *lines):
    def record(code, *rest):
        if code.co_filename == workout.__file__:
            place = [rest[0]] if name == "LINE" else lines_of(code, rest[: len(lines)])
            called = [getattr(rest[1], "__name__", None)] if name == "CALL" else []
            events.append([name, code.co_qualname, *place, *called])
    return record
def lines_of(code, offsets):
    places = list(code.co_positions())
    return [[line, column] for line, _, column, _ in (places[offset // 2] for offset in offsets)]
for name in {names}:
    event = getattr(m.events, name)
    m.register_callback(3, event, at(name, *range(2 if name.startswith(("BRANCH", "JUMP")) else 1)))
m.set_events(3, sum(getattr(m.events, name) for name in {names}))
workout.main()
m.set_events(3, 0)
"""
CALLS = ["PY_START", "PY_RETURN", "PY_YIELD", "PY_RESUME"]
BRANCHES = ["BRANCH_LEFT", "BRANCH_RIGHT"] if sys.version_info >= (3, 14) else ["BRANCH"]


def moving(events):
    """Without branches from a place to itself: `opened or (opened := open())` makes some of its own."""
    return [event for event in events if event[2:3] != event[3:4]]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12")
class TestMonitoring:
    """`sys.monitoring`: all events, and where in the source they are."""

    @pytest.mark.parametrize("names", [["LINE"], CALLS, ["JUMP"], BRANCHES], ids=lambda names: names[0])
    def test_events_are_the_same_at_the_same_places(self, project, names):
        plain, compiled = recorded(project, MONITOR.format(names=names))
        assert moving(compiled) == moving(plain)
        assert len(plain) > 20

    def test_exceptions_are_the_same(self, project):
        names = ["RAISE", "EXCEPTION_HANDLED", "PY_UNWIND", "RERAISE"]
        record = MONITOR.format(names=names).replace("lines_of(code, rest[: len(lines)])", "[]")
        plain, compiled = recorded(project, record)
        assert compiled == plain
        assert len(plain) > 5

    def test_calls_are_the_same_and_those_of_barriers(self, project):
        plain, compiled = recorded(project, MONITOR.format(names=["CALL"]))
        assert [event for event in compiled if event[-1] not in OF_BARRIERS] == plain
        assert any(event[-1] in OF_BARRIERS for event in compiled)
