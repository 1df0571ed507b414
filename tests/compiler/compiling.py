"""Sources through the compiler, for tests that say what becomes of them."""

from __future__ import annotations

import textwrap
from typing import Any

from stmpy import _compiler


def refusals(result: Any) -> list[Any]:
    """The diagnostics that say why a whole source was left as it is."""
    return [d for d in result.diagnostics if d.code.startswith("STM0")]


def compile_all(source: str) -> Any:
    """The result for a source that the compiler has to understand, every function compiled."""
    result = _compiler.compile(source, "test.py", compile_all=True)
    assert [(d.line, d.message) for d in refusals(result)] == []
    return result


def without_prologue(source: str) -> str:
    return "".join(line for line in source.splitlines(True) if not line.startswith("from stmpy._barriers "))


def rewritten(statements: str) -> str:
    """What becomes of statements in a compiled function with the parameters o, p and n.

    It is atomic, unless it suspends.
    """
    body = textwrap.indent(statements, "    ")
    decorator = "" if "yield" in statements else "from stmpy import atomic\n@atomic\n"
    result = compile_all(f"{decorator}def f(o, p, n):\n{body}\n")
    lines = without_prologue(result.source).splitlines()[1 + decorator.count("\n") :]
    return textwrap.dedent("\n".join(lines))
