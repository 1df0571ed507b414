"""Every instruction of restored code is at a place of the source, and at the place where Python puts it."""

import ast
import dis
import importlib.util
import sys
import types
from collections import Counter

import pytest

from stmpy import _compiler
from stmpy.compiler import compile_source

MODULES = (
    "argparse ast asyncio.base_events asyncio.tasks collections configparser contextlib copy csv dataclasses "
    "datetime difflib enum fractions ftplib functools heapq html.parser http.client inspect json.decoder "
    "logging mailbox optparse pickle pdb platform random shlex smtplib socket statistics subprocess tarfile "
    "textwrap threading tokenize typing unittest.mock urllib.parse uuid xml.dom.minidom zipfile"
).split()

ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR"}


def source_of(module):
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        pytest.skip(f"this Python has no source of {module}")
    return spec.loader.get_data(spec.origin).decode()


def code_objects(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from code_objects(constant)


def remapped(code, position_map):
    return _compiler.remap_location_table(
        code.co_linetable, code.co_firstlineno, sys.hexversion, position_map
    )


@pytest.mark.parametrize("module", MODULES)
def test_a_map_that_changes_nothing_gives_the_same_bytes(module):
    source = source_of(module)
    result = _compiler.compile(source, module)
    assert not result.changed
    for code in code_objects(compile(source, module, "exec", dont_inherit=True)):
        assert remapped(code, result.position_map) == (code.co_linetable, code.co_firstlineno)


@pytest.mark.parametrize("module", MODULES)
def test_compiled_code_is_where_the_source_is(module):
    source = source_of(module)
    compilation = compile_source(source, module, compile_all=True)
    plain = compile(source, module, "exec", dont_inherit=True)
    in_place = in_place_targets(source)
    for theirs, ours in zip(code_objects(plain), code_objects(compilation.code()), strict=True):
        assert (ours.co_qualname, ours.co_firstlineno) == (theirs.co_qualname, theirs.co_firstlineno)
        if theirs.co_name != "<module>":
            assert attribute_places(theirs) - in_place <= set(ours.co_positions())
            assert {line for line, *_ in ours.co_positions()} == {line for line, *_ in theirs.co_positions()}


def attribute_places(code):
    """Where a code object's attribute accesses are."""
    instructions = dis.get_instructions(code)
    return {tuple(instruction.positions) for instruction in instructions if instruction.opname in ATTRIBUTES}


def in_place_targets(source):
    """Where `o.x` of `o.x += 1` is: one call, for the whole statement, does Python's three steps."""
    targets = [node.target for node in ast.walk(ast.parse(source)) if isinstance(node, ast.AugAssign)]
    return {(node.lineno, node.end_lineno, node.col_offset, node.end_col_offset) for node in targets}


# One line of each form that the table has: short, one line, long, without columns, without location.
FORMS = (
    "a = b\n"  # short
    + "a = " + "b" * 100 + "\n"  # one line
    + "a = " + "b" * 300 + "\n"  # long: a column that fits no byte
    + "a = (\n  b\n)\n"  # long: several lines
    + "\n" * 50 + "a = [b for b in c if d]\n"  # a jump by many lines
    + "def f():\n    try:\n        a\n    finally:\n        b\n"  # instructions that are nowhere
    + "while a:\n    try: break\n    except b as c: pass\n"
)  # fmt: skip


@pytest.mark.parametrize("columns", [True, False], ids=["columns", "no columns"])
def test_all_forms_of_entries_survive(columns, project):
    program = f"""
import sys, types
from stmpy import _compiler
source = {FORMS!r}
same = _compiler.compile(source, "f").position_map
todo = [compile(source, "f", "exec")]
while todo:
    code = todo.pop()
    todo += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    table = _compiler.remap_location_table(code.co_linetable, code.co_firstlineno, sys.hexversion, same)
    assert table == (code.co_linetable, code.co_firstlineno)
"""
    project.python(*([] if columns else ["-X", "no_debug_ranges"]), "-c", program)


def test_forms_are_those_that_the_table_has():
    forms = Counter()
    for code in code_objects(compile(FORMS, "f", "exec")):
        table = code.co_linetable
        forms.update((byte >> 3) & 15 for byte in table if byte & 128)
    assert forms.keys() >= {10, 11, 14, 15} and min(forms) <= 9


def test_damaged_tables_and_unknown_versions_are_refused():
    position_map = _compiler.compile("a.b\n", "f").position_map
    code = compile("a.b\n", "f", "exec")
    with pytest.raises(ValueError, match="cut short"):
        _compiler.remap_location_table(b"\xf0", 1, sys.hexversion, position_map)
    with pytest.raises(ValueError, match="not known"):
        _compiler.remap_location_table(code.co_linetable, 1, 0x04000000, position_map)
