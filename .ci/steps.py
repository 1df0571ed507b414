"""Commands whose output is shown as it comes, the steps they belong to, and the summary of all steps."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

from machine import CACHE, PROCESSORS, ROOT, say, show, shown_by

CLOSING_LINE = re.compile(
    r"=+ .*\b(?:passed|failed|errors?|no tests ran|skipped)\b.* =+|\d+% tests passed, .*"
)


class StepFailed(Exception):
    """A command of a step exited with an error, or took too long."""


class Report:
    """The steps so far, and what each one said at its end. A failure does not stop the next one."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str]] = []

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Runs a step; the closing lines that the block appends are shown again in the summary."""
        say(name)
        begin = time.monotonic()
        closing: list[str] = []
        try:
            yield closing
            outcome = "ok"
        except StepFailed as error:
            outcome = "FAILED"
            closing.append(str(error))
            show(f"FAILED: {name}: {error}\n".encode())
        closing.append(f"[{time.monotonic() - begin:.0f} s]")
        self.lines.append((outcome, name, "  ".join(closing)))

    def side_by_side(self, chains: Sequence[Callable[[Report], None]]) -> None:
        """Runs chains of steps, begun in their order, as many at a time as there are processors.

        What they print reads as if one ran after the other: the output of a chain is shown when those before
        it have ended, and from then on as it comes.
        """

        def run_chain(chain: Callable[[Report], None], output: SimpleQueue[bytes | None]) -> Report:
            report = Report()
            try:
                with shown_by(output.put):
                    chain(report)
            finally:
                output.put(None)
            return report

        with ThreadPoolExecutor(PROCESSORS) as pool:
            outputs = [SimpleQueue[bytes | None]() for _ in chains]
            running = [pool.submit(run_chain, *each) for each in zip(chains, outputs, strict=True)]
            try:
                for output, chain in zip(outputs, running, strict=True):
                    while (chunk := output.get()) is not None:
                        show(chunk)
                    self.lines += chain.result().lines
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def skip(self, name: str, why: str) -> None:
        """Remembers for the summary what this machine could not do."""
        say(f"skipped: {name}: {why}")
        self.lines.append(("skipped", name, why))

    def finish(self) -> int:
        """Prints the summary and returns the exit status."""
        say("summary")
        for outcome, name, text in self.lines:
            show(f"{outcome:8} {name:28} {text}\n".encode())
        return int(any(outcome == "FAILED" for outcome, _, _ in self.lines))


def run(*command: str | Path, cwd: Path = ROOT, minutes: float = 30, **environment: str) -> str:
    """Runs a command; returns the closing line of its test runner without the frame, "" where it has none."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=_environment() | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    deadline = time.monotonic() + minutes * 60
    output = b""
    while (chunk := process.stdout.read()) != b"":
        if chunk:
            show(chunk)
            output += chunk
        elif time.monotonic() < deadline:
            time.sleep(0.05)
        else:
            process.kill()
            process.wait()
            raise StepFailed(f"no end after {minutes:g} minutes: {_shown(command)}")
    lines = output.decode(errors="replace").splitlines()
    closing = [line.strip("= ") for line in lines if CLOSING_LINE.fullmatch(line)][-1:]
    if process.wait():
        raise StepFailed("  ".join([*closing, f"exit status {process.returncode}: {_shown(command)}"]))
    return "".join(closing)


def run_in_terminal(*command: str | Path) -> None:
    """Runs a command that draws on the terminal."""
    status = subprocess.run(command, cwd=ROOT, env=_environment()).returncode
    if status:
        raise StepFailed(f"exit status {status}: {_shown(command)}")


def _shown(command: tuple[str | Path, ...]) -> str:
    text = " ".join(str(part) for part in command).replace(f"{ROOT}/", "")
    return text if len(text) < 200 else f"{text[:200]}…"


def _environment() -> dict[str, str]:
    """The caller's, without what would make Python find another stmpy than the one that was installed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return environment | {
        "CMAKE_BUILD_PARALLEL_LEVEL": str(PROCESSORS),
        "CCACHE_DIR": str(CACHE / "ccache"),
        "CCACHE_BASEDIR": str(ROOT),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
