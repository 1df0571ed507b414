"""One transaction that reads and sets 20 elements of a list that has 100."""

from stmpy import STMList, atomic


@atomic
def add(numbers, places):
    for place in places:
        numbers[place] += 1


def make():
    return STMList([0] * 100), [range(first, first + 20) for first in range(0, 100, 20)]


def run(objects, turns):
    numbers, places = objects
    for turn in range(turns):
        add(numbers, places[turn % 5])
