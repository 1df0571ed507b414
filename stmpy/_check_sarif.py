"""Findings as SARIF 2.1.0, which code hosts show at their lines.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; the numbers below are its sections.
"""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePath
from typing import Any, TextIO
from urllib.parse import quote

from stmpy import _compiler
from stmpy._check import Checked, Finding
from stmpy._version import __version__

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_ROOT = "SRCROOT"


def write(results: list[Checked], stream: TextIO) -> None:
    """Writes one run with all findings."""
    findings = [finding for result in results for finding in result.findings]
    rules = _rules(findings)
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    run = {
        "tool": {"driver": {"name": "stmpyc", "version": __version__, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"uri": Path.cwd().as_uri().rstrip("/") + "/"}},
        "invocations": [_invocation(results)],
        "results": [_result(finding, index) for finding in findings],
    }
    document = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    json.dump(document, stream, indent=2)
    stream.write("\n")


def _rules(findings: list[Finding]) -> list[dict[str, Any]]:
    """3.49: every lint, found or not, and of the compiler's own rules those that were found."""
    rules = [
        _rule(rule.code, rule.name, rule.why, rule.hint, rule.severity) for rule in _compiler.lint_rules()
    ]
    known = {rule["id"] for rule in rules}
    for finding in findings:
        if finding.code not in known:
            known.add(finding.code)
            rules.append(_rule(finding.code, "", finding.message, finding.hint, finding.severity))
    return rules


def _rule(code: str, name: str, why: str, hint: str, severity: str) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": code,
        "shortDescription": {"text": _sentence(why)},
        "help": {
            "text": f"{_sentence(why)} Instead: {_sentence(hint)}",
            "markdown": f"{_sentence(why)}\n\n**Instead:** {_sentence(hint)}",
        },
        "defaultConfiguration": {"level": _LEVELS[severity]},
    }
    if name:
        rule["name"] = "".join(word.capitalize() for word in name.split("-"))
    return rule


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _invocation(results: list[Checked]) -> dict[str, Any]:
    """3.20: says of each file that could not be checked that the run is not complete."""
    notifications = [
        {
            "level": "error",
            "message": {"text": f"not checked: {result.unreadable}"},
            "locations": [{"physicalLocation": {"artifactLocation": _artifact(result.path)}}],
        }
        for result in results
        if result.unreadable
    ]
    return {"executionSuccessful": not notifications, "toolExecutionNotifications": notifications}


def _result(finding: Finding, index: dict[str, int]) -> dict[str, Any]:
    region = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endLine": finding.end_line,
        "endColumn": finding.end_column,
    }
    return {
        "ruleId": finding.code,
        "ruleIndex": index[finding.code],
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{_sentence(finding.message)} {_sentence(finding.hint)}"},
        "locations": [{"physicalLocation": {"artifactLocation": _artifact(finding.path), "region": region}}],
    }


def _artifact(path: str) -> dict[str, str]:
    """3.4: relative to the directory the run was started in, where a file is below it."""
    relative = os.path.relpath(path)
    if relative.startswith(os.pardir):
        return {"uri": Path(path).as_uri()}
    return {"uri": quote(os.fsencode(PurePath(relative).as_posix())), "uriBaseId": _ROOT}
