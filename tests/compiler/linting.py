"""Sources for the lints, with `«…»` around what a finding is about. All of them begin with HEAD."""

import textwrap

from stmpy import _compiler

HEAD = """\
import stmpy, time, threading, queue, itertools, functools, logging, os, sys, random
from stmpy import STMObject, atomic, atomically
"""

BASKET = """\
class Basket(STMObject):
    shared = []
    count = 0
    numbers = itertools.count()
    def __init__(self, items):
        self.items = []
        self.prices: dict[str, int] = {}
        self.names, self.owner = set(), items
"""


def function(body, before="", decorator="@atomic", parameters="o, x"):
    """An atomic function of these statements, behind what the module has before it."""
    head = f"{decorator}\ndef f({parameters}):\n"
    return textwrap.dedent(before) + head + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n"


def findings(source):
    """The source's findings: code, and the text each is about."""
    text = HEAD + source
    lines = text.splitlines(True)
    return [
        (found.code, "".join(cut(lines, found)))
        for found in _compiler.lint(text)[0]
        if found.code != "STM291"
    ]


def cut(lines, found):
    for number in range(found.line, found.end_line + 1):
        end = found.end_column if number == found.end_line else None
        yield lines[number - 1][found.column if number == found.line else 0 : end]


def expected(marked):
    parts = marked.replace("»", "«").split("«")
    return "".join(parts), parts[1::2]
