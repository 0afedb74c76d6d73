"""The pages beside the code tell the truth."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from flightline.audit.check import REGISTRY
from flightline.project import role_modules
from tests.style.settings_page import settings_page

ROOT = Path(__file__).parents[2]


def test_every_check_has_a_section_in_its_runbook() -> None:
    list(role_modules("checks"))
    missing = [
        check.id
        for check in REGISTRY.values()
        if f"## {check.id}" not in (ROOT / "docs" / "runbooks" / f"{check.role}.md").read_text()
    ]
    assert not missing


def test_no_runbook_speaks_of_a_check_that_is_gone() -> None:
    list(role_modules("checks"))
    for page in (ROOT / "docs" / "runbooks").glob("*.md"):
        named = re.findall(r"^#+ ([a-z0-9]+(?:-[a-z0-9]+){2,})$", page.read_text(), re.MULTILINE)
        assert not set(named) - set(REGISTRY), page.name


def test_the_page_of_settings_is_the_settings() -> None:
    written = (ROOT / "docs" / "settings.md").read_text()
    assert written == settings_page(), "run `make docs`"


def test_the_page_of_checks_is_the_registry() -> None:
    command = [sys.executable, "-m", "flightline", "checks", "--format", "markdown"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs" / "checks.md").read_text() == made, "run `make docs`"


def test_the_readme_has_no_gap_left_to_fill() -> None:
    gaps = re.findall(
        r"\b[A-Z]+_(?:MINUTES|OUTPUT|COUNT|SENTENCE|TABLE)\b", (ROOT / "README.md").read_text()
    )
    assert not gaps
