"""CPython's own tests, compiled against plain: `python suite.py [options] [MODULE…]`.

Each module of the tests runs in two processes of its own: as it is, and with the tests, the library they are
about and unittest compiled, every function of them. The outcomes are compared test by test. Without modules,
all of modules.txt that this Python has. Options:

    --tests FOLDER    a folder with another Python's `test` package, for a Python that has none
    -j N              as many modules at a time
    --quick           only those that modules.txt marks

What differs and is named in known_differences.toml, with its reason, is counted; all else fails.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
LIMIT = 300  # seconds, for one module once

# What tests do, by their ids.
Outcomes = dict[str, str]


@dataclass
class Comparison:
    """What one module's tests did, plain and compiled, where they differ."""

    module: str
    plain: Outcomes
    differences: dict[str, tuple[str, str]]


def known_differences() -> list[tuple[str, str]]:
    """Patterns of tests' ids, with the reason."""
    entries = tomllib.loads((HERE / "known_differences.toml").read_text()).get("difference", [])
    return [(test, entry["reason"]) for entry in entries for test in entry["tests"]]


def listed(*, quick: bool = False) -> list[str]:
    lines = [line.split() for line in (HERE / "modules.txt").read_text().splitlines()]
    return [words[0] for words in lines if words and words[0] != "#" and (not quick or words[1:] == ["*"])]


def available(modules: Iterable[str], tests: Path) -> list[str]:
    """Those that a `test` package has: versions differ."""
    return [name for name in modules if (tests / f"{name}.py").exists() or (tests / name).is_dir()]


def run(module: str, mode: str, tests: Path, scratch: Path) -> Outcomes:
    """The outcomes of one module's tests in a process of its own, in a folder of its own."""
    folder = scratch / f"{module}-{mode}"
    folder.mkdir()
    output = folder / "outcomes.json"
    command = [sys.executable, HERE / "one_module.py", mode, module, output]
    if tests != Path(sysconfig.get_path("stdlib")) / "test":
        command.append(scratch / "borrowed")
    environment = os.environ | {
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONHASHSEED": "0",
        "PYTHONPYCACHEPREFIX": str(scratch / "cache"),
        "TMPDIR": str(folder),
    }
    try:
        with open(folder / "log", "w") as log:
            ended = subprocess.run(
                [*map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=environment,
                timeout=LIMIT,
            )
    except subprocess.TimeoutExpired:
        return {module: f"not over after {LIMIT} s"}
    if not output.exists():
        last = (folder / "log").read_text(errors="replace").splitlines()[-1:]
        return {module: f"ended with status {ended.returncode}: {''.join(last)}"}
    outcomes: Outcomes = json.loads(output.read_text())
    return outcomes


def compare(module: str, tests: Path, scratch: Path) -> Comparison:
    plain = run(module, "plain", tests, scratch)
    compiled = run(module, "compiled", tests, scratch)
    both = {name: (plain.get(name, "absent"), compiled.get(name, "absent")) for name in plain | compiled}
    return Comparison(module, plain, {name: pair for name, pair in both.items() if pair[0] != pair[1]})


def report(comparisons: Iterable[Comparison], known: list[tuple[str, str]]) -> bool:
    """Prints what differs; returns whether all is well."""
    tests = unknown = explained = modules = broken = 0
    for comparison in comparisons:
        modules += 1
        tests += len(comparison.plain)
        whole = comparison.plain.get(comparison.module)
        broken += whole is not None and not whole.startswith("skipped")
        print(f"{comparison.module}: {whole or f'{len(comparison.plain)} tests'}", flush=True)
        for test, (plain, compiled) in comparison.differences.items():
            reason = next((reason for pattern, reason in known if fnmatch.fnmatchcase(test, pattern)), None)
            explained += reason is not None
            unknown += reason is None
            print(f"  {test}: {plain}; compiled: {compiled} ({reason or 'NOT KNOWN'})", flush=True)
    print(f"{modules} modules, {tests} tests: {explained} differences with a known reason, {unknown} without")
    if broken:
        print(f"{broken} modules do not run at all, not even plain")
    return unknown == 0 and broken < modules / 4


def compare_all(modules: Sequence[str], tests: Path, jobs: int) -> bool:
    known = known_differences()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(jobs) as pool:
        borrowed = Path(scratch, "borrowed")
        borrowed.mkdir()
        (borrowed / "test").symlink_to(tests.resolve())
        return report(pool.map(lambda module: compare(module, tests, Path(scratch)), modules), known)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", nargs="*")
    parser.add_argument("--tests", type=Path, default=Path(sysconfig.get_path("stdlib")) / "test")
    parser.add_argument("-j", dest="jobs", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if not arguments.tests.is_dir():
        parser.error(f"this Python has no {arguments.tests}; give another's with --tests")
    modules = arguments.modules or listed(quick=arguments.quick)
    return not compare_all(available(modules, arguments.tests), arguments.tests, arguments.jobs)


if __name__ == "__main__":
    sys.exit(main())
