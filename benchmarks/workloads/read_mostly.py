"""One transaction that reads 50 objects and writes to one of them; all threads share the same objects."""

from stmpy import STMObject, atomic


class Account(STMObject):
    def __init__(self, balance):
        self.balance = balance


@atomic
def pay_interest(accounts, account):
    total = 0
    for each in accounts:
        total += each.balance
    account.balance = total & 1023


def make():
    return [Account(1) for _ in range(50)]


def run(accounts, turns):
    for turn in range(turns):
        pay_interest(accounts, accounts[turn % 50])
