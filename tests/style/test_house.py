"""The house rules that no linter knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("flightline", "roles", "group_data", "inventories")
ROLES = sorted(path.parent.name for path in (ROOT / "roles").glob("*/settings.py"))
MAX_LINES = 250


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def test_files_fit_on_a_few_screens() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in python_files(*CODE, "tests")
        if (count := len(path.read_text().splitlines())) > MAX_LINES
    }
    assert not long, f"split by noun: {long}"


def test_nothing_is_left_for_later() -> None:
    words = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
    found = [str(path) for path in python_files(*CODE, "tests") if words.search(path.read_text())]
    assert not found


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_its_slots(role: str) -> None:
    folder = ROOT / "roles" / role
    missing = [
        slot
        for slot in ("__init__.py", "settings.py", "checks.py")
        if not (folder / slot).is_file()
    ]
    assert not missing
    assert (ROOT / "docs" / "runbooks" / f"{role}.md").is_file()
    assert (ROOT / "tests" / "faults" / f"{role}.yaml").is_file()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reads_like_a_table_of_contents(role: str) -> None:
    tree = ast.parse((ROOT / "roles" / role / "__init__.py").read_text())
    entry = next(
        (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == role),
        None,
    )
    assert entry is not None, f"roles/{role}/__init__.py defines no {role}(settings)"
    assert entry.end_lineno is not None
    assert entry.end_lineno - entry.lineno + 1 <= 25


UNCOMMENTED = ("*.json.j2", "nodes_config.cfg.j2")  # formats without comments


def test_templates_say_that_edits_are_lost() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "templates").rglob("*.j2")
        if "Flightline" not in _opening(path.read_text())
        and not any(path.match(each) for each in UNCOMMENTED)
    ]
    assert not silent, f"the first line names Flightline and the role: {silent}"


def _opening(text: str) -> str:
    """The first line, after the one that names a script's interpreter."""
    lines = text.splitlines()
    return lines[1] if lines[0].startswith("#!") else lines[0]


def test_role_data_stays_out_of_groups_named_after_an_inventory() -> None:
    """pyinfra makes a group of the inventory file's name, and lets it win over all others."""
    inventories = {path.stem for path in (ROOT / "inventories").glob("*.py")}
    groups = {path.stem for path in (ROOT / "group_data").glob("*.py")}
    assert not inventories & groups
    assert not (ROOT / "inventories" / "group_data").exists()


def test_group_data_knows_settings_only() -> None:
    wrong = []
    for path in python_files("group_data"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                allowed = re.fullmatch(
                    r"roles\.\w+\.settings|flightline\.(settings|reboot|lab\.serving)|group_data\.\w+|__future__",
                    node.module,
                )
                if not allowed:
                    wrong.append(f"{path.name}: {node.module}")
    assert not wrong


def test_public_functions_and_classes_say_what_holds_afterwards() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in python_files("flightline", "roles")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not (
            node.name.startswith("_") or path.stem.endswith("checks") or ast.get_docstring(node)
        )
    ]
    assert not silent
