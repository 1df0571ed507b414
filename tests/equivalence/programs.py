"""Random modules over the objects of `tracing`, as text: a function `f(o, p, q, n)` among statements."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from expressions import LOCALS, OPERATORS, Expressions, Place
from hypothesis import strategies as st
from updates import Updates

Lines = list[str]
CAUGHT = ("Planned", "Exception", "AttributeError", "(Planned, TypeError)", "BaseException", "o.x")


def indented(lines: Lines) -> Lines:
    return ["    " + line.replace("\\\n", "\\\n    ") for line in lines]


class Program(Expressions):
    """Makes statements, as many as there is fuel for; each returns its lines."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], fuel: int) -> None:
        super().__init__(draw)
        self._fuel = fuel

    def target(self, place: Place, depth: int = 0, star: str = "*") -> str:
        place = place.but(walrus=False, yields=False, awaits=False)
        forms = [
            lambda: self.pick(*LOCALS),
            lambda: f"{self.operand(place)}.{self.attribute()}",
            lambda: f"{self.operand(place)}.{self.attribute()}",
            lambda: f"{self.operand(place)}[{self.operand(place)}]",
        ]
        if depth < 2:
            forms += [
                lambda: f"({self.target(place, depth + 1, star)}, {self.target(place, depth + 1, star)})",
                lambda: f"[{self.target(place, depth + 1, star)}, {star}{self.target(place, 2)}]",
            ]
        return str(self.pick(*forms)())

    def block(self, place: Place) -> Lines:
        lines = [line for _ in range(self.pick(1, 1, 2)) for line in self.contained(place)]
        return indented(lines)

    def contained(self, place: Place) -> Lines:
        """A statement; what it raises mostly does not end the program."""
        lines = self.statement(place)
        if self.chance(8):
            return lines
        return ["try:", *indented(lines), "except Exception as error:", "    failed(error)"]

    def statement(self, place: Place) -> Lines:
        if self._fuel <= 0:
            return self._expression(place)
        self._fuel -= 1
        simple = [
            *(self._expression, self._assignment, self._assignment, self._augmented, self._augmented),
            *(self._annotated, self._del, self._assert, self._raise, self._exec),
        ]
        compound = [
            *(self._if, self._while, self._for, self._with, self._try, self._try, self._match),
            *(self._function, self._class, self._updates, self._updates),
        ]
        forms = simple + compound + self._leaving(place)
        if sys.version_info >= (3, 12):
            forms.append(self._type)
        lines: Lines = self.pick(*forms)(place)
        return lines

    def _leaving(self, place: Place) -> list[Callable[[Place], Lines]]:
        forms: list[Callable[[Place], Lines]] = []
        if not place.leaves:
            return forms
        if place.scope == "function":
            forms.append(lambda place: [f"return {self.expression(place)}" if place.returns else "return"])
        if place.loop:
            forms.append(lambda place: [self.pick("break", "continue")])
        return forms

    # Simple statements

    def _expression(self, place: Place) -> Lines:
        text = self.expression(place)
        return [self.pick(text, f"see({text})")]

    def _assignment(self, place: Place) -> Lines:
        targets = [self.target(place) for _ in range(self.pick(1, 1, 2))]
        return [" = ".join([*targets, self.expression(place.but(walrus=False))])]

    def _augmented(self, place: Place) -> Lines:
        target = self.pick(
            f"{self.operand(place.but(walrus=False))}.{self.attribute()}",
            f"{self.pick(*place.names)}.x",
            f"{self.operand(place)}[{self.operand(place)}]",
            self.pick(*LOCALS),
        )
        right = self.pick(self.expression(place.but(walrus=False)), "n", "1", "-1", "'s'", "unbound", *LOCALS)
        return [f"{target} {self.pick('+', '-', *OPERATORS)}= {right}"]

    def _annotated(self, place: Place) -> Lines:
        plain = place.but(walrus=False, yields=False, awaits=False)
        # Python takes no target here that begins with a bracketed attribute.
        name = self.pick(*place.names)
        target = self.pick(
            f"{name}.x", f"{name}.w.x", f"{name}[{self.operand(plain)}]", "a", "(b)", f"({name}.z)"
        )
        value = f" = {self.operand(place)}" if self.chance(2) else ""
        return [f"{target}: {self.operand(plain)}{value}"]

    def _del(self, place: Place) -> Lines:
        return [f"del {self.pick(*LOCALS, self.target(place, star=''), self.target(place, star=''))}"]

    def _assert(self, place: Place) -> Lines:
        return [f"assert {self.operand(place)}, {self.operand(place)}"]

    def _raise(self, place: Place) -> Lines:
        error = self.pick("Planned(n)", "KeyError", "ExceptionGroup('g', [Planned(1), KeyError(2)])", "o.x")
        return [f"raise {error}" + (f" from {self.operand(place)}" if self.chance(3) else "")]

    def _exec(self, place: Place) -> Lines:
        return [f'exec("{self.pick(*place.names)}.x = see(2)")']

    def _type(self, place: Place) -> Lines:
        name = self.pick(*place.names)
        return [f"type T = {name}.x", "see(T.__value__)"]

    # Compound statements

    def _if(self, place: Place) -> Lines:
        lines = [f"if {self.expression(place)}:", *self.block(place)]
        if self.chance(2):
            lines += [f"elif {self.expression(place)}:", *self.block(place)]
        return lines + (["else:", *self.block(place)] if self.chance(2) else [])

    def _loop(self, head: str, place: Place) -> Lines:
        lines = [head, *self.block(place.but(loop=True))]
        return lines + (["else:", *self.block(place)] if self.chance(3) else [])

    def _while(self, place: Place) -> Lines:
        return self._loop(f"while goes_on() and {self.operand(place)}:", place)

    def _for(self, place: Place) -> Lines:
        kind = self.pick("for", "async for") if place.awaits else "for"
        return self._loop(f"{kind} {self.target(place)} in {self.expression(place)}:", place)

    def _with(self, place: Place) -> Lines:
        def item() -> str:
            target = self.target(place, 1)
            return f"{self.operand(place)}" + (f" as {target}" if self.chance(2) else "")

        kind = self.pick("with", "async with") if place.awaits else "with"
        items = [item() for _ in range(self.pick(1, 1, 2))]
        joined = f"({', '.join(items)},)" if self.chance(4) else ", ".join(items)
        return [f"{kind} {joined}:", *self.block(place)]

    def _try(self, place: Place) -> Lines:
        star = self.chance(4)
        inside = place.but(leaves=False) if star else place
        lines = ["try:", *self.block(place)]
        handlers = self.pick(0, 1, 1, 2)
        for _ in range(handlers):
            caught = self.pick(*(CAUGHT[:3] if star else CAUGHT))
            name = f" as {self.pick('c', 'd')}" if self.chance(2) else ""
            lines += [f"except{'*' * star} {caught}{name}:", *self.block(inside)]
        if handlers and self.chance(3):
            lines += ["else:", *self.block(place)]
        if not handlers or self.chance(3):
            lines += ["finally:", *self.block(place)]
        return lines

    def _match(self, place: Place) -> Lines:
        lines = [f"match {self.expression(place)}:"]
        patterns = ["1", "[a, *b]", "Traced(x=c)", "Record(x=1 | 2 as b)", "{'k': a, **b}", "n.x", "o.x.y"]
        patterns += ["Traced(a, y=_)", "(None | 's') as a", "-1", "(a, b)"]
        for _ in range(self.pick(1, 2)):
            condition = f" if {self.operand(place)}" if self.chance(3) else ""
            lines += indented([f"case {self.pick(*patterns)}{condition}:", *self.block(place)])
        return lines + (indented(["case _:", *self.block(place)]) if self.chance(2) else [])

    def _function(self, place: Place) -> Lines:
        name = self.pick("g", "h")
        lines = self._decorators(place)
        kind = self.pick("", "", "yields", "awaits")
        inside = place.inside("function", yields=kind == "yields", awaits=kind == "awaits")
        plain = place.but(walrus=False, yields=False, awaits=False)
        types = "[T]" if sys.version_info >= (3, 12) and self.chance(6) else ""
        default = self.operand(plain if types else place)
        note = f": {self.operand(plain)}" if self.chance(4) else ""
        lines.append(f"{'async ' * (kind == 'awaits')}def {name}{types}(a{note}={default}, *r, k={default}):")
        body = [*self._declarations(place), *self.block(inside)]
        call = self.pick(f"see({name})", f"see({name}({self.operand(place)}))")
        if kind == "yields":
            body = [*body, "    yield a"]
            call = self.pick(f"see(list({name}()))", f"a = next({name}())")
            if place.yields and not place.awaits:
                call = f"yield from {name}()"
        elif kind == "awaits":
            call = f"see(await {name}())" if place.awaits else f"drive({name}())"
        return [*lines, *body, *([call] if self.chance(2) else [])]

    def _updates(self, place: Place) -> Lines:
        names = [self.pick(*place.names) for _ in range(2)]
        lines = ["def u(s, t, n):", *Updates(self._draw).body(), "    return s.x"]
        return [*self.pick([], ["@atomic"]), *lines, f"see(u({', '.join(names)}, n))"]

    def _decorators(self, place: Place) -> Lines:
        return [f"@{self.pick('same', self.operand(place))}"] if self.chance(4) else []

    def _declarations(self, place: Place) -> Lines:
        options = [[], [], ["    global c"]]
        if place.scope == "function":
            options.append(["    nonlocal b"])
        lines: Lines = self.pick(*options)
        return lines

    def _class(self, place: Place) -> Lines:
        bases = self.pick("", "(Record)", "(Plain)", "(Plain, o.x, k=n.x)" if self.chance(8) else "(Plain)")
        body = place.inside("class").but(walrus=False)
        method = place.inside("function").but(method=True, names=(*place.names, "self"))
        lines = [*self._decorators(place), f"class C{bases}:"]
        lines += self.block(body.but(method=False))
        if self.chance(2):
            lines.append(f"    x = {self.expression(body)}")
        lines += ["    def __init__(self, *r):"]
        lines += ["        self.w_log = log", *indented(self.block(method))]
        lines += indented(["def m(self, *r, **k):", "    see(r)", *self.block(method)])
        if self.chance(3):
            lines += indented(["@property", "def y(self):", "    see(self)", *self.block(method)])
        lines += [f"{self.pick(*LOCALS)} = C({self.operand(place)})"]
        return lines + (
            [f"see({self.pick('C', 'a')}.{self.pick('x', 'm()', 'y')})"] if self.chance(2) else []
        )


@st.composite
def programs(draw: Callable[[st.SearchStrategy[Any]], Any], fuel: int = 10) -> str:
    """The text of a module. Python may refuse it, as for a name that is both global and a parameter."""
    program = Program(draw, fuel)
    head = ["from __future__ import annotations"] if program.chance(10) else []
    head.append("from stmpy import atomic")
    module = Place()
    before = program.contained(module) if program.chance(3) else []
    kind = program.pick("", "", "yields", "awaits", "both")
    place = module.inside("function", yields=kind in ("yields", "both"), awaits=kind in ("awaits", "both"))
    place = place.but(returns=kind != "both")
    bound = program.pick("    a, b, c = p, o, n", "    a, b = o, p")
    body = [bound, *(line for _ in range(3) for line in program.block(place))]
    if kind in ("yields", "both"):
        body.append("    yield o.x")
    prefix = "async " if kind in ("awaits", "both") else ""
    # Barriers in atomic functions take other forms.
    if not kind and program.chance(2):
        prefix = "@atomic\n"
    after = program.contained(module) if program.chance(4) else []
    return "\n".join([*head, *before, f"{prefix}def f(o, p, q, n):", *body, *after]) + "\n"
