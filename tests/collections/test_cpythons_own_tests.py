"""CPython's own tests of dict, set, list, deque and queue.Queue, with our collections in their places:
outside of transactions, and each test as a transaction.

They are those of the interpreter that runs, from its `test` package or from the folder that
STMPY_CPYTHON_TESTS names; without either this is skipped. Excluded is what the builtin types are in C, and
what ours promise differently, each test with its reason.
"""

from __future__ import annotations

import ast
import functools
import os
import queue
import sys
import sysconfig
import types
import unittest
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

import stmpy

FOLDER = Path(os.environ.get("STMPY_CPYTHON_TESTS", sysconfig.get_path("stdlib")))
if not (FOLDER / "test" / "mapping_tests.py").exists():
    pytest.skip(
        f"{FOLDER} has no `test` package; STMPY_CPYTHON_TESTS may name another", allow_module_level=True
    )

sys.path.append(str(FOLDER))
import test  # noqa: E402

if str(FOLDER / "test") not in test.__path__:  # a part of the package is there without the tests
    test.__path__.append(str(FOLDER / "test"))

SNAPSHOT = "outside of transactions an iterator shows what was there when it was made"
ACCESSED = "what a transaction has accessed lives until it ends, and its __del__ waits for that"
NAMED = "repr names the type, as that of a subclass of set does"
REFUSES = "a deque refuses to be changed by a comparison or under an iterator; a list does not"
BOUNDED = "a list has no maxlen"
OF_DEQUES = "what a deque promises of itself, and no list does"
SLOW = "the other end of a list is slow: a queue is better an STMQueue"
BLOCKS = "inside, what waits for another thread's change of the queue is taken back first, and waits for ever"
REASONS: dict[str, str] = {
    "test_track_dynamic": "which dicts the garbage collector tracks",
    "test_track_literals": "which dicts the garbage collector tracks",
    "test_setdefault_atomic": "the keys of the display are hashed by the dict that it makes",
    "test_setitem_atomic_at_resize": "the keys of the display are hashed by the dict that it makes",
    "test_do_not_rehash_dict_keys": "only the interpreter has the hashes of a dict's keys",
    "test_merge_and_mutate": "update() takes what the other dict has at one moment",
    "test_oob_indexing_dictiter_iternextitem": "an iterator keeps what it shows alive",
    "test_reversed_dict_after_clear_and_restore": "an iterator shows what was there, or raises",
    "test_store_evilattr": "the __dict__ of an object is a dict",
    "test_unhashable_key": "the wording of 3.14",
    "test_update_type_error": "the wording of 3.14",
    "TestSet*.test_set_membership": "a plain set finds a frozenset for a plain set only",
    "test_cyclical_repr": NAMED,
    "TestBasicOps*.test_repr": NAMED,
    "test_list.*.test_repr*": NAMED,
    "*.Subclass.test_repr*": NAMED,
    "test_equal_operator_modifying_operand": "lists are compared as they were at one moment",
    "test_preallocation": "how much memory a list asks for",
    "test_no_memory": "about the interpreter's own list",
    "test_deopt_from_append_list": "about the interpreter's own list",
    "test_deque.*.test_maxlen*": BOUNDED,
    "test_deque.TestBasic.test_add": BOUNDED,
    "test_deque.TestBasic.test_copy": BOUNDED,
    "test_deque.TestBasic.test_i*mul": BOUNDED,
    "test_deque.TestBasic.test_mul": BOUNDED,
    "test_deque.TestBasic.test_insert_bug_26194": BOUNDED,
    "test_deque.*.test_*pickle*": BOUNDED,
    "test_deque.*.test_contains": REFUSES,
    "test_deque.*.test_contains_*_crashes": REFUSES,
    "test_deque.TestBasic.test_count": REFUSES,
    "test_deque.TestBasic.test_index": REFUSES,
    "test_deque.TestBasic.test_remove": REFUSES,
    "test_deque.*.test_iter_with_altered_data": REFUSES,
    "test_deque.*.test_runtime_error_on_empty_deque": REFUSES,
    "test_deque.*.test_comparisons": OF_DEQUES,
    "test_deque.*.test_reversed_new": OF_DEQUES,
    "test_deque.*.test_sizeof": OF_DEQUES,
    "test_deque.*.test_repr": OF_DEQUES,
    "test_deque.*.test_bug_31608": OF_DEQUES,
    "test_deque.*.test_big_*": SLOW,
    "test_deque.*.test_long_steadystate_*": SLOW,
    "test_shrinking_queue": "the maxsize of an STMQueue is set once",
    "test_shutdown_allowed_transitions": "it looks at is_shutdown, which no page of the library names",
    "test_shutdown_*put_join": "it looks at unfinished_tasks, which no page of the library names",
    "test_shutdown_get_task_done_join": "it looks at unfinished_tasks, which no page of the library names",
}
OUTSIDE_REASONS = {
    "test_mutating_iteration": SNAPSHOT,
    "test_mutating_iteration_delete": SNAPSHOT,
    "test_mutating_iteration_delete_over_items": SNAPSHOT,
    "test_mutating_iteration_delete_over_values": SNAPSHOT,
    "test_changingSizeWhileIterating": SNAPSHOT,
}
INSIDE_REASONS = {
    "test_container_iterator": ACCESSED,
    "test_free_after_iterating": ACCESSED,
    "test_weakref": ACCESSED,
    "Queue.test_basic": BLOCKS,
    "Queue.test_queue_join": BLOCKS,
    "Queue.test_shutdown_*_in_many_threads": BLOCKS,
    "Queue.test_shutdown_*get": BLOCKS,
    "Queue.test_shutdown_*put": BLOCKS,
    "Queue.test_shutdown_*join": BLOCKS,
}

DICTS = {ast.Dict: "dict", ast.DictComp: "dict"}
LISTS = {ast.List: "list", ast.ListComp: "list"}


class Displays(ast.NodeTransformer):
    """Displays and comprehensions make ours: `{…}` becomes `dict({…})`, which is an STMDict's name there."""

    def __init__(self, makers: dict[Any, str]) -> None:
        self.makers = makers

    def generic_visit(self, node: ast.AST) -> Any:
        super().generic_visit(node)
        maker = self.makers.get(type(node))
        if maker is None or isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            return node
        return ast.Call(ast.Name(maker, ast.Load()), [node], [])


class OwnDict(ast.NodeTransformer):
    """A class asks for a `__dict__` in its slots, which every STMObject has."""

    def visit_Tuple(self, node: ast.Tuple) -> ast.Tuple:
        node.elts = [
            name for name in node.elts if not (isinstance(name, ast.Constant) and name.value == "__dict__")
        ]
        return node


class Deque(stmpy.STMList[Any]):
    """A list with the methods of a deque's other end."""

    def appendleft(self, item: object) -> None:
        self.insert(0, item)

    def extendleft(self, items: Iterable[object]) -> None:
        self[:0] = [*items][::-1]

    def popleft(self) -> Any:
        return self.pop(0)

    def rotate(self, steps: int = 1) -> None:
        if self:
            steps = -steps % len(self)
            self[:] = [*self[steps:], *self[:steps]]


class Lists(stmpy.STMList[Any]):
    pass


class Queue(stmpy.STMQueue[Any]):
    """CPython's tests ask for the name of the class."""


class QueueModule:
    """The module `queue`, with ours as its Queue."""

    Queue = Queue

    def __getattr__(self, name: str) -> Any:
        return getattr(queue, name)


def load(name: str, displays: dict[Any, str] | None = None, **replaced: object) -> types.ModuleType:
    """A module of CPython's tests, with other types under the names of the builtin ones."""
    path = FOLDER / "test" / f"{name}.py"
    tree = ast.parse(path.read_bytes(), str(path))
    for node in tree.body:
        if displays and isinstance(node, ast.ClassDef):
            Displays(displays).visit(node)
        if isinstance(node, ast.ClassDef) and node.name.endswith("WithSlots"):
            OwnDict().visit(node)
        if isinstance(node, ast.ImportFrom) and node.module == "collections":
            node.names = [alias for alias in node.names if alias.name not in replaced]
    tree.body = [node for node in tree.body if not (isinstance(node, ast.ImportFrom) and not node.names)]
    module = types.ModuleType(f"{name}_of_stmpy")
    vars(module).update(replaced)
    sys.modules[module.__name__] = module
    exec(compile(ast.fix_missing_locations(tree), str(path), "exec", dont_inherit=True), vars(module))
    return module


def excluded(cls: type, name: str, reasons: dict[str, str]) -> str | None:
    names = (
        name,
        f"{cls.__name__}.{name}",
        f"{cls.__module__.removesuffix('_of_stmpy')}.{cls.__name__}.{name}",
    )
    return next((why for test, why in reasons.items() if any(fnmatch(one, test) for one in names)), None)


def in_a_transaction(method: types.FunctionType) -> object:
    @functools.wraps(method)
    def run(self: unittest.TestCase) -> None:
        stmpy.atomically(method, self)

    return run


def cases(cls: type[unittest.TestCase]) -> Iterator[type[unittest.TestCase]]:
    """The class as it is, and one whose tests are transactions."""
    names = unittest.defaultTestLoader.getTestCaseNames(cls)
    module = cls.__module__.removesuffix("_of_stmpy")
    for where, inside in (("Outside", False), ("Inside", True)):
        body: dict[str, object] = {}
        for name in names:
            method = getattr(cls, name)
            reason = excluded(cls, name, REASONS | (INSIDE_REASONS if inside else OUTSIDE_REASONS))
            body[name] = (
                unittest.skip(reason)(method) if reason else in_a_transaction(method) if inside else method
            )
        yield type(f"Test{where}_{module}_{cls.__name__}", (cls,), body)


def classes_of(module: types.ModuleType, without: str = "-") -> Iterator[type[unittest.TestCase]]:
    for cls in vars(module).values():
        own = isinstance(cls, type) and cls.__module__ == module.__name__
        if own and issubclass(cls, unittest.TestCase) and without not in cls.__name__:
            yield cls


def collected() -> Iterator[type[unittest.TestCase]]:
    ours: dict[str, Any] = {"dict": stmpy.STMDict, "set": stmpy.STMSet, "list": stmpy.STMList, "deque": Deque}
    mapping_tests = load("mapping_tests")
    for base in ("BasicTestMappingProtocol", "TestMappingProtocol", "TestHashMappingProtocol"):
        yield type(base, (getattr(mapping_tests, base),), {"type2test": stmpy.STMDict})
    yield from classes_of(load("test_dict", DICTS, dict=ours["dict"]), without="CAPI")
    yield from classes_of(load("test_dictviews", DICTS, dict=ours["dict"]))
    yield from classes_of(load("test_set", set=ours["set"]), without="Frozen")
    yield from classes_of(load("test_list", LISTS, list=ours["list"]))
    list_tests = load("list_tests")
    yield type("Subclass", (list_tests.CommonTest,), {"type2test": Lists})
    yield from classes_of(load("test_deque", deque=ours["deque"]))
    test_queue = load("test_queue")
    yield type("Queue", (test_queue.QueueTest, unittest.TestCase), {"queue": QueueModule()})


globals().update({case.__name__: case for cls in collected() for case in cases(cls)})
