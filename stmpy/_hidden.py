"""The names under which compiled code finds the barriers: in `builtins`, where no source can spell them.

The generated text imports its barriers into the module, which is right when it is run as text. Its code
objects do not: a module's `dir()` and `vars()` are the user's alone, and a function whose code is run with
other globals still finds them.
"""

from __future__ import annotations

import opcode
import re
import sys
from collections.abc import Mapping
from types import CodeType

from stmpy._bytecode import instructions_of

# What generated code imports stands behind the docstring and the `from __future__` imports.
_PROLOGUE = re.compile(r"^from stmpy\._barriers import (abi_(\d+) as (\w+_)abi\b.*)", re.MULTILINE)
_IMPORTED = re.compile(r"(\w+) as (\w+)")

_IMPORT_NAME = opcode.opmap["IMPORT_NAME"]
_STORE_NAME = opcode.opmap["STORE_NAME"]
_POP_TOP = opcode.opmap["POP_TOP"]
_EAGER = 2  # of IMPORT_NAME since 3.15: not put off by `-X lazy_imports=all`


def hidden_name(barrier: str, abi: int | str) -> str:
    """Where `builtins` holds a barrier, for code of this version of the barriers.

    It begins as names do that nobody lists.
    """
    return f"__stmpy.{abi}.{barrier}__"


class Prologue:
    """The line that the compiler adds to a text: `prefix` begins all of its names, and none of the user's."""

    def __init__(self, generated: str) -> None:
        found = _PROLOGUE.search(generated)
        self.prefix = found[3] if found is not None else None
        self._hidden: Mapping[str, str] = {}
        if found is not None:
            self._hidden = {
                name: hidden_name(barrier, found[2]) for barrier, name in _IMPORTED.findall(found[1])
            }

    def imports(self, barrier: str) -> bool:
        """Whether the text uses a barrier."""
        return f"{self.prefix}{barrier}" in self._hidden

    def hide(self, code: CodeType) -> CodeType:
        """The same code with hidden names; a module's then binds none of them."""
        if self._hidden.keys().isdisjoint(code.co_names):
            return code
        names = tuple(self._hidden.get(name, name) for name in code.co_names)
        if "stmpy._barriers" not in names:
            return code.replace(co_names=names)
        instructions = bytearray(code.co_code)
        for instruction in instructions_of(code):
            _, _, operation, argument = instruction
            if operation == _STORE_NAME and code.co_names[argument] in self._hidden:
                instruction.write(instructions, _POP_TOP, 0)
            elif operation == _IMPORT_NAME and sys.version_info >= (3, 15):
                if names[argument >> 2] == "stmpy._barriers":
                    instruction.write(instructions, _IMPORT_NAME, argument | _EAGER)
        return code.replace(co_names=names, co_code=bytes(instructions))
