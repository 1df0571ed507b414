"""``stmpyc``: compiles ahead of time, checks, and shows what compiled code costs.

``stmpyc FILE_OR_DIR…`` fills the import hook's cache, so that the compiler is never loaded at run time;
``stmpyc -o DIR FILE_OR_DIR…`` writes a tree of modules that a plain ``import`` runs; ``--emit=source`` and
``--emit=report`` show what the compiler does, ``--annotate`` shows it on a page, ``--check`` says what a
transaction should not do.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from functools import partial
from io import TextIOWrapper
from typing import NamedTuple

from stmpy import _jobs, _tree
from stmpy._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from stmpy._build import Outcome

# Of the process; what each means is in the help text.
CLEAN, FOUND, UNUSABLE, INTERRUPTED = 0, 1, 2, 130

_EXAMPLES = """\
examples:
  stmpyc src/                         fill the cache of every module of src/ that uses stmpy
  stmpyc -o build src/                write a tree that needs neither sources nor compiler
  stmpyc --emit=source bank.py        show bank.py as it runs
  stmpyc --annotate bank.py           write bank.py.html: which lines cost how much, and why
  stmpyc --check src/                 say what transactions should not do, and what instead
  stmpyc --check --format=sarif src/ > stmpy.sarif

exit status:
  0  everything was compiled; with --check, nothing was found
  1  a file could not be compiled or written; with --check, there are findings
  2  the command line is wrong; with --check, a file could not be read, or is not Python
"""


class _Command(NamedTuple):
    options: argparse.Namespace
    places: list[_tree.Place]
    progress: _jobs.Progress
    errors: list[str]  # about directories


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line, and returns its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Names of files and texts of sources that the terminal's encoding does not have.
            stream.reconfigure(errors="backslashreplace")
    options = _parse(arguments)
    try:
        import stmpy.compiler  # noqa: F401
    except ImportError as error:
        print(f"stmpyc: the compiler cannot be loaded: {error}", file=sys.stderr)
        return UNUSABLE if options.check else FOUND
    command = _command(options)
    try:
        if options.check:
            return _check(command)
        return _annotate(command) if options.annotate else _build(command)
    except KeyboardInterrupt:
        command.progress.clear()
        return INTERRUPTED
    except BrokenPipeError:
        # What reads the output has seen enough. Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FOUND


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="stmpyc",
        description="Compiles the atomic functions of Python modules, checks them, and shows what they cost.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths", nargs="+", metavar="FILE_OR_DIR", help="a module, or a directory with modules in it"
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--emit",
        choices=["pyc", "source", "report"],
        help="pyc (the default): compiled modules; source: the text after rewriting; report: every access",
    )
    mode.add_argument(
        "--check", action="store_true", help="compile nothing; say what transactions should not do"
    )
    mode.add_argument(
        "--annotate", action="store_true", help="write a page for each module: what each line costs, and why"
    )
    parser.add_argument(
        "-o",
        dest="tree",
        metavar="DIR",
        help="write a tree of modules that a plain import runs; with --annotate, the pages",
    )
    parser.add_argument(
        "--format",
        choices=["text", "json", "sarif"],
        help="of what --check finds (text is the default), or of --emit=report (text or json)",
    )
    parser.add_argument(
        "--ignore",
        metavar="CODES",
        default="",
        help="with --check: findings that do not count, as in STM206,STM233",
    )
    parser.add_argument(
        "-j",
        dest="jobs",
        type=int,
        metavar="N",
        help="use N processes (0: all cores); for directories, as many as pay off are the default",
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
    refusal = _refusal(options)
    if refusal:
        parser.error(refusal)
    options.emit = options.emit or "pyc"
    options.format = options.format or "text"
    if options.tree is not None:
        options.tree = os.path.abspath(options.tree)
    return options


def _refusal(options: argparse.Namespace) -> str:
    """Why options do not go together, or with the files there are."""
    if options.tree is not None and (options.check or options.emit not in (None, "pyc")):
        return "-o goes with --emit=pyc or --annotate only"
    reports = options.emit == "report" and options.format != "sarif"
    if options.format is not None and not options.check and not reports:
        return "--format goes with --check, and json with --emit=report"
    if options.ignore and not options.check:
        return "--ignore goes with --check only"
    for code in filter(None, options.ignore.split(",")):
        if not re.fullmatch(r"STM\d\d\d", code.strip()):
            return f"--ignore takes codes, as in STM206,STM233, not {code!r}"
    if options.compile_all and options.check:
        return "--compile-all does not go with --check: @compiled functions begin no transaction"
    if options.jobs is not None and options.jobs < 0:
        return "-j takes a number of processes, or 0"
    missing = [path for path in options.paths if not os.path.exists(path)]
    return f"no such file or directory: {missing[0]}" if missing else ""


def _command(options: argparse.Namespace) -> _Command:
    errors: list[str] = []
    builds_tree = options.tree is not None and not options.annotate
    places = [
        place
        for path in options.paths
        for place in _tree.places(path, leave_out=options.tree, on_error=lambda e: errors.append(str(e)))
        if place.is_module or builds_tree or place.source == os.path.abspath(path)
    ]
    directories = any(os.path.isdir(path) for path in options.paths)
    if options.jobs == 0:
        options.jobs = _jobs.cores()
    elif options.jobs is None and not directories:
        options.jobs = 1
    what = "checked" if options.check else "annotated" if options.annotate else "compiled"
    return _Command(options, places, _jobs.Progress(len(places), what, wanted=directories), errors)


def _build(command: _Command) -> int:
    from stmpy import _build

    chosen = command.options
    options = _build.Options(chosen.emit, chosen.format, chosen.tree, chosen.compile_all, chosen.optimize)
    return _print(command, partial(_build.build, options))


def _annotate(command: _Command) -> int:
    from stmpy import _annotate

    chosen = command.options
    named = frozenset(os.path.abspath(path) for path in chosen.paths)
    options = _annotate.Options(chosen.tree, chosen.compile_all, named)
    return _print(command, partial(_annotate.annotate, options))


def _print(command: _Command, work: partial[Outcome]) -> int:
    """Does the work, and prints what comes of it in the order of the files."""
    status = FOUND if command.errors else CLEAN
    for error in command.errors:
        print(f"stmpyc: {error}", file=sys.stderr)
    for outcome in _jobs.run(work, command.places, command.options.jobs, command.progress):
        if outcome.output or outcome.messages:
            command.progress.clear()
        sys.stdout.write(outcome.output)
        for message in outcome.messages:
            print(message, file=sys.stderr)
        if outcome.failed:
            status = FOUND
    command.progress.clear()
    sys.stdout.flush()
    return status


def _check(command: _Command) -> int:
    from stmpy import _check, _check_json, _check_sarif, _check_text

    write = {"text": _check_text.write, "json": _check_json.write, "sarif": _check_sarif.write}
    ignored = {code.strip() for code in command.options.ignore.split(",")}
    paths = list(dict.fromkeys(place.source for place in command.places))
    checked = _jobs.run(_check.check_file, paths, command.options.jobs, command.progress)
    results = [
        result._replace(findings=[finding for finding in result.findings if finding.code not in ignored])
        for result in checked
    ]
    command.progress.clear()
    for error in command.errors:
        print(f"stmpyc: {error}", file=sys.stderr)
    write[command.options.format](results, sys.stdout)
    sys.stdout.flush()
    if command.errors or any(result.unreadable for result in results):
        return UNUSABLE
    return FOUND if any(result.findings for result in results) else CLEAN


if __name__ == "__main__":
    sys.exit(main())
