"""``stmpyc --emit=…``: what becomes of one file."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from stmpy import _cache, _messages, _tree
from stmpy._diagnostics import Diagnostic
from stmpy._loading import entry_of
from stmpy._runtime import mentions_stmpy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stmpy.compiler import Compilation


class Options(NamedTuple):
    """What is the same for all files of a run. Goes to other processes."""

    emit: str
    format: str
    tree: str | None
    compile_all: bool
    optimize: int


class Outcome(NamedTuple):
    """What became of one file: what to print, and whether it is a failure."""

    output: str
    messages: list[str]
    failed: bool


def build(options: Options, place: _tree.Place) -> Outcome:
    """Compiles one file, or copies it into the tree."""
    try:
        if options.tree is not None and os.path.join(options.tree, place.target) == place.source:
            raise OSError(f"the tree would be written over its own source {place.source}")
        if not place.is_module and options.tree is not None:
            _tree.write(place, options.tree, None, None)
            return Outcome("", [], False)
        return _build_module(options, place)
    except OSError as error:
        return Outcome("", [f"stmpyc: {error}"], True)


def _build_module(options: Options, place: _tree.Place) -> Outcome:
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
        return Outcome("", [of_python(place.source, error)], True)
    messages = [_of_compiler(place.source, diagnostic) for diagnostic in compilation.diagnostics]
    failed = any(diagnostic.severity == "error" for diagnostic in compilation.diagnostics)
    if options.emit == "source":
        return Outcome(compilation.source, messages, failed)
    if options.emit == "report":
        report = _report_json if options.format == "json" else _report
        return Outcome(report(place.source, compilation), messages, failed)
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
            f"{access['kind']}: {_plan(access)}"
            for access in function["accesses"]
        ]
    return "\n".join(lines) + "\n"


def _plan(access: dict[str, Any]) -> str:
    plan = str(access["plan"])
    if access["barrier"] is not None:
        plan += f" by {access['barrier']}"
    if access["of"] is not None:
        plan += " of {}:{}".format(*access["of"])
    return f"{plan}, {access['why']}"


def _report_json(path: str, compilation: Compilation) -> str:
    """One line for each file: what reads them needs no more than one at a time."""
    return json.dumps({"path": path, "functions": compilation.report}) + "\n"


def of_python(path: str, error: SyntaxError | ValueError) -> str:
    """A SyntaxError, or what CPython raises in its place, as a line of output."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"{path}:{error.lineno}:{error.offset or 0}: error: {type(error).__name__}: {error.msg}"
    return f"{path}:1:0: error: {type(error).__name__}: {error}"


def _of_compiler(path: str, diagnostic: Diagnostic) -> str:
    return f"{path}:{diagnostic.line}:{diagnostic.column + 1}: {diagnostic.severity}: {diagnostic}"
