"""Every module in this folder is collected twice, once for each tier: what it asserts must hold on both.
(Those that are about what only compiled code can have are collected once.)

`test_x.py::dynamic::test_y` runs the module as it is, `test_x.py::compiled::test_y` what the compiler makes
of it. A test that needs to know asks the fixture `tier`.
"""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from _pytest.assertion.rewrite import rewrite_asserts
from cells import Cell
from rivals import Rival
from stage import Stage

import stmpy

Tier = Literal["dynamic", "compiled"]

# About what only compiled code can have. That the dynamic tier says so is a test of test_misuse.
COMPILED_ONLY = {
    "test_with_blocks.py",
    "test_guards.py",
    "test_block_programs.py",
    "test_held_programs.py",
    "test_retry_blocks.py",
}


class BothTiers(pytest.File):
    """A test module, collected once for each tier."""

    def collect(self) -> Iterable[pytest.Collector]:
        for tier in ("compiled",) if self.path.name in COMPILED_ONLY else ("dynamic", "compiled"):
            yield TierModule.from_parent(
                self, path=self.path, name=tier, nodeid=f"{self.nodeid}::{tier}", tier=tier
            )


class TierModule(pytest.Module):
    """A test module on one tier, known to `sys.modules` under a name of its own, so that pickling works."""

    def __init__(self, tier: Tier, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.tier = tier

    def _getobj(self) -> types.ModuleType:
        source = self.path.read_bytes()
        module = types.ModuleType(f"{self.path.stem}_{self.tier}")
        module.__file__ = str(self.path)
        module.__tier__ = self.tier
        sys.modules[module.__name__] = module
        code = _compile(source, self.path) if self.tier == "compiled" else _rewrite(source, self.path)
        exec(code, module.__dict__)
        return module


def _compile(source: bytes, path: Path) -> types.CodeType:
    from stmpy.compiler import compile_source

    compiled = compile_source(source, str(path))
    refused = [diagnostic for diagnostic in compiled.diagnostics if diagnostic.code.startswith("STM9")]
    assert not refused, f"{path.name} was left on the dynamic tier: {refused}"
    return compiled.code()


def _rewrite(source: bytes, path: Path) -> types.CodeType:
    tree = ast.parse(source, str(path))
    rewrite_asserts(tree, source, str(path))
    return compile(tree, str(path), "exec", dont_inherit=True)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if (
        file_path.name.startswith("test_")
        and file_path.suffix == ".py"
        and file_path.parent == Path(__file__).parent
    ):
        return BothTiers.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    # The ordinary collection of the same file: nothing is left for it.
    if module_path.parent == Path(__file__).parent:
        return Nothing.from_parent(parent, path=module_path)
    return None


class Nothing(pytest.Module):
    def collect(self) -> Iterable[pytest.Item]:
        return []


@pytest.fixture
def tier(request: pytest.FixtureRequest) -> Tier:
    """The tier on which the test runs."""
    return request.module.__tier__


@pytest.fixture
def one_tier(tier: Tier) -> None:
    """For what takes its time, in starting threads or processes, and is the same on both."""
    if tier == "compiled":
        pytest.skip("tested on the dynamic tier")


@pytest.fixture
def stage() -> Iterator[Stage]:
    """The threads of a test, and the places where they stop. All of them have ended when the test has."""
    the_stage = Stage()
    yield the_stage
    the_stage.close()


@pytest.fixture
def rival(stage: Stage) -> Rival:
    """A transaction that an attempt of the test is aborted by when it meets it."""
    return Rival(stage)


@pytest.fixture
def held(stage: Stage) -> Iterator[Cell]:
    """A cell that a transaction owns for as long as the test runs, or until the test calls its `resume`."""
    cell, inside = Cell("old"), stage.pause()

    @stmpy.atomic
    def hold() -> None:
        cell.value = "new"
        inside.here()

    holder = stage.start(hold)
    inside.reached()
    cell.resume = inside.resume
    yield cell
    inside.resume()
    holder.result()
