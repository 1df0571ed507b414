"""One transaction that adds 1 to the same attribute 1,000 times."""

from stmpy import STMObject, atomic


class Counter(STMObject):
    def __init__(self):
        self.x = 0


@atomic
def count(o):
    for _ in range(1000):
        o.x += 1


def make():
    return Counter()


def run(o, turns):
    for _ in range(turns):
        count(o)
