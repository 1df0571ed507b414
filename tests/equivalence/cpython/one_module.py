"""Runs one module of CPython's tests in this process and writes the outcome of each test as JSON.

`python one_module.py plain|compiled MODULE OUTPUT [FOLDER]`, where FOLDER holds another `test` package.
Compiled: the tests, the library under test and unittest itself, every function of them, but for the few
modules without which no interpreter starts.
"""

import sys

# What is imported from here on is compiled; as little as possible may be there already.
AT_START = set(sys.modules)


def forget_library() -> None:
    """The modules that stmpy itself needs have to be imported again, compiled or not."""
    import stmpy.compiler
    import stmpy.hook  # noqa: F401

    for name in set(sys.modules) - AT_START:
        module = sys.modules[name]
        path = getattr(module, "__file__", None) or ""
        # The compiler records the warnings of what it compiles: half a `warnings` will not do.
        if not name.startswith(("stmpy", "importlib", "warnings")) and path.endswith(".py"):
            del sys.modules[name]


def install() -> None:
    import stmpy.hook

    stmpy.hook.install([*sys.stdlib_module_names, "test"], compile_all=True)


def outcomes(module_name: str) -> dict[str, str]:
    """What became of each test, by its id; a subtest that fails has an entry of its own."""
    import importlib
    import re
    import unittest

    from test import support

    support.verbose = 0
    support.use_resources = []  # neither the network nor much time
    seen: dict[str, str] = {}

    class Result(unittest.TestResult):
        def addSuccess(self, test):
            seen.setdefault(test.id(), "passed")

        def addSkip(self, test, reason):
            seen[test.id()] = f"skipped: {reason}"

        def addFailure(self, test, error):
            seen[test.id()] = f"failed: {error[0].__name__}"

        def addError(self, test, error):
            seen[test.id()] = f"error: {error[0].__name__}"

        def addExpectedFailure(self, test, error):
            seen[test.id()] = "failed as expected"

        def addUnexpectedSuccess(self, test):
            seen[test.id()] = "passed unexpectedly"

        def addSubTest(self, test, subtest, error):
            if error is not None:
                # Parameters of subtests may be objects at any address.
                name = re.sub("0x[0-9a-f]+", "0x", subtest.id())
                seen[name] = f"failed: {error[0].__name__}"
                seen[test.id()] = "subtests failed"

    try:
        module = importlib.import_module(f"test.{module_name}")
    except unittest.SkipTest as reason:
        return {module_name: f"skipped: {reason}"}
    unittest.defaultTestLoader.loadTestsFromModule(module).run(Result())
    return seen


def main() -> None:
    mode, module_name, output, *folders = sys.argv[1:]
    # Tests look at the arguments and at where they are.
    sys.argv = ["tests"]
    sys.path[0] = ""
    sys.path += folders
    forget_library()
    if mode == "compiled":
        install()
    seen = outcomes(module_name)
    import json

    with open(output, "w") as file:
        json.dump(seen, file)


if __name__ == "__main__":
    main()
