"""One transaction that adds to one attribute of each of 1,000 objects."""

from stmpy import STMObject, atomic


class Account(STMObject):
    def __init__(self, balance):
        self.balance = balance


@atomic
def pay_interest(accounts):
    for account in accounts:
        account.balance += 1


def make():
    return [Account(1) for _ in range(1000)]


def run(accounts, turns):
    for _ in range(turns):
        pay_interest(accounts)
