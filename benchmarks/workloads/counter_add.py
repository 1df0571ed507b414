"""One STMCounter that all threads add to; each addition is a transaction."""

from stmpy import STMCounter, atomic


@atomic
def add(counter):
    counter.add(1)


def make():
    return STMCounter()


def run(counter, turns):
    for _ in range(turns):
        add(counter)
