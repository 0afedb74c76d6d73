from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from flightline.cli import cli

ROOT = Path(__file__).parents[3]
FIELDS = ["id", "claim", "severity", "phase", "role", "remedy", "fault"]


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["checks", *arguments])


def test_json_lists_every_check_with_all_it_promises() -> None:
    rows = json.loads(typed("--format", "json").stdout)
    assert len(rows) >= 40  # the accepted size of the three first roles
    assert all(list(row) == FIELDS and all(row.values()) for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)


def test_a_role_lists_its_own_checks_only() -> None:
    rows = json.loads(typed("--format", "json", "--role", "kernel").stdout)
    assert {row["role"] for row in rows} == {"kernel"}


def test_a_role_that_does_not_exist_is_a_sentence() -> None:
    done = typed("--role", "kernal")
    assert done.exit_code == 2
    assert "there is no role kernal; did you mean kernel?" in done.stderr


def test_markdown_has_a_section_for_every_check() -> None:
    rows = json.loads(typed("--format", "json").stdout)
    page = typed("--format", "markdown").stdout
    assert [line for line in page.splitlines() if line.startswith("### ")] == [
        f"### `{row['id']}`" for row in rows
    ]


def test_the_page_in_the_docs_is_the_generated_one() -> None:
    kept = (ROOT / "docs" / "checks.md").read_text()
    assert kept == typed("--format", "markdown").stdout, (
        "write it again: flightline checks --format markdown > docs/checks.md"
    )
