"""``stmpyc``'s command line: its options, what goes with what, and its help text."""

from __future__ import annotations

import argparse
import os
import re
import sys

from stmpy._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

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


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, all of them set. Ends the process with status 2, and a message, if they are wrong."""
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
