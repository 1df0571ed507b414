"""One transaction that reads one attribute of each of 1,000 objects."""

from stmpy import STMObject, atomic


class Account(STMObject):
    def __init__(self, balance):
        self.balance = balance


@atomic
def total(accounts):
    result = 0
    for account in accounts:
        result += account.balance
    return result


def make():
    return [Account(1) for _ in range(1000)]


def run(accounts, turns):
    for _ in range(turns):
        total(accounts)
