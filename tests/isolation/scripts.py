"""Random programs as source text: for each thread the functions that it calls, with what they note down."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

HEAD = """\
from queue import Empty

from recording import Failed, observed
from stmpy import (
    STMCounter,
    STMDict,
    STMList,
    STMObject,
    STMQueue,
    atomic,
    compiled,
    invariant,
    or_else,
    retry,
    unrecorded,
)


class Cell(STMObject):
    def __init__(self, value):
        self.value = value
        self.other = 0
        self.made = None


class Pair(STMObject):
    def __init__(self, name):
        self.name = name
        self.left = 0
        self.right = 0

    @invariant
    def both_are_the_same(self):
        left = observed(self.name + ".left", lambda: self.left)
        return left == observed(self.name + ".right", lambda: self.right)

"""

LENGTH = 3
"""Of each list."""
KEYS = ("x", "y", "z")
"""Of each dict, at most."""

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
        self.dicts = ["d0"][: source.randint(0, 1)]
        self.queues = ["q0"][: source.randint(0, 1)]
        self.pairs = ["p0"][: source.randint(0, 1)]
        self._waits = source.randrange(2) == 0
        self._is_for_good = source.randrange(3) == 0
        """Whether some calls are irrevocable."""
        things = [*self.cells, *self.counters, *self.lists, *self.dicts, *self.queues, *self.pairs]
        self._parameters = ", ".join(["log", "gate", *things])
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
        if self._is_for_good and self._chance(6):
            return "@atomic(irrevocable=True)"
        return '@atomic(reads="exclusive")' if self._chance(6) else "@atomic"

    def _outside(self) -> Lines:
        kinds: list[Callable[[], Lines]] = [self._read, self._read, self._write]
        if self.counters:
            kinds += [self._count, self._look_at_count]
        if self.dicts:
            kinds += [self._look_up, self._set_item, self._discard_item]
        if self.queues:
            kinds += [self._put, self._take]
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
        if self.dicts:
            kinds += [self._look_up, self._look_up, self._set_item, self._discard_item, self._set_default]
            kinds += [self._look_at_items]
        if self.queues:
            kinds += [self._put, self._put, self._take, self._take]
        if self.pairs:
            kinds += [self._look_at_pair, self._set_pair, self._set_pair]
        kinds += [self._peek]
        if self._waits:
            kinds += [self._wait]
        if depth:
            deeper = (
                *(self._nested, self._nested, self._helper, self._loop, self._swallow, self._clean_up),
                *(self._choose, self._choose),
            )
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

    def _item(self) -> tuple[str, str, str]:
        """Of a dict: it, the key's text, and the name of the variable."""
        mapping, key = self._pick(*self.dicts), self._pick(*KEYS)
        return mapping, f'"{key}"', f'"{mapping}:{key}"'

    def _look_up(self) -> Lines:
        mapping, key, variable = self._item()
        return [f"log.reads(log.asks({variable}), {mapping}.get({key}))"]

    def _set_item(self) -> Lines:
        mapping, key, variable = self._item()
        return [f"{mapping}[{key}] = log.writes({variable})", "log.wrote()"]

    def _discard_item(self) -> Lines:
        mapping, key, variable = self._item()
        return [f"log.removes(log.asks({variable}), {mapping}.pop({key}, None))"]

    def _set_default(self) -> Lines:
        mapping, key, variable = self._item()
        return [f"log.has_default({mapping}.setdefault({key}, log.writes({variable})))"]

    def _look_at_items(self) -> Lines:
        mapping = self._pick(*self.dicts)
        lines = [f'log.asks("{mapping}")', f"items = dict({mapping}.items())"]
        return lines + [f'log.reads("{mapping}:{key}", items.get("{key}"))' for key in KEYS]

    def _put(self) -> Lines:
        queue = self._pick(*self.queues)
        return [f'{queue}.put(log.puts("{queue}"))', "log.put()"]

    def _take(self) -> Lines:
        queue = self._pick(*self.queues)
        lines = [f'log.asks("{queue}")', "try:", f"    log.took({queue}.get_nowait())"]
        return [*lines, "except Empty:", "    log.found_empty()"]

    def _look_at_pair(self) -> Lines:
        pair = self._pick(*self.pairs)
        return [f'log.reads(log.asks("{pair}.{side}"), {pair}.{side})' for side in ("left", "right")]

    def _set_pair(self) -> Lines:
        """Sometimes to what the invariant does not allow."""
        pair = self._pick(*self.pairs)
        lines = [f'{pair}.left = log.writes("{pair}.left")', "log.wrote()"]
        if self._chance(6):
            return lines
        return [*lines, f'{pair}.right = log.writes_again("{pair}.right")', "log.wrote()"]

    def _peek(self) -> Lines:
        variable = f"{self._pick(*self.cells)}.value"
        lines = ['log.asks("")', "with unrecorded():", f"    seen = {variable}"]
        return [*lines, f'log.peeks("{variable}", seen)']

    def _wait(self) -> Lines:
        return ["if log.waits(lambda: gate.value):", "    log.retries()", "    retry()"]

    def _choose(self, depth: int) -> Lines:
        count = self._random.randint(2, 3)
        names = []
        for number in range(1, count + 1):
            body = [f"log.alternative(last={number == count})", *self._actions(depth)]
            if number < count:
                body += ["if log.declines():", "    log.retries()", "    retry()"]
            elif self._waits and self._chance(2):
                body += self._wait()
            failing = self._chance(6)
            body += ["log.reverts()", "raise Failed"] if failing else ["log.closes()"]
            names.append(self._define("@atomic" if self._chance(2) else "@compiled", body))
        alternatives = ", ".join(f"lambda: {name}({self._parameters})" for name in names)
        return ["try:", f"    or_else({alternatives})", "except Failed:", "    pass"]

    def _nested(self, depth: int) -> Lines:
        body = self._actions(depth)
        if self._chance(2):
            body += ["log.reverts()", "raise Failed"]
        if self._blocks and self._chance(2):
            call = ["with atomic():", *indented(body)]
        else:
            decorator = self._atomic()
            call = [f"{self._define(decorator, body)}({self._parameters})"]
            if "irrevocable" in decorator:
                call.insert(0, "log.becomes_irrevocable()")
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
