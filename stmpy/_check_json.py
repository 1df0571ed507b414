"""Findings for programs, in the form that docs/lints.md describes.

The version changes when a program that reads the old form could not read the new one.
"""

from __future__ import annotations

import json
from typing import TextIO

from stmpy._check import Checked
from stmpy._version import __version__

VERSION = 1


def write(results: list[Checked], stream: TextIO) -> None:
    """Writes one object with all findings."""
    document = {
        "version": VERSION,
        "tool": {"name": "stmpyc", "version": __version__},
        "checked": sum(not result.unreadable for result in results),
        "unreadable": [{"path": r.path, "reason": r.unreadable} for r in results if r.unreadable],
        "findings": [
            {
                "path": finding.path,
                "line": finding.line,
                "column": finding.column,
                "end_line": finding.end_line,
                "end_column": finding.end_column,
                "severity": finding.severity,
                "code": finding.code,
                "message": finding.message,
                "why": finding.why,
                "hint": finding.hint,
            }
            for result in results
            for finding in result.findings
        ],
    }
    json.dump(document, stream, indent=2)
    stream.write("\n")
