"""Which attributes the objects of a class are known to have: the names of its layout.

The runtime asks once for each class, when the first object is made. A name that is missing here costs speed
and memory, never meaning: it becomes an attribute beyond the layout.
"""

from __future__ import annotations

import dis
import sys
import types
from collections.abc import Iterator
from typing import Any

from stmpy._runtime import AtomicFunction, SlotDescriptor, STMObject

_STORE_ON_FIRST_ARGUMENT = "STORE_ATTR"
_SELF_LOADS = frozenset({"LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_FAST_CHECK", "LOAD_DEREF"})
_LIMIT = 512


def describe(
    cls: type,
) -> tuple[tuple[str, ...], tuple[tuple[type, str, type, str], ...], bool, tuple[str, ...]]:
    """The layout of a class: attribute names, `__slots__` descriptors to replace, whether others are allowed,
    and the names of its invariants.

    Names of base classes come first. The slots are the class and the name where the descriptor stands, the
    class that declares the slot, and the slot's name.
    """
    names: dict[str, None] = {}
    slots: list[tuple[type, str, type, str]] = []
    has_dict = False
    bases = [base for base in cls.__mro__ if base not in (object, STMObject)]
    for base in reversed(bases):
        namespace = type.__getattribute__(base, "__dict__")
        for name, value in list(namespace.items()):
            if not _is_slot(value):
                continue
            if value.__name__ == name and value.__objclass__ is base:
                names[name] = None
            if isinstance(value, types.MemberDescriptorType):
                slots.append((base, name, value.__objclass__, value.__name__))
        declared = namespace.get("__slots__")
        has_dict = has_dict or declared is None or "__dict__" in _as_names(declared)
        for name in _names_stored(base, namespace):
            if type(name) is str and name.isidentifier() and not _is_reserved(name):
                names[name] = None
    if not bases:
        has_dict = True
    if not has_dict:
        known = {name for base in bases for name, value in vars(base).items() if _is_slot(value)}
        names = {name: None for name in names if name in known}
    return tuple(names)[:_LIMIT], tuple(slots), has_dict, tuple(_invariants(bases))


def _invariants(bases: list[type]) -> dict[str, None]:
    """Names of methods that a class in the list makes invariants, those of base classes first."""
    return {
        name: None
        for base in reversed(bases)
        for name, value in list(type.__getattribute__(base, "__dict__").items())
        if type(value) in (types.FunctionType, AtomicFunction) and "__stm_invariant__" in value.__dict__
    }


def _is_slot(value: Any) -> bool:
    """A descriptor for a place in an STMObject, be it the interpreter's or ours."""
    return type(value) in (types.MemberDescriptorType, SlotDescriptor) and issubclass(
        value.__objclass__, STMObject
    )


def _is_reserved(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _as_names(declared: Any) -> tuple[Any, ...]:
    return (declared,) if isinstance(declared, str) else tuple(declared)


def _names_stored(cls: type, namespace: Any) -> list[str]:
    names: list[str] = []
    try:
        names.extend(_static_attributes(cls, namespace))
    except Exception:  # what the class says of itself is the user's, and only a help: names may be missing
        pass
    return names


def _static_attributes(cls: type, namespace: Any) -> Iterator[str]:
    # In the order in which objects usually get them: fields first, then what methods store.
    yield from namespace.get("__dataclass_fields__", ())
    for attribute in namespace.get("__attrs_attrs__", ()):
        yield attribute.name
    yield from _annotated(cls, namespace)
    initialiser = namespace.get("__init__")
    if isinstance(initialiser, types.FunctionType):
        yield from _stored_on_self(initialiser.__code__)
    static = namespace.get("__static_attributes__")
    if static is not None:
        yield from static
        return
    for value in namespace.values():
        function = _function_of(value)
        if function is not None:
            yield from _stored_on_self(function.__code__)


def _annotated(cls: type, namespace: Any) -> Iterator[str]:
    if sys.version_info >= (3, 14):
        import annotationlib

        # From the namespace: asked of the class, the annotations would be kept there for dir() to see.
        annotate = annotationlib.get_annotate_from_class_namespace(namespace)
        if annotate is not None:
            yield from annotationlib.call_annotate_function(annotate, annotationlib.Format.STRING, owner=cls)
    annotations = namespace.get("__annotations__")
    if isinstance(annotations, dict):
        yield from annotations


def _function_of(value: object) -> types.FunctionType | None:
    for _ in range(8):
        if isinstance(value, types.FunctionType):
            return value
        value = (
            getattr(value, "__func__", None)
            or getattr(value, "fget", None)
            or getattr(value, "__wrapped__", None)
        )
        if value is None:
            return None
    return None


def _stored_on_self(code: types.CodeType) -> Iterator[str]:
    """Names of attributes that the code stores on its first argument, in the order of the text."""
    if code.co_argcount == 0:
        return
    self_name = code.co_varnames[0]
    receiver = None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "EXTENDED_ARG":
            continue  # a part of the next one
        if instruction.opname == _STORE_ON_FIRST_ARGUMENT and receiver == self_name:
            yield instruction.argval
        if instruction.opname in _SELF_LOADS:
            receiver = instruction.argval
        elif instruction.opname.startswith("LOAD_FAST") and isinstance(instruction.argval, tuple):
            receiver = instruction.argval[-1]
        else:
            receiver = None
