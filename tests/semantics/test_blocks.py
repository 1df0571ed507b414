"""The block form: `@atomic def atomic():` runs at once, and the name stays usable."""

from __future__ import annotations

import pytest
from cells import Cell, Reverted

import stmpy
from stmpy import (
    TransactionUsageError,
    atomic,
    current_transaction,
    in_transaction,
)
from stmpy import atomic as transaction

CELL = Cell(1)
SEEN = []


@atomic
def atomic():  # noqa: F811
    CELL.value = 2
    SEEN.append((in_transaction(), current_transaction().name))


@atomic
def atomic():  # noqa: F811
    SEEN.append("again")


@atomic(name="the block")
def atomic():  # noqa: F811
    SEEN.append(current_transaction().name)


@transaction
def transaction():  # noqa: F811
    SEEN.append("under another name")


class WithBlock:
    cell = Cell(5)

    @atomic
    def atomic():  # noqa: F811
        SEEN.append("in a class")

    @atomic
    def method(self):
        return in_transaction()


def test_a_block_at_module_level_has_run_and_the_name_is_what_it_was():
    assert SEEN[:4] == [(True, "atomic"), "again", "the block", "under another name"]
    assert CELL.value == 2
    assert atomic is transaction is stmpy.atomic


def test_a_block_in_a_class():
    assert "in a class" in SEEN
    assert WithBlock.__dict__["atomic"] is stmpy.atomic
    assert WithBlock().method() is True


def test_a_block_that_raises_reverts():
    namespace = {"atomic": stmpy.atomic, "cell": CELL, "Reverted": Reverted}
    before = CELL.value
    with pytest.raises(Reverted):
        exec("@atomic\ndef atomic():\n    cell.value = 100\n    raise Reverted\n", namespace)
    assert CELL.value == before
    assert namespace["atomic"] is stmpy.atomic


def test_a_block_in_a_function_needs_the_compiler(tier):
    def run():
        cell = Cell(0)

        @atomic  # noqa: F823
        def atomic():  # noqa: F811
            cell.value += 1
            assert in_transaction()

        return cell.value

    if tier == "dynamic":
        with pytest.raises(UnboundLocalError):
            run()
    else:
        assert run() == 1


def test_a_function_of_another_name_is_no_block():
    calls = []

    @stmpy.atomic
    def block():
        calls.append(in_transaction())

    assert calls == []
    block()
    assert calls == [True]


@pytest.mark.parametrize("parameters", ["self", "a, b=1", "*, key", "a, /"])
def test_a_block_has_no_parameters(parameters):
    namespace = {"atomic": stmpy.atomic}
    with pytest.raises(TransactionUsageError, match="give the function another name"):
        exec(f"@atomic\ndef atomic({parameters}):\n    pass\n", namespace)
    exec("@atomic\ndef atomic(a=1, *args, key=2, **kwargs):\n    pass\n", {"atomic": stmpy.atomic})
