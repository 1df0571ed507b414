"""Code under `@compiled` on objects that are no `STMObject`s: one update each, which costs the most."""

from stmpy import compiled


class Counter:
    def __init__(self):
        self.x = 0


@compiled
def count(counters):
    for counter in counters:
        counter.x += 1


def make():
    return [Counter() for _ in range(1000)]


def run(counters, turns):
    for _ in range(turns):
        count(counters)
