"""docs/lints.md has each rule, in the compiler's words; its examples are found, and its remedies are not."""

import re
from pathlib import Path

import pytest

from stmpy import _check, _compiler

PAGE = (Path(__file__).parents[2] / "docs" / "lints.md").read_text(encoding="utf-8")
RULES = PAGE.partition("\n# The rules\n")[2].split("\n## ")[1:]
SECTIONS = {section.partition(":")[0]: section for section in RULES}
HEAD = "import stmpy\nfrom stmpy import STMObject, atomic\n"

rules = pytest.mark.parametrize("rule", _compiler.lint_rules(), ids=lambda rule: rule.code)


def words(text):
    return " ".join(text.split())


def test_the_page_has_the_rules_in_their_order():
    assert list(SECTIONS) == [rule.code for rule in _compiler.lint_rules()]


@rules
def test_a_rule_is_described_in_its_own_words(rule):
    section = SECTIONS[rule.code]
    assert section.startswith(f"{rule.code}: {rule.name}\n")
    assert words(rule.why)[1:] + "." in words(section)


@rules
def test_an_example_is_found_and_its_remedy_is_not(rule):
    example, remedy = re.findall(r"```python no-run\n(.*?)```", SECTIONS[rule.code], re.DOTALL)
    assert found(example) == [rule.code]
    assert found(remedy) == []


def found(source):
    checked = _check.check_source((HEAD + source).encode(), "example.py")
    assert not checked.unreadable
    return [finding.code for finding in checked.findings]
