"""The soak (`make soak`), for seconds instead of an hour."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).with_name("soak.py")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_every_invariant_holds_when_everything_happens_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(SOAK), "--seconds=5"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("every invariant held\n"), done.stdout
