"""What the compiler cannot read it leaves as it is, and says why."""

from __future__ import annotations

import time

import pytest
from compiling import compile_all

from stmpy import _compiler

ATOMIC = "from stmpy import atomic\n@atomic\ndef f(o): o.x += 1\n"


def refusal(source: str) -> tuple[str, int, int]:
    result = _compiler.compile(source, "test.py")
    assert not result.changed
    assert result.source == source
    assert result.report == []
    (diagnostic,) = result.diagnostics
    assert diagnostic.severity == "warning"
    assert diagnostic.message
    assert diagnostic.hint
    return diagnostic.code, diagnostic.line, diagnostic.column


def test_null_bytes() -> None:
    assert refusal(ATOMIC + "x = '\0'\n") == ("STM001", 4, 5)


def test_surrogates() -> None:
    assert refusal(ATOMIC + "x = '\ud800'\n")[0] == "STM001"


def test_inconsistent_tabs() -> None:
    assert refusal(ATOMIC + "if x:\n        a\n\tb\n") == ("STM004", 6, 1)
    assert refusal(ATOMIC + "if x:\n\ta\n        b\n")[0] == "STM004"


def test_consistent_tabs_are_read() -> None:
    assert compile_all("if x:\n\tif y:\n\t    a\n\tb\n").diagnostics == []


@pytest.mark.parametrize("opening, closing", ["()", "[]", "{}"])
def test_two_thousand_levels_of_brackets(opening: str, closing: str) -> None:
    source = ATOMIC + f"x = {opening * 2000}1{closing * 2000}\n"
    assert refusal(source) == ("STM003", 4, 204)


def test_two_hundred_levels_are_read() -> None:
    source = f"def f(o): o.y += {'(' * 200}o.x{')' * 200}\n"
    assert compile_all(source).changed


def test_deep_blocks() -> None:
    source = ATOMIC + "".join(" " * depth + "if x:\n" for depth in range(120)) + " " * 120 + "pass\n"
    assert refusal(source)[0] == "STM003"


@pytest.mark.parametrize("prefix", ["lambda: ", "a if b else ", "(a := "])
def test_a_million_levels_without_end(prefix: str) -> None:
    source = ATOMIC + "@atomic\ndef g(o): x = " + prefix * 1_000_000 + "o\n"
    assert refusal(source)[0] in ("STM003", "STM002")


@pytest.mark.parametrize("operator", [" + ", " and ", ".", " < ", ", ", " if 1 else "])
def test_long_flat_expressions_are_read(operator: str) -> None:
    source = "def f(o): o.y += " + operator.join(["o.x"] * 3000) + "\n"
    assert compile_all(source).changed


def test_many_statements_on_a_line_and_many_clauses_are_read() -> None:
    clauses = "".join(f"elif o.x == {i}: pass\n" for i in range(3000))
    assert compile_all("o.x; " * 5000 + "\n" + "if o.x: pass\n" + clauses).diagnostics == []


def test_a_file_of_fifty_thousand_lines() -> None:
    plain = "".join(
        f"def f{i}(o, n):\n    if o.x < n:\n        return o.y\n    return n\n\n" for i in range(10_000)
    )
    source = ATOMIC + plain
    begin = time.perf_counter()
    result = _compiler.compile(source, "test.py")
    elapsed = time.perf_counter() - begin
    assert len(result.report) == 1
    assert result.source.endswith(plain)
    assert elapsed < 5


def test_a_line_without_end_is_read() -> None:
    assert compile_all("x = [" + "1," * 200_000 + "]\n").diagnostics == []


@pytest.mark.parametrize(
    "data, text",
    [
        (b"x = '\xc3\xbc'\n", "x = 'ü'\n"),
        (b"\xef\xbb\xbfx = 1\n", "x = 1\n"),
        (b"\xef\xbb\xbf# coding: utf-8\n", "# coding: utf-8\n"),
        (b"# -*- coding: latin-1 -*-\nx = '\xfc'\n", "# -*- coding: latin-1 -*-\nx = 'ü'\n"),
        (b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n'\x80'\n", None),
        (b"\n# coding=iso-8859-15\n'\xa4'\n", "\n# coding=iso-8859-15\n'€'\n"),
        (b"x = 1\n# coding: latin-1\n'\xc3\xbc'\n", "x = 1\n# coding: latin-1\n'ü'\n"),
        (b"\r\n# coding: latin-1\r\n'\xfc'\r\n", "\r\n# coding: latin-1\r\n'ü'\r\n"),
        (b"# coding: utf-8-sig\nx\n", "# coding: utf-8-sig\nx\n"),
        (b"# Coding UTF_8, coding: UTF_8\nx\n", "# Coding UTF_8, coding: UTF_8\nx\n"),
        (b"'# coding: nothing'\n", "'# coding: nothing'\n"),
        (b"", ""),
    ],
)
def test_bytes_are_decoded_as_they_declare(data: bytes, text: str | None) -> None:
    assert _compiler.decode(data) == (data.decode("cp1252") if text is None else text)


@pytest.mark.parametrize(
    "data, line",
    [
        (b"x = 1\ny = '\xff'\n", 2),
        (b"x = 1\n\n\n'\xed\xa0\x80'\n", 4),
        (b"'\xc0\x80'", 1),
        (b"# coding: no-such-encoding\n", 1),
        (b"\xef\xbb\xbf# coding: latin-1\n", 1),
        (b"# coding: ascii\nx\n'\xfc'\n", 3),
        (b"x\n\0\n", 2),
    ],
)
def test_bytes_that_are_no_text_are_an_error_with_its_line(data: bytes, line: int) -> None:
    with pytest.raises(_compiler.DecodeError) as caught:
        _compiler.decode(data)
    assert isinstance(caught.value, ValueError)
    assert caught.value.line == line
    with pytest.raises((SyntaxError, ValueError)):
        compile(data, "test.py", "exec")
