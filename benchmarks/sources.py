"""How fast the compiler reads: modules of the standard library, in turns with CPython's own compiler."""

import argparse
import inspect
import tarfile
import time
import typing
from collections.abc import Callable

from stmpy import _compiler

MODULES = argparse, inspect, tarfile, typing

# What is done with a source, as the rows are called.
LEX, COMPILE, PYTHON = "lexing", "parsing and rewriting", "CPython's compile"


def clocks() -> tuple[dict[str, Callable[[int], float]], int]:
    """A clock for each way to read the sources, and the bytes that are read at each turn.

    A source without atomic code is lexed, and nothing else. With every function compiled, all of it is
    parsed, rewritten and written.
    """
    texts = [inspect.getsource(module) for module in MODULES]

    def clock(read: Callable[[str], object]) -> Callable[[int], float]:
        def run(turns: int) -> float:
            begin = time.process_time()
            for _ in range(turns):
                for text in texts:
                    read(text)
            return time.process_time() - begin

        return run

    ways = {
        LEX: clock(lambda text: _compiler.compile(text, "")),
        COMPILE: clock(lambda text: _compiler.compile(text, "", compile_all=True)),
        PYTHON: clock(lambda text: compile(text, "", "exec", dont_inherit=True)),
    }
    return ways, sum(len(text.encode()) for text in texts)
