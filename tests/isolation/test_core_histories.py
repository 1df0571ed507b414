"""Random programs on the core leave right histories; on a core with a bug planted in it, wrong ones."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import time

import pytest
from bugs import BUGS
from core_level import Finding, build, findings, missing_tools

BUDGET = 60.0
"""Seconds within which a bug has to show; most need a tenth of one."""


def _is_the_machines_own() -> bool:
    python = shutil.which("python3")
    if python is None:
        return True
    command = [python, "-c", "import sys; print(sys.version)"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() == sys.version


pytestmark = [
    pytest.mark.skipif(
        not _is_the_machines_own(),
        reason="the core is the same under each Python: this runs on the machine's own",
    ),
    pytest.mark.skipif(bool(missing_tools()), reason=f"NOT TESTED: {', '.join(missing_tools())} not found"),
]


@pytest.fixture(scope="module")
def executables():
    return build(range(1, len(BUGS) + 1))


@pytest.mark.parametrize("seed", range(3))
def test_what_threads_see_of_each_other_is_right(executables, seed):
    judged = list(findings(executables / "core_histories", seed=seed, count=200))
    assert len(judged) == 200
    assert [str(finding) for finding in judged if finding] == []


def first_finding(executable) -> Finding | None:
    deadline = time.monotonic() + BUDGET
    for seed in itertools.count(1):
        for finding in findings(executable, seed=seed, count=200, patience=5):
            if finding or time.monotonic() > deadline:
                return finding
    return None


@pytest.mark.parametrize("number", range(1, len(BUGS) + 1), ids=[bug.name for bug in BUGS])
def test_a_planted_bug_is_found(executables, number):
    assert first_finding(executables / f"core_histories_bug_{number}")


def test_a_bug_whose_place_has_changed_is_not_planted_silently():
    moved = type(BUGS[0])("moved", "outside.cpp", "there is no such text", "")
    with pytest.raises(ValueError, match="0 times in outside.cpp, instead of once"):
        moved.planted()
