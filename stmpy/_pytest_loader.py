"""Test modules with atomic functions of their own: compiled, and their assertions rewritten by pytest.

pytest has no documented way to do its half on another text. `rewrite_asserts` has been the same function for
many years, and other tools that run tests use it, too; where it fails, the module is pytest's alone.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from _pytest.assertion.rewrite import AssertionRewritingHook, rewrite_asserts

from stmpy._loading import as_importlibs_frame, compiled_by

if TYPE_CHECKING:
    from types import CodeType, ModuleType

    from stmpy._loading import Rule


class CompilingRewritingHook(AssertionRewritingHook):
    """pytest's loader, with compiled text to work on."""

    def __init__(self, theirs: AssertionRewritingHook, fullname: str, path: str, rule: Rule) -> None:
        self.__dict__.update(vars(theirs))  # its tables are one for both
        self._path = path
        self._rule = rule

    @as_importlibs_frame
    def exec_module(self, module: ModuleType) -> None:
        name, source = module.__name__, self.get_data(self._path)
        code = compiled_by(self._rewritten, source, name, self._path, self._rule)
        if code is None:
            super().exec_module(module)
        else:
            self._rewritten_names[name] = Path(self._path)
            exec(code, module.__dict__)

    def _rewritten(self, text: str) -> CodeType:
        tree = ast.parse(text, self._path)
        _write_loads_as_attributes(tree)
        rewrite_asserts(tree, text.encode(), self._path, self.config)
        return compile(tree, self._path, "exec", dont_inherit=True)


def _write_loads_as_attributes(tree: ast.Module) -> None:
    """Puts back the loads in assertions: pytest explains what it evaluates, and the meaning is the same."""
    load = next(
        (
            alias.asname
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module == "stmpy._barriers"
            for alias in node.names
            if alias.name == "load"
        ),
        None,
    )
    if load is not None:
        writer = _LoadWriter(load)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert):
                node.test = writer.visit(node.test)


class _LoadWriter(ast.NodeTransformer):
    def __init__(self, load: str) -> None:
        self._load = load

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Name(id=name), args=[base, ast.Constant(value=str() as attribute)]):
                if name == self._load:
                    return ast.copy_location(ast.Attribute(base, attribute, ast.Load()), node)
        return node
