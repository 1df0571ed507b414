"""One workload, one source text, five programs: what the benchmarks compare.

A workload is a file of `workloads/`: an ordinary program that uses stmpy, with `make()` for its objects and
`run(objects, turns)`. The variants differ in what `atomic`, `STMObject` and the collections are, and in who
compiles the text.
"""

import ast
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from naive import NaiveObject, naive_atomic

import stmpy.compiler

PLAIN, LOCK, DYNAMIC, COMPILED, NAIVE = "plain", "one lock", "dynamic", "compiled", "naive"


class PlainCounter:
    def __init__(self) -> None:
        self.value = 0

    def add(self, n: int) -> None:
        self.value += n


# What stands where there is no stmpy.
WITHOUT: dict[str, type] = {"STMObject": object, "STMDict": dict, "STMList": list, "STMCounter": PlainCounter}


class Program(NamedTuple):
    make: Callable[[], Any]
    run: Callable[[Any, int], None]


def load(workload: str) -> dict[str, Program]:
    """All variants of a workload, by name."""
    path = Path(__file__).parent / "workloads" / f"{workload}.py"
    text = path.read_text()
    return {
        PLAIN: _execute(_without_stmpy(text), path, atomic=_undecorated, **WITHOUT),
        LOCK: _execute(_under_lock(_without_stmpy(text)), path, lock=threading.Lock(), **WITHOUT),
        DYNAMIC: _execute(text, path),
        COMPILED: _execute(stmpy.compiler.compile_source(text, str(path)).code(), path),
        NAIVE: _execute(_without_stmpy(text), path, STMObject=NaiveObject, atomic=naive_atomic),
    }


def _undecorated(function: Any) -> Any:
    return function


def _execute(program: Any, path: Path, **names: Any) -> Program:
    namespace = {"__name__": path.stem, "__file__": str(path), "compiled": _undecorated, **names}
    exec(program if hasattr(program, "co_code") else compile(program, str(path), "exec"), namespace)
    return Program(namespace["make"], namespace["run"])


def _without_stmpy(text: str) -> ast.Module:
    tree = ast.parse(text)
    tree.body = [
        node for node in tree.body if not (isinstance(node, ast.ImportFrom) and node.module == "stmpy")
    ]
    return tree


def _under_lock(tree: ast.Module) -> ast.Module:
    """`@atomic def f(): body` as the programmer without stmpy writes it: `def f(): with lock: body`."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            node.decorator_list = []
            held = ast.withitem(ast.Name("lock", ast.Load()))
            node.body = [ast.With([held], node.body)]
    return ast.fix_missing_locations(tree)
