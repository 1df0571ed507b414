"""Random expressions over the objects of `tracing`, as text."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

# Of what a program is given: a traced object that answers anything, two transactional ones, a number.
GIVEN = ("o", "o", "o", "p", "p", "q", "n")
LOCALS = ("a", "b", "c")
ATTRIBUTES = ("x", "x", "x", "x", "y", "w", "z", "__h")
OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>")
COMPARISONS = ("<", ">", "==", "!=", "<=", "is", "is not", "in", "not in")


@dataclass(frozen=True)
class Place:
    """What may be written where an expression or a statement stands."""

    scope: str = "module"  # or "function", "class"
    yields: bool = False
    awaits: bool = False
    loop: bool = False
    leaves: bool = True  # `return`, `break` and `continue` may leave the block
    returns: bool = True  # ... with a value
    method: bool = False
    walrus: bool = True
    names: tuple[str, ...] = field(default=(*GIVEN, *LOCALS))

    def but(self, **changes: Any) -> Place:
        return replace(self, **changes)

    def inside(self, scope: str, **changes: Any) -> Place:
        """In the body of a definition that stands here."""
        return Place(scope=scope, names=self.names, method=self.method, **changes)


class Expressions:
    """Makes expressions, each drawn with `draw`."""

    DEEPEST = 4

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw
        self._depth = 0

    def pick(self, *options: Any) -> Any:
        return self._draw(st.sampled_from(options))

    def chance(self, one_in: int) -> bool:
        return bool(self._draw(st.integers(0, one_in - 1)) == 0)

    def attribute(self) -> str:
        return str(self.pick(*ATTRIBUTES))

    def leaf(self, place: Place) -> str:
        name = self.pick(*place.names)
        whole = f"{name}.{self.attribute()}"
        return str(self.pick("o", name, whole, whole, whole, self.pick("1", "'s'", "None")))

    def operand(self, place: Place) -> str:
        """An expression that any operator or trailer can stand beside."""
        text = self.expression(place) if self.chance(self._depth + 1) else self.leaf(place)
        return text if text[0].isalpha() and text.replace(".", "").isidentifier() else f"({text})"

    def expression(self, place: Place) -> str:
        if self._depth >= self.DEEPEST:
            return self.leaf(place)
        self._depth += 1
        form = self.pick(*self._forms(place))
        text = str(form(place))
        self._depth -= 1
        return text

    def _forms(self, place: Place) -> list[Callable[[Place], str]]:
        forms = [
            *[self._attribute] * 4,
            *(self.leaf, self._call, self._method_call, self._subscript, self._binary, self._comparison),
            *(self._conditional, self._boolean, self._unary, self._lambda, self._display),
            *(self._comprehension, self._formatted, self._looks),
        ]
        if place.walrus:
            forms.append(self._walrus)
        if place.awaits:
            forms += [self._await, self._async_comprehension]
        if place.yields:
            forms.append(self._yield)
        if place.method:
            forms.append(self._of_class)
        if sys.version_info >= (3, 14):
            forms.append(self._template)
        return forms

    def _attribute(self, place: Place) -> str:
        gap = self.pick("", "", "", "", " ", "\\\n")
        return f"{self.operand(place)}{gap}.{self.attribute()}"

    def arguments(self, place: Place) -> str:
        value = self.operand
        return ", ".join(
            self.pick(
                [],
                [value(place)],
                [value(place), value(place)],
                [f"*{value(place)}"],
                [value(place), f"k={value(place)}"],
                [f"**{value(place)}"],
            )
        )

    def _call(self, place: Place) -> str:
        return f"{self.pick('see', 'o', self.operand(place))}({self.arguments(place)})"

    def _method_call(self, place: Place) -> str:
        return f"{self.operand(place)}.{self.pick('m', 'x')}({self.arguments(place)})"

    def _subscript(self, place: Place) -> str:
        value, key = self.operand(place), self.operand(place)
        return f"{value}[{self.pick(key, f'{key}:{self.operand(place)}', f'{key}, *{self.operand(place)}')}]"

    def _binary(self, place: Place) -> str:
        return f"{self.operand(place)} {self.pick(*OPERATORS)} {self.operand(place)}"

    def _comparison(self, place: Place) -> str:
        text = f"{self.operand(place)} {self.pick(*COMPARISONS)} {self.operand(place)}"
        return text if self.chance(2) else f"{text} < {self.operand(place)}"

    def _conditional(self, place: Place) -> str:
        return f"{self.operand(place)} if {self.operand(place)} else {self.operand(place)}"

    def _boolean(self, place: Place) -> str:
        return f"{self.operand(place)} {self.pick('and', 'or')} {self.operand(place)}"

    def _unary(self, place: Place) -> str:
        return f"{self.pick('-', '~', 'not ')}{self.operand(place)}"

    def _lambda(self, place: Place) -> str:
        inside = place.inside("function").but(names=(*place.names, "e"))
        text = f"lambda e={self.operand(place)}, *r: {self.expression(inside)}"
        return text if self.chance(3) else f"({text})({self.pick('', self.operand(place))})"

    def _display(self, place: Place) -> str:
        first, second = self.operand(place), self.operand(place)
        return str(
            self.pick(
                f"({first}, *{second})",
                f"[{first}, {second}]",
                f"{{{first}: {second}, **{{'k': {self.operand(place)}}}}}",
                f"len({{{first}, {second}}})",  # a set's own order is that of addresses
            )
        )

    def _clauses(self, place: Place, inner: Place, kind: str = "for") -> str:
        iterable = self.operand(place.but(walrus=False))
        target = self.pick("e", "e", f"{self.operand(inner.but(walrus=False))}.x", "e, *d")
        condition = f" if {self.operand(inner)}" if self.chance(3) else ""
        return f"{kind} {target} in {iterable}{condition}"

    def _comprehension(self, place: Place, kind: str = "for") -> str:
        # A walrus may not stand in a comprehension of a class body, nor a yield in any.
        inner = place.but(
            names=(*place.names, "e"), yields=False, walrus=place.walrus and place.scope != "class"
        )
        element = self.expression(inner)
        clauses = self._clauses(place, inner, kind)
        if self.chance(3):
            clauses += " " + self._clauses(inner, inner)
        return str(
            self.pick(
                f"[{element} for e in {self.operand(place.but(walrus=False))}]",
                f"[({element}) {clauses}]",
                f"{{{self.operand(inner)}: ({element}) {clauses}}}",
                f"len({{({element}) {clauses}}})",
                f"list(({element}) {clauses})" if kind == "for" else f"[({element}) {clauses}]",
            )
        )

    def _async_comprehension(self, place: Place) -> str:
        return self._comprehension(place, "async for")

    def _formatted(self, place: Place) -> str:
        value, width = f"{self.pick(*place.names)}.{self.attribute()}", self.pick(*place.names)
        parts = [
            f"f'{{{value}}}'",
            f"f'{{{value}!r:>{{{width}}}}}'",
            f"f'{{{value}=}}'",
            f"f'a{{{value}}} b' 'c' f\"{{{value}:{{{width}.x}}}}\"",
            f"f'''{{\n{value}}}'''",
        ]
        if sys.version_info >= (3, 12):
            parts.append(f"f'{{f'{{{self.operand(place)}}}' + 'x'!s}}'")
        return str(self.pick(*parts))

    def _template(self, place: Place) -> str:
        return f"[i.value for i in t'{{{self.operand(place)}}}{{o.x}}'.interpolations]"

    def _looks(self, place: Place) -> str:
        name = self.pick(*place.names)
        return str(self.pick("see(locals())", f"eval('{name}.x')", "peek()", f"getattr({name}, 'x')"))

    def _walrus(self, place: Place) -> str:
        return f"({self.pick(*LOCALS)} := {self.operand(place)})"

    def _await(self, place: Place) -> str:
        return f"await {self.operand(place)}"

    def _yield(self, place: Place) -> str:
        source = self.operand(place)
        return f"(yield {self.pick(source, f'{source}, *{source}')})"

    def _of_class(self, place: Place) -> str:
        return str(self.pick("__class__", "__class__.x", "super().x", "super().m", "super(__class__, self)"))
