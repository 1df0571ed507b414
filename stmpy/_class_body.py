"""What Python 3.13+ itself binds in a class, as constants of the body, put in terms of the source."""

from __future__ import annotations

import opcode
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any

_LOAD_CONST = opcode.opmap["LOAD_CONST"]
_LOAD_SMALL_INT = opcode.opmap.get("LOAD_SMALL_INT")  # 3.14+
_STORE_NAME = opcode.opmap["STORE_NAME"]


def restored(code: CodeType, static_attributes: Iterable[str]) -> CodeType:
    """The class body with the line it begins in, which `inspect` finds the source of a class by.

    `static_attributes` are names that its functions store on `self`, where Python did not see them.
    """
    code = _with_constant(code, "__firstlineno__", lambda _: code.co_firstlineno)
    if static_attributes and "__static_attributes__" in code.co_names:
        code = _with_constant(
            code, "__static_attributes__", lambda names: tuple(sorted({*names, *static_attributes}))
        )
    return code


def _with_constant(code: CodeType, name: str, change: Callable[[Any], Any]) -> CodeType:
    """A class body with another constant stored under one of the names that Python binds."""
    instructions = [code.co_code[start : start + 2] for start in range(0, len(code.co_code), 2)]
    store = bytes((_STORE_NAME, code.co_names.index(name) & 255))
    if store not in instructions:
        return code  # the user's own name in something that is no class body
    position = instructions.index(store) - 1
    operation, argument = instructions[position]
    constants = list(code.co_consts)
    if operation == _LOAD_SMALL_INT:
        # Our text never has fewer lines than the user's: where its line fits, theirs does.
        argument = change(argument)
    elif operation == _LOAD_CONST and instructions.count(instructions[position]) == 1:
        constants[argument] = change(constants[argument])
    elif operation == _LOAD_CONST and len(constants) <= 255:
        constants.append(change(constants[argument]))
        argument = len(constants) - 1
    instructions[position] = bytes((operation, argument))
    return code.replace(co_code=b"".join(instructions), co_consts=tuple(constants))
