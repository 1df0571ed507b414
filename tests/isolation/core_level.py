"""Histories of the core: builds `core_histories` (tests/core/histories), runs it, judges what it prints."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from checker import judge
from history import History

ROOT = Path(__file__).parents[2]
BUILD = ROOT / ".cache" / "build" / "histories"
SETTINGS = {
    "CMAKE_BUILD_TYPE": "Debug",
    "CMAKE_CXX_FLAGS_DEBUG": "-O1",
    "STMPY_BUILD_TESTS": "ON",
    "STMPY_BUILD_EXTENSIONS": "OFF",
    "STMPY_BUILD_COMPILER": "OFF",
}
FOUND = 2
"""The status of a run that has said itself what is wrong."""
NEEDED = ("cmake", "ninja", "c++")


def missing_tools() -> list[str]:
    return [tool for tool in NEEDED if not shutil.which(tool)]


def build(bugs: Sequence[int] = ()) -> Path:
    """Returns the folder of `core_histories` and of a `core_histories_bug_N` for each of the bugs."""
    settings = SETTINGS | {"STMPY_BUG": ";".join(map(str, bugs))}
    if shutil.which("ccache"):
        settings["CMAKE_CXX_COMPILER_LAUNCHER"] = "ccache"
    targets = ["core_histories", *(f"core_histories_bug_{bug}" for bug in bugs)]
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _run("cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", *(f"-D{k}={v}" for k, v in settings.items()))
        _run("cmake", "--build", BUILD, "--target", *targets)
    return BUILD / "runtime" / "tests_core" / "histories"


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@dataclass(frozen=True)
class Finding:
    """What is wrong with a history, or with the run that should have made it."""

    title: str
    text: str
    history: str = ""

    def __str__(self) -> str:
        return f"{self.title}: {self.text}\n{self.history}"


def findings(executable: Path, *, seed: int, count: int, patience: int = 60) -> Iterator[Finding | None]:
    """Runs random programs; for each history, when it is there, what is wrong with it or None."""
    options = [f"--seed={seed}", f"--count={count}", f"--patience={patience}"]
    with subprocess.Popen([executable, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield from _judged(process.stdout, f"seed {seed}")
        except GeneratorExit:
            process.kill()
            raise
    if process.returncode not in (0, FOUND):
        yield Finding(f"seed {seed}", f"it ended with status {process.returncode}")


def _judged(lines: Iterable[str], title: str) -> Iterator[Finding | None]:
    attempts: list[str] = []
    for line in map(str.strip, lines):
        if line.startswith("!"):
            yield Finding(title, line)
        elif line.startswith("#"):
            title, attempts = line, []
        elif line == "end":
            yield _judge(History.parse(attempts), title)
        else:
            attempts.append(line)


def _judge(history: History, title: str) -> Finding | None:
    try:
        verdict = judge(history)
    except ValueError as error:  # no history that threads which see what they should can leave
        return Finding(title, str(error), str(history))
    return None if verdict.right else Finding(title, str(verdict), str(history))
