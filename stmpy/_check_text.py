"""Findings for people: place, message, the line with what is meant underlined, why, and what to do."""

from __future__ import annotations

import os
import unicodedata
from typing import TextIO

from stmpy._check import Checked, Finding
from stmpy._messages import counted

_BOLD, _RED, _YELLOW, _BLUE, _RESET = "\x1b[1m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[0m"
_COLOURS = {"error": _RED, "warning": _YELLOW, "info": _BLUE}


def write(results: list[Checked], stream: TextIO) -> None:
    """Writes all findings, and a last line that counts them."""
    paint = _Paint(stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")
    for result in results:
        if result.unreadable and not result.findings:
            error = paint(_RED, "error")
            stream.write(
                f"{paint(_BOLD, _shown(result.path))}: {error}: cannot be read: {result.unreadable}\n\n"
            )
        for finding in result.findings:
            stream.write(_of(finding, paint) + "\n")
    stream.write(_summary(results) + "\n")


class _Paint:
    def __init__(self, colours: bool) -> None:
        self._colours = colours

    def __call__(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_RESET}" if self._colours else text


def _of(finding: Finding, paint: _Paint) -> str:
    colour = _COLOURS[finding.severity]
    place = f"{_shown(finding.path)}:{finding.line}:{finding.column}"
    margin = " " * max(5, len(str(finding.line)) + 1)
    lines = [
        f"{paint(_BOLD, place)}: {paint(colour, finding.severity)}: {finding.code}: "
        f"{paint(_BOLD, finding.message)}",
        f"{finding.line:>{len(margin)}} | {_printable(finding.source_line)}",
        f"{margin} | {paint(colour, _carets(finding))}",
    ]
    if finding.why:
        lines.append(f"{margin} = why: {finding.why}")
    if finding.hint:
        lines.append(f"{margin} = instead: {finding.hint}")
    return "\n".join(lines) + "\n"


def _carets(finding: Finding) -> str:
    line = finding.source_line
    start = finding.column - 1
    end = finding.end_column - 1 if finding.end_line == finding.line else len(line)
    before = "".join("\t" if c == "\t" else " " * _width(c) for c in line[:start])
    return before + "^" * max(1, sum(map(_width, line[start:end])))


def _width(character: str) -> int:
    """How many columns of a terminal a character takes, as it is printed."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _printable(line: str) -> str:
    """A line that does not command the terminal."""
    return "".join(c if c == "\t" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)


def _shown(path: str) -> str:
    """A path as it is typed from here, if that is shorter."""
    try:
        relative = os.path.relpath(path)
    except ValueError:
        return path
    return relative if len(relative) < len(path) else path


def _summary(results: list[Checked]) -> str:
    number = sum(len(result.findings) for result in results)
    files = sum(bool(result.findings) for result in results)
    unreadable = sum(bool(result.unreadable) for result in results)
    found = f"{counted(number, 'finding')} in {counted(files, 'file')}" if number else "no findings"
    not_checked = f", {unreadable} could not be checked" if unreadable else ""
    return f"{found} ({counted(len(results) - unreadable, 'file')} checked{not_checked})"
