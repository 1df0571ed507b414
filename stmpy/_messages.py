"""What the hook tells its user: warnings, and with STMPY_TRACE_IMPORTS=1 a line for each import."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stmpy._cache import Entry

TRACING = os.environ.get("STMPY_TRACE_IMPORTS", "0") not in ("", "0")

_warned_no_compiler = False


def trace(fullname: str, what: str) -> None:
    if TRACING:
        print(f"stmpy: {fullname}: {what}", file=sys.stderr)


def tell(fullname: str, path: str, entry: Entry, *, cached: bool) -> None:
    """Says what became of a module that mentions stmpy; the same whether it came from the cache or not."""
    if TRACING:
        trace(fullname, summary(entry) + (" (from the cache)" if cached else ""))
    if entry.diagnostics:
        _warn(fullname, path, entry)


def summary(entry: Entry) -> str:
    if entry.code is not None:
        return f"{counted(entry.functions, 'function')} compiled"
    errors = [diagnostic for diagnostic in entry.diagnostics if diagnostic[0] == "error"]
    return f"not compiled: {errors[0][4]}" if errors else "nothing in it to compile"


def counted(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun}{'es' if noun.endswith('s') else 's'}"


def warn_no_compiler(error: ImportError) -> None:
    global _warned_no_compiler
    if not _warned_no_compiler:
        _warned_no_compiler = True
        import warnings

        from stmpy._warnings import CompilerWarning

        message = f"STM904: the compiler cannot be loaded, everything runs uncompiled: {error}"
        warnings.warn_explicit(message, CompilerWarning, "<stmpy>", 1)


def _warn(fullname: str, path: str, entry: Entry) -> None:
    import warnings

    from stmpy._diagnostics import Diagnostic
    from stmpy._warnings import CompilerWarning

    for fields in entry.diagnostics:
        diagnostic = Diagnostic(*fields)
        if diagnostic.severity != "info":
            warnings.warn_explicit(str(diagnostic), CompilerWarning, path, diagnostic.line, module=fullname)
