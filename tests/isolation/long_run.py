"""The long run: ``python tests/isolation/long_run.py --histories 10000 --seed 1``.

A quarter of the histories are of Python programs on each tier, one of collections, and one of the core, where
it can be built. A wrong one ends it, and is written to a file to look at.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

import collection_level
import core_level
import python_level
from collection_kinds import KINDS
from core_level import Finding

RUNS = 5


def of_python(tier: Literal["dynamic", "compiled"], seed: int, programs: int) -> Iterator[Finding | None]:
    return python_level.findings(tier, seed=seed, programs=programs, runs=RUNS)


def of_core(seed: int, programs: int) -> Iterator[Finding | None]:
    return core_level.findings(core_level.build() / "core_histories", seed=seed, count=programs * RUNS)


def of_collections(seed: int, programs: int) -> Iterator[Finding | None]:
    each = -(-programs // len(KINDS))
    return chain(*(collection_level.findings(kind, seed=seed, programs=each, runs=RUNS) for kind in KINDS))


PARTS: dict[str, Callable[[int, int], Iterator[Finding | None]]] = {
    "dynamic": partial(of_python, "dynamic"),
    "compiled": partial(of_python, "compiled"),
    "collections": of_collections,
    "core": of_core,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    programs = -(-options.histories // (len(options.parts) * RUNS))
    total = 0
    for name in options.parts:
        if name == "core" and (missing := core_level.missing_tools()):
            print(f"NOT RUN: the core, without {', '.join(missing)}")
            continue
        judged = PARTS[name](options.seed, programs)
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
