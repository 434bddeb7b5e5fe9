"""Rules for the pages in docs/."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATH = re.compile(r"`((?:protos|chassis|auth_service|task_service|import_worker|gateway|deploy|tests)/[\w./-]+\.\w+)`")


@pytest.mark.parametrize("page", ["docs/glossary.md", "docs/architecture.md"])
def test_pages_name_existing_files(page):
    """Every file that the glossary and the architecture page name exists."""
    paths = set(PATH.findall((ROOT / page).read_text()))
    assert paths
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
