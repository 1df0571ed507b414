import os
import shutil
from pathlib import Path

import pytest
from projects import BANK, Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def bank(project: Project) -> Project:
    project.write("bank.py", BANK)
    return project


@pytest.fixture
def unprivileged() -> list[str]:
    """What to put in front of a command for which permissions count: also for root, who owns the files."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may read and write everything, and there is no setpriv here")
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
