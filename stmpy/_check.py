"""``stmpyc --check``: what a source should not do in its transactions, less what its comments silence."""

from __future__ import annotations

import re
import warnings
from typing import NamedTuple

from stmpy import _compiler
from stmpy._diagnostics import Severity
from stmpy._runtime import mentions_stmpy
from stmpy.compiler import Diagnostic, compile_source

UNUSED_IGNORE = "STM291"
SYNTAX_ERROR = "STM000"

_RULES = {rule.code: rule for rule in _compiler.lint_rules()}


class Finding(NamedTuple):
    """One thing that was found.

    Lines and columns count from 1, columns in characters; the end is exclusive.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    severity: Severity
    code: str
    message: str
    why: str
    hint: str
    source_line: str


class Checked(NamedTuple):
    """What came of one file. `unreadable` says why it could not be checked, and is empty if it was."""

    path: str
    findings: list[Finding]
    unreadable: str = ""


class _Place(NamedTuple):
    line: int
    column: int
    end_line: int
    end_column: int


def check_file(path: str) -> Checked:
    """Checks one file. A module that does not mention stmpy holds no transactions: it is not looked into."""
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        return Checked(path, [], error.strerror or str(error))
    if not mentions_stmpy(source):
        return Checked(path, [])
    return check_source(source, path)


def check_source(source: bytes, path: str) -> Checked:
    """Checks a file's bytes. What the compiler itself has to say of them is among the findings."""
    try:
        with warnings.catch_warnings():
            # CPython's own, about the module: they come when it is compiled or imported.
            warnings.simplefilter("ignore")
            compilation = compile_source(source, path)
            compilation.code()
        text = source if isinstance(source, str) else _compiler.decode(source)
    except (SyntaxError, ValueError) as error:
        return Checked(path, [_of_python(path, source, error)], f"it is not Python: {error}")
    found, ignores = _compiler.lint(text)
    lines = _Lines(path, text)
    findings = [
        lines.finding(_Place(f.line, f.column, f.end_line, f.end_column), f.code, f.message) for f in found
    ]
    findings += [lines.of_compiler(diagnostic) for diagnostic in compilation.diagnostics]
    return Checked(path, sorted(_not_silenced(lines, findings, ignores), key=_order))


class _Lines:
    """Makes findings about one text."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        # As CPython counts lines: not `splitlines`, which knows more ends of a line.
        self._lines = re.split(r"\r\n|\r|\n", text)

    def finding(self, place: _Place, code: str, message: str) -> Finding:
        rule = _RULES[code]
        return self._make(place, rule.severity, code, message, rule.why, rule.hint)

    def of_compiler(self, diagnostic: Diagnostic) -> Finding:
        # The word at its place.
        column = diagnostic.column
        word = re.match(r"\w+|", self._line(diagnostic.line)[column:])
        end = column + max(1, word.end() if word else 1)
        place = _Place(diagnostic.line, column, diagnostic.line, end)
        return self._make(
            place, diagnostic.severity, diagnostic.code, diagnostic.message, "", diagnostic.hint
        )

    def _make(
        self, place: _Place, severity: Severity, code: str, message: str, why: str, hint: str
    ) -> Finding:
        line, column, end_line, end_column = place
        shown = self._line(line)
        return Finding(
            self._path, line, column + 1, end_line, end_column + 1, severity, code, message, why, hint, shown
        )

    def _line(self, number: int) -> str:
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""


def _not_silenced(lines: _Lines, findings: list[Finding], ignores: list[_compiler.Ignore]) -> list[Finding]:
    used: set[tuple[int, str]] = set()
    left = []
    for finding in findings:
        silencing = [number for number, ignore in enumerate(ignores) if _silences(ignore, finding)]
        used.update((number, finding.code) for number in silencing)
        if not silencing:
            left.append(finding)
    for number, ignore in enumerate(ignores):
        message = _unused(ignore, {code for silencing, code in used if silencing == number})
        if message and not any(i.whole_file and UNUSED_IGNORE in i.codes for i in ignores):
            place = _Place(ignore.line, ignore.column, ignore.line, ignore.end_column)
            left.append(lines.finding(place, UNUSED_IGNORE, message))
    return left


def _silences(ignore: _compiler.Ignore, finding: Finding) -> bool:
    if ignore.codes and finding.code not in ignore.codes:
        return False
    start = (ignore.first_line, ignore.first_column + 1)
    return ignore.whole_file or start <= finding[1:3] < (ignore.last_line, ignore.last_column + 1)


def _unused(ignore: _compiler.Ignore, used: set[str]) -> str:
    where = "in this file" if ignore.whole_file else "in this line"
    if not ignore.codes:
        return "" if used else f"there is nothing to ignore {where}"
    unused = [code for code in ignore.codes if code not in used and code != UNUSED_IGNORE]
    return f"there is no {' or '.join(unused)} {where}" if unused else ""


def _of_python(path: str, source: bytes, error: SyntaxError | ValueError) -> Finding:
    line = max(1, getattr(error, "lineno", None) or 1)
    column = max(1, getattr(error, "offset", None) or 1)
    end_line = max(line, getattr(error, "end_lineno", None) or line)
    end_column = max(1, getattr(error, "end_offset", None) or column + 1)
    if end_line == line:
        end_column = max(column + 1, end_column)
    shown = source.decode(errors="replace").split("\n")
    message = f"{type(error).__name__}: {getattr(error, 'msg', error)}"
    source_line = shown[line - 1].rstrip("\r") if line <= len(shown) else ""
    return Finding(
        path, line, column, end_line, end_column, "error", SYNTAX_ERROR, message,
        "", "the file cannot be checked before Python accepts it", source_line,
    )  # fmt: skip


def _order(finding: Finding) -> tuple[int, int, str]:
    return finding.line, finding.column, finding.code
