"""CPython's own tests of lists, on STMList: as they are, and each of them inside of a transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stmpy import STMList, atomically

list_tests = pytest.importorskip("test.list_tests", reason="this Python has no `test` package")
seq_tests = pytest.importorskip("test.seq_tests")

EXCLUDED_EVERYWHERE = {
    "test_repr": "it is shown as STMList([...])",
    "test_repr_deep": "as above",
}
EXCLUDED_INSIDE = {
    "test_free_after_iterating": "what a transaction has accessed lives until it ends",
}


class Lists(list_tests.CommonTest):
    type2test = STMList


def inside(test: Callable[[Any], None]) -> Callable[[Any], None]:
    return lambda self: atomically(test, self)


class TestOutside(Lists):
    pass


class TestInside(Lists):
    pass


for name in dir(Lists):
    if name in EXCLUDED_EVERYWHERE:
        setattr(TestOutside, name, None)
    if name in EXCLUDED_EVERYWHERE | EXCLUDED_INSIDE:
        setattr(TestInside, name, None)
    elif name.startswith("test_"):
        setattr(TestInside, name, inside(getattr(Lists, name)))
del Lists
