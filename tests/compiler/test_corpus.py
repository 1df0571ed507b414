"""The interpreter's own standard library: every file is understood, and Python accepts what becomes of it.

By default a sample; all of it with STMPY_CORPUS=all.
"""

import ast
import os
import sys
import sysconfig
import types
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from compiling import refusals

from stmpy import _compiler

LIBRARY = Path(sysconfig.get_path("stdlib"))


def _files() -> list[Path]:
    files = sorted(path for path in LIBRARY.rglob("*.py") if "site-packages" not in path.parts)
    return files if os.environ.get("STMPY_CORPUS") == "all" else files[::15]


def _compile(source: str | bytes, path: Path) -> types.CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(source, str(path), "exec", dont_inherit=True)


def _all_codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _all_codes(constant)


def _restored(code: types.CodeType, position_map: object) -> types.CodeType:
    table, line = _compiler.remap_location_table(
        code.co_linetable, code.co_firstlineno, sys.hexversion, position_map
    )
    return code.replace(co_linetable=table, co_firstlineno=line)


def _shape(code: types.CodeType) -> tuple[object, ...]:
    """What a user sees of a function: names, parameters, docstring; not what it does."""
    cells = tuple(types.CellType() for _ in code.co_freevars)
    doc = types.FunctionType(code, {}, closure=cells).__doc__ if not code.co_name.startswith("<") else None
    names = [name for name in code.co_varnames if not name.startswith("_stm_")]
    return code.co_name, code.co_argcount, code.co_kwonlyargcount, code.co_flags, names, doc


# Line, end line, column, end column.
Place = tuple[int | None, int | None, int | None, int | None]


def _places(code: types.CodeType) -> set[Place]:
    """Of the instructions; those without extent, such as the prologue's, stand for nothing in the source."""
    return {place for place in code.co_positions() if place[0] != place[1] or place[2] != place[3]}


def _lines(code: types.CodeType) -> set[int | None]:
    """Of the instructions; Python sometimes makes some that belong to none."""
    return {line for _, _, line in code.co_lines()} - {None}


def _own_places(source: bytes) -> set[Place]:
    """Places that Python itself may leave out.

    Of names: Python 3.13 and later load two at once, at the place of the first. Of statements that leave
    clean-up code: the guard of an abort is there, where Python may have no instruction for `return 1`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nodes = ast.walk(ast.parse(source))
    return {
        (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset)
        for node in nodes
        if isinstance(node, ast.Name | ast.Return | ast.Break | ast.Continue)
    }


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(LIBRARY)))
def test_a_file_of_the_standard_library_survives_compilation(path: Path) -> None:
    data = path.read_bytes()
    try:
        plain = _compile(data, path)
    except (SyntaxError, ValueError):
        pytest.skip("not Python")
    result = _compiler.compile(_compiler.decode(data), str(path), compile_all=True)
    assert [(d.line, d.message) for d in refusals(result)] == []

    compiled = list(_all_codes(_compile(result.source, path)))
    originals = list(_all_codes(plain))
    assert [_shape(code) for code in compiled[1:]] == [_shape(code) for code in originals[1:]]
    own = _own_places(data)
    for ours, original in zip(compiled, originals, strict=True):
        restored = _restored(ours, result.position_map)
        assert restored.co_firstlineno == original.co_firstlineno
        assert _lines(restored) == _lines(original)
        assert _places(restored) <= _places(original) | own
