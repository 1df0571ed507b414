"""One counter attribute that all threads write to; each addition is a transaction."""

from stmpy import STMObject, atomic


class Counter(STMObject):
    def __init__(self):
        self.x = 0


@atomic
def add(o):
    o.x += 1


def make():
    return Counter()


def run(o, turns):
    for _ in range(turns):
        add(o)
