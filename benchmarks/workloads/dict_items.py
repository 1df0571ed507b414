"""One transaction that reads and sets 20 keys of a dict that has 100."""

from stmpy import STMDict, atomic

KEYS = [f"key {number}" for number in range(100)]


@atomic
def sell(stock, kinds):
    for kind in kinds:
        stock[kind] -= 1


def make():
    return STMDict.fromkeys(KEYS, 0), [KEYS[first : first + 20] for first in range(0, 100, 20)]


def run(objects, turns):
    stock, baskets = objects
    for turn in range(turns):
        sell(stock, baskets[turn % 5])
