"""CPython's own tests of dict and set, with STMDict and STMSet in their places: outside of transactions, and
each test as a transaction.

They are those of the interpreter that runs, from its `test` package or from the folder that
STMPY_CPYTHON_TESTS names; without either this is skipped. Excluded are tests of what dict and set are in C,
each with its reason.
"""

from __future__ import annotations

import ast
import functools
import os
import sys
import sysconfig
import types
import unittest
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

import stmpy

FOLDER = Path(os.environ.get("STMPY_CPYTHON_TESTS", sysconfig.get_path("stdlib")))
if not (FOLDER / "test" / "mapping_tests.py").exists():
    pytest.skip(
        f"{FOLDER} has no `test` package; STMPY_CPYTHON_TESTS may name another", allow_module_level=True
    )

if "STMPY_CPYTHON_TESTS" in os.environ:
    sys.path.append(str(FOLDER))

SNAPSHOT = "outside of transactions an iterator shows what was there when it was made"
ACCESSED = "what a transaction has accessed lives until it ends, and its __del__ waits for that"
REASONS = {
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
    "test_cyclical_repr": "repr names the type, as that of a subclass of set does",
    "TestBasicOps*.test_repr": "repr names the type, as that of a subclass of set does",
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
}


class Displays(ast.NodeTransformer):
    """`{…}` and `{… for …}` of dicts make an STMDict."""

    def _made(self, node: ast.expr) -> ast.expr:
        self.generic_visit(node)
        return ast.Call(ast.Name("dict", ast.Load()), [node], [])

    visit_Dict = visit_DictComp = _made  # type: ignore[assignment]


class OwnDict(ast.NodeTransformer):
    """A class asks for a `__dict__` in its slots, which every STMObject has."""

    def visit_Tuple(self, node: ast.Tuple) -> ast.Tuple:
        node.elts = [
            name for name in node.elts if not (isinstance(name, ast.Constant) and name.value == "__dict__")
        ]
        return node


def load(name: str, **replaced: object) -> types.ModuleType:
    path = FOLDER / "test" / f"{name}.py"
    tree = ast.parse(path.read_bytes(), str(path))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "DictTest":
            Displays().visit(node)
        elif isinstance(node, ast.ClassDef) and node.name == "SetSubclassWithSlots":
            OwnDict().visit(node)
    module = types.ModuleType(f"{name}_of_stmpy")
    vars(module).update(replaced)
    sys.modules[module.__name__] = module
    exec(compile(ast.fix_missing_locations(tree), str(path), "exec", dont_inherit=True), vars(module))
    return module


def excluded(cls: type, name: str, reasons: dict[str, str]) -> str | None:
    names = (name, f"{cls.__name__}.{name}")
    return next((why for test, why in reasons.items() if any(fnmatch(one, test) for one in names)), None)


def in_a_transaction(method: types.FunctionType) -> object:
    @functools.wraps(method)
    def run(self: unittest.TestCase) -> None:
        stmpy.atomically(method, self)

    return run


def cases(cls: type[unittest.TestCase]) -> Iterator[type[unittest.TestCase]]:
    """The class as it is, and one whose tests are transactions."""
    names = unittest.defaultTestLoader.getTestCaseNames(cls)
    for where, inside in (("Outside", False), ("Inside", True)):
        body: dict[str, object] = {}
        for name in names:
            method = getattr(cls, name)
            reason = excluded(cls, name, REASONS | (INSIDE_REASONS if inside else OUTSIDE_REASONS))
            body[name] = (
                unittest.skip(reason)(method) if reason else in_a_transaction(method) if inside else method
            )
        yield type(f"Test{where}_{cls.__name__}", (cls,), body)


def collected() -> Iterator[type[unittest.TestCase]]:
    mapping_tests = load("mapping_tests")
    for base in ("BasicTestMappingProtocol", "TestMappingProtocol", "TestHashMappingProtocol"):
        yield from cases(type(base, (getattr(mapping_tests, base),), {"type2test": stmpy.STMDict}))
    test_dict = load("test_dict", dict=stmpy.STMDict)
    yield from cases(test_dict.DictTest)
    test_set = load("test_set", set=stmpy.STMSet)
    for cls in vars(test_set).values():
        if isinstance(cls, type) and issubclass(cls, unittest.TestCase) and "Frozen" not in cls.__name__:
            yield from cases(cls)


for _case in collected():
    globals()[_case.__name__] = _case
