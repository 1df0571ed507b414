"""`stmpyc --check`: what it prints in each format, what comments silence, how it ends."""

import json
import os
from urllib.parse import unquote, urlparse

import pytest
from projects import stmpyc

PRINTS = "import stmpy\n@stmpy.atomic\ndef f(o):\n    print(o.x)\n"
CLEAN = "import stmpy\n@stmpy.atomic\ndef f(o):\n    return o.x\n"


def check(project, *arguments, status=1):
    return stmpyc(project, "--check", *arguments, status=status)


def findings(project, *arguments, status=1):
    document = json.loads(check(project, "--format=json", *arguments, status=status).out)
    return [(found["code"], found["line"], found["column"]) for found in document["findings"]]


def test_a_finding_in_text_shows_place_line_reason_and_remedy(project):
    project.write("bank.py", PRINTS)
    assert check(project, "bank.py").out == (
        "bank.py:4:5: warning: STM201: print() in a transaction\n"
        "    4 |     print(o.x)\n"
        "      |     ^^^^^^^^^^\n"
        "      = why: input and output cannot be taken back, and are done again each time the transaction "
        "runs again\n"
        "      = instead: return what is to be written, and write it after the call; read before the call, "
        "and pass in what was read\n"
        "\n"
        "1 finding in 1 file (1 file checked)\n"
    )


def test_carets_stand_under_what_is_meant(project):
    project.write("bank.py", PRINTS.replace("    print(o.x)", "\ty = '\u65e5a'; print(\n o.x)"))
    line, carets = check(project, "bank.py").out.splitlines()[1:3]
    assert line.endswith("| \ty = '\u65e5a'; print(")
    # A tab is a tab, a wide character two columns, and the first of two lines is marked to its end.
    assert carets.endswith("| \t" + " " * 11 + "^" * 6)


def test_a_source_does_not_command_the_terminal(project):
    project.write("bank.py", PRINTS.replace("o.x", "o.x, '\x1b[2J'"))
    assert "\x1b" not in check(project, "bank.py").out


def test_clean_files_end_with_status_0(project):
    project.write("bank.py", CLEAN)
    assert check(project, "bank.py", status=0).out == "no findings (1 file checked)\n"


def test_modules_without_stmpy_are_not_looked_into(project):
    project.write("src/wrong.py", "def (:\n")
    project.write("src/plain.py", "print(1)\n")
    assert check(project, "src", status=0).out == "no findings (2 files checked)\n"


def test_findings_are_in_the_order_of_files_and_places(project):
    project.write("src/b.py", PRINTS + "    o.items = open(o.x)\n")
    project.write("src/a.py", PRINTS)
    document = json.loads(check(project, "--format=json", "-j2", "src").out)
    assert [(os.path.basename(f["path"]), f["line"]) for f in document["findings"]] == [
        ("a.py", 4),
        ("b.py", 4),
        ("b.py", 5),
    ]


def test_a_file_that_is_named_twice_is_checked_once(project):
    project.write("bank.py", PRINTS)
    assert findings(project, "bank.py", ".", "bank.py") == [("STM201", 4, 5)]


def test_json_has_the_documented_form(project):
    path = project.write("bank.py", PRINTS)
    document = json.loads(check(project, "--format=json", "bank.py").out)
    (found,) = document.pop("findings")
    assert document.pop("tool")["name"] == "stmpyc"
    assert document == {"version": 1, "checked": 1, "unreadable": []}
    assert found.pop("why") and found.pop("hint")
    assert found == {
        "path": str(path),
        "line": 4,
        "column": 5,
        "end_line": 4,
        "end_column": 15,
        "severity": "warning",
        "code": "STM201",
        "message": "print() in a transaction",
    }


def test_what_the_compiler_says_is_among_the_findings(project):
    project.write("bank.py", "import stmpy\n@stmpy.atomic\ndef give(o):\n    yield o.x\n")
    document = json.loads(check(project, "--format=json", "bank.py").out)
    (found,) = document["findings"]
    assert (found["code"], found["severity"]) == ("STM101", "error")
    assert (found["line"], found["column"], found["end_column"]) == (3, 5, 9)


# Comments


@pytest.mark.parametrize(
    "line",
    [
        "    print(o.x)  # stmpy: ignore",
        "    print(o.x)  # stmpy: ignore[STM201]",
        "    print(o.x)  # noqa: T201  # stmpy: ignore[STM201]",
        "    print(  # stmpy: ignore[STM201]\n        o.x\n    )",
        "    print(\n        o.x\n    )  # stmpy: ignore[STM201] it is a demonstration",
        "    if o: print(o.x)  # stmpy: ignore",
        "    print(o.x)\n# stmpy: ignore-file",
        "    print(o.x)\n# stmpy: ignore-file[STM201]",
    ],
)
def test_a_comment_silences_its_logical_line(project, line):
    project.write("bank.py", PRINTS.replace("    print(o.x)", line))
    assert findings(project, "bank.py", status=0) == []


@pytest.mark.parametrize(
    "lines, unused",
    [
        ("    print(o.x)  # stmpy: ignore[STM202]", 1),
        ("    # stmpy: ignore\n    print(o.x)", 1),
        ("    if o:  # stmpy: ignore\n        print(o.x)", 1),
        ("    o.y = 1  # stmpy: ignore-fil\n    print(o.x)", 0),
    ],
)
def test_a_comment_silences_nothing_else(project, lines, unused):
    project.write("bank.py", PRINTS.replace("    print(o.x)", lines))
    codes = [code for code, _, _ in findings(project, "bank.py")]
    assert sorted(codes) == ["STM201"] + ["STM291"] * unused


def test_a_comment_that_silences_nothing_is_reported_at_its_place(project):
    project.write("bank.py", CLEAN.replace("o.x", "o.x  # stmpy: ignore[STM201, STM204]"))
    (found,) = json.loads(check(project, "--format=json", "bank.py").out)["findings"]
    assert (found["code"], found["line"], found["column"], found["end_column"]) == ("STM291", 4, 17, 48)
    assert found["message"] == "there is no STM201 or STM204 in this line"


def test_of_several_codes_the_unused_one_is_named(project):
    project.write("bank.py", PRINTS.replace("o.x)", "o.x)  # stmpy: ignore[STM201, STM204]"))
    (found,) = json.loads(check(project, "--format=json", "bank.py").out)["findings"]
    assert found["message"] == "there is no STM204 in this line"


def test_unused_comments_can_be_allowed_in_a_file(project):
    project.write("bank.py", CLEAN + "x = 1  # stmpy: ignore\n# stmpy: ignore-file[STM291]\n")
    assert findings(project, "bank.py", status=0) == []


def test_a_diagnostic_of_the_compiler_can_be_silenced(project):
    source = "import stmpy\n@stmpy.atomic\ndef give(o):  # stmpy: ignore[STM101]\n    yield o.x\n"
    project.write("bank.py", source)
    assert findings(project, "bank.py", status=0) == []


def test_codes_can_be_left_out_of_a_run(project):
    project.write("bank.py", PRINTS + "    import os\n")
    assert findings(project, "--ignore=STM201", "bank.py") == [("STM233", 5, 5)]
    assert findings(project, "--ignore=STM201,STM233", "bank.py", status=0) == []


# What cannot be checked


def test_what_is_not_python_is_an_error_at_its_place(project):
    project.write("bank.py", PRINTS + "x = = 1\n")
    run = check(project, "bank.py", status=2)
    assert run.out.startswith("bank.py:5:5: error: STM000: SyntaxError: invalid syntax\n    5 | x = = 1\n")
    assert run.out.endswith("1 finding in 1 file (0 files checked, 1 could not be checked)\n")


@pytest.mark.parametrize("source", [b"import stmpy\n# \xff\n", b"# coding: none-such\nimport stmpy\n"])
def test_bytes_that_are_no_text_are_an_error(project, source):
    project.write("bank.py", source)
    assert findings(project, "bank.py", status=2)[0][0] == "STM000"


def test_other_encodings_are_checked(project):
    project.write("bank.py", b"# coding: latin-1\n" + PRINTS.replace("o.x", "'\xe4', o.x").encode("latin-1"))
    assert findings(project, "bank.py") == [("STM201", 5, 5)]


def test_files_that_cannot_be_read_are_named_and_the_rest_is_checked(project):
    project.write("src/bank.py", PRINTS)
    (project.root / "src/gone.py").symlink_to("nowhere")
    run = check(project, "src", status=2)
    assert "src/gone.py: error: cannot be read: No such file or directory\n" in run.out
    assert "src/bank.py:4:5: warning: STM201" in run.out


def test_pipes_and_locks_of_editors_are_left_alone(project):
    project.write("src/bank.py", CLEAN)
    os.mkfifo(project.root / "src/pipe.py")
    (project.root / "src/.#bank.py").symlink_to("user@host.1234")
    assert check(project, "src", status=0).out == "no findings (1 file checked)\n"


def test_a_directory_that_cannot_be_read_is_an_error(project):
    program = (
        "import os, sys\nfrom stmpy.stmpyc import main\nscandir = os.scandir\n"
        "def refuse(path):\n"
        "    if path.endswith('closed'): raise PermissionError(13, 'Permission denied', path)\n"
        "    return scandir(path)\n"
        "os.scandir = refuse\nsys.exit(main(sys.argv[1:]))\n"
    )
    project.write("src/closed/bank.py", PRINTS)
    project.write("src/bank.py", CLEAN)
    run = project.script(program, "--check", "src", status=2)
    assert "Permission denied" in run.err and "closed" in run.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--check", "--emit=source"],
        ["--check", "-o", "tree"],
        ["--check", "--format=xml"],
        ["--check", "--ignore=input-output"],
        ["--check", "--compile-all"],
        ["--format=json"],
        ["--ignore=STM201"],
    ],
)
def test_options_that_do_not_go_together_are_a_usage_error(bank, arguments):
    assert stmpyc(bank, *arguments, "bank.py", status=2).err.startswith("usage: stmpyc")


# SARIF 2.1.0: what the specification requires of what is written here


def sarif(project, *arguments, status=1):
    document = json.loads(check(project, "--format=sarif", *arguments, status=status).out)
    assert document["version"] == "2.1.0" and document["$schema"].endswith("sarif-2.1.0.json")
    (run,) = document["runs"]
    return run


def test_sarif_has_rules_with_help(project):
    project.write("bank.py", PRINTS)
    driver = sarif(project, "bank.py")["tool"]["driver"]
    assert driver["name"] == "stmpyc" and driver["version"]
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"]) > 15
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"] and rule["help"]["text"] and rule["help"]["markdown"]
        assert rule["name"].isalpha()
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")


def test_sarif_results_point_at_rules_and_regions(project):
    project.write("src/a b/ä.py", PRINTS + "    o.t = time.time()\nimport time\n")
    run = sarif(project, "src")
    first, second = run["results"]
    rules = run["tool"]["driver"]["rules"]
    for result, code, level in ((first, "STM201", "warning"), (second, "STM206", "note")):
        assert result["ruleId"] == rules[result["ruleIndex"]]["id"] == code
        assert result["level"] == level and result["message"]["text"].endswith(".")
    (location,) = first["locations"]
    place = location["physicalLocation"]
    assert place["region"] == {"startLine": 4, "startColumn": 5, "endLine": 4, "endColumn": 15}
    assert place["artifactLocation"] == {"uri": "src/a%20b/%C3%A4.py", "uriBaseId": "SRCROOT"}
    assert run["columnKind"] == "unicodeCodePoints"
    base = run["originalUriBaseIds"]["SRCROOT"]["uri"]
    assert base.endswith("/") and unquote(urlparse(base).path) == f"{project.root}/"


def test_sarif_gives_the_compilers_own_diagnostics_a_rule(project):
    project.write("bank.py", "import stmpy\n@stmpy.atomic\ndef give(o):\n    yield o.x\n")
    run = sarif(project, "bank.py")
    (result,) = run["results"]
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert rule["id"] == result["ruleId"] == "STM101" and result["level"] == "error"


def test_sarif_says_what_could_not_be_checked(project):
    project.write("src/bank.py", CLEAN)
    (project.root / "src/gone.py").symlink_to("nowhere")
    (invocation,) = sarif(project, "src", status=2)["invocations"]
    (notification,) = invocation["toolExecutionNotifications"]
    assert invocation["executionSuccessful"] is False
    assert notification["level"] == "error" and "No such file" in notification["message"]["text"]
    place = notification["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "src/gone.py"


def test_sarif_of_no_findings_is_a_whole_document(project):
    project.write("bank.py", CLEAN)
    run = sarif(project, "bank.py", status=0)
    assert run["results"] == [] and run["invocations"][0]["executionSuccessful"] is True


def test_files_elsewhere_have_whole_uris(project):
    elsewhere = project.write("bank.py", PRINTS)
    project.write("here/x.py", "")
    here = project.root / "here"
    program = f"import os; os.chdir({str(here)!r})\nfrom stmpy.stmpyc import main\n"
    run = project.script(program + f"main(['--check', '--format=sarif', {str(elsewhere)!r}])")
    (result,) = json.loads(run.out)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": elsewhere.as_uri()}
