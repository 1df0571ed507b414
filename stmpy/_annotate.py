"""``stmpyc --annotate``: a page for each module that shows what its accesses cost, and why.

The page is one file (`annotate.html` is its template): it loads nothing, and works without a network.
"""

from __future__ import annotations

import io
import keyword
import os
import platform
import re
import string
import token
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple

from stmpy import _tree
from stmpy._build import Outcome, of_python
from stmpy._messages import counted
from stmpy._runtime import mentions_stmpy
from stmpy._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stmpy.compiler import Compilation

_MARK = '<meta name="generator" content="stmpyc">'


class Options(NamedTuple):
    """What is the same for all files of a run. Goes to other processes."""

    directory: str | None  # for the pages; beside the sources without it
    compile_all: bool
    named: frozenset[str]  # files that get a page even if nothing in them is compiled


class Fate(NamedTuple):
    """What the compiler's report can say of an access, and how the page shows it."""

    style: str
    meaning: str
    costs: bool


FATES = {
    "opened": Fate("opened", "a call of the runtime acquires it", True),
    "as written": Fate("written", "the object's own lookup asks the runtime", True),
    "dynamic": Fate("dynamic", "the same: a call would be illegal or seen", True),
    "reused": Fate("reused", "an earlier access has it open: no call", False),
    "free": Fate("free", "no object of a transaction's: no call", False),
}
_OTHER = Fate("written", "", True)


class Access(NamedTuple):
    """One access of the report, where the page shows it: its attribute's name."""

    line: int
    start: int
    end: int
    attribute: str
    kind: str
    fate: str
    why: str
    mode: str
    barrier: str
    place: tuple[int, int]  # as the report names it
    of: tuple[int, int] | None  # the place of the access that it reuses
    function: str

    @property
    def shown_as(self) -> Fate:
        return FATES.get(self.fate, _OTHER)

    @property
    def costs(self) -> bool:
        return self.shown_as.costs


def annotate(options: Options, place: _tree.Place) -> Outcome:
    """Writes the page of one module. One that has nothing compiled in it gets none, unless it was named."""
    try:
        with open(place.source, "rb") as file:
            source = file.read()
        is_named = place.source in options.named
        if not mentions_stmpy(source) and not options.compile_all and not is_named:
            return Outcome("", [], False)
        from stmpy.compiler import compile_source

        try:
            compilation = compile_source(source, place.source, compile_all=options.compile_all)
            compilation.code()
            from stmpy import _compiler

            text = _compiler.decode(source)
        except (SyntaxError, ValueError) as error:
            return Outcome("", [of_python(place.source, error)], True)
        if not compilation.report and not is_named:
            return Outcome("", [], False)
        target = _target(options, place)
        _write(target, page(place.target, text, compilation))
        return Outcome(f"{target}\n", [], False)
    except OSError as error:
        return Outcome("", [f"stmpyc: {error}"], True)


def page(name: str, text: str, compilation: Compilation) -> str:
    """The page of one source."""
    lines = re.split(r"\r\n|\r|\n", text)
    accesses = [access for function in compilation.report for access in _accesses(function, lines)]
    by_line: dict[int, list[Access]] = {}
    for access in accesses:
        by_line.setdefault(access.line, []).append(access)
    words = _words(text)
    template = string.Template(files("stmpy").joinpath("annotate.html").read_text(encoding="utf-8"))
    return template.substitute(
        mark=_MARK,
        name=escape(name),
        versions=escape(f"stmpyc {__version__}, Python {platform.python_version()}"),
        headline=_headline(compilation, accesses),
        bar=_bar(accesses),
        legend=_legend(accesses),
        diagnostics=_diagnostics(compilation),
        functions=_functions(compilation, accesses),
        rows="".join(
            _row(number, line, by_line.get(number, []), words.get(number, []))
            for number, line in enumerate(lines if lines[-1] else lines[:-1], 1)
        ),
        accesses="".join(map(_access_row, accesses)),
    )


# The report


def _accesses(function: Mapping[str, Any], lines: list[str]) -> Iterator[Access]:
    for entry in function["accesses"]:
        line = lines[entry["end_line"] - 1]
        end = entry["end_column"]
        name = re.search(r"\w*$", line[:end])
        fate, _, why = entry["plan"].partition(": ")
        of = entry.get("of")
        yield Access(
            line=entry["end_line"],
            start=name.start() if name else end,
            end=end,
            attribute=entry["attribute"],
            kind=entry["kind"],
            fate=fate,
            why=entry.get("why") or why,
            mode=entry.get("mode") or "",
            barrier=entry.get("barrier") or "",
            place=(entry["line"], entry["column"]),
            of=None if of is None else tuple(of),
            function=function["name"],
        )


# The parts of the page


def _headline(compilation: Compilation, accesses: list[Access]) -> str:
    if not compilation.report:
        return "Nothing in this module is compiled: it has no functions under @atomic or @compiled."
    costly = sum(access.costs for access in accesses)
    return (
        f"<b>{counted(len(compilation.report), 'function')}</b> compiled, with "
        f"<b>{counted(len(accesses), 'access')}</b> to attributes: "
        f"<b>{costly}</b> by a call of the runtime, <b>{len(accesses) - costly}</b> without."
    )


def _bar(accesses: list[Access]) -> str:
    return "".join(
        f'<span class="{style}" style="flex-grow:{number}"></span>'
        for _, (style, _, _), number in _counted_fates(accesses)
    )


def _legend(accesses: list[Access]) -> str:
    return "".join(
        f'<button type="button" aria-pressed="false" data-fate="{style}"><span class="swatch {style}"></span>'
        f"<span><b>{number}</b> {escape(fate)}</span><small>{escape(meaning)}</small></button>"
        for fate, (style, meaning, _), number in _counted_fates(accesses)
    )


def _counted_fates(accesses: list[Access]) -> Iterator[tuple[str, Fate, int]]:
    """In the order of `FATES`; what this version does not know of comes last."""
    counts = Counter(access.fate for access in accesses)
    for fate in [*FATES, *counts]:
        if number := counts.pop(fate, 0):
            yield fate, FATES.get(fate, _OTHER), number


def _diagnostics(compilation: Compilation) -> str:
    items = "".join(
        f'<li class="{diagnostic.severity}"><a href="#L{diagnostic.line}">line {diagnostic.line}</a> '
        f"{escape(diagnostic.code)}: {escape(diagnostic.message)}"
        f"<small>{escape(diagnostic.hint)}</small></li>"
        for diagnostic in compilation.diagnostics
    )
    return f'<ul class="diagnostics">{items}</ul>' if items else ""


def _functions(compilation: Compilation, accesses: list[Access]) -> str:
    rows = []
    for function in compilation.report:
        own = [access for access in accesses if access.function == function["name"]]
        costly = sum(access.costs for access in own)
        rows.append(
            f'<tr><th scope="row"><a href="#L{function["line"]}">{escape(function["name"])}</a></th>'
            f"<td>{escape(function['reason'])}</td><td>{len(own)}</td><td>{costly}</td>"
            f"<td>{len(own) - costly}</td></tr>"
        )
    return "".join(rows)


def _row(number: int, line: str, accesses: list[Access], words: list[tuple[int, int, str]]) -> str:
    costly = sum(access.costs for access in accesses)
    level = f"c{min(costly, 4)}" if accesses else "plain"
    cost = f'<span class="cost" title="{counted(costly, "runtime call")}">{costly}</span>' if accesses else ""
    return (
        f'<div class="row {level}" id="L{number}"><a class="number" href="#L{number}">{number}</a>'
        f'<span class="gutter">{cost}</span><code>{"".join(_pieces(line, accesses, words))}</code></div>\n'
    )


def _pieces(line: str, accesses: list[Access], words: list[tuple[int, int, str]]) -> Iterator[str]:
    """The line's text, with a mark around each word and each access."""
    shown = {access.start: access for access in accesses}
    edges = {0, len(line)}
    edges.update(edge for start, end, _ in words for edge in (start, end))
    edges.update(edge for access in accesses for edge in (access.start, access.end))
    cuts = sorted(edge for edge in edges if edge <= len(line))
    for start, end in zip(cuts, cuts[1:], strict=False):
        text = escape(line[start:end])
        if start in shown:
            yield _mark(shown[start], text)
            continue
        style = next((style for first, last, style in words if first <= start and end <= last), "")
        yield f'<span class="{style}">{text}</span>' if style else text


def _mark(access: Access, text: str) -> str:
    fields = {
        "place": _place(access.place, access),
        "of": "" if access.of is None else _place(access.of, access),
        "attribute": access.attribute,
        "line": str(access.line),
        "kind": access.kind,
        "fate": access.fate,
        "meaning": access.shown_as.meaning,
        "why": access.why,
        "mode": access.mode,
        "barrier": access.barrier,
    }
    data = " ".join(f'data-{name}="{escape(value)}"' for name, value in fields.items())
    spoken = f"{access.attribute}, {access.kind}: {access.fate}. {access.why}"
    return (
        f'<span class="access {access.shown_as.style}" tabindex="0" role="button" '
        f'aria-label="{escape(spoken)}" {data}>{text}</span>'
    )


def _place(place: tuple[int, int], access: Access) -> str:
    """Names an access on its page. Those of a chain, `a.b.c`, have one place."""
    return f"{place[0]}-{place[1]}-{access.attribute}"


def _access_row(access: Access) -> str:
    of = "" if access.of is None else f" (line {access.of[0]})"
    return (
        f'<tr><td><a href="#L{access.line}">{access.line}</a></td>'
        f"<td><code>{escape(access.attribute)}</code></td><td>{escape(access.kind)}</td>"
        f'<td><span class="swatch {access.shown_as.style}"></span> {escape(access.fate)}{of}</td>'
        f"<td>{escape(access.why)}</td><td><code>{escape(access.barrier)}</code></td></tr>"
    )


def _words(text: str) -> dict[int, list[tuple[int, int, str]]]:
    """Keywords, strings, numbers and comments, by line: start, end and style. A help for the eye only."""
    found: dict[int, list[tuple[int, int, str]]] = {}
    lines = text.splitlines(keepends=True)
    try:
        for word in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
            style = _style(word)
            (first, start), (last, end) = word.start, word.end
            for line in range(first, last + 1 if style else first):
                stop = end if line == last else len(lines[line - 1])
                found.setdefault(line, []).append((start if line == first else 0, stop, style))
    except (tokenize.TokenError, SyntaxError, IndexError):
        pass
    return found


def _style(word: tokenize.TokenInfo) -> str:
    if word.type == token.NAME:
        return "keyword" if keyword.iskeyword(word.string) else ""
    styles = {token.STRING: "string", token.NUMBER: "number-literal", tokenize.COMMENT: "comment"}
    for name in (
        "FSTRING_START",
        "FSTRING_MIDDLE",
        "FSTRING_END",
        "TSTRING_START",
        "TSTRING_MIDDLE",
        "TSTRING_END",
    ):
        styles[getattr(token, name, -1)] = "string"
    return styles.get(word.type, "")


# The file


def _target(options: Options, place: _tree.Place) -> str:
    if options.directory is None:
        return place.source + ".html"
    return os.path.join(options.directory, place.target + ".html")


def _write(target: str, text: str) -> None:
    """Replaces a page of ours, and nothing else."""
    try:
        with open(target, "rb") as file:
            if _MARK.encode() not in file.read(4096):
                raise FileExistsError(f"{target} exists, and was not written by stmpyc: it is left alone")
    except FileNotFoundError:
        pass
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with _tree.replacing(target) as temporary, open(temporary, "x", encoding="utf-8") as page_file:
        page_file.write(text)
