"""Any program does the same compiled as it does plain: values, order, exceptions, places, names.

A few hundred programs by default; `STMPY_PROGRAMS=5000` takes as many.
"""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from observing import FILENAME, Places, Run
from programs import programs

from stmpy.compiler import compile_source

COUNT = int(os.environ.get("STMPY_PROGRAMS", "200"))
ACTIONS = st.lists(st.sampled_from(["send", "send", "throw", "close"]), max_size=4)


def compiled_and_plain(program: str) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = compile(program, FILENAME, "exec", dont_inherit=True)
        compilation = compile_source(program, FILENAME, compile_all=True)
    assert compilation.diagnostics == []
    return compilation.code(), plain


@contextmanager
def no_collection() -> Iterator[None]:
    """A suspended generator that is part of a cycle ends whenever the cycle is found."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def is_python(program: str) -> bool:
    """Such as a name that is global as well as nonlocal is not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(program, FILENAME, "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize("way", [Run.outside, Run.in_a_transaction], ids=["outside", "in a transaction"])
@settings(max_examples=COUNT // 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs(), fails_at=st.integers(0, 40), actions=ACTIONS)
def test_a_program_does_the_same_compiled_as_plain(
    way: Any, program: str, fails_at: int, actions: list[str]
) -> None:
    assume(is_python(program))
    compiled, plain = compiled_and_plain(program)
    places = Places(program)
    with no_collection():
        expected = way(Run(plain, fails_at, actions, places))
        assume(not any("RecursionError" in event for event in expected))
        assert way(Run(compiled, fails_at, actions, places)) == expected
