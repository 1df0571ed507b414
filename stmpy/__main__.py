"""``python -m stmpy run`` and ``python -m stmpy status``."""

from __future__ import annotations

import argparse


def main() -> None:
    """Parses the command line, and does what it says."""
    parser = argparse.ArgumentParser(prog="python -m stmpy", description="Software transactional memory.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run a program with its atomic functions compiled")
    run.add_argument("-m", dest="module", action="store_true", help="the program is a module, not a file")
    run.add_argument("--compile-all", action="store_true", help="treat every function as @stmpy.compiled")
    run.add_argument("--no-cache", action="store_true", help="neither read nor write compiled modules")
    run.add_argument("program", help="a Python file, or with -m the name of a module")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="the program's own arguments")
    run.set_defaults(command=_run)

    status = commands.add_parser("status", help="say what is compiled, what is not, and why")
    status.add_argument(
        "module", nargs="?", help="a module's name; without it, the installation is described"
    )
    status.set_defaults(command=_status)

    options = parser.parse_args()
    options.command(options)


def _run(options: argparse.Namespace) -> None:
    from stmpy import _run as runner

    run = runner.run_module if options.module else runner.run_script
    run(options.program, options.arguments, compile_all=options.compile_all, cache=not options.no_cache)


def _status(options: argparse.Namespace) -> None:
    from stmpy import _status as status

    if options.module is None:
        status.describe_installation()
    else:
        status.describe_module(options.module)


if __name__ == "__main__":
    main()
