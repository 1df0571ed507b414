"""What the compiler's tests share: they need `stmpy._compiler` alone, no runtime."""

from __future__ import annotations

import operator
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

IN_PLACE = "iadd isub imul itruediv ifloordiv imod ipow iand ior ixor ilshift irshift imatmul".split()


def _returns_object(o: Any, name: str) -> Any:
    return o


def _in_place(name: str) -> Callable[[Any, str, Any], None]:
    operate = getattr(operator, name)

    def barrier(o: Any, attribute: str, operand: Any) -> None:
        setattr(o, attribute, operate(getattr(o, attribute), operand))

    return barrier


def _stand_ins() -> types.ModuleType:
    """The barriers' meaning on ordinary objects, in Python."""
    module = types.ModuleType("stmpy._barriers")
    module.abi_2 = 2  # type: ignore[attr-defined]
    module.caught = lambda types=BaseException: types  # type: ignore[attr-defined]
    module.leaving = lambda value: value  # type: ignore[attr-defined]
    module.checkpoint = lambda _: None  # type: ignore[attr-defined]
    for name in ("load_update", "load_write"):
        setattr(module, name, getattr)
    for name in ("open_read", "open_write", "open_update"):
        setattr(module, name, _returns_object)
    for name in IN_PLACE:
        setattr(module, name, _in_place(name))
    return module


@pytest.fixture
def stand_in_barriers(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """Generated code imports these in place of the runtime's barriers."""
    module = _stand_ins()
    monkeypatch.setitem(sys.modules, "stmpy._barriers", module)
    yield module
