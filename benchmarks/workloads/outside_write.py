"""1,000 writes to an attribute outside of any transaction, loop included."""

from stmpy import STMObject


class Point(STMObject):
    def __init__(self):
        self.x = 0


def write(o):
    for i in range(1000):
        o.x = i


def make():
    return Point()


def run(o, turns):
    for _ in range(turns):
        write(o)
