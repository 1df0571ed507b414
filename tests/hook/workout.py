"""A module for tools to look at: atomic functions with most kinds of statements in them."""

WORKOUT = """\
import contextlib
import stmpy
from stmpy import atomic


class Account(stmpy.STMObject):
    limit = 0

    def __init__(self, balance):
        self.balance = balance
        self.history = []

    @atomic
    def add(self, amount):
        self.balance += amount
        return self


@atomic
def branches(o, amount):
    if amount > 10 and o.balance > amount:
        o.balance -= amount
    elif o.balance == amount or o.limit:
        o.balance = 0
    else:
        pass
    small = o.balance if o.balance < 5 else (
        o.limit
    )
    while o.balance > 3:
        o.balance -= 3
        if o.balance == 7:
            continue
        if o.balance == 4:
            break
    else:
        o.limit = small
    for item in [o.balance,
                 o.limit]:
        if item:
            o.history = [*o.history, item]
    assert o.balance >= 0, (
        "negative"
    )
    return small


@atomic
def handlers(o, what):
    try:
        o.balance = o.balance / what
    except ZeroDivisionError:
        o.balance = -1
    except (TypeError,
            ValueError) as error:
        o.history = [str(error)]
        return o.history
    else:
        o.limit = 1
    finally:
        o.last = what
    with contextlib.nullcontext(o.balance) as value, contextlib.suppress(KeyError):
        if value:
            {}[o.balance]
        o.limit = 2
    match o.balance:
        case -1:
            return "zero"
        case int() | float() as n if n > o.limit:
            return n
        case _:
            return None


@stmpy.compiled
def expressions(accounts, log):
    total = sum(a.balance for a in accounts if a.balance > 0)
    names = {a.balance: [b.limit for b in accounts] for a in accounts}
    pick = lambda a: a.limit or a.balance
    log(f"{total} {len(names)} {max(accounts, key=lambda a: a.balance).balance!r:>5}")

    def inner(a):
        nonlocal total
        total += a.balance
        return total

    return [inner(a) and pick(a) for a in accounts], log(
        total,
    )


@stmpy.compiled
def generator(accounts):
    for a in accounts:
        got = yield a.balance
        if got:
            a.balance = got


def uncompiled(o):
    if o.balance:
        return o.limit


def main():
    a, b = Account(50), Account(0).add(3)
    branches(a, 20)
    branches(b, 3)
    try:
        branches(Account(-5), 0)
    except AssertionError:
        pass
    for what in 2, 0, None, "a":
        handlers(a, what)
    expressions([a, b], lambda *text: None)
    for balance in (steps := generator([a, b])):
        if balance:
            with contextlib.suppress(StopIteration):
                steps.send(balance + 1)
    uncompiled(a)
"""
