"""``stmpyc``: compiles ahead of time.

``stmpyc FILE_OR_DIR…`` fills the import hook's cache, so that the compiler is never loaded at run time;
``stmpyc -o DIR FILE_OR_DIR…`` writes a tree of modules that a plain ``import`` runs; ``--emit=source`` and
``--emit=report`` show what the compiler does. Ends with status 1 if a file could not be compiled.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

from stmpy import _cache, _messages, _tree
from stmpy._diagnostics import Diagnostic
from stmpy._loader import entry_of
from stmpy._runtime import mentions_stmpy
from stmpy._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stmpy.compiler import Compilation


class Options(NamedTuple):
    """What is the same for all files of a run. Goes to other processes."""

    emit: str
    tree: str | None
    compile_all: bool
    optimize: int


class Outcome(NamedTuple):
    """What became of one file: what to print, and whether it is a failure."""

    output: str
    messages: list[str]
    failed: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line, and returns its exit status."""
    options, paths, jobs = _parse(arguments)
    try:
        import stmpy.compiler  # noqa: F401
    except ImportError as error:
        print(f"stmpyc: the compiler cannot be loaded: {error}", file=sys.stderr)
        return 1
    places = list(_places(paths, options))
    if jobs == 1 or len(places) < 2:
        return _print(_process(options, place) for place in places)
    with ProcessPoolExecutor(min(jobs, len(places))) as pool:
        return _print(pool.map(partial(_process, options), places))


def _parse(arguments: Sequence[str] | None) -> tuple[Options, list[str], int]:
    parser = argparse.ArgumentParser(
        prog="stmpyc", description="Compiles the atomic functions of Python modules."
    )
    parser.add_argument(
        "paths", nargs="+", metavar="FILE_OR_DIR", help="a module, or a directory with modules in it"
    )
    parser.add_argument(
        "--emit",
        choices=["pyc", "source", "report"],
        default="pyc",
        help="pyc (the default): compiled modules; source: the text after rewriting; report: every access",
    )
    parser.add_argument(
        "-o", dest="tree", metavar="DIR", help="write a tree of modules that a plain import runs"
    )
    parser.add_argument(
        "-j", dest="jobs", type=int, default=1, metavar="N", help="use N processes (0: all cores)"
    )
    parser.add_argument("--compile-all", action="store_true", help="treat every function as @stmpy.compiled")
    parser.add_argument(
        "--optimize",
        type=int,
        choices=[0, 1, 2],
        default=sys.flags.optimize,
        help="Python's optimisation level (-O is 1, -OO is 2); the default is the one stmpyc runs with",
    )
    parser.add_argument("--version", action="version", version=f"stmpyc {__version__}")
    options = parser.parse_args(arguments)
    if options.tree is not None and options.emit != "pyc":
        parser.error("-o goes with --emit=pyc only")
    for path in options.paths:
        if not os.path.exists(path):
            parser.error(f"no such file or directory: {path}")
    tree = None if options.tree is None else os.path.abspath(options.tree)
    jobs = options.jobs if options.jobs > 0 else os.cpu_count() or 1
    return Options(options.emit, tree, options.compile_all, options.optimize), options.paths, jobs


def _places(paths: Iterable[str], options: Options) -> Iterator[_tree.Place]:
    for path in paths:
        for place in _tree.places(path, leave_out=options.tree):
            if place.is_module or options.tree is not None or place.source == os.path.abspath(path):
                yield place


def _process(options: Options, place: _tree.Place) -> Outcome:
    try:
        if options.tree is not None and os.path.join(options.tree, place.target) == place.source:
            raise OSError(f"the tree would be written over its own source {place.source}")
        if not place.is_module and options.tree is not None:
            _tree.write(place, options.tree, None, None)
            return Outcome("", [], False)
        return _process_module(options, place)
    except OSError as error:
        return Outcome("", [f"stmpyc: {error}"], True)


def _process_module(options: Options, place: _tree.Place) -> Outcome:
    with open(place.source, "rb") as file:
        status = os.fstat(file.fileno())
        source = file.read()
    if not mentions_stmpy(source) and not options.compile_all:
        if options.tree is not None:
            _tree.write(place, options.tree, source, None)
        return Outcome(source.decode(errors="replace") if options.emit == "source" else "", [], False)
    from stmpy.compiler import compile_source

    try:
        compilation = compile_source(source, place.source, compile_all=options.compile_all)
        code = compilation.code(optimize=options.optimize)
    except (SyntaxError, ValueError) as error:
        return Outcome("", [_of_python(place.source, error)], True)
    messages = [_of_compiler(place.source, diagnostic) for diagnostic in compilation.diagnostics]
    failed = any(diagnostic.severity == "error" for diagnostic in compilation.diagnostics)
    if options.emit == "source":
        return Outcome(compilation.source, messages, failed)
    if options.emit == "report":
        return Outcome(_report(place.source, compilation), messages, failed)
    if options.tree is not None:
        _tree.write(place, options.tree, source, code if compilation.changed else None)
    else:
        _fill_cache(options, place.source, source, status, compilation)
    return Outcome("", messages, failed)


def _fill_cache(
    options: Options, path: str, source: bytes, status: os.stat_result, compilation: Compilation
) -> None:
    entry_path = _cache.path(path, compile_all=options.compile_all, optimize=options.optimize)
    if entry_path is None:
        raise OSError("this Python keeps no caches (sys.implementation.cache_tag is not set)")
    entry = entry_of(compilation, optimize=options.optimize)
    if not _cache.store(entry_path, source, entry, status):
        raise OSError(f"cannot write {entry_path}")


def _report(path: str, compilation: Compilation) -> str:
    lines = [f"{path}: {_messages.summary(entry_of(compilation))}"]
    for function in compilation.report:
        lines.append(f"  {function['line']}: {function['name']} ({function['reason']})")
        lines += [
            f"    {access['line']}:{access['column']}: {access['attribute']}, "
            f"{access['kind']}: {access['plan']}"
            for access in function["accesses"]
        ]
    return "\n".join(lines) + "\n"


def _of_python(path: str, error: SyntaxError | ValueError) -> str:
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"{path}:{error.lineno}:{error.offset or 0}: error: {type(error).__name__}: {error.msg}"
    return f"{path}:1:0: error: {type(error).__name__}: {error}"


def _of_compiler(path: str, diagnostic: Diagnostic) -> str:
    return f"{path}:{diagnostic.line}:{diagnostic.column}: {diagnostic.severity}: {diagnostic}"


def _print(outcomes: Iterable[Outcome]) -> int:
    """Prints the outcomes in the order of the files, and returns the run's exit status."""
    status = 0
    for outcome in outcomes:
        sys.stdout.write(outcome.output)
        for message in outcome.messages:
            print(message, file=sys.stderr)
        if outcome.failed:
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
