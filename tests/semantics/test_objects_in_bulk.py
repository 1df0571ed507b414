"""Thousands of attributes, classes and accesses by many threads: linear time, nothing kept, no crash."""

from __future__ import annotations

import gc
import random
import threading

import pytest

from stmpy import STMObject, atomic, atomically, compiled


class Thing(STMObject):
    def __init__(self):
        self.x = 1


def test_thousands_of_attributes_come_and_go_in_linear_time():
    o = Thing()
    count = 20_000

    @atomic
    def fill():
        for number in range(count):
            setattr(o, f"a{number}", number)

    @atomic
    def shuffle():
        del o.x
        o.x = 2
        for number in range(0, count, 2):
            delattr(o, f"a{number}")

    fill()
    shuffle()
    assert len(vars(o)) == count // 2 + 1
    assert list(vars(o))[:2] == ["a1", "a3"] and list(vars(o))[-1] == "x"


def test_a_class_with_thousands_of_annotated_attributes():
    namespace = {"__annotations__": {f"a{number}": int for number in range(3000)}}
    wide = type("Wide", (STMObject,), namespace)
    o = wide()
    for number in reversed(range(3000)):
        setattr(o, f"a{number}", number)
    assert list(vars(o))[0] == "a2999" and o.a0 == 0 and o.a2000 == 2000


def test_a_class_changes_while_other_threads_use_its_objects():
    class Shifting(STMObject):
        def __init__(self):
            self.n = 0

        def method(self):
            return self.n

    class Twin(STMObject):
        def __init__(self):
            self.n = 0

        def method(self):
            return -1

    o, stop, errors = Shifting(), threading.Event(), []

    @compiled
    def use():
        try:
            while not stop.is_set():
                o.n += 1
                o.method()
                atomically(step)
                list(vars(o).items())
        except AttributeError:
            pass
        except BaseException as error:
            errors.append(error)

    @compiled
    def step():
        o.n += 1
        o.extra = o.n
        del o.extra

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(150):
        Shifting.n = property(lambda self: 7, lambda self, value: None)
        del Shifting.n
        Shifting.__getattr__ = lambda self, name: 1
        del Shifting.__getattr__
        Shifting.extra = turn
        del Shifting.extra
        o.__class__ = Twin if turn % 2 else Shifting
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []


def test_one_object_is_used_by_many_threads_at_random():
    o, names = Thing(), ["x", "y", "z", "w"]
    errors = []

    def use(seed):
        choose = random.Random(seed)

        def once():
            name = choose.choice(names)
            match choose.randrange(7):
                case 0:
                    setattr(o, name, [seed])
                case 1:
                    vars(o).pop(name, None)
                case 2:
                    getattr(o, name, None)
                case 3:
                    assert set(vars(o)) <= set(names)
                case 4:
                    o.__dict__ = dict.fromkeys(choose.sample(names, 2))
                case 5:
                    repr(vars(o))
                case 6:
                    gc.collect(0)

        try:
            for turn in range(300):
                atomically(once) if turn % 2 else once()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_thousands_of_classes_of_one_name_come_and_go():
    def one(number):
        cls = type(
            "Same",
            (STMObject,),
            {"__slots__": ("a", "b")} if number % 2 else {"a": 0, "__del__": lambda self: None},
        )
        o = cls()
        o.a = number
        atomically(setattr, o, "b", number)
        assert (o.a, o.b) == (number, number)

    for number in range(3000):
        one(number)
    gc.collect()
    gc.collect()
    assert sum(isinstance(each, type) and each.__name__ == "Same" for each in gc.get_objects()) < 10


def test_deeply_nested_objects_in_repr_and_deepcopy_are_a_recursion_error_at_worst():
    import copy

    o = None
    for _ in range(20_000):
        outer = Thing()
        outer.x = o
        o = outer
    with pytest.raises(RecursionError):
        copy.deepcopy(o)
