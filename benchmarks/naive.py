"""What anybody writes first: access dispatched in Python, a dict for ownership, a list for the revert log.

Eager ownership and undo as in stmpy, so that the two differ in nothing but how they are built.
"""

import functools
import threading


class AbortTransaction(BaseException):
    """Another thread's transaction owns the attribute."""


class _State(threading.local):
    transaction = None


class _Transaction:
    def __init__(self):
        self.owned = []
        self.revert_log = []

    def access(self, key):
        owner = _owners.setdefault(key, self)
        if owner is not self:
            raise AbortTransaction
        self.owned.append(key)

    def revert(self):
        for obj, name, value in reversed(self.revert_log):
            object.__setattr__(obj, name, value)

    def release(self):
        for key in self.owned:
            _owners.pop(key, None)


_state = _State()
_owners = {}


class NaiveObject:
    def __getattribute__(self, name):
        transaction = _state.transaction
        if transaction is not None:
            transaction.access((id(self), name))
        return object.__getattribute__(self, name)

    def __setattr__(self, name, value):
        transaction = _state.transaction
        if transaction is not None:
            transaction.access((id(self), name))
            transaction.revert_log.append((self, name, object.__getattribute__(self, name)))
        object.__setattr__(self, name, value)


def naive_atomic(function):
    @functools.wraps(function)
    def attempts(*args, **kwargs):
        while True:
            transaction = _state.transaction = _Transaction()
            try:
                return function(*args, **kwargs)
            except AbortTransaction:
                transaction.revert()
            except BaseException:
                transaction.revert()
                raise
            finally:
                _state.transaction = None
                transaction.release()

    return attempts
