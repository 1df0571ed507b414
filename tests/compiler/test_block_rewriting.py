"""`with atomic():` becomes a loop of attempts; what cannot stays as it is, with a diagnostic."""

import textwrap

import pytest
from compiling import without_prologue

from stmpy import _compiler


def compiled(source):
    return _compiler.compile(f"from stmpy import atomic\nimport stmpy\n{source}", "test.py")


def rewritten(body, head="def f(a, b):"):
    result = compiled(f"{head}\n{textwrap.indent(body, '    ')}\n")
    assert result.diagnostics == []
    lines = without_prologue(result.source).splitlines()[3:]
    return textwrap.dedent("\n".join(lines)).replace("_stm_", "")


LOOP = """\
for block1 in block_attempts({call}, "f"{bound}):
 try:
  with block1:
       block_begin(block1){begin}
       {body}
 except block_aborted(block1):{put_back}
 else: break"""


def loop(body, *, call="atomic()", bound="", begin="", put_back=" pass"):
    return LOOP.format(call=call, body=body, bound=bound, begin=begin, put_back=put_back)


@pytest.mark.parametrize("call", ["atomic()", "stmpy.atomic(timeout=a)", "(atomic())"])
def test_the_call_of_atomic_is_evaluated_once(call):
    assert rewritten(f"with {call}:\n    a()") == loop("a()", call=call)


def test_accesses_inside_are_compiled():
    assert rewritten("with atomic():\n    a.x += 1") == loop('iadd(a, "x", 1)')


def test_the_target_is_assigned_inside():
    assert rewritten("with atomic() as a.tx:\n    b()") == loop("b()", begin="; a.tx = transaction()")


@pytest.mark.parametrize(
    "before, inside, bound, put_back",
    [
        ("", "a += 1", ", (), (), a", "a, = block_saved(block1)"),
        ("x = 1\n", "x += 1", ", (), (), x", "x, = block_saved(block1)"),
        ("import x\n", "x += 1", ", (), (), x", "x, = block_saved(block1)"),
        ("def x(): pass\n", "x += 1", ", (), (), x", "x, = block_saved(block1)"),
        ("x, (y, *z) = a\n", "[z] = z", ", (), (), z", "z, = block_saved(block1)"),
        (
            "if a: x = 1\n",
            "x += 1",
            ', ("x",), ()',
            "x, = block_saved(block1)\n  if x is unbound: del x",
        ),
        (
            "x = 1\n",
            "del x",
            ', ("x",), ()',
            "x, = block_saved(block1)\n  if x is unbound: del x",
        ),
        (
            "global x\n",
            "x = 2; a += 1",
            ', (), ("x",), a',
            "a, x, = block_saved(block1)\n  if x is unbound: del x",
        ),
        ("", "[a for a in b]; (lambda c: c)(b)", "", ""),
    ],
)
def test_the_names_that_it_binds_are_put_back(before, inside, bound, put_back):
    expected = loop(inside, bound=bound, put_back=f"\n  {put_back}" if put_back else " pass")
    assert rewritten(f"{before}with atomic():\n    {inside}").removeprefix(before) == expected


@pytest.mark.parametrize("head", ["for x in b", "with b as x"])
def test_what_is_bound_around_the_block_is_certainly_bound(head):
    text = rewritten(f"{head}:\n    with atomic():\n        x += 1")
    assert "(), (), x):" in text and "unbound" not in text


def test_a_name_bound_in_a_handler_or_an_else_clause_around_is_not_certain():
    text = rewritten("for x in b:\n    pass\nelse:\n    with atomic():\n        y += 1; x += 2")
    assert '("y",), (), x' in text
    text = rewritten("try:\n    x = 1\nexcept a:\n    with atomic():\n        x += 2")
    assert '("x",), ()' in text


@pytest.mark.parametrize(
    "text, put_back",
    [
        # bound by what comes first, and read behind that only
        ("with atomic():\n    x = a; b(x)", False),
        ("with atomic():\n    y = x = a\nreturn x, y", False),
        ("with atomic() as x:\n    b(x)\nreturn x", False),
        ("with atomic():\n    for x in a: b(x)", False),
        ("for i in a:\n    with atomic():\n        x = i.y; b(x)\n        if i: break", False),
        ("try:\n    with atomic():\n        x = a; b(x)\nfinally: a", False),
        ("with b, atomic():\n    x = a; b(x)", False),
        # ... or perhaps not
        ("with atomic():\n    if a: x = 1\n    b(x)", True),
        ("with atomic():\n    x = x + 1", True),
        ("with atomic():\n    x += 1", True),
        ("with atomic():\n    for x in a: b(x)\nreturn x", True),
        ("with atomic():\n    for x in x: b(x)", True),
        ("with atomic():\n    for x in a: pass\n    else: b(x)", True),
        ("with atomic():\n    if a: return\n    x = 1\nb(x)", True),
        ("for i in a:\n    with atomic():\n        if i: continue\n        x = 1\nb(x)", True),
        ("try:\n    with atomic():\n        x = a()\nfinally: b(x)", True),
        ("with b:\n    with atomic():\n        x = a()\nb(x)", True),
        ("with b, atomic():\n    x = a()\nb(x)", True),
        # ... or somebody else can see it
        ("with atomic():\n    x = 1; (lambda: x)()", True),
        ("with atomic():\n    x = 1; [x for _ in a]", True),
        ("with atomic():\n    x = 1; locals()", True),
        ("nonlocal x\nwith atomic():\n    x = 1", True),
        ("global x\nwith atomic():\n    x = 1", True),
        ("with atomic():\n    import x", True),
        ("with atomic():\n    del x", True),
        ("with atomic():\n    \N{GREEK SMALL LETTER PHI} = 1", True),
    ],
)
def test_what_nobody_could_miss_is_not_put_back(text, put_back):
    assert ("block_saved" in rewritten(text)) == put_back


def test_private_names_are_looked_for_as_python_stores_them():
    source = "class C:\n    def f(self):\n        with atomic():\n            __x += 1\n"
    assert '("_C__x",), ()' in compiled(source).source


def test_only_the_outermost_of_nested_blocks_puts_back():
    text = rewritten("with atomic():\n    with atomic():\n        a += 1")
    assert text.count("block_saved") == 1
    text = rewritten("with atomic():\n    def g(a):\n        with atomic():\n            a += 1")
    assert text.count("block_saved") == 2


def test_lines_are_indented_behind_the_users_own_indentation():
    source = "with atomic():\n\tif a:\n\t    '''\n\ttext'''\n# comment\n\t    b()\n"
    text = rewritten(source)
    assert (
        "\n\t   block_begin" in text
        and "\n\t   if a:\n\t       '''\n\ttext'''\n# comment\n\t       b()" in text
    )


def test_no_line_is_lost():
    head = "with (" + 14 * "\n" + "        atomic()\n    ):"
    source = f"from stmpy import atomic\ndef f(a):\n    {head}\n        a()\n"
    assert _compiler.compile(source, "test.py").source.count("\n") >= source.count("\n")


@pytest.mark.parametrize(
    "statement",
    [
        "with atomic: pass",
        "with atomic().x: pass",
        "with [atomic()]: pass",
        "with (atomic(), a) as b: pass",
        "with (b := atomic()): pass",
        "with other.atomic(): pass",
        "async with atomic(): pass",
    ],
)
def test_what_is_no_call_of_atomic_stays(statement):
    source = f"async def f(a):\n    {statement}\n"
    assert statement in compiled(source).source


def test_a_name_that_means_something_else_is_not_ours():
    result = compiled("def f(atomic):\n    with atomic():\n        pass\n")
    assert not result.changed and result.report == []


@pytest.mark.parametrize(
    "suspension, line",
    [
        ("yield", 6),
        ("x = yield from a", 6),
        ("await a", 6),
        ("async with a: pass", 6),
        ("async for x in a: pass", 6),
        ("x = [x async for x in a]", 6),
        ("def g(x=(yield)): pass", 6),
        ("if a:\n            pass\n            yield 1", 8),
    ],
)
def test_a_suspension_inside_is_diagnosed_at_its_line(suspension, line):
    source = f"async def f(a):\n    a.x\n    with atomic():\n        {suspension}\n"
    result = compiled(source)
    assert [(d.code, d.line, d.severity) for d in result.diagnostics] == [("STM121", line, "error")]
    assert "with atomic():" in result.source and not result.changed


def test_suspensions_of_functions_inside_are_none_of_the_block():
    source = "def f(a):\n    with atomic():\n        def g(): yield\n        h = lambda: (yield)\n"
    assert compiled(source).diagnostics == []


def test_an_item_behind_that_suspends_is_diagnosed_and_one_before_is_not():
    source = "def f(a):\n    with a((yield)), atomic(timeout=(yield)):\n        pass\n"
    assert compiled(source).diagnostics == []
    source = "def f(a):\n    with atomic(), a((yield)):\n        pass\n"
    assert [d.code for d in compiled(source).diagnostics] == ["STM121"]


def test_a_block_in_a_class_body_is_diagnosed():
    result = compiled("class C:\n    with atomic():\n        x = 1\n")
    assert [(d.code, d.line) for d in result.diagnostics] == [("STM122", 4)]
    assert not result.changed


def test_a_function_with_a_block_is_a_compiled_function():
    result = compiled("def f(a):\n    a.y\n    with atomic():\n        a.x\ndef g(a): a.x\n")
    assert [(entry["name"], entry["reason"], len(entry["accesses"])) for entry in result.report] == [
        ("f", "with atomic()", 2)
    ]


def test_a_block_of_the_module_is_compiled_without_what_is_around_it():
    result = compiled("a.y\nwith atomic():\n    a.x\n    def g(a): a.z\n")
    assert [(entry["name"], entry["reason"], len(entry["accesses"])) for entry in result.report] == [
        ("<module>", "with atomic()", 1),
        ("g", "in <module>", 1),
    ]


@pytest.mark.parametrize("statement", ["break", "continue"])
def test_python_still_refuses_a_jump_outside_of_a_loop(statement):
    result = compiled(f"def f():\n    with atomic():\n        {statement}\n")
    with pytest.raises(SyntaxError):
        compile(result.source, "test.py", "exec")
