"""Producers and consumers with a queue of five places: each job is taken, done and entered in one step.

A job that fails is back in the queue, and nothing of it is entered. Compiled, and not compiled, with the same
results:

    python -m stmpy run workers.py
    python workers.py
"""

import threading

from stmpy import STMCounter, STMList, STMQueue, atomic

PRODUCERS, CONSUMERS, JOBS = 3, 4, 200

jobs = STMQueue(maxsize=5)
results = STMList()
failures = STMCounter()


class Flaky(Exception):
    pass


def produce(producer):
    for number in range(JOBS):
        jobs.put((producer, number))  # waits while the queue is full


@atomic
def take_and_do(fails):
    job = jobs.get()  # waits while it is empty
    if job is None:
        return False
    producer, number = job
    results.append((producer, number, number * number))
    if fails:
        raise Flaky  # the job is in the queue again, and not among the results
    return True


def consume():
    turn, more = 0, True
    while more:
        turn += 1
        try:
            more = take_and_do(fails=turn % 10 == 0)
        except Flaky:
            failures.add(1)


def main():
    producers = [threading.Thread(target=produce, args=(number,)) for number in range(PRODUCERS)]
    consumers = [threading.Thread(target=consume) for _ in range(CONSUMERS)]
    for thread in producers + consumers:
        thread.start()
    for thread in producers:
        thread.join()
    for _ in consumers:
        jobs.put(None)
    for thread in consumers:
        thread.join()

    print(f"{len(results)} jobs are done, each once; {failures.value} tries failed and were taken back.")
    expected = [(producer, n, n * n) for producer in range(PRODUCERS) for n in range(JOBS)]
    assert sorted(results) == expected and jobs.empty()


if __name__ == "__main__":
    main()
