"""Processes: what is sent to another one is a copy, as it was committed, and works there."""

from __future__ import annotations

import pytest
from child_programs import run_program

PROGRAM = """
import concurrent.futures, multiprocessing

class Account(STMObject):
    def __init__(self, balance):
        self.balance = balance

@atomic
def works(account, counter, table, entries, members, queue):
    account.balance += 1
    counter.add(1)
    table["new"] = account
    entries.append(account)
    members.add("new")
    queue.put(account)
    return account, counter, table, entries, members, queue

def in_threads(account, *others):
    threads = [start(works, account, *others) for _ in range(4)]
    for thread in threads:
        thread.join()
    return account, *others

def sends(pipe, *things):
    pipe.send(works(*things))

def all_kinds():
    return Account(1), STMCounter(1), STMDict(a=1), STMList([1]), STMSet(["a"]), STMQueue(maxsize=9)

def seen(account, counter, table, entries, members, queue):
    return account.balance, int(counter), len(table), len(entries), len(members), queue.qsize()

def shares(account, counter, table, entries, members, queue):
    return table["new"] is entries[-1] is queue.get() is account

def holds(account, counter):
    account.balance = "uncommitted"
    counter.add(1000)
    inside.set()
    threading.Event().wait()

inside = threading.Event()

if __name__ == "__main__":
    things = all_kinds()
    start(atomic(holds), *things[:2])  # a copy is made of what is committed, and a forked child has that
    inside.wait()
    context = multiprocessing.get_context(sys.argv[1])
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        for function, changed in (works, (2, 2, 2, 2, 2, 1)), (in_threads, (5, 5, 2, 5, 2, 4)):
            copies = pool.submit(function, *things).result()
            assert seen(*copies) == changed, seen(*copies)
            assert shares(*copies)
    with context.Pool(2) as pool:
        for copies in pool.starmap(works, [things] * 4):
            assert seen(*copies) == (2, 2, 2, 2, 2, 1)
    mine, other = context.Pipe()
    process = context.Process(target=sends, args=(other, *things))
    process.start()
    assert shares(*mine.recv())
    process.join()
    assert process.exitcode == 0
    assert seen(*things) == (1, 1, 1, 1, 1, 0)
    print("done")
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_objects_are_sent_to_other_processes(method, tier, tmp_path):
    done = run_program(PROGRAM, tier, tmp_path, method)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
