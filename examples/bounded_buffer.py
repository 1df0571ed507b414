"""A bounded buffer: who finds it full or empty waits, with no lock and no condition variable.

`check(condition)` takes the transaction back and runs it again when something that it has read has changed.
So two operations that wait compose: `or_else` takes from whichever of two buffers has something.

    python -m stmpy run bounded_buffer.py
    python bounded_buffer.py
"""

import threading

import stmpy
from stmpy import atomic, check, or_else


class Buffer(stmpy.STMObject):
    def __init__(self, size):
        self.items, self.size = (), size

    @atomic
    def put(self, item):
        check(len(self.items) < self.size)
        self.items = (*self.items, item)

    @atomic
    def get(self):
        check(self.items)
        first, *rest = self.items
        self.items = tuple(rest)
        return first


def main():
    letters, numbers, taken = Buffer(2), Buffer(2), []

    def produce(buffer, items):
        for item in items:
            buffer.put(item)

    def consume(count):
        for _ in range(count):
            taken.append(or_else(letters.get, numbers.get))

    work = [
        (produce, letters, "abcdefghij" * 100),
        (produce, numbers, range(1000)),
        (consume, 1000),
        (consume, 1000),
    ]
    threads = [threading.Thread(target=function, args=arguments) for function, *arguments in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = [item for item in taken if isinstance(item, int)]
    waits = stmpy.stats().retries
    print(f"{len(taken):,} items went through two buffers of two; {waits:,} times somebody waited.")
    assert sorted(found) == list(range(1000)) and len(taken) == 2000
    assert letters.items == numbers.items == ()


if __name__ == "__main__":
    main()
