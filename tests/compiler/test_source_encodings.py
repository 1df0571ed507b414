"""Sources in any encoding are read as Python reads them, or refused as Python refuses them."""

from __future__ import annotations

import codecs
import encodings.aliases
import pkgutil
import warnings

import pytest
from compiling import refusals

from stmpy import _compiler
from stmpy.compiler import compile_source

SAMPLE = "aäöüßéñ€Δжя漢字かなカナ한글กขשלום🎉"


def _is_for_text(name: str) -> bool:
    try:
        return bool(codecs.lookup(name)._is_text_encoding)
    except LookupError:
        return False


NAMES = {module.name for module in pkgutil.iter_modules(encodings.__path__)} | set(
    encodings.aliases.aliases.values()
)
# These write ASCII in another way, or nothing at all.
NO_SOURCES = {"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"}
ENCODINGS = sorted(name for name in NAMES - NO_SOURCES if _is_for_text(name))


def value_of_x(data: bytes) -> object:
    """What Python makes of a source, or nothing if it refuses it."""
    namespace: dict[str, object] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(data, "test.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    exec(code, namespace)
    return namespace.get("x")


def our_value_of_x(data: bytes) -> object:
    namespace: dict[str, object] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile_source(data, "test.py", compile_all=True).code()
    except (SyntaxError, ValueError):
        return None
    exec(code, namespace)
    return namespace.get("x")


def declaring(encoding: str, line_end: str = "\n") -> bytes:
    """A source with as many characters of the sample as the encoding has, and a function to compile."""
    characters = SAMPLE.encode(encoding, "ignore").decode(encoding, "ignore")
    text = f"# -*- coding: {encoding} -*-\nx = '{characters}'\ndef f(o): o.x += '{characters}'\n"
    return text.replace("\n", line_end).encode(encoding, "ignore")


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_source_is_read_as_python_reads_it(encoding: str, line_end: str) -> None:
    data = declaring(encoding, line_end)
    assert our_value_of_x(data) == value_of_x(data)


@pytest.mark.parametrize(
    "encoding",
    "utf-8 latin-1 cp1252 koi8-r shift_jis euc_jp euc_kr gb18030 big5 iso2022_jp cp437 mac_roman".split(),
)
def test_a_source_in_an_encoding_of_the_world_is_compiled(encoding: str) -> None:
    data = declaring(encoding)
    text = _compiler.decode(data)
    assert text == data.decode(encoding)
    result = _compiler.compile(text, "test.py", compile_all=True)
    assert refusals(result) == []
    assert '_stm_open_write(o, "x").x' in result.source


REFUSED = {
    "UTF-16 with its mark": "x = 'ä'\n".encode("utf-16"),
    "UTF-16 without a mark": "x = 'ä'\n".encode("utf-16-le"),
    "UTF-32 with its mark": "x = 'ä'\n".encode("utf-32"),
    "a declaration of UTF-16": b"# coding: utf-16\nx = 1\n",
    "a codec that is not for text": b"# coding: rot13\nk = 1\n",
    "a codec of bytes": b"# coding: base64\nx = 1\n",
    "an unknown codec": b"# coding: latin-99\nx = 1\n",
    "half a character of Shift JIS": b"# coding: shift_jis\nx = '\x83'\n",
    "half a character of UTF-8": b"x = '\xe2\x82'\n",
    "a mark and another declaration": b"\xef\xbb\xbf# coding: latin-1\nx = 1\n",
    "a mark in the middle": b"x = 1\n\xef\xbb\xbfy = 2\n",
    "a null byte": b"x = 1\n\0\n",
    "a null byte in a comment": b"x = 1 # \0\n",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_text_is_refused_as_python_refuses_it(kind: str) -> None:
    data = REFUSED[kind]
    with pytest.raises((SyntaxError, ValueError)) as plain:
        compile(data, "test.py", "exec", dont_inherit=True)
    with pytest.raises(plain.type) as ours:
        compile_source(data, "test.py", compile_all=True).code()
    assert str(ours.value) == str(plain.value)


DECLARATIONS = [
    b"# coding: latin-1\nx = '\xe4'\n",
    b"#coding=latin-1\nx = '\xe4'\n",
    b"# -*- coding: latin-1 -*-\nx = '\xe4'\n",
    b"# vim: set fileencoding=latin-1 :\nx = '\xe4'\n",
    b"#!/usr/bin/env python\n# coding: latin-1\nx = '\xe4'\n",
    b"\n# coding: latin-1\nx = '\xe4'\n",
    b"\n\n# coding: latin-1\nx = '\xe4'\n",
    b"\x0c# coding: latin-1\nx = '\xe4'\n",
    b"  \t# coding: latin-1\nx = '\xe4'\n",
    b"y = 1  # coding: latin-1\nx = '\xe4'\n",
    b"y = 1\n# coding: latin-1\nx = '\xe4'\n",
    b"'''\n# coding: latin-1\n'''\nx = '\xe4'\n",
    b"# coding : latin-1\nx = '\xe4'\n",
    b"# Coding: latin-1\nx = '\xe4'\n",
    b"# coding:latin-1 coding:utf-8\nx = '\xe4'\n",
    b"# encoding: ISO-8859-15\nx = '\xa4'\n",
    b"# coding: iso_8859_1_extra\nx = '\xe4'\n",
    b"# coding: latin-1-unix\nx = '\xe4'\n",
    b"# coding: utf8\nx = '\xc3\xa4'\n",
    b"# coding: UTF-8-anything\nx = '\xc3\xa4'\n",
    b"\xef\xbb\xbfx = '\xc3\xa4'\n",
    b"\xef\xbb\xbf# coding: utf-8\nx = '\xc3\xa4'\n",
    b"# coding: latin-1\rx = '\xe4'\r",
    b"# coding: cp1252\r\nx = '\x80'\r\n",
    b"x = '\xe4'\n",
    b"# coding: latin-1",
]


@pytest.mark.parametrize("data", DECLARATIONS)
def test_a_declaration_is_found_where_python_finds_it(data: bytes) -> None:
    assert our_value_of_x(data) == value_of_x(data)
