"""Test modules with atomic functions of their own: compiled, and their assertions rewritten by pytest.

pytest has no documented way to do its half on another text. `rewrite_asserts` has been the same function for
many years, and other tools that run tests use it, too; where it fails, the module is pytest's alone.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from _pytest.assertion.rewrite import AssertionRewritingHook, rewrite_asserts

from stmpy._loader import as_importlibs_frame
from stmpy._other_loaders import compiled_by

if TYPE_CHECKING:
    from types import CodeType, ModuleType

    from stmpy._loader import Rule


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
        rewrite_asserts(tree, text.encode(), self._path, self.config)
        return compile(tree, self._path, "exec", dont_inherit=True)
