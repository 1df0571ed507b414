"""Where code could swallow an abort it gets a guard, and nowhere else."""

import pytest
from compiling import rewritten

from stmpy.compiler import compile_source

# A statement, and what becomes of it. Where the second is None it stays as it is.
GUARDS = {
    # handlers
    "try: n\nexcept: pass": "try: n\nexcept _stm_caught(): pass",
    "try: n\nexcept : pass": "try: n\nexcept _stm_caught() : pass",
    "try: n\nexcept BaseException: pass": "try: n\nexcept _stm_caught(BaseException): pass",
    "try: n\nexcept n as e: pass": "try: n\nexcept _stm_caught(n) as e: pass",
    "try: n\nexcept (KeyError, n): pass": "try: n\nexcept _stm_caught((KeyError, n)): pass",
    "try: n\nexcept KeyError, n: pass": "try: n\nexcept _stm_caught(KeyError), _stm_caught(n): pass",
    "try: n\nexcept n() or p: pass": "try: n\nexcept _stm_caught(n() or p): pass",
    "try: n\nexcept* n: pass": "try: n\nexcept* _stm_caught(n): pass",
    "try: n\nexcept *(n, p) as e: pass": "try: n\nexcept *_stm_caught((n, p)) as e: pass",
    "try: n\nexcept BaseExceptionGroup: pass": "try: n\nexcept _stm_caught(BaseExceptionGroup): pass",
    "try: n\nexcept KeyError: pass": None,
    "try: n\nexcept (KeyError, (OSError)): pass": None,
    "try: n\nexcept* (ValueError): pass": None,
    "try: n\nexcept: pass\nexcept KeyError: pass": None,  # Python refuses it
    # … that end in a raise
    "try: n\nexcept: n(); raise": None,
    "try: n\nexcept n as e:\n    for i in p: break\n    raise KeyError from e": None,
    "try: n\nexcept n:\n    if n: p\n    raise": None,
    "try: n\nexcept n:\n    if n: return\n    raise": (
        "try: n\nexcept _stm_caught(n):\n    if n: return\n    raise"
    ),
    "try: n\nexcept n:\n    if n: raise": "try: n\nexcept _stm_caught(n):\n    if n: raise",
    "for i in p:\n    try: n\n    except n:\n        if n: break\n        raise": (
        "for i in p:\n    try: n\n    except _stm_caught(n):\n        if n: break\n        raise"
    ),
    "try: n\nexcept n:\n    def g(): return 1\n    raise": None,
    # what leaves a finally
    "try: n\nfinally: return": "try: n\nfinally: _stm_leaving(None); return",
    "try: n\nfinally: return n": "try: n\nfinally: return _stm_leaving(n)",
    "try: n\nfinally: return *n": None,  # Python refuses it
    "try: n\nfinally: return *n, p": "try: n\nfinally: return _stm_leaving((*n, p))",
    "try: n\nfinally: return n, p": "try: n\nfinally: return _stm_leaving((n, p))",
    "try: n\nfinally:\n    for i in p: return n": (
        "try: n\nfinally:\n    for i in p: return _stm_leaving(n)"
    ),
    "try: n\nfinally:\n    def g(): return n": None,
    "try: return n\nexcept KeyError: return p\nelse: return n\nfinally: n": None,
    "for i in p:\n    try: n\n    finally: break": (
        "for i in p:\n    try: n\n    finally: _stm_leaving(None); break"
    ),
    "while n:\n    try: n\n    finally:\n        if p: continue": (
        "while n:\n    try: n\n    finally:\n        if p: _stm_leaving(None); continue"
    ),
    "try: n\nfinally:\n    for i in p: break\n    else: n": None,
    # … of clean-up code in clean-up code
    "try: n\nfinally:\n    try: p\n    finally: return n": (
        "try: n\nfinally:\n    try: p\n    finally: return _stm_leaving(n)"
    ),
    "try: n\nfinally:\n    for i in p:\n        try: p\n        finally: continue": None,
    "try: n\nexcept KeyError:\n    try: p\n    finally: return n": None,
    # with statements
    "with n: p": "with n: p\n_stm_checkpoint(None)",
    "with n:\n    with p as o:\n        o": (
        "with n:\n    with p as o:\n        o\n    _stm_checkpoint(None)\n_stm_checkpoint(None)"
    ),
    "with open(n) as o, open(p): o": None,
    "with open(n) as o, p: o": "with open(n) as o, p: o\n_stm_checkpoint(None)",
    "with n.open(): p": "with n.open(): p\n_stm_checkpoint(None)",
    # loops
    "while n(): p": "while n(): _stm_checkpoint(None); p",
    "while n:\n    p()": "while n:\n    _stm_checkpoint(None); p()",
    "for i in p:\n    if n: n()": "for i in p:\n    _stm_checkpoint(None)\n    if n: n()",
    "for i in p: f = lambda: n()": None,
    "for i in p(): n": None,
    "for i in p:\n    def g(): n()": None,
    "while n: n += 1": None,
}


@pytest.mark.parametrize("statement, guarded", GUARDS.items(), ids=GUARDS)
def test_a_guard_is_where_an_abort_could_be_swallowed(statement, guarded):
    assert rewritten(statement) == (statement if guarded is None else guarded)


@pytest.mark.parametrize("statement, guarded", GUARDS.items(), ids=GUARDS)
def test_python_accepts_what_it_accepted(statement, guarded):
    def is_accepted(text):
        try:
            compile("def f(o, p, n):\n" + "".join(f"    {line}\n" for line in text.splitlines()), "", "exec")
        except SyntaxError:
            return False
        return True

    assert is_accepted(rewritten(statement)) == is_accepted(statement)


def test_a_name_of_pythons_that_the_module_binds_is_guarded():
    assert "caught(KeyError)" in rewritten("KeyError = n\ntry: n\nexcept KeyError: pass")
    assert "checkpoint" in rewritten("open = n\nwith open(p): n")


def test_a_return_of_an_asynchronous_generator_stays_without_a_value() -> None:
    source = "async def g(n):\n    try: yield n\n    finally: return\n"
    assert compile_source(source, compile_all=True).diagnostics == []
