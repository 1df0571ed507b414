"""The category of all that the compiler says while modules are imported."""


class CompilerWarning(UserWarning):
    """A module was not compiled, or something in it will not do what it seems to.

    It names the file and the line it is about, and Python's own filters decide what becomes of it:
    ``-W error::stmpy.CompilerWarning``, or ``warnings.simplefilter("ignore", stmpy.CompilerWarning)``.
    """
