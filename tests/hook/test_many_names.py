"""Names whose numbers take more than a byte in bytecode keep their meaning in compiled code."""

import sys

import pytest

from stmpy import STMObject
from stmpy.compiler import compile_source

ONE_BARRIER = "o.x += 1"
FOUR_BARRIERS = "o.x += 1; o.y = o.x; o.z(o.y); del o.y; o.l[0] += o.x"


def namespace_of(code):
    namespace = {"__name__": "many"}
    exec(code, namespace)
    return namespace


def plain_values(namespace):
    return {
        name: value for name, value in namespace.items() if not callable(value) and name != "__builtins__"
    }


@pytest.mark.parametrize("body", [ONE_BARRIER, FOUR_BARRIERS])
@pytest.mark.parametrize("count", [300, 600, 70_000])
def test_a_module_keeps_all_of_its_variables(count, body):
    variables = "".join(f"v{number} = {number}\n" for number in range(count))
    source = f"from stmpy import atomic\n{variables}@atomic\ndef f(o): {body}\n"
    compilation = compile_source(source)
    assert compilation.changed
    compiled, plain = namespace_of(compilation.code()), namespace_of(compile(source, "many", "exec"))
    assert list(compiled) == list(plain)
    assert plain_values(compiled) == plain_values(plain)


@pytest.mark.parametrize("before", [300, 70_000])
def test_barriers_that_come_late_bind_nothing_in_the_module(before):
    features = ", ".join(f"annotations as a{number}" for number in range(before))
    source = (
        f"from __future__ import {features}\nfrom stmpy import atomic\n@atomic\ndef f(o): {ONE_BARRIER}\n"
    )
    compilation = compile_source(source)
    assert compilation.changed
    compiled, plain = namespace_of(compilation.code()), namespace_of(compile(source, "many", "exec"))
    assert list(compiled) == list(plain)
    cell = type("Cell", (STMObject,), {})()
    cell.x = 1
    compiled["f"](cell)
    assert cell.x == 2


@pytest.mark.skipif(sys.version_info < (3, 13), reason="classes know their attributes since 3.13")
@pytest.mark.parametrize("count", [200, 300, 600])
def test_a_class_of_many_names_keeps_them_and_knows_its_attributes(count):
    variables = "".join(f"    v{number} = {number + 1000}\n" for number in range(count))
    source = (
        "from stmpy import atomic\n\n\nclass C:\n"
        f"{variables}    @atomic\n"
        "    def f(self): self.first += 1; self.second = self.first; self.first = 3\n"
    )
    compilation = compile_source(source)
    assert compilation.changed
    compiled, plain = (
        vars(namespace_of(code)["C"]) for code in (compilation.code(), compile(source, "many", "exec"))
    )
    assert list(compiled) == list(plain)
    assert plain_values(compiled).keys() == plain_values(plain).keys()
    for name in [f"v{number}" for number in range(count)] + ["__firstlineno__", "__static_attributes__"]:
        expected = tuple(sorted(plain[name])) if name == "__static_attributes__" else plain[name]
        assert compiled[name] == expected
