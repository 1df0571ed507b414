"""What `obj.__dict__` of an `STMObject` is: a dict of the current values, whose operations go to the object.

The filling is for code that reads a dict's storage without asking it (`dict.get(vars(obj), k)`,
`inspect.getattr_static`, `PyDict_Next`); everything else is a barrier on the object, so that reads are
registered and writes are transactional.
"""

from __future__ import annotations

import copyreg
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, cast

from stmpy._runtime import (
    STMObject,
    atomically,
    instance_delete,
    instance_get,
    instance_names,
    instance_set,
)

_ABSENT = object()


class InstanceDict(dict[str, Any]):
    """The instance attributes of one object, as of now and from now on."""

    __slots__ = ("_object",)
    __hash__ = None

    def __init__(self, owner: STMObject) -> None:
        super().__init__(_items_of(owner))
        self._object = owner

    def __getitem__(self, name: str) -> Any:
        value = instance_get(self._object, name, _ABSENT)
        if value is _ABSENT:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        instance_set(self._object, name, value)
        super().__setitem__(str.__str__(name), value)  # a subclass's hash is not asked

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def __contains__(self, name: object) -> bool:
        return instance_get(self._object, cast(str, name), _ABSENT) is not _ABSENT

    def __iter__(self) -> Iterator[str]:
        return iter(instance_names(self._object))

    def __reversed__(self) -> Iterator[str]:
        return reversed(instance_names(self._object))

    def __len__(self) -> int:
        return len(instance_names(self._object))

    def __bool__(self) -> bool:
        return bool(instance_names(self._object))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, InstanceDict):
            other = other.copy()
        return self.copy() == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        return repr(self.copy())

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    def __ior__(self, other: Any) -> Any:
        self.update(other)
        return self

    def __sizeof__(self) -> int:
        return super().__sizeof__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, (), None, None, iter(_items_of(self._object))  # what is unpickled is a plain dict

    def __copy__(self) -> dict[str, Any]:
        return self.copy()

    def copy(self) -> dict[str, Any]:
        """A plain dict of the current values."""
        return dict(_items_of(self._object))

    def get(self, name: str, default: Any = None) -> Any:
        return instance_get(self._object, name, default)

    def keys(self) -> Any:
        return KeysView(self)

    def values(self) -> Any:
        return ValuesView(self)

    def items(self) -> Any:
        return ItemsView(self)

    # What reads and then writes is one step for everybody else, as it is on any dict.

    def pop(self, name: str, *default: Any) -> Any:
        if len(default) > 1:
            raise TypeError(f"pop expected at most 2 arguments, got {1 + len(default)}")
        value = atomically(_take, self._object, name)
        if value is _ABSENT:
            if default:
                return default[0]
            raise KeyError(name)
        super().pop(name, None)
        return value

    def popitem(self) -> tuple[str, Any]:
        return atomically(self._popitem)

    def _popitem(self) -> tuple[str, Any]:
        names = instance_names(self._object)
        if not names:
            raise KeyError("popitem(): dictionary is empty")
        return names[-1], self.pop(names[-1])

    def setdefault(self, name: str, default: Any = None) -> Any:
        return atomically(self._setdefault, name, default)

    def _setdefault(self, name: str, default: Any) -> Any:
        value = instance_get(self._object, name, _ABSENT)
        if value is _ABSENT:
            self[name] = value = default
        return value

    def update(self, other: Any = (), /, **more: Any) -> None:
        pairs: Iterable[tuple[str, Any]]
        if isinstance(other, Mapping):
            pairs = list(other.items())
        elif hasattr(other, "keys"):
            pairs = [(name, other[name]) for name in other.keys()]
        else:
            pairs = other
        for name, value in pairs:
            self[name] = value
        for name, value in more.items():
            self[name] = value

    def clear(self) -> None:
        for name in instance_names(self._object):
            self.pop(name, None)


def _take(owner: STMObject, name: str) -> Any:
    value = instance_get(owner, name, _ABSENT)
    if value is not _ABSENT:
        instance_delete(owner, name)
    return value


def state_of(owner: STMObject) -> Any:
    """What `object.__getstate__` gives for an ordinary object: the instance dict, and the slots."""
    cls = type(owner)
    slots = {}
    for name in copyreg._slotnames(cls):  # type: ignore[attr-defined]
        value = getattr(owner, name, _ABSENT)
        if value is not _ABSENT:
            slots[name] = value
    state = dict(_items_of(owner)) or None
    return (state, slots) if slots else state


def _items_of(owner: STMObject) -> list[tuple[str, Any]]:
    items = [(name, instance_get(owner, name, _ABSENT)) for name in instance_names(owner)]
    return [(name, value) for name, value in items if value is not _ABSENT]
