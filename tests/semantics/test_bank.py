"""The bank invariant: whatever happens, nobody ever sees a wrong total.

`STMPY_BANK_SECONDS=30 pytest tests/semantics/test_bank.py` makes it long.
"""

from __future__ import annotations

import os
import random
import threading
import time

from stmpy import STMObject, atomic

SECONDS = float(os.environ.get("STMPY_BANK_SECONDS", "2"))
ACCOUNTS, THREADS, EACH = 16, 8, 1000


class Account(STMObject):
    def __init__(self, balance):
        self.balance = balance
        self.transfers = 0


class Refused(Exception):
    pass


@atomic
def transfer(source, target, amount):
    target.balance += amount
    source.balance -= amount
    source.transfers += 1
    if source.balance < 0:
        raise Refused


@atomic
def transfer_in_parts(source, target, amount):
    """Of two nested parts the second fails now and then, and is made good."""
    try:
        transfer(source, target, amount)
    except Refused:
        rest = source.balance
        if rest:
            transfer(source, target, rest)


@atomic
def total(accounts):
    return sum(account.balance for account in accounts)


def test_no_total_is_ever_wrong(stage):
    accounts = [Account(EACH) for _ in range(ACCOUNTS)]
    enough, done, wrong = threading.Event(), [0] * THREADS, []

    def transferring(number):
        dice = random.Random(number)
        while not enough.is_set():
            source, target = dice.sample(accounts, 2)
            try:
                dice.choice((transfer, transfer_in_parts))(source, target, dice.randrange(EACH))
            except Refused:
                pass
            done[number] += 1

    def summing():
        sums = 0
        while not enough.is_set() or sums == 0:
            if (seen := total(accounts)) != ACCOUNTS * EACH:
                wrong.append(f"a sum of {seen}")
            sums += 1
        return sums

    def looking():
        """Reads outside see committed balances only, and those are never negative."""
        looks = 0
        while not enough.is_set():
            for account in accounts:
                if account.balance < 0:
                    wrong.append(f"a balance of {account.balance}")
                looks += 1
        return looks

    tasks = [stage.start(transferring, number) for number in range(THREADS)]
    summer, looker = stage.start(summing), stage.start(looking)
    end = time.monotonic() + SECONDS
    while not wrong and (left := end - time.monotonic()) > 0:
        enough.wait(min(left, 0.1))
    enough.set()
    for task in tasks:
        task.result()
    sums, looks = summer.result(), looker.result()
    print(f"{sum(done):,} transfers, {sums:,} sums, {looks:,} reads outside in {SECONDS:g} s")
    assert wrong == []
    assert total(accounts) == ACCOUNTS * EACH
    assert min(done) > 0
    assert looks > 0
