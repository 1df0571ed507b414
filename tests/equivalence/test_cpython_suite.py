"""Some of CPython's own tests have the same outcomes compiled as plain. `cpython/suite.py` runs many more."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

SUITE = Path(__file__).parent / "cpython" / "suite.py"
TESTS = Path(sysconfig.get_path("stdlib")) / "test" / "test_grammar.py"


@pytest.mark.skipif(not TESTS.exists(), reason="this Python has no `test` package")
def test_the_outcomes_of_pythons_own_tests_are_the_same() -> None:
    ended = subprocess.run([sys.executable, SUITE, "--quick"], capture_output=True, text=True, timeout=900)
    assert ended.returncode == 0, ended.stdout + ended.stderr
