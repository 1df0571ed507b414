"""What Python 3.13+ itself binds in a class, as constants of the body, put in terms of the source."""

from __future__ import annotations

import opcode
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any

from stmpy._bytecode import instructions_of

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
    index = code.co_names.index(name)
    instructions = list(instructions_of(code))
    stores = (
        at
        for at, instruction in enumerate(instructions)
        if instruction.operation == _STORE_NAME and instruction.argument == index
    )
    store = next(stores, None)
    if not store:
        return code  # the user's own name in something that is no class body
    load = instructions[store - 1]
    argument = load.argument
    constants = list(code.co_consts)
    if load.operation == _LOAD_SMALL_INT:
        # Our text never has fewer lines than the user's: where its line fits, theirs does.
        argument = change(argument)
    elif load.operation == _LOAD_CONST:
        uses = [each for each in instructions if each.operation in opcode.hasconst]
        if sum(each.argument == argument for each in uses) == 1:
            constants[argument] = change(constants[argument])
        elif load.holds(len(constants)):
            constants.append(change(constants[argument]))
            argument = len(constants) - 1
    changed = bytearray(code.co_code)
    load.write(changed, load.operation, argument)
    return code.replace(co_code=bytes(changed), co_consts=tuple(constants))
