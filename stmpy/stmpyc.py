"""``stmpyc``: compiles ahead of time, checks, and shows what compiled code costs.

``stmpyc FILE_OR_DIR…`` fills the import hook's cache, so that the compiler is never loaded at run time;
``stmpyc -o DIR FILE_OR_DIR…`` writes a tree of modules that a plain ``import`` runs; ``--emit=source`` and
``--emit=report`` show what the compiler does, ``--annotate`` shows it on a page, ``--check`` says what a
transaction should not do.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from io import TextIOWrapper
from typing import NamedTuple

from stmpy import _command_line, _jobs, _tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from stmpy._build import Outcome

# Of the process; what each means is in the help text.
CLEAN, FOUND, UNUSABLE, INTERRUPTED = 0, 1, 2, 130


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
    options = _command_line.parse(arguments)
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
    except BrokenProcessPool:
        command.progress.clear()
        print("stmpyc: one of its processes was killed; with -j1 it needs the least memory", file=sys.stderr)
        return UNUSABLE if options.check else FOUND
    except KeyboardInterrupt:
        command.progress.clear()
        return INTERRUPTED
    except BrokenPipeError:
        # What reads the output has seen enough. Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FOUND


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
