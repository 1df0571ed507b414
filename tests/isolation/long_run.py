"""The long run: ``python tests/isolation/long_run.py --histories 10000 --seed 1``.

Half of the histories are of the core, where it can be built, and a quarter of Python programs on each tier.
A wrong one ends it, and is written to a file to look at.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import core_level
import python_level
from core_level import Finding

RUNS = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    programs = -(-options.histories // (4 * RUNS))
    quarter = programs * RUNS
    parts: dict[str, Iterator[Finding | None]] = {
        "dynamic": python_level.findings("dynamic", seed=options.seed, programs=programs, runs=RUNS),
        "compiled": python_level.findings("compiled", seed=options.seed, programs=programs, runs=RUNS),
    }
    if missing := core_level.missing_tools():
        print(f"NOT RUN: the core, without {', '.join(missing)}")
    else:
        executable = core_level.build() / "core_histories"
        parts["core"] = core_level.findings(executable, seed=options.seed, count=2 * quarter)
    total = 0
    for name, judged in parts.items():
        began = time.monotonic()
        for number, finding in enumerate(judged, 1):
            if finding:
                found = Path("wrong_history.txt")
                found.write_text(str(finding))
                print(f"{name}: history {number} is wrong, see {found.resolve()}")
                return 1
            total += 1
        print(f"{name}: {number} histories are right [{time.monotonic() - began:.0f} s]", flush=True)
    print(f"{total} histories are right, on Python {sys.version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
