"""Code objects of the generated text, made to name what the user wrote: places, blocks, classes.

Python keeps positions in three forms: the location tables, the first line of each code object and, since
3.13, the constant that a class body stores in `__firstlineno__`.
"""

from __future__ import annotations

import opcode
import re
import sys
from collections.abc import Iterable
from types import CodeType
from typing import TypeAlias

from stmpy._compiler import PositionMap, remap_location_table

# Generated code starts with it. Its names have a prefix that no name of the user's has. The function of a
# block is called that prefix and "block", so that `atomic` itself keeps its meaning around it.
_PROLOGUE = re.compile(r"^from stmpy\._barriers import abi_\d+ as (\w+_)abi\b", re.MULTILINE)

# A qualified name in the generated text, and as the user wrote it.
_Renamed: TypeAlias = tuple[str, str]

_LOAD_CONST = opcode.opmap["LOAD_CONST"]
_LOAD_SMALL_INT = opcode.opmap.get("LOAD_SMALL_INT")  # 3.14+
_STORE_NAME = opcode.opmap["STORE_NAME"]


class Restorer:
    """Puts back what one compilation changed.

    `functions` are the lines and names of what was compiled, as the user wrote them.
    """

    def __init__(
        self, generated: str, position_map: PositionMap, functions: Iterable[tuple[int, str]]
    ) -> None:
        self._position_map = position_map
        self._functions = sorted(functions)
        prologue = _PROLOGUE.search(generated)
        self._block_name = f"{prologue[1]}block" if prologue is not None else None

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
        code = code.replace(
            co_linetable=table,
            co_firstlineno=first_line,
            co_name=name,
            co_qualname=qualname,
            co_consts=tuple(
                self.code(constant, renamed) if isinstance(constant, CodeType) else constant
                for constant in code.co_consts
            ),
        )
        return _with_first_line_of_class(code) if "__firstlineno__" in code.co_names else code

    def _locations(self, table: bytes, first_line: int) -> tuple[bytes, int]:
        return remap_location_table(table, first_line, sys.hexversion, self._position_map)


def _with_first_line_of_class(code: CodeType) -> CodeType:
    """A class body starts with `__firstlineno__ = …`: `inspect` finds the source of a class by it."""
    instructions = [code.co_code[start : start + 2] for start in range(0, len(code.co_code), 2)]
    store = bytes((_STORE_NAME, code.co_names.index("__firstlineno__") & 255))
    if store not in instructions:
        return code  # the user's own name in something that is no class body
    position = instructions.index(store) - 1
    operation, argument = instructions[position]
    constants = list(code.co_consts)
    if operation == _LOAD_SMALL_INT:
        # Our text never has fewer lines than the user's: where its line fits, theirs does.
        argument = code.co_firstlineno
    elif operation == _LOAD_CONST and instructions.count(instructions[position]) == 1:
        constants[argument] = code.co_firstlineno
    elif operation == _LOAD_CONST and len(constants) <= 255:
        argument = len(constants)
        constants.append(code.co_firstlineno)
    instructions[position] = bytes((operation, argument))
    return code.replace(co_code=b"".join(instructions), co_consts=tuple(constants))
