"""`stmpyc --annotate`: a page for each module, with each access of the report, that needs nothing else."""

import re
from html.parser import HTMLParser

import pytest
from projects import BANK, stmpyc

from stmpy import _annotate
from stmpy.compiler import compile_source

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """The page's elements and texts. Fails if an element is not closed, or another one is."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open, self.rows = [], [], {}
        self.accesses = []  # attributes, with the text they are about
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self.open.append((tag, attributes))
        if "access" in attributes.get("class", "").split():
            self.accesses.append(attributes | {"text": ""})
        if "row" in attributes.get("class", "").split():
            self.row = attributes["id"]
            self.rows[self.row] = {"class": attributes["class"].split(), "code": "", "cost": ""}

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        within = [(tag, attributes.get("class", "").split()) for tag, attributes in self.open]
        if any("access" in classes for _, classes in within):
            self.accesses[-1]["text"] += data
        if any("row" in classes for _, classes in within):
            if any(tag == "code" for tag, _ in within):
                self.rows[self.row]["code"] += data
            if any("cost" in classes for _, classes in within):
                self.rows[self.row]["cost"] += data


def page_of(source, report=None):
    compilation = compile_source(source)
    if report is not None:
        compilation.report[:] = report
    return Page(_annotate.page("bank.py", source, compilation))


def access(line, column, end_column, plan, **more):
    return {
        "line": line,
        "column": column,
        "end_line": line,
        "end_column": end_column,
        "attribute": "x",
        "kind": "load",
        "plan": plan,
    } | more


def function(*accesses, name="f"):
    return {"name": name, "line": 1, "reason": "@atomic", "accesses": list(accesses)}


def test_a_page_is_written_beside_the_source(bank):
    run = stmpyc(bank, "--annotate", "bank.py")
    assert (run.out, run.err) == (f"{bank.root}/bank.py.html\n", "")
    Page((bank.root / "bank.py.html").read_text())


def test_a_page_has_each_access_of_the_report_where_it_is(bank):
    stmpyc(bank, "--annotate", "bank.py")
    page = Page((bank.root / "bank.py.html").read_text())
    reported = [a for f in compile_source(BANK).report for a in f["accesses"]]
    shown = [(a["data-attribute"], a["data-line"], a["data-kind"]) for a in page.accesses]
    assert shown == [(a["attribute"], str(a["end_line"]), a["kind"]) for a in reported] != []
    assert {a["text"] for a in page.accesses} == {"balance"}


def test_a_page_shows_the_source_as_it_is():
    source = (
        BANK.replace("insufficient funds", "zu wenig: \u4e0d\u8db3 <\t&amp;>") + "s = '''\n  two\n  lines'''"
    )
    page = page_of(source)
    assert [row["code"] for row in page.rows.values()] == source.split("\n")
    assert list(page.rows) == [f"L{number}" for number in range(1, len(source.split("\n")) + 1)]


def test_hostile_sources_stay_text(project):
    hostile = "</code></script><script>alert(1)</script><img src=x onerror='alert(2)'>\"&lt;"
    source = f"import stmpy\n@stmpy.atomic\ndef f(o):\n    return o.x  # {hostile}\nS = {hostile!r}\n"
    path = project.write("<b>&\"'$name.py", source)
    stmpyc(project, "--annotate", path)
    page = Page((project.root / f"{path.name}.html").read_text())
    assert sum(tag == "script" for tag, _ in page.elements) == 1
    assert not any(tag in ("img", "b>") or "onerror" in attributes for tag, attributes in page.elements)
    assert page.rows["L4"]["code"].endswith(hostile)


def test_a_page_loads_nothing(bank):
    stmpyc(bank, "--annotate", "bank.py")
    html = (bank.root / "bank.py.html").read_text()
    for _, attributes in Page(html).elements:
        assert not {"src", "srcset", "integrity"} & set(attributes)
        assert attributes.get("href", "#").startswith("#")
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttp", html)


@pytest.mark.parametrize(
    "plans, tint, cost",
    [
        (["opened"], "c1", "1"),
        (["opened", "as written"], "c2", "2"),
        (["opened", "as written", "dynamic"], "c3", "3"),
        (["opened"] * 5, "c4", "5"),
        (["reused", "free"], "c0", "0"),
        (["reused", "opened", "free"], "c1", "1"),
        (["something new"], "c1", "1"),
        ([], "plain", ""),
    ],
)
def test_a_line_is_tinted_by_the_runtime_calls_it_costs(plans, tint, cost):
    source = "o.x; " * 6 + "\n"
    accesses = [access(1, 5 * i, 5 * i + 3, plan) for i, plan in enumerate(plans)]
    row = page_of(source, [function(*accesses)]).rows["L1"]
    assert (row["class"], row["cost"]) == (["row", tint], cost)


def test_what_a_click_shows_is_the_plans_own_reason():
    source = "o.x = 1\no.x\n"
    opened = access(1, 0, 3, "opened", kind="store", why="later ones use it", barrier="open", mode="write")
    reused = access(2, 0, 3, "reused", why="it is open here", of=(1, 0), mode=None, barrier=None)
    first, second = page_of(source, [function(opened, reused)]).accesses
    assert (first["data-fate"], first["data-why"]) == ("opened", "later ones use it")
    assert (first["data-barrier"], first["data-mode"]) == ("open", "write")
    assert second["data-of"] == first["data-place"] and second["data-why"] == "it is open here"
    assert (second["data-mode"], second["data-barrier"]) == ("", "")


def test_accesses_of_a_chain_are_told_apart():
    source = "a.b.x\n"
    chain = [access(1, 0, 3, "opened", attribute="b"), access(1, 0, 5, "reused", of=(1, 0))]
    first, second = page_of(source, [function(*chain)]).accesses
    assert (first["text"], second["text"]) == ("b", "x")
    assert first["data-place"] != second["data-place"]


def test_every_access_can_be_reached_by_keyboard_and_says_what_it_is(bank):
    stmpyc(bank, "--annotate", "bank.py")
    for element in Page((bank.root / "bank.py.html").read_text()).accesses:
        assert (element["tabindex"], element["role"]) == ("0", "button")
        assert element["aria-label"].startswith("balance, ")


def test_the_top_counts_functions_and_accesses():
    source = "o.x; o.x; o.x\n"
    accesses = [access(1, 5 * i, 5 * i + 3, plan) for i, plan in enumerate(["opened", "reused", "free"])]
    html = _annotate.page("bank.py", source, compilation_with([function(*accesses)]))
    headline = re.sub("<.*?>", "", re.search('class="headline">(.*)</p>', html)[1])
    assert headline == (
        "1 function compiled, with 3 accesses to attributes: 1 by a call of the runtime, 2 without."
    )


def compilation_with(report):
    compilation = compile_source("")
    compilation.report[:] = report
    return compilation


def test_kinds_that_only_a_later_report_has_are_shown():
    source = "o.x\n"
    html = _annotate.page("x.py", source, compilation_with([function(access(1, 0, 3, "folded <away>"))]))
    assert "<b>1</b> folded &lt;away&gt;" in html
    Page(html)


def test_diagnostics_are_on_the_page(project):
    project.write("bank.py", BANK + "@atomic\ndef give(o):\n    yield o.x\n")
    stmpyc(project, "--annotate", "bank.py")
    assert "STM101: give is a generator function" in (project.root / "bank.py.html").read_text()


def test_directories_get_pages_where_something_is_compiled(project):
    project.write("src/shop/__init__.py", "")
    project.write("src/shop/bank.py", BANK)
    project.write("src/shop/plain.py", "import stmpy\n")
    stmpyc(project, "--annotate", "-o", "pages", "src")
    pages = [str(path.relative_to(project.root)) for path in project.root.rglob("*.html")]
    assert pages == ["pages/shop/bank.py.html"]


def test_a_file_that_was_named_gets_a_page_anyhow(project):
    project.write("plain.py", "x = 1\n")
    stmpyc(project, "--annotate", "plain.py")
    assert "Nothing in this module is compiled" in (project.root / "plain.py.html").read_text()


def test_a_page_is_brought_up_to_date_and_no_other_file_is_overwritten(bank):
    for _ in range(2):
        stmpyc(bank, "--annotate", "bank.py")
    bank.write("bank.py.html", "mine")
    assert "was not written by stmpyc" in stmpyc(bank, "--annotate", "bank.py", status=1).err
    assert (bank.root / "bank.py.html").read_text() == "mine"


def test_what_is_not_python_is_an_error(project):
    project.write("bank.py", BANK + "x = = 1\n")
    assert "SyntaxError" in stmpyc(project, "--annotate", "bank.py", status=1).err
    assert not list(project.root.glob("*.html"))


def test_the_page_is_part_of_the_package():
    from importlib.resources import files

    assert files("stmpy").joinpath("annotate.html").is_file()
