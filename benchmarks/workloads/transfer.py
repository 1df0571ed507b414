"""A transfer between two accounts; each one is a transaction."""

from stmpy import STMObject, atomic


class Account(STMObject):
    def __init__(self, owner, balance):
        self.owner, self.balance = owner, balance


@atomic
def transfer(src, dst, amount):
    if src.balance < amount:
        raise ValueError("insufficient funds")
    src.balance -= amount
    dst.balance += amount


def make():
    return Account("Ann", 1 << 40), Account("Bob", 0)


def run(accounts, turns):
    src, dst = accounts
    for _ in range(turns):
        transfer(src, dst, 1)
