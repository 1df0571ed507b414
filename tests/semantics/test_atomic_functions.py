"""What @atomic makes of functions, methods, properties, and what they keep."""

from __future__ import annotations

import abc
import copy
import functools
import inspect
import pickle
import sys
import threading
import traceback
import weakref

import pytest
from cells import Cell

from stmpy import STMObject, atomic, atomically, compiled, current_transaction, in_transaction


@atomic
def documented(first, /, second: int = 2, *rest, only="only", **others) -> str:
    """What it does."""
    return f"{first} {second} {rest} {only} {others}"


@atomic(timeout=10, max_attempts=10, reads="exclusive", name="other")
def with_arguments(value):
    return value, current_transaction().name


class Counter(STMObject):
    def __init__(self):
        self.count = 0

    @atomic
    def add(self, amount=1):
        """Adds."""
        self.count += amount
        return in_transaction()

    @atomic
    @staticmethod
    def above_static(value):
        return value, in_transaction()

    @staticmethod
    @atomic
    def under_static(value):
        return value, in_transaction()

    @atomic
    @classmethod
    def above_class(cls, value):
        return cls, value, in_transaction()

    @classmethod
    @atomic
    def under_class(cls, value):
        return cls, value, in_transaction()

    @atomic
    @property
    def above_property(self):
        """Its own."""
        return self.count, in_transaction()

    @above_property.setter
    @atomic
    def above_property(self, value):
        self.count = (value, in_transaction())

    @property
    @atomic
    def under_property(self):
        """Its own."""
        return self.count, in_transaction()

    @under_property.setter
    @atomic
    def under_property(self, value):
        self.count = (value, in_transaction())

    @atomic
    def __call__(self):
        return in_transaction()

    @atomic
    def __len__(self):
        return in_transaction() * 7


def test_arguments_arrive_as_they_were_given():
    assert documented("a") == "a 2 () only {}"
    assert documented("a", 3, 4, only="x", more=5) == "a 3 (4,) x {'more': 5}"
    assert documented(*"abc", **{"z": 1}) == "a b ('c',) only {'z': 1}"


def test_a_wrong_call_is_the_functions_own_type_error():
    with pytest.raises(TypeError, match=r"documented\(\) missing 1 required positional argument: 'first'"):
        documented()


def test_signature_docstring_and_names_are_kept():
    assert documented.__name__ == documented.__qualname__ == "documented"
    assert documented.__doc__ == "What it does."
    assert documented.__module__ == __name__
    assert documented.__wrapped__("a") == "a 2 () only {}"
    assert str(inspect.signature(documented)).startswith(
        "(first, /, second: 'int' = 2, *rest, only='only', **others)"
    )
    assert documented.__annotations__ == {"second": "int", "return": "str"}
    assert inspect.unwrap(documented) is documented.__wrapped__
    assert list(inspect.signature(Counter().add).parameters) == ["amount"]
    assert Counter.add.__doc__ == "Adds."


def test_the_source_is_found():
    source = inspect.getsource(documented)
    assert source.startswith("@atomic\ndef documented(")
    assert "What it does" in source
    assert inspect.getsourcefile(inspect.unwrap(documented)) == __file__


def test_attributes_can_be_given():
    @atomic
    def function():
        pass

    function.marked = True
    assert function.marked
    assert function.__dict__["marked"]
    assert vars(function)["__wrapped__"] is function.__wrapped__


def test_functions_and_bound_methods_are_pickled_by_name():
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(documented, protocol)) is documented
        assert pickle.loads(pickle.dumps(Counter.add, protocol)) is Counter.add
        again = pickle.loads(pickle.dumps(Counter().add, protocol))
        again(5)
        assert again.__self__.count == 5
    assert copy.copy(documented) is documented
    assert copy.deepcopy(documented) is documented
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(atomic(lambda: None))


def test_weak_references():
    @atomic
    def function():
        pass

    reference = weakref.ref(function)
    assert reference() is function
    del function
    import gc

    gc.collect()
    assert reference() is None


def test_a_cycle_through_an_atomic_function_is_collected():
    import gc

    class Anything:
        pass

    def make():
        thing = Anything()

        @atomic
        def function():
            return thing

        thing.function = function
        return weakref.ref(thing)

    reference = make()
    gc.collect()
    assert reference() is None


def test_methods():
    counter = Counter()
    assert counter.add()
    assert counter.add(amount=2)
    assert Counter.add(counter, 3)
    assert counter.count == 6
    assert isinstance(Counter.__dict__["add"], type(documented))
    assert counter.add == counter.add
    assert counter.add.__func__ is Counter.add
    assert counter() is True
    assert len(counter) == 7


def test_under_and_above_staticmethod():
    for owner in (Counter, Counter()):
        assert owner.above_static(1) == (1, True)
        assert owner.under_static(1) == (1, True)


def test_under_and_above_classmethod():
    class Derived(Counter):
        pass

    for owner in (Counter, Derived):
        assert owner.above_class(1) == owner().under_class(1) == (owner, 1, True)
        assert owner.under_class(1) == owner().above_class(1) == (owner, 1, True)


def test_under_and_above_property():
    counter = Counter()
    assert counter.above_property == counter.under_property == (0, True)
    counter.above_property = 1
    assert counter.count == (1, True)
    counter.under_property = 2
    assert counter.count == (2, True)
    assert Counter.above_property.__doc__ == Counter.under_property.__doc__ == "Its own."


def test_an_abstract_method_stays_abstract():
    class Base(abc.ABC):
        @atomic
        @abc.abstractmethod
        def method(self): ...

    with pytest.raises(TypeError, match="abstract"):
        Base()


def test_other_decorators_under_and_above():
    @atomic
    @functools.lru_cache
    def cached(value):
        return value, in_transaction()

    assert cached(1) == (1, True)

    @functools.wraps(cached)
    def around(value):
        return cached(value)

    assert around(2) == (2, True)
    assert functools.partial(documented, "a")() == "a 2 () only {}"
    assert atomic(functools.partial(documented.__wrapped__, "a"))() == "a 2 () only {}"
    assert atomic(Counter().add)(3) is True
    assert atomic(atomic(lambda: in_transaction()))()
    assert atomic(max)(1, 2) == 2


def test_decorator_arguments():
    assert with_arguments(1) == (1, "other")
    assert with_arguments.__name__ == "with_arguments"
    twice = atomic(name="first", timeout=3)
    assert twice(max_attempts=3)(lambda: current_transaction().name)() == "first"
    assert twice(name="second")(lambda: current_transaction().name)() == "second"
    assert atomic()(lambda: in_transaction())()
    for _ in range(100):  # names are counted
        atomic(name="counted" + str(_))(timeout=1)(name=None)
        twice()
    assert twice(lambda: current_transaction().name)() == "first"


def test_representations():
    assert repr(atomic) == "stmpy.atomic"
    assert repr(atomic(timeout=1)) == "stmpy.atomic(...)"
    assert repr(documented).startswith("<atomic function documented at 0x")
    assert "Counter.add" in repr(Counter().add)
    assert pickle.loads(pickle.dumps(atomic)) is atomic


def test_no_frame_is_added_to_tracebacks():
    @atomic
    def inner():
        raise ValueError("here")

    @atomic
    def outer():
        inner()

    def plain_inner():
        raise ValueError("here")

    def plain_outer():
        plain_inner()

    def frames(call):
        with pytest.raises(ValueError) as caught:
            call()
        return [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]

    assert frames(outer) == ["frames", "outer", "inner"]
    assert frames(plain_outer) == ["frames", "plain_outer", "plain_inner"]


def test_a_traceback_is_what_python_prints_for_a_plain_function():
    source = """
def inner(x):
    return 1 / x
def outer(x):
    return inner(x) + 1
"""

    def trace(decorate):
        namespace = {}
        exec(compile(source, "<the source>", "exec"), namespace)
        namespace["inner"] = decorate(namespace["inner"])
        namespace["outer"] = decorate(namespace["outer"])
        try:
            namespace["outer"](0)
        except ZeroDivisionError as error:
            return "".join(traceback.format_exception(error)).splitlines()[3:]

    assert trace(atomic) == trace(lambda function: function)


def test_the_exception_keeps_its_context_and_notes():
    @atomic
    def fail():
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error

    with pytest.raises(ValueError) as caught:
        fail()
    assert isinstance(caught.value.__cause__, KeyError)
    assert isinstance(caught.value.__context__, KeyError)


def test_recursion_ends_in_a_recursion_error(stage):
    cell = Cell(0)

    @atomic
    def descend():
        cell.value += 1
        descend()

    with pytest.raises(RecursionError):
        descend()
    assert cell.value == 0
    with pytest.raises(RecursionError):
        stage.start(descend).result()
    assert not in_transaction()
    cell.value = 1


def test_deep_recursion_that_ends():
    cell = Cell(0)

    @atomic
    def descend(depth):
        cell.value += 1
        return depth and descend(depth - 1)

    assert descend(sys.getrecursionlimit() // 5) == 0
    assert cell.value == sys.getrecursionlimit() // 5 + 1


def test_atomically_runs_a_function_now():
    cell = Cell(1)

    def add(amount, *, twice=False):
        cell.value += amount * (1 + twice)
        return in_transaction(), current_transaction().name

    done, name = atomically(add, 2, twice=True)
    assert done
    assert name.endswith("add")
    assert cell.value == 5
    with pytest.raises(TypeError, match="amount"):
        atomically(add)


def test_atomically_as_a_decorator_binds_the_result():
    cell = Cell(1)

    @atomically
    def total():
        cell.value += 1
        return cell.value, in_transaction()

    assert total == (2, True)


def test_compiled_starts_no_transaction():
    cell = Cell(1)

    @compiled
    def helper(amount):
        cell.value += amount
        return in_transaction()

    assert helper(1) is False
    assert atomic(helper)(1) is True
    assert cell.value == 3
    assert inspect.isfunction(helper)


def test_compiled_over_methods():
    class Thing(Cell):
        @compiled
        @staticmethod
        def static():
            return in_transaction()

        @compiled
        @property
        def prop(self):
            return self.value

        @compiled
        def method(self):
            self.value += 1
            return self.value

    thing = Thing(1)
    assert (thing.static(), thing.prop, thing.method()) == (False, 1, 2)


def test_one_function_called_by_many_threads_at_once(stage):
    together = threading.Barrier(8)

    @atomic
    def meet():
        together.wait(10)
        return current_transaction().id

    ids = [task.result() for task in [stage.start(meet) for _ in range(8)]]
    assert len(set(ids)) == 8
