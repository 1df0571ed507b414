"""Test-suites of packages from PyPI, compiled against plain: `python run.py [PACKAGE…]`.

Each package's source distribution is fetched, its tests run twice, once with the package and the tests
compiled, every function of them, and the outcomes are compared test by test. Needs pip, pytest and a network.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent


@dataclass
class Package:
    """A distribution: its modules, where its tests are, and what they need beside pytest."""

    requirement: str
    modules: list[str]
    tests: str = "tests"
    needs: list[str] = field(default_factory=list)


PACKAGES = {
    # Classes, descriptors, generated methods, what introspection sees of them.
    "attrs": Package("attrs==25.3.0", ["attr", "attrs"], needs=["hypothesis", "cloudpickle"]),
    # Generators and iterators.
    "more-itertools": Package("more-itertools==10.7.0", ["more_itertools"]),
    # A compiler of its own, exec, tracebacks, async code.
    "jinja2": Package("jinja2==3.1.6", ["jinja2"], needs=["markupsafe", "trio"]),
    # Functions and their signatures, pickling, threads.
    "toolz": Package("toolz==1.0.0", ["toolz", "tlz"], tests="toolz"),
}


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "-q", *arguments], check=True)


def unpacked(package: Package, folder: Path) -> Path:
    """The source distribution's tree; the package itself is installed in `folder`/site."""
    site = folder / "site"
    pip("install", "--target", str(site), package.requirement, *package.needs)
    pip("download", "--no-deps", "--no-binary", ":all:", "-d", str(folder), package.requirement)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "source", filter="data")
    (tree,) = (folder / "source").iterdir()
    return tree


def test_modules(tests: Path) -> list[str]:
    """The names that modules of the tests may be imported by."""
    names = {path.stem for path in tests.rglob("*.py")} - {"conftest", "__init__"}
    return sorted({tests.name, *names})


def run(package: Package, tree: Path, site: Path, *, compiled: bool) -> dict[str, str]:
    tests = tree / package.tests
    output = site.parent / f"{compiled}.json"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(site), str(HERE), *os.environ.get("PYTHONPATH", "").split()]),
        "PYTHONHASHSEED": "0",
        "STMPY_COMPILE": " ".join([*package.modules, *test_modules(tests)]) if compiled else "",
        "STMPY_OUTCOMES": str(output),
    }
    # Tests whose assertions pytest rewrites would be its own to load.
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "plugin",
        "--assert=plain",
        "-p",
        "no:cacheprovider",
    ]
    log = site.parent / f"{compiled}.log"
    with open(log, "w") as file:
        subprocess.run([*command, package.tests], cwd=tree, env=environment, stdout=file, stderr=file)
    if not output.exists():
        sys.exit(log.read_text())
    outcomes: dict[str, str] = json.loads(output.read_text())
    return outcomes


def compare(name: str) -> int:
    """Prints what differs; returns how many tests do."""
    package = PACKAGES[name]
    with tempfile.TemporaryDirectory() as folder:
        tree = unpacked(package, Path(folder))
        site = Path(folder, "site")
        plain = run(package, tree, site, compiled=False)
        compiled = run(package, tree, site, compiled=True)
    passed = list(plain.values()).count("passed")
    print(f"{package.requirement}: {len(plain)} tests, {passed} of them pass plain", flush=True)
    different = [test for test in plain | compiled if plain.get(test) != compiled.get(test)]
    for test in different:
        print(f"  {test}: {plain.get(test, 'absent')}; compiled: {compiled.get(test, 'absent')}")
    return len(different)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packages", nargs="*", choices=[*PACKAGES, []], default=[])
    names = parser.parse_args().packages or list(PACKAGES)
    different = sum(compare(name) for name in names)
    print(f"{len(names)} packages, {different} differences")
    return different != 0


if __name__ == "__main__":
    sys.exit(main())
