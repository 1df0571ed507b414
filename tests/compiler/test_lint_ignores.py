"""The form of the comments that silence findings, and the logical line that each is about."""

import pytest

from stmpy import _compiler


def ignored(source):
    return [
        (ignore.codes, ignore.whole_file, ignore.first_line, ignore.last_line)
        for ignore in _compiler.lint(source)[1]
    ]


@pytest.mark.parametrize(
    "comment, codes",
    [
        ("# stmpy: ignore", []),
        ("#stmpy:ignore", []),
        ("# stmpy: ignore[STM201]", ["STM201"]),
        ("# stmpy: ignore[STM201, STM204]  because", ["STM201", "STM204"]),
        ("# noqa  # stmpy: ignore", []),
        ("# say `# stmpy: ignore` to silence it", None),
        ("# stmpy: ignored", None),
        ("# stmpy ignore", None),
        ("'# stmpy: ignore'", None),
    ],
)
def test_the_form_of_an_ignore(comment, codes):
    assert ignored(f"x = 1; {comment}\n") == ([] if codes is None else [(codes, False, 1, 1)])


def test_an_ignore_is_about_its_logical_line():
    source = "f(  # stmpy: ignore\n  1,\n)\nif x:  # stmpy: ignore[STM201]\n    y = '''\n'''  # stmpy: ignore"
    assert ignored(source) == [([], False, 1, 3), (["STM201"], False, 4, 4), ([], False, 5, 6)]


def test_an_ignore_on_a_line_of_its_own_is_about_no_line():
    assert ignored("x = 1\n# stmpy: ignore\nif x:\n    # stmpy: ignore\n    y\n") == [([], False, 0, 0)] * 2


def test_an_ignore_of_the_file_stands_anywhere():
    assert ignored("x = 1\n\n# stmpy: ignore-file\n") == [([], True, 0, 0)]
    assert ignored("# stmpy: ignore-file[STM206]\n") == [(["STM206"], True, 0, 0)]
