"""docs/semantics.md names a test for each rule: the tests it names exist, and each rule has one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "semantics.md").read_text()


def named_tests():
    module = ""
    for file, test, suite in re.findall(r"(?:(\b[a-z_]+): )?\b(test_\w+)|\b([A-Z]\w+Test\.\w+)", PAGE):
        module = file or module
        yield suite or f"{module}: {test}"


@pytest.fixture(scope="module")
def existing_tests():
    existing = set()
    for folder in ("semantics", "isolation"):
        for path in (ROOT / "tests" / folder).glob("test_*.py"):
            for test in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE):
                existing.add(f"{path.stem.removeprefix('test_')}: {test}")
    for path in (ROOT / "tests" / "core").glob("*_test.cpp"):
        for suite, test in re.findall(r"^TEST(?:_F)?\((\w+), (\w+)\)", path.read_text(), re.MULTILINE):
            existing.add(f"{suite}.{test}")
    return existing


def test_every_test_that_is_named_exists(existing_tests):
    assert [test for test in named_tests() if test not in existing_tests] == []


def test_every_module_that_is_named_exists():
    modules = set(re.findall(r"`(objects_\w+)`", PAGE))
    assert [module for module in modules if not (ROOT / f"tests/semantics/test_{module}.py").exists()] == []


def test_every_rule_names_a_test():
    sections = PAGE.split("\n## ")[1:]
    assert [section.partition("\n")[0] for section in sections if "\n- " not in section] == []
