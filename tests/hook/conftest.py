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
