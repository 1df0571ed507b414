"""Which code counts as atomic for the lints: what runs in a transaction, as far as the module tells."""

import pytest
from linting import HEAD, expected, findings, function

from stmpy import _compiler


@pytest.mark.parametrize(
    "start, body",
    [
        ("@atomic\ndef f():\n", "    «print(1)»\n"),
        ("@atomic(timeout=1)\ndef f():\n", "    «print(1)»\n"),
        ("@stmpy.atomic\ndef f():\n", "    «print(1)»\n"),
        ("tx = stmpy.atomic(timeout=1)\n@tx\ndef f():\n", "    «print(1)»\n"),
        ("@atomic(irrevocable=False)\ndef f():\n", "    «print(1)»\n"),
        ("@atomically\ndef f():\n", "    «print(1)»\n"),
        ("@atomic\ndef atomic():\n", "    «print(1)»\n"),
        ("with atomic():\n", "    «print(1)»\n"),
        ("with x, atomic(timeout=1) as y:\n", "    «print(1)»\n"),
        ("with (x, atomic()):\n", "    «print(1)»\n"),
        ("def f():\n    «print(1)»\natomically(f)\n", ""),
        ("atomically(lambda: «print(1)»)\n", ""),
        ("class A:\n    @staticmethod\n    @atomic\n    def f():\n", "        «print(1)»\n"),
        ("@atomic\ndef f():\n    with atomic():\n", "        «print(1)»\n"),
    ],
)
def test_all_ways_to_write_atomic_code_are_checked(start, body):
    source, places = expected(start + body)
    assert findings(source) == [("STM201", place) for place in places]


LOG = "def log(x):\n    «print(x)»\n"


@pytest.mark.parametrize(
    "marked",
    [
        LOG + function("log(o.x)"),
        LOG + "def one(x):\n    log(x)\ndef two(x):\n    one(x)\n    two(x)\n" + function("two(o.x)"),
        LOG + "def one(x):\n    two(x)\ndef two(x):\n    one(log(x))\n" + function("two(o.x)"),
        LOG.replace("def", "@stmpy.compiled\ndef") + function("log(o.x)"),
        LOG + "with atomic():\n    log(1)\n",
        LOG + function("log(o.x)") + function("log(o.x)").replace("f(", "g("),
        "class A(STMObject):\n    def log(self):\n        «print(1)»\n"
        "    @staticmethod\n    def note(): «print(2)»\n"
        "    @atomic\n    def f(self):\n        self.log()\n        A.note()\n",
        "def outer():\n    def log():\n        «print(1)»\n    @atomic\n    def f():\n        log()\n",
    ],
)
def test_the_functions_that_atomic_code_calls_are_checked(marked):
    source, places = expected(marked)
    assert findings(source) == [("STM201", place) for place in places]


@pytest.mark.parametrize(
    "source",
    [
        "def log(x): print(x)\n" + function("o.callback = log"),
        "def log(x): print(x)\n" + function("return log"),
        "def log(x): print(x)\n" + function("stmpy.on_commit(log, x)"),
        "def log(x): print(x)\n" + function("log(x)", decorator="@atomic(irrevocable=True)"),
        "def log(x): print(x)\ndef log(x): pass\n" + function("log(x)"),
        "@wrapped\ndef log(x): print(x)\n" + function("log(x)"),
        "@atomic(irrevocable=True)\ndef log(x): print(x)\n" + function("log(x)"),
        "def log(x):\n    yield print(x)\n" + function("o.x = list(log(x))"),
        "def add(out: list):\n    out.append(1)\n" + function("out = []\nadd(out)"),
        "def each(x):\n    return (y.x for y in x)\n" + function("return sum(each(x))"),
    ],
)
def test_functions_that_are_not_run_by_the_call_are_left_alone(source):
    assert findings(source) == []


def test_a_finding_in_a_helper_says_who_calls_it():
    source = HEAD + "def log(x):\n    print(x)\n" + function("log(x)")
    (found,) = _compiler.lint(source)[0]
    assert found.message == "print() in a transaction: f calls log"
