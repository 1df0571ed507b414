"""Random programs as source text: for each thread the functions that it calls, with what they note down."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

HEAD = """\
from recording import Failed
from stmpy import STMCounter, STMList, STMObject, atomic, compiled


class Cell(STMObject):
    def __init__(self, value):
        self.value = value
        self.other = 0
        self.made = None

"""

LENGTH = 3
"""Of each list."""

Lines = list[str]


def indented(lines: Lines) -> Lines:
    return ["    " + line for line in lines]


class Script:
    """The text of a program for a number of threads, and the names of what its functions are called with.

    `THREADS` is what each thread calls, in this order: whether it is a transaction, and the function.
    """

    def __init__(self, source: random.Random, threads: int, *, blocks: bool) -> None:
        self._random = source
        self._blocks = blocks
        """Whether there are `with atomic():` blocks, which only compiled code can have."""
        self._functions: Lines = []
        self.cells = [f"c{number}" for number in range(source.randint(1, 4))]
        self.counters = ["n0", "n1"][: source.randint(0, 2)]
        self.lists = ["l0"][: source.randint(0, 1)]
        self._parameters = ", ".join(["log", *self.cells, *self.counters, *self.lists])
        self._pauses = source.randrange(3)
        lists = [f"[{', '.join(self._call() for _ in range(5))}]" for _ in range(threads)]
        threads_text = "\n".join(["THREADS = [", *(f"    {functions}," for functions in lists), "]", ""])
        self.text = HEAD + "\n".join(self._functions) + threads_text

    # Functions

    def _define(self, decorator: str, body: Lines) -> str:
        name = f"f{len(self._functions)}"
        text = "\n".join([decorator, f"def {name}({self._parameters}):", *indented(body), "", ""])
        self._functions.append(text)
        return name

    def _call(self) -> str:
        """An entry of `THREADS`."""
        if self._chance(4):
            return f"(False, {self._define('@compiled', ['log.outside()', *self._outside()])})"
        end = "raise Failed" if self._chance(6) else "log.commits()"
        return f"(True, {self._define(self._atomic(), ['log.begins()', *self._actions(2), end])})"

    def _atomic(self) -> str:
        return '@atomic(reads="exclusive")' if self._chance(6) else "@atomic"

    def _outside(self) -> Lines:
        kinds: list[Callable[[], Lines]] = [self._read, self._read, self._write]
        if self.counters:
            kinds += [self._count, self._look_at_count]
        return [*self._pick(*kinds)(), "log.was_outside()"]

    # Actions

    def _actions(self, depth: int) -> Lines:
        lines: Lines = []
        for _ in range(self._random.randint(1, 4)):
            if self._pauses and self._chance(3):
                lines.append("log.pause()")
            lines += self._action(depth)
        return lines

    def _action(self, depth: int) -> Lines:
        kinds: list[Callable[[], Lines]] = [
            *(self._read, self._read, self._read, self._write, self._write, self._augment, self._augment),
            *(self._make, self._follow),
        ]
        if self.counters:
            kinds += [self._count, self._count, self._look_at_count, self._set_count]
        if depth:
            deeper = (self._nested, self._nested, self._helper, self._loop, self._swallow, self._clean_up)
            kinds += [lambda kind=kind: kind(depth - 1) for kind in deeper]
        return self._pick(*kinds)()

    def _variable(self) -> str:
        if self.lists and self._chance(4):
            return f"{self._pick(*self.lists)}[{self._random.randrange(LENGTH)}]"
        return f"{self._pick(*self.cells)}.{self._pick('value', 'value', 'other')}"

    def _read(self) -> Lines:
        variable = self._variable()
        return [f'log.reads(log.asks("{variable}"), {variable})']

    def _write(self) -> Lines:
        variable = self._variable()
        return [f'{variable} = log.writes("{variable}")', "log.wrote()"]

    def _augment(self) -> Lines:
        variable = self._variable()
        update = [f'much = log.writes("{variable}")', f"{variable} += much", "log.augmented()"]
        return [*update, f'log.reads(log.asks("{variable}"), {variable})']

    def _make(self) -> Lines:
        place = f"{self._pick(*self.cells)}.made"
        lines = ['made = log.made(Cell(log.writes("")))']
        if self._chance(2):
            lines += ["much = log.writes(log.value_of(made))", "made.value += much"]
            lines += ["log.augmented()", "log.reads(log.asks(log.value_of(made)), made.value)"]
        return [*lines, f'{place} = log.links("{place}", made)', "log.wrote()"]

    def _follow(self) -> Lines:
        place = f"{self._pick(*self.cells)}.made"
        use = self._pick(
            ["log.reads(log.asks(log.value_of(made)), made.value)"],
            ["made.value = log.writes(log.value_of(made))", "log.wrote()"],
        )
        return [f'made = log.follows(log.asks("{place}"), {place})', "if made is not None:", *indented(use)]

    def _count(self) -> Lines:
        counter = self._pick(*self.counters)
        return [f'{counter}.add(log.adds("{counter}"))', "log.added()"]

    def _look_at_count(self) -> Lines:
        counter = self._pick(*self.counters)
        return [f'log.reads(log.asks("{counter}"), {counter}.value)']

    def _set_count(self) -> Lines:
        counter = self._pick(*self.counters)
        return [f'{counter}.value = log.sets("{counter}")', "log.wrote()"]

    def _nested(self, depth: int) -> Lines:
        body = self._actions(depth)
        if self._chance(2):
            body += ["log.reverts()", "raise Failed"]
        if self._blocks and self._chance(2):
            call = ["with atomic():", *indented(body)]
        else:
            call = [f"{self._define(self._atomic(), body)}({self._parameters})"]
        # Noted inside: on its way out the attempt may be told to abort, with the call reverted already.
        caught = ["except Failed:", "    pass", "else:", "    log.closes()"]
        return ["log.opens()", "try:", *indented(call), *caught]

    def _helper(self, depth: int) -> Lines:
        return [f"{self._define('@compiled', self._actions(depth))}({self._parameters})"]

    def _loop(self, depth: int) -> Lines:
        return [f"for _ in range({self._random.randint(1, 3)}):", *indented(self._actions(depth))]

    def _swallow(self, depth: int) -> Lines:
        return ["try:", *indented(self._actions(depth)), "except BaseException:", "    pass"]

    def _clean_up(self, depth: int) -> Lines:
        return ["try:", *indented(self._actions(depth)), "finally:", *indented(self._read())]

    # Choices

    def _chance(self, times: int) -> bool:
        return self._random.randrange(times) == 0

    def _pick(self, *choices: Any) -> Any:
        return self._random.choice(choices)
