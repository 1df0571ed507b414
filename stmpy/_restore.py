"""Code objects of the generated text, made to name what the user wrote: places, blocks, classes, variables.

Python keeps positions in three forms: the location tables, the first line of each code object and, since
3.13, the constant that a class body stores in `__firstlineno__`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from types import CodeType
from typing import TypeAlias

from stmpy import _class_body
from stmpy._compiler import PositionMap, remap_location_table
from stmpy._hidden import Prologue

# A qualified name in the generated text, and as the user wrote it.
_Renamed: TypeAlias = tuple[str, str]


class Restorer:
    """Puts back what one compilation changed.

    `functions` are the lines and names of what was compiled, as the user wrote them, `static_attributes` the
    names that functions of the class in a line store on `self`, where Python cannot see it any more.
    """

    def __init__(
        self,
        generated: str,
        position_map: PositionMap,
        functions: Iterable[tuple[int, str]],
        static_attributes: Mapping[int, Sequence[str]],
    ) -> None:
        self._position_map = position_map
        self._functions = sorted(functions)
        self._static_attributes = static_attributes
        self._prologue = Prologue(generated)
        # The function of a block is called this, so that `atomic` itself keeps its meaning around it.
        self._prefix = self._prologue.prefix
        self._block_name = f"{self._prefix}block"
        self._tables: dict[bytes, bytes] = {}  # equal ones are one object, as Python's compiler makes them

    def line(self, line: int) -> int:
        """The line of the source that a line of the generated text stands for."""
        return self._locations(b"", line)[1]

    def code(self, code: CodeType, parent: _Renamed = ("", "")) -> CodeType:
        """The same code, and all code in it, in terms of the source; `parent` names the enclosing code."""
        table, first_line = self._locations(code.co_linetable, code.co_firstlineno)
        name, qualname = code.co_name, code.co_qualname
        if qualname.startswith(f"{parent[0]}."):
            qualname = parent[1] + qualname.removeprefix(parent[0])
        if name == self._block_name:
            # The line of its first decorator; the function's own follows.
            written = next(function for line, function in self._functions if line >= first_line)
            qualname = qualname.removesuffix(name) + written
            name = written
        renamed = code.co_qualname, qualname
        constants = code.co_consts
        if any(isinstance(constant, CodeType) for constant in constants):
            constants = tuple(
                self.code(constant, renamed) if isinstance(constant, CodeType) else constant
                for constant in constants
            )
        code = self._prologue.hide(code)
        code = code.replace(
            co_names=tuple(map(self._hidden_global, code.co_names)),
            co_linetable=self._tables.setdefault(table, table),
            co_firstlineno=first_line,
            co_name=name,
            co_qualname=qualname,
            co_varnames=tuple(map(self._hidden, code.co_varnames)),
            co_cellvars=tuple(map(self._hidden, code.co_cellvars)),
            co_freevars=tuple(map(self._hidden, code.co_freevars)),
            co_consts=constants,
        )
        if "__firstlineno__" not in code.co_names:
            return code
        return _class_body.restored(code, self._static_attributes.get(first_line, ()))

    def _hidden(self, variable: str) -> str:
        """A local variable of ours under a name that no source can spell, as `.0` of a comprehension is."""
        if self._prefix is None or not variable.startswith(self._prefix):
            return variable
        return f".{variable.removeprefix(self._prefix)}"

    def _hidden_global(self, name: str) -> str:
        """A variable of ours in a module likewise, as names begin that `import *` leaves out."""
        if self._prefix is None or not name.startswith(self._prefix):
            return name
        return f"__stmpy.{name.removeprefix(self._prefix)}__"

    def _locations(self, table: bytes, first_line: int) -> tuple[bytes, int]:
        return remap_location_table(table, first_line, sys.hexversion, self._position_map)
