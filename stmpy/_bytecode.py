"""Walking over bytecode, whose arguments above 255 stand in more than one code unit."""

from __future__ import annotations

import opcode
from collections.abc import Iterator
from types import CodeType
from typing import NamedTuple

_EXTENDED_ARG = opcode.opmap["EXTENDED_ARG"]
_NOP = opcode.opmap["NOP"]


class Instruction(NamedTuple):
    """An instruction from offset `start`, where its first EXTENDED_ARG stands, to `end`."""

    start: int
    end: int
    operation: int
    argument: int

    def holds(self, argument: int) -> bool:
        """Whether the argument fits in the code units there are: code keeps its length."""
        return argument < 1 << 4 * (self.end - self.start)

    def write(self, instructions: bytearray, operation: int, argument: int) -> None:
        """Put another instruction in its place."""
        at = self.end - 2
        instructions[at : self.end] = bytes((operation, argument & 255))
        while at > self.start:
            at -= 2
            argument >>= 8
            prefix = _EXTENDED_ARG if argument else _NOP
            instructions[at : at + 2] = bytes((prefix, argument & 255))


def instructions_of(code: CodeType) -> Iterator[Instruction]:
    """The instructions of a code object in their order, with whole arguments."""
    units = code.co_code
    start = argument = 0
    for at in range(0, len(units), 2):
        argument = argument << 8 | units[at + 1]
        if units[at] != _EXTENDED_ARG:
            yield Instruction(start, at + 2, units[at], argument)
            start, argument = at + 2, 0
