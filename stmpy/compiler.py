"""From source text to code objects: the compiler's text, compiled by CPython, with all positions put back.

CPython alone judges what is a SyntaxError, and gives it, from the user's own text.
"""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Callable
from types import CodeType
from typing import Any

from stmpy import _compiler
from stmpy._diagnostics import Diagnostic
from stmpy._hidden import Prologue
from stmpy._restore import Restorer

__all__ = ["Compilation", "Diagnostic", "compile_source"]

# `catch_warnings` puts back the filters it found: of two that overlap, one puts back the other's.
_recording_warnings = threading.Lock()


class Compilation:
    """What became of one source: see `compile_source`."""

    def __init__(
        self,
        original: str | bytes,
        filename: str,
        source: str,
        diagnostics: list[Diagnostic],
        report: list[dict[str, Any]],
        result: _compiler.CompileResult | None = None,
    ) -> None:
        self.source = source
        self.diagnostics = diagnostics
        self.report = report
        self._original = original
        self._filename = filename
        self._result = result
        self._codes: dict[int, CodeType] = {}

    @property
    def changed(self) -> bool:
        """Whether the text is another than the source: else `source` and `code()` are Python's own."""
        return self._result is not None

    def code(self, *, optimize: int = -1) -> CodeType:
        """The module's code object; every position in it is one of the user's source.

        `optimize` is that of the built-in `compile`. Raises CPython's SyntaxError for a source that is not
        Python.
        """
        if optimize not in self._codes:
            self._codes[optimize] = self._compile(optimize)
        return self._codes[optimize]

    def code_by(self, make: Callable[[str], CodeType]) -> CodeType:
        """The code object that `make` makes of `source`, with all positions put back into the user's source.

        For those who do more with a module's text than Python does: `make` is their way to compile it. What
        they say about it in warnings is put back, too.
        """
        if self._result is None:
            return make(self.source)
        restorer = self.restorer()
        # The module is named: another, half imported one may be in its place.
        with _recording_warnings, warnings.catch_warnings(record=True, module=warnings) as recorded:
            warnings.simplefilter("always")
            code = make(self.source)
        for warning in recorded:
            ours = warning.filename == self._filename
            line = restorer.line(warning.lineno) if ours else warning.lineno
            warnings.warn_explicit(warning.message, warning.category, warning.filename, line)
        return restorer.code(code)

    def restorer(self) -> Restorer:
        """What puts code that was made of `source` back into the user's source; `changed` must be true."""
        assert self._result is not None
        functions = ((function["line"], function["name"].rpartition(".")[2]) for function in self.report)
        return Restorer(self.source, self._result.position_map, functions, self._result.static_attributes)

    def plain(self) -> Compilation:
        """The same source, left as it is."""
        text = self._original if isinstance(self._original, str) else _compiler.decode(self._original)
        return Compilation(self._original, self._filename, text, self.diagnostics, [])

    def _compile(self, optimize: int) -> CodeType:
        def make(text: str | bytes) -> CodeType:
            return compile(text, self._filename, "exec", dont_inherit=True, optimize=optimize)

        return self.code_by(make) if self.changed else make(self._original)


def compile_source(
    source: str | bytes, filename: str = "<string>", *, compile_all: bool = False
) -> Compilation:
    """Compiles the atomic functions of a module's source.

    `source` is text, or a file's bytes in the encoding they declare; `filename` is what tracebacks will name.
    With `compile_all`, every function counts as `@stmpy.compiled`.

    The result has `.source` (the text after rewriting), `.code()`, `.diagnostics` and `.report`: for each
    compiled function a dict with its `name` (qualified), `line`, `reason` (as in `"@atomic"`) and `accesses`,
    each of which is a dict with

    - `line`, `column`, `attribute` (mangled) and `kind`: "load", "call", "store", "delete" or "update";
    - `plan`: "opened" (a call of the runtime acquires the attribute), "reused" (what another access opened
      answers it, at no cost), "free" (the object is none a transaction could know), "as written" (the lookup
      on the object is the barrier, and the fastest one here) or "dynamic" (a call would be illegal or seen);
    - `why`: the reason, a clause;
    - `mode`: what an opened access is acquired for: "read", "update" or "write", else None;
    - `barrier`: the call it became, as in "open_write", else None;
    - `first_turn`: whether it is opened at the first turn of a loop that reaches it, then reused;
    - `of`: the line and column of the access that opened what is reused, else None.

    A source that cannot be compiled is left as it is, with a diagnostic. Raises
    nothing but CPython's SyntaxError, for bytes that are no text; a text that is not Python raises it in
    `.code()`.
    """
    compilation = translate(source, filename, compile_all=compile_all)
    if compilation.changed:
        try:
            compilation.code()
        except Exception as refusal:
            return _refused_by_python(compilation, refusal)
    return compilation


def translate(source: str | bytes, filename: str, *, compile_all: bool) -> Compilation:
    """`compile_source`, but for asking Python what it thinks of the text."""
    refusal: Diagnostic | None = None
    try:
        text = source if isinstance(source, str) else _compiler.decode(source)
        result = _compiler.compile(text, filename, compile_all=compile_all)
    except _compiler.DecodeError as error:
        refusal = _refusal("STM901", f"the source cannot be decoded: {error}")
    except Exception as error:
        # Whatever is wrong with the compiler, the user's program runs.
        refusal = _refusal("STM902", f"the compiler failed with {type(error).__name__}: {error}")
    if refusal is not None:
        return Compilation(source, filename, _decoded_by_python(source, filename), [refusal], [])
    diagnostics = [
        Diagnostic(d.severity, d.code, d.line, d.column, d.message, d.hint or "") for d in result.diagnostics
    ]
    if not result.changed:
        return Compilation(source, filename, text, diagnostics, result.report)
    return Compilation(source, filename, result.source, diagnostics, result.report, result)


def _refused_by_python(compilation: Compilation, refusal: Exception) -> Compilation:
    plain = compilation.plain()
    try:
        plain.code()
    except Exception:
        return plain  # it is no Python: the error is for whoever asks for the code
    reason = f"Python does not accept the compiled text: {refusal}"
    can_have_blocks = Prologue(compilation.source).imports("block_attempts")
    plain.diagnostics.append(_refusal("STM903", reason, can_have_blocks=can_have_blocks))
    return plain


def _refusal(code: str, reason: str, *, can_have_blocks: bool = True) -> Diagnostic:
    blocks = " but for its 'with atomic():' blocks, which raise RuntimeError when they are reached"
    hint = (
        f"the module runs uncompiled, with the same results{blocks if can_have_blocks else ''}; "
        "please report it with the module's source"
    )
    return Diagnostic("error", code, 1, 0, reason, hint)


def _decoded_by_python(source: str | bytes, filename: str) -> str:
    if isinstance(source, str):
        return source
    # Raises the SyntaxError that says what is wrong with the bytes, if that is why they were refused.
    compile(source, filename, "exec", dont_inherit=True)
    return importlib.util.decode_source(source)
