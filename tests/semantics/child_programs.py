"""Programs that run in an interpreter of their own, and what they start with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from stage import PATIENCE

PRELUDE = """\
import atexit, gc, os, pickle, signal, sys, threading, time, weakref
import stmpy
from stmpy import STMCounter, STMDict, STMList, STMObject, STMQueue, STMSet
from stmpy import access_map, atomic, atomically, current_transaction, in_transaction
from stmpy import on_abort, on_commit, or_else, retry, stats

class Cell(STMObject):
    def __init__(self, value=None):
        self.value = value

def start(function, *args, daemon=True):
    thread = threading.Thread(target=function, args=args, daemon=daemon)
    thread.start()
    return thread

def until(condition):
    while not condition():
        time.sleep(0.001)
"""

# What only a process that has crashed says.
CRASHES = ("Fatal Python error", "FATAL", "terminate called", "Segmentation fault", "Aborted")


def run_program(
    source: str, tier: str, folder: Path, *arguments: str, prelude: str = PRELUDE
) -> subprocess.CompletedProcess[str]:
    """Runs it with these arguments on that tier until it ends, and sees that it has not crashed."""
    path = folder / "program.py"
    path.write_text(prelude + source)
    command = ["-m", "stmpy", "run", str(path)] if tier == "compiled" else [str(path)]
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", *command, *arguments],
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        env=os.environ | {"PYTHONPATH": str(folder)},
    )
    assert not any(crash in done.stderr for crash in CRASHES), done.stderr
    return done
