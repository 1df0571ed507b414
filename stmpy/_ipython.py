"""``%load_ext stmpy``: the cells of IPython and Jupyter are compiled, and so is what they import.

IPython makes a syntax tree of a cell and compiles its statements one by one. Here the tree is that of the
compiler's text, and what Python makes of it is put back at the places of the cell.

What is atomic in a cell may have been imported by an earlier one. So the compiler is shown, behind the cell,
an import of each of stmpy's names that the cell uses and that the user's namespace has by then.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

import stmpy
from stmpy._installation import Handle, install

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from stmpy._restore import Restorer

# How a name of the user's namespace that is bound to one of these was, or could have been, imported.
_IMPORTS = {
    id(stmpy): "import stmpy",
    **{
        id(getattr(stmpy, name)): f"from stmpy import {name}"
        for name in ("atomic", "atomically", "compiled", "invariant")
    },
}
_WORD = re.compile(r"\w+")
_RESTORER = "_stmpy_restorer"

_handle: Handle | None = None


def load_ipython_extension(shell: Any) -> None:
    """Compiles what is defined in cells and in modules from now on."""
    global _handle
    if _handle is None:
        _handle = install()
        theirs = type(shell.compile)
        shell.compile.__class__ = type(theirs.__name__, (_CellCompiler, theirs), {"shell": shell})


def unload_ipython_extension(shell: Any) -> None:
    """Ends it. What was compiled stays compiled."""
    global _handle
    if _handle is not None:
        _handle.uninstall()
        _handle = None
        shell.compile.__class__ = type(shell.compile).__bases__[1]


class _CellCompiler:
    """Stands in front of the class of the shell's own compiler, a `codeop.Compile`."""

    shell: Any

    def ast_parse(self, source: str, filename: str = "<unknown>", symbol: str = "exec") -> Any:
        theirs: Any = super()
        tree = None
        if symbol == "exec":
            imports = _imports_for(source, self.shell.user_ns)
            if imports or "stmpy" in source:
                tree = _compiled_tree(imports, source, filename, theirs.ast_parse)
        return theirs.ast_parse(source, filename, symbol) if tree is None else tree

    def __call__(self, source: Any, *arguments: Any, **options: Any) -> CodeType:
        theirs: Any = super()
        code: CodeType = theirs.__call__(source, *arguments, **options)
        restorer = _restorer_of(source)
        return code if restorer is None else restorer.code(code)


def _imports_for(source: str, namespace: dict[str, Any]) -> list[str]:
    words = set(_WORD.findall(source))
    return [
        f"{_IMPORTS[id(value)]} as {name}"
        for name, value in list(namespace.items())
        if id(value) in _IMPORTS and name in words
    ]


def _compiled_tree(
    imports: list[str], source: str, filename: str, parse: Callable[[str, str, str], ast.Module]
) -> ast.Module | None:
    from stmpy.compiler import translate

    text = "\n".join([source, *imports, ""]) if imports else source
    compilation = translate(text, filename, compile_all=False)
    try:
        tree = parse(compilation.source, filename, "exec") if compilation.changed else None
    except SyntaxError:
        return None  # Python says it of the cell itself
    for diagnostic in compilation.diagnostics:
        if diagnostic.severity != "info":
            warnings.warn_explicit(str(diagnostic), stmpy.CompilerWarning, filename, diagnostic.line)
    if tree is not None:
        restorer = compilation.restorer()
        del tree.body[len(tree.body) - len(imports) :]
        for statement in tree.body:
            setattr(statement, _RESTORER, restorer)
            if isinstance(statement, ast.Expr):
                setattr(statement.value, _RESTORER, restorer)
    return tree


def _restorer_of(source: Any) -> Restorer | None:
    """IPython makes a tree of each statement of a cell, or of the value of the last one."""
    body = getattr(source, "body", None)
    restorer: Restorer | None = getattr(body[0] if isinstance(body, list) and body else body, _RESTORER, None)
    return restorer
