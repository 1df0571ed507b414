"""Runs a module and writes down all that can be seen of it: values, trace, exceptions with their places."""

from __future__ import annotations

import ast
import re
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from unittest.mock import patch

from tracing import Log, Planned, Record, Traced, Watched, shown

from stmpy import atomic

FILENAME = "<program>"
Place: TypeAlias = tuple[int | None, int | None, int | None, int | None]

# Longer than any program suspends.
STEPS = 30


class Plain:
    """An ordinary class, for the classes of programs."""

    def __init_subclass__(cls, **keywords: object) -> None:
        pass


class Run:
    """One run of a module that defines `f(o, p, q, n)`, on objects of its own."""

    def __init__(self, code: types.CodeType, fails_at: int, actions: Sequence[str], places: Places) -> None:
        self._log = Log(fails_at)
        self._code = code
        self._actions = actions
        self._places = places
        self._arguments = (Traced(self._log, 0), Record(self._log), Watched(self._log), 3)

    def outside(self) -> Seen:
        self._outcome(self._execute)
        return self._seen()

    def in_a_transaction(self) -> Seen:
        atomic(lambda: self._outcome(self._execute))()
        return self._seen()

    def _outcome(self, act: Callable[[], object]) -> None:
        # In the transaction: an exception that left it would take back what is to be compared.
        try:
            self._log.events.append(f"returned {shown(act())}")
        except BaseException as error:
            self._log.events.append(f"raised {self._described(error)}")

    def _execute(self) -> object:
        log = self._log
        namespace: dict[str, Any] = dict(zip("opqn", self._arguments, strict=True))
        namespace |= {"__name__": "program", "Plain": Plain, "Record": Record, "Traced": Traced}
        namespace |= {"Planned": Planned, "goes_on": log.goes_on, "log": log, "same": lambda value: value}
        namespace |= {"a": self._arguments[0], "b": 7, "failed": self._failed}
        namespace |= {"see": self._see, "peek": self._peek, "drive": self._drive}
        self.namespace = namespace
        # Atomic functions are compiled as such, and run as what they stand in runs.
        with patch("stmpy.atomic", lambda function: function):
            exec(self._code, namespace)
        result = namespace["f"](*self._arguments)
        if isinstance(result, types.GeneratorType | types.CoroutineType):
            return self._drive(result, self._actions)
        if isinstance(result, types.AsyncGeneratorType):
            return [self._drive(result.__anext__()) for _ in range(3)]
        return result

    def _see(self, *values: Any, **keywords: Any) -> Any:
        value = values[0] if values else None
        if isinstance(value, dict) and "__name__" in value:
            value = {name: value[name] for name in value if name != "__builtins__"}
        self._log.note(f"see {shown(value)} {shown(values[1:])} {shown(keywords)}")
        return value

    def _peek(self, *values: object) -> None:
        frame = sys._getframe(1)
        # Compiled code may keep things under names that no source can spell.
        names = sorted(name for name in frame.f_locals if name.isidentifier())
        self._log.note(f"{frame.f_code.co_qualname}, line {frame.f_lineno}: {names}")

    def _failed(self, error: BaseException) -> None:
        self._log.note(f"failed with {self._described(error)}")

    def _drive(self, suspended: Any, actions: Sequence[str] = ()) -> object:
        """To its end, first as the actions say, then with `send`."""
        try:
            value = suspended.send(None)
            for step in range(STEPS):
                action = actions[step] if step < len(actions) else "send"
                self._log.note(f"{action} after {shown(value)}")
                if action == "send":
                    value = suspended.send(step)
                elif action == "throw":
                    value = suspended.throw(Planned("thrown"))
                else:
                    suspended.close()
        except StopIteration as stop:
            return stop.value
        finally:
            suspended.close()
        return None

    def _described(self, error: BaseException | None, known: tuple[BaseException, ...] = ()) -> object:
        if error is None or error in known:
            return None
        known = (*known, error)
        return (
            type(error).__name__,
            re.sub("0x[0-9a-f]+", "0x", str(error)),
            shown(getattr(error, "__notes__", None)),
            (getattr(error, "name", None), shown(getattr(error, "obj", None))),
            [
                (frame.f_code.co_qualname, self._places.of(frame, lasti))
                for frame, lasti in _frames(error.__traceback__)
            ],
            [self._described(inner, known) for inner in getattr(error, "exceptions", ())],
            self._described(error.__cause__, known),
            self._described(error.__context__, known),
            error.__suppress_context__,
        )

    def _seen(self) -> Seen:
        names = {name: shown(value) for name, value in self.namespace.items() if not name.startswith("__")}
        state = [shown({**vars(o), "w_log": None}) for o in self._arguments[1:3]]
        return [*self._log.events, f"module {names}", *state]


# What a run looked like, line by line.
Seen: TypeAlias = list[str]


def _frames(entry: types.TracebackType | None) -> list[tuple[types.FrameType, int]]:
    frames = []
    while entry is not None:
        if entry.tb_frame.f_code.co_filename == FILENAME:
            frames.append((entry.tb_frame, entry.tb_lasti))
        entry = entry.tb_next
    return frames


class Places:
    """Where in a program things happen.

    One call loads, operates and stores for `o.x += n`: all of it happens at the whole statement, while
    Python tells the attribute from the operator.
    """

    def __init__(self, program: str) -> None:
        self._statements: dict[Place, Place] = {}
        for node in ast.walk(ast.parse(program)):
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
                if isinstance(node.value, ast.Constant | ast.UnaryOp | ast.Name):
                    self._statements[_attribute_place(node.target)] = _place(node)

    def of(self, frame: types.FrameType, lasti: int) -> Place:
        place = list(frame.f_code.co_positions())[lasti // 2]
        return self._statements.get(place, place)


def _place(node: ast.stmt | ast.expr) -> Place:
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


def _attribute_place(node: ast.Attribute) -> Place:
    """An attribute on another line than its object has the place of its name alone."""
    line, end_line, column, end_column = _place(node)
    if line != end_line and end_column is not None:
        return end_line, end_line, end_column - len(node.attr), end_column
    return line, end_line, column, end_column
