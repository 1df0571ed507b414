"""1,000 reads of an attribute outside of any transaction, loop included."""

from stmpy import STMObject


class Point(STMObject):
    def __init__(self):
        self.x = 0


def read(o):
    for _ in range(1000):
        o.x


def make():
    return Point()


def run(o, turns):
    for _ in range(turns):
        read(o)
