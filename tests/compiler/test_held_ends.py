"""Everything that ends what is held, and where nothing is held at all."""

from __future__ import annotations

import textwrap

import pytest
from compiling import compile_all, rewritten, without_prologue

# Loops in which `o.a += 1` is opened anew at each turn.
ENDS = {
    "bound": "o.a += 1\no = p",
    "bound by a loop": "o.a += 1\nfor o in p: pass",
    "bound by an import": "o.a += 1\nimport o",
    "deleted": "o.a += 1\ndel o",
    "bound by a walrus": "o.a += 1\nif (o := p): pass",
    "bound by a pattern": "o.a += 1\nmatch p:\n    case {'o': o}: pass",
    "bound by a handler": "o.a += 1\ntry: p()\nexcept E as o: pass",
    "bound by a definition": "o.a += 1\ndef o(): pass",
    "bound by a with statement": "o.a += 1\nwith p as o: pass",
    "the attribute is deleted": "o.a += 1\ndel o.a",
    "a with statement": "with p: o.a += 1",
    "a with statement behind": "o.a += 1\nwith p: pass",
    "a handler": "try: o.a += 1\nexcept E: pass",
    "a finally": "try: o.a += 1\nfinally: p()",
    "a decorated function": "o.a += 1\n@p\ndef g(): pass",
    "a function that could bind it": "o.a += 1\ndef g():\n    nonlocal o\n    o = p",
    "a lambda that mentions it": "o.a += 1\nx = lambda: o",
    "a class that mentions it": "o.a += 1\nclass C: x = o",
    "a comprehension that binds it": "o.a += 1\nx = [(o := e) for e in p]",
    "a global": "global g\ng.a += 1",
    "a name of the module": "g.a += 1",
    "a comprehension in a comprehension that binds it": "o.a += 1\nx = [[(o := e) for e in f] for f in p]",
}


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_it(end: str) -> None:
    text = rewritten(f"for _ in n:\n{textwrap.indent(ENDS[end], '    ')}")
    assert "_stm_1" not in text
    assert "_stm_iadd(" in text


@pytest.mark.parametrize(
    "suspension", ["yield", "x = yield 1", "await p", "async for x in p: pass", "async with p: pass"]
)
def test_nothing_is_held_where_a_function_suspends(suspension: str) -> None:
    keyword = "async def" if "a" in suspension.split()[0] else "def"
    source = (
        f"{keyword} f(o, p, n):\n    for _ in n:\n        o.a = o.a\n        o.a += 1\n        {suspension}\n"
    )
    assert "_stm_1" not in compile_all(source).source


def test_nothing_is_opened_over_a_suspension() -> None:
    source = "def f(o):\n    o.a += yield\n    o.a += 1\n"
    assert without_prologue(compile_all(source).source) == source.replace(
        "o.a += 1", '_stm_open_write(o, "a").a += 1'
    )


# Behind each of these, what was held in front of it is not.
BETWEEN = [
    "o = p",
    "o = o.b",
    "o += p",
    "o: p = n",
    "x = o = p",
    "o, x = p",
    "[x, *o] = p",
    "(x, (o,)) = p",
    "p.b, o = p",
    "del o",
    "del (x, o)",
    "import o",
    "import o.b",
    "import b as o",
    "from b import o",
    "from b import c as o",
    "(o := p)",
    "p(o := n)",
    "if (o := p): pass",
    "def o(): pass",
    "class o: pass",
    "for o in p: pass",
    "for x, o in p: pass",
    "match p:\n    case o: pass",
    "match p:\n    case [*o]: pass",
    "match p:\n    case 1 as o: pass",
    "match p:\n    case {**o}: pass",
    "match p:\n    case 1: o = n",
    "match p:\n    case 1: pass\n    case _: o = n",
    "with p as o: pass",
    "with p as (x, o): pass",
    "with p, n as o: pass",
    "with p: pass",
    "try: p()\nexcept E: pass",
    "try: p()\nexcept E as o: pass",
    "try: p()\nfinally: p()",
    "@p\ndef g(): pass",
    "@p\nclass C: pass",
    "del o.a",
    "if p: o = n",
    "if p: del o.a",
    "if p: pass\nelif n: o = n",
    "if p: pass\nelse: o = n",
    "for _ in p: o = n",
    "for _ in p: pass\nelse: o = n",
    "while p:\n    o = n\n    if p: break",
    "while True:\n    if p:\n        o = n\n        break",
    "while p:\n    if n:\n        o = n\n        continue",
    "x = p and (o := n)",
    "x = (o := n) if p else n",
    "x = p if n else (o := n)",
    "x = p < n < (o := n)",
]


@pytest.mark.parametrize("ends", BETWEEN)
@pytest.mark.parametrize(
    "held, again",
    [("n = o.a, o.a, o.a, o.a", "p = o.a"), ("o.a = 1; o.a = 2; o.a = 3; o.a = 4", "o.a = 5")],
    ids=["read", "written"],
)
def test_what_is_held_in_front_of_it_is_not_behind_it(ends: str, held: str, again: str) -> None:
    assert rewritten(f"{held}\n{ends}\n{again}").splitlines()[-1] == again


@pytest.mark.parametrize(
    "between", ["x = p", "x.a = o", "o: p", "o.b = p", "o.m(p)", "del p.a", "del o.b", "if p: return"]
)
def test_nothing_else_ends_it(between: str) -> None:
    text = rewritten(f"o.a = 1; o.a = 2; o.a = 3; o.a = 4\n{between}\no.a = 5")
    assert text.splitlines()[-1] == "_stm_1_o.a = 5"


def test_a_copy_goes_with_the_variable_whose_temporary_it_uses() -> None:
    assert rewritten("o.a = 1; o.a = 2; o.a = 3; o.a = 4\nx = o\no = p\nx.a = 5").splitlines()[-2:] == [
        "o = p; _stm_1_o = None",
        "x.a = 5",
    ]


def test_a_copy_stays_where_it_is_bound_again() -> None:
    text = rewritten("o.a = 1; o.a = 2; o.a = 3; o.a = 4\nx = o\nx = p\nx.a = 5\no.a = 6")
    assert text.splitlines()[-3:] == ["x = p", "x.a = 5", "_stm_1_o.a = 6"]


@pytest.mark.parametrize("shares", ["global x", "g = lambda: x"])
def test_a_copy_that_other_code_could_bind_again_uses_no_temporary(shares: str) -> None:
    text = rewritten(f"{shares}\no.a = 1; o.a = 2; o.a = 3; o.a = 4\nx = o\np()\nx.a = 5")
    assert text.splitlines()[-1] == "x.a = 5"


def test_a_copy_uses_no_temporary_that_a_loop_empties() -> None:
    text = rewritten("o.a = 1; o.a = 2; o.a = 3; o.a = 4\nx = o\ndel o.a\nfor _ in n: o.a += 1\nx.a = 5")
    assert text.splitlines()[-3].startswith("_stm_1_o = ")
    assert text.splitlines()[-1] == "x.a = 5"


def test_nothing_is_kept_for_what_stands_behind_its_end() -> None:
    text = rewritten("o.a += 1\nwith p: pass\nfor _ in n: o.a += 1")
    assert text.splitlines()[0] == '_stm_iadd(o, "a", 1)'


def test_nothing_is_emptied_where_the_function_is_left() -> None:
    text = rewritten("o.a = 1; o.a = 2; o.a = 3; o.a = 4\nreturn (o := p)")
    assert text.splitlines()[-1] == "return (o := p)"


def test_what_only_a_branch_has_opened_is_emptied_behind_the_join() -> None:
    text = rewritten("if p:\n    o.a = 1; o.a = 2; o.a = 3; o.a = 4\no.a = 5\no = p")
    assert text.splitlines()[-2:] == ["o.a = 5", "o = p; _stm_1_o = None"]


@pytest.mark.parametrize(
    "before",
    ["with p: raise n", "while True:\n    try: break\n    finally: p()", "try: raise p\nexcept E: pass"],
)
def test_what_can_only_be_reached_by_a_detour_is_planned(before: str) -> None:
    text = rewritten(f"{before}\no.a = 1; o.a = 2; o.a = 3; o.a = 4")
    assert text.splitlines()[-1].endswith("_stm_1_o.a = 4")


def test_a_loop_in_a_block_empties_its_temporary_above_it() -> None:
    text = rewritten("with atomic():\n    x = n\n    for _ in n: o.a += 1")
    *_, above, loop = (line for line in text.splitlines() if "_stm_1_o" in line)
    assert above.strip() == "_stm_1_o = None"
    assert len(above) - len(above.lstrip()) == len(loop) - len(loop.lstrip())


def test_the_report_names_the_opener_in_front_of_a_reuse() -> None:
    fours = "    o.a = 1\n    o.a = 2\n    o.a = 3\n    o.a = 4\n"
    (report,) = compile_all(f"def f(o, p):\n{fours}    o = p\n{fours}").report
    openers = [access["of"] and access["of"][0] for access in report["accesses"]]
    assert openers == [None, 2, 2, 2, None, 7, 7, 7]


# The names by which a function can see or change its own variables.
MIRRORS = [
    "locals()",
    "vars()",
    "dir()",
    "eval(p)",
    "exec(p)",
    "sys._getframe()",
    "sys._current_frames()",
    "p.currentframe()",
    "p.stack()",
    "p.f_locals",
    "inspect.trace()",
]


@pytest.mark.parametrize("look", MIRRORS)
def test_nothing_is_held_in_a_function_that_looks_at_itself(look: str) -> None:
    assert "_stm_1" not in rewritten(f"for _ in n:\n    o.a += 1\n    {look}")


@pytest.mark.parametrize("declaration", ["global", "nonlocal"])
def test_nothing_is_held_for_a_variable_of_another_scope(declaration: str) -> None:
    inner = f"def g():\n    {declaration} o\n    for _ in n: o.a += 1\n"
    source = f"def f(o, n):\n{textwrap.indent(inner, '    ')}    return g\n"
    assert "_stm_1" not in compile_all(source).source


@pytest.mark.parametrize(
    "source",
    [
        "[o.a + o.a + o.a + o.a for o in p]\n",
        "lambda o: o.a + o.a + o.a + o.a\n",
        "for o in p:\n    o.a += 1\n",
    ],
)
def test_nothing_is_held_outside_of_functions(source: str) -> None:
    assert "_stm_1" not in compile_all(source).source


def test_nothing_is_held_by_a_loop_that_can_have_no_line_above_it() -> None:
    assert "_stm_1" not in compile_all("def f(o, n):\n\f    for _ in n: o.a += 1\n").source


# Statements times pairs beyond what is planned, each with accesses that a small function holds something for.
LARGE = {
    "loops": "for _ in n: o.a{0} += o.b{0}",
    "a try statement": "try:\n    o.a{0} = 1; o.a{0} = 2; o.a{0} = 3; o.a{0} = 4\nfinally: p()",
    "bindings": "o.a{0} = 1; o.a{0} = 2; o.a{0} = 3; o.a{0} = 4\no = p",
    "reads": "x = o.a{0}, o.a{0}, o.a{0}, o.a{0}\nif x: o.b{0} = 1",
}


@pytest.mark.parametrize("part", LARGE)
def test_nothing_is_held_in_a_function_that_is_too_large_to_plan(part: str) -> None:
    def source(parts: int) -> str:
        body = "\n".join(LARGE[part].format(i) for i in range(parts))
        return f"from stmpy import atomic\n@atomic\ndef f(o, p, n):\n{textwrap.indent(body, '    ')}\n"

    assert "_stm_1" in compile_all(source(2)).source
    large = compile_all(source(300))
    assert "_stm_1" not in large.source
    (report,) = large.report
    assert {access["why"] for access in report["accesses"]} == {"the function is too large to plan"}


@pytest.mark.parametrize("other", ["\uff4f = p", "x = \uff4f.b", "o.\uff42 = p"])
def test_nothing_is_held_where_a_variable_may_have_two_spellings(other: str) -> None:
    assert "_stm_1" not in rewritten(f"for _ in n:\n    o.a += 1\n    {other}")


def test_a_variable_with_two_spellings_is_not_free() -> None:
    source = "def f(p):\n    o = []\n    \uff4f = p\n    o.a += 1\n"
    (report,) = compile_all(source).report
    assert [access["plan"] for access in report["accesses"]] == ["opened"]
