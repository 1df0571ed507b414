"""Two accounts and eight threads: money moves, none appears, none is lost.

Compiled, and not compiled, with the same results:

    python -m stmpy run bank.py
    python bank.py
"""

import threading

import stmpy
from stmpy import atomic


class Account(stmpy.STMObject):
    def __init__(self, owner, balance):
        self.owner, self.balance = owner, balance


@atomic
def transfer(src, dst, amount):
    if src.balance < amount:
        raise ValueError("insufficient funds")  # reverts everything, then propagates
    src.balance -= amount
    dst.balance += amount


@atomic
def total(accounts):
    return sum(account.balance for account in accounts)


def main():
    ann, bob = Account("Ann", 100_000), Account("Bob", 100_000)
    refused = []

    def work(src, dst):
        for turn in range(5000):
            try:
                transfer(src, dst, turn % 100)
            except ValueError:
                refused.append(turn)
            assert total([ann, bob]) == 200_000, "a transfer was seen half done"

    threads = [threading.Thread(target=work, args=pair) for pair in [(ann, bob), (bob, ann)] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    print(f"Ann has {ann.balance:,}, Bob has {bob.balance:,}, {len(refused):,} transfers were refused.")
    assert ann.balance + bob.balance == 200_000 and min(ann.balance, bob.balance) >= 0


if __name__ == "__main__":
    main()
