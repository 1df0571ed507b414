"""The grammar knows the whole language, of 3.9 to 3.15, whatever interpreter runs."""

from pathlib import Path

import pytest
from compiling import compile_all, without_prologue

from stmpy import _compiler

# Simple statements, each of which may go over several lines, between lines of dashes.
GRAMMAR = Path(__file__).parent / "grammar"
STATEMENTS = (GRAMMAR / "statements.txt").read_text("utf-8").split("----\n")

BLOCKS = [
    *(GRAMMAR / "blocks.txt").read_text("utf-8").split("\n----\n"),
    "if a: pass\nelif b: pass\nelif c:\n  pass\nelse: pass",
    "while a: break\nelse: continue",
    "for a, *b in c, *d: pass\nelse: pass",
    "for (a, b), [c, d], e.f, g[h] in i: pass",
    "async def f():\n  async for a in b: pass\n  async with c as d, e: pass",
    "with a: pass",
    "with a as b, c as (d, e), f as g.h, i as j[k]: pass",
    "with (a as b, c as d,): pass",
    "with (a, b): pass",
    "with (a, b) as c: pass",
    "with (a).b as c, (d): pass",
    "with (yield a) as b: pass",
    "with (a := b), (c): pass",
    "with (\n  a as b,\n  # comment\n  c\n): pass",
    "try: pass\nexcept: pass",
    "try: pass\nexcept A: pass\nexcept (B, C) as d: pass\nelse: pass\nfinally: pass",
    "try: pass\nexcept A, B: pass",
    "try: pass\nexcept* A: pass\nexcept *(B, C) as d: pass",
    "try: pass\nfinally: pass",
    "def f(a, b: int, /, c=1, d: int = 2, *e: int, f, g: int = 3, **h: int) -> int: pass",
    "def f(*args: *Ts): pass",
    "def f(*, a): pass",
    "def f[T, *Ts, **P](a: T) -> T: pass",
    "class A: pass",
    "class A(): pass",
    "class A(B, *C, metaclass=D, **E): pass",
    "class A[T: int = str](B[T]): x: T",
    "@a\n@a.b(c)[d]\n@(yield)\n@x if y else z\n\n# comment\ndef f(): pass",
    "@a\nasync def f(): pass",
    "@a\nclass B: pass",
    "match a:\n  case 1 | -1.5 | 1+2j | -1-2j | 'x' 'y' | None | True: pass",
    "match a, *b:\n  case [a, *_, b] | (c, d): pass\n  case (a): pass\n  case (): pass\n  case []: pass",
    "match (a):\n  case {}: pass\n  case {'a': b, c.d: [e], 1: _, **f}: pass",
    "match a:\n  case A(): pass\n  case A.B(c, D(e), f=g, h=[i]): pass\n  case A(x=1,): pass",
    "match a:\n  case x if y := z: pass\n  case a, b: pass\n  case *a, b: pass\n  case (a | b) as c: pass",
    "match match:\n  case case: match.case",
    "match a:\n\n  # comment\n  case case if case: pass\n  case _:\n    match b:\n      case type: pass",
    "match -a:\n  case _: pass",
    "match {'a': b}:\n  case _: case = 1; match = 2",
    "match x[a:b]:\n  case _: pass",
    "class A:\n\tdef f(self):\n\t\tpass\n\n\tdef g(self): pass",
    "if a:\n    if b:\n        pass\n    # comment\n  # comment\n\n    pass",
    "if a:\n    \\\n  x = 1\n    y = 2",
    "if a: type X = int; x = 1",
]

FORMATTED = [
    *(GRAMMAR / "formatted.txt").read_text("utf-8").removesuffix("\n").split("\n----\n"),
    "f''",
    "f'a{b}c'",
    "f'{a}{b}'",
    "f'{{}}{a}{{'",
    "f'{a!r}{a!s:>10}{a:{b}.{c}}{a:%H:%M}'",
    "f'{a=}{a = }{a=!r}{a=:>5}{a==b}{a!=b}{a<=b}'",
    "f'{a:=5}{a:=+5}{a!r:=^5}'",
    "f'{(a := 1)}{(lambda x: x)}{a[1:2]}{ {1: 2}[1] }{[x for x in y]}'",
    'f"{a:\'>10}{a:{b!r}}"',
    "f'{yield}{yield a}{await a}{*a, b}'",
    "f'{a if b else c}{a, b}'",
    "f'\\N{BULLET}{a}\\'\\\\'",
    "rf'\\N{a}\\{b}' fR'{c}\\\\'",
    "F'{a}' 'b' Rf'{c}'",
    "f'\\{a}'",
    "f'''\n{a}'\"''b\n{\n  c  # comment\n}'''",
    'f"""{a}"b""{c:\n}"""',
    "f'{f'{f'{a}'}'}'",
    "f'{a['b']}'",
    "f'{a + \"b\"}'",
    "f'{\n1\n}'",
    "f'{a!r:{'>'}{10}}'",
    "t'{a!r:>{b}}{c=}' tr'{d}' rT'{e}'",
    "f'{名前!r}'",
]


@pytest.mark.parametrize("statement", STATEMENTS + [block + "\n" for block in BLOCKS])
def test_a_statement_is_understood_and_unharmed(statement: str) -> None:
    source = without_prologue(compile_all(statement).source)
    assert source.replace("  _stm_checkpoint(None)\n", "") == statement


@pytest.mark.parametrize("statement", BLOCKS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_blocks_are_understood_in_functions_with_any_line_ends(statement: str, line_end: str) -> None:
    body = "".join(f"    {line}\n" for line in statement.splitlines())
    source = f"def outer():\n{body}def after(o): o.x += 1".replace("\n", line_end)
    assert compile_all(source).source.endswith('def after(o): _stm_open_write(o, "x").x += 1')


@pytest.mark.parametrize("literal", FORMATTED)
@pytest.mark.parametrize("context", ["x = {}", "f({}, y)", "x = [{}, {{}}]\nz = {{'a': 1}}"])
def test_formatted_strings_are_understood(literal: str, context: str) -> None:
    source = context.format(literal) + "\ndef after(o): o.x += 1\n"
    assert compile_all(source).source.endswith('def after(o): _stm_open_write(o, "x").x += 1\n')


@pytest.mark.parametrize(
    "source",
    [
        *("", "\n", "\r", "\r\n", " ", "  \n\t\n", "\x0c", "\x0c\n\x0cpass", "\\\n", "#", "# comment", "\t#"),
        *("pass", "'doc'", "x = 1 # comment", "x = \\\n1", "'''\n'''", "\n\n# comment\npass", "# ä\nx = 'ä'"),
        *("if a: b", "if a:\n  b", "if a:\n  b\n  # comment", "if a:\n  b\n\n\n   \n", "if a:\n  b\n    #"),
        *("def f():\r\n\treturn 1\r\n", "if a:\r\tb\r\tc", "x = 1\r\ny = 2\nz = 3\rw = '''\r\n\r\n'''"),
        *("x = (1,\r\n\r 2)\n", "x = 1 \\\r\n + 2 \\\r + 3", "x = f'''\r\n{a}\r'''\r", "if a:\n\x0c  b"),
    ],
)
def test_nearly_empty_files_are_understood(source: str) -> None:
    assert compile_all(source).source == source


@pytest.mark.parametrize(
    "source",
    [
        "x = = 1",
        "if a\n  pass",
        "def f(:\n  pass",
        "x = (1",
        "x = 1)",
        "x = (1]",
        "x = 'a",
        "x = '''a",
        "x = f'{a",
        "x = f'{a}",
        "x = f'{}'",
        "x = $",
        "x = a?",
        "  x = 1\n",
        "if a:\n    b\n  c",
        "if a:\npass",
        "else: pass",
        "print 'hello'",
        "x = 0l",
        "match a:\n  pass",
    ],
)
def test_what_is_not_python_is_refused_with_its_place(source: str) -> None:
    result = _compiler.compile(source, "test.py", compile_all=True)
    assert not result.changed
    assert result.source == source
    (diagnostic,) = result.diagnostics
    assert (diagnostic.code, diagnostic.severity) == ("STM002", "warning")
    assert 1 <= diagnostic.line <= source.count("\n") + 1
