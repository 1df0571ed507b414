"""A pytest plugin: compiles what STMPY_COMPILE names, and writes tests' outcomes to STMPY_OUTCOMES."""

from __future__ import annotations

import json
import os

import pytest

if os.environ["STMPY_COMPILE"]:
    import stmpy.hook

    stmpy.hook.install(os.environ["STMPY_COMPILE"].split(), compile_all=True)

_outcomes: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # The call's outcome is the test's; set-up and tear-down count where they fail or skip.
    if report.when == "call" or report.outcome != "passed":
        _outcomes[report.nodeid] = report.outcome


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.outcome != "passed":
        _outcomes[report.nodeid] = f"collection {report.outcome}"


def pytest_sessionfinish() -> None:
    with open(os.environ["STMPY_OUTCOMES"], "w") as file:
        json.dump(_outcomes, file)
