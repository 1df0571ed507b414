"""C and C++ code of the tests' own, built where they run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def build(compiler: str, source: Path, made: Path, *flags: str) -> Path:
    """Builds `made`; skips without the compiler, and where a preloaded sanitizer would meet what is built."""
    path = shutil.which(compiler)
    if path is None:
        pytest.skip(f"NEEDS {compiler}")
    if "libasan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("NEEDS a process that no sanitizer is preloaded into")
    subprocess.run([path, source, "-o", made, *flags], check=True)
    return made
