"""The interpreter ends while threads are in transactions: as it ends without them, and at once."""

from __future__ import annotations

import signal

import pytest
from child_programs import run_program

# Each is the state in which a daemon thread is when the interpreter ends.
STATES = """
held, blocked, own = Cell("held"), Cell("blocked"), Cell("own")
token, box, replaced, queue = Cell(), Cell(), Cell(), STMQueue()
arrived = threading.Semaphore(0)

def for_ever(*_):
    arrived.release()
    threading.Event().wait()

@atomic
def computes():
    held.value = "uncommitted"
    arrived.release()
    while True:
        held.value = object()

@atomic
def is_blocked():
    blocked.value = "uncommitted"
    for_ever()

@atomic
def waits_in_place():
    arrived.release()
    return held.value

@atomic
def waits_between_attempts():
    own.value = object()
    arrived.release()
    return blocked.value

def writes_outside():
    arrived.release()
    blocked.value = "written"

@atomic
def sleeps_in_retry():
    arrived.release()
    box.value or retry()

@atomic
def sleeps_in_alternatives():
    arrived.release()
    or_else(lambda: box.value or retry(), lambda: own.value and retry())

def waits_for_an_item():
    arrived.release()
    queue.get()

@atomic(irrevocable=True)
def is_irrevocable():
    token.value = "uncommitted"
    for_ever()

@atomic(irrevocable=True)
def asks_to_be_irrevocable():
    pass

def comes_to_ask():
    arrived.release()
    asks_to_be_irrevocable()

@atomic
def calls_back():
    on_commit(for_ever)

class Dying:
    __del__ = for_ever

@atomic
def drops():
    replaced.value = None

def is_in_a_finaliser():
    replaced.value = Dying()
    drops()

@atomic
def nests():
    own_too = Cell()
    own_too.value = 1
    atomic(for_ever)()

FIRST = [computes, is_blocked, is_irrevocable]
OTHERS = [waits_in_place, waits_between_attempts, writes_outside, sleeps_in_retry, sleeps_in_alternatives,
          waits_for_an_item, comes_to_ask, calls_back, is_in_a_finaliser, nests]
for states in FIRST, OTHERS:
    for state in states:
        start(state)
    for state in states:
        arrived.acquire()
until(lambda: stats().retries >= 3)
time.sleep(0.05)

def exits_at_a_signal(status, after=0):
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(status))
    signal.setitimer(signal.ITIMER_REAL, after)
"""

ENDS = {
    "its end": ("", 0, ""),
    "sys.exit": ("sys.exit(3)", 3, ""),
    "an exception": ("raise ValueError('left by it')", 1, "ValueError: left by it"),
    "os._exit": ("os._exit(4)", 4, ""),
    "a signal": ("signal.raise_signal(signal.SIGTERM)", -signal.SIGTERM, ""),
    "an exit from a handler": ("exits_at_a_signal(5); signal.raise_signal(signal.SIGALRM)", 5, ""),
    "an interrupt": ("signal.raise_signal(signal.SIGINT)", -signal.SIGINT, "KeyboardInterrupt"),
    "an exit from a wait for a transaction": ("exits_at_a_signal(6, after=0.1); waits_in_place()", 6, ""),
    "an exit from a wait for a change": ("exits_at_a_signal(6, after=0.1); sleeps_in_retry()", 6, ""),
    "an exit from inside": ("atomic(lambda: (setattr(own, 'other', 1), sys.exit(7)))()", 7, ""),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_interpreter_ends_with_daemon_threads_in_every_state(end, tier, tmp_path):
    statement, status, last_line = ENDS[end]
    done = run_program(STATES + statement + "\n", tier, tmp_path)
    assert done.returncode == status, done.stderr
    assert done.stderr.strip().endswith(last_line) if last_line else done.stderr == "", done.stderr


# What a program may do at the very end, when modules are taken down. `held` and the rest belong to threads
# that will never run again.
TOUCHES = """
last_module = sys.modules["last_module"] = type(sys)("last_module")

@atomic
def change():
    held.value = own.value = token.value = box.value = "changed"
    return blocked.value

change_irrevocably = atomic(irrevocable=True)(change)

def touches():
    assert blocked.value == "blocked", blocked.value
    blocked.value = "written"
    assert change() == "written"
    assert held.value == "changed"
    assert change_irrevocably() == "written"
    try:
        queue.get()
        raise AssertionError("nothing was put")
    except stmpy.TransactionUsageError as error:
        assert "shutting down" in str(error), error
    queue.put(1)
    assert queue.get() == 1
    access_map()
    return "touched"
"""
END = """
del last_module
"""

TEARDOWNS = {
    "a finaliser of garbage": """
class Last:
    def __del__(self):
        os.write(1, touches().encode())
gc.set_threshold(0)
last = Last()
last.itself = last
del last
""",
    "a finaliser of a module's global": """
class Last:
    def __del__(self):
        os.write(1, touches().encode())
last_module.last = Last()
""",
    "a finaliser of an object of ours": """
class Last(STMObject):
    def __del__(self):
        os.write(1, touches().encode())
last_module.last = Last()
""",
    "a weak reference's callback": """
class Last: pass
last_module.last = Last()
reference = weakref.ref(last_module.last, lambda _: os.write(1, touches().encode()))
""",
}


@pytest.mark.parametrize("teardown", TEARDOWNS)
def test_what_threads_held_that_never_run_again_is_free_at_the_end(teardown, tier, tmp_path):
    done = run_program(STATES + TOUCHES + TEARDOWNS[teardown] + END, tier, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "touched", "")


AT_EXIT = """
def handler():
    atomically(lambda: setattr(box, "value", "woken"))
    own.other = 1
    try:
        atomic(timeout=0.1)(lambda: blocked.value)()
    except stmpy.TransactionTimeout:
        print("runs", flush=True)
"""


@pytest.mark.parametrize(
    "register",
    ["atexit.register(handler)", "threading._register_atexit(handler)", "weakref.finalize(token, handler)"],
)
def test_handlers_of_the_exit_run_transactions(register, tier, tmp_path):
    """The daemon threads still run then: what they hold is waited for, as ever."""
    done = run_program(STATES + AT_EXIT + register + "\n", tier, tmp_path)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["runs"], "")


def test_threads_that_are_no_daemons_come_to_their_end(tier, tmp_path):
    done = run_program(
        STATES
        + """
@atomic
def waits():
    print(box.value or retry(), flush=True)

def changes():
    until(lambda: not threading.main_thread().is_alive())
    box.value = "changed"

for function in waits, changes:
    start(function, daemon=False)
""",
        tier,
        tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "changed\n", "")
