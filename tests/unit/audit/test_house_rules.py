"""What holds of every check of every role, read from their source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from flightline.audit.selection import all_checks

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "roles").glob("*/*checks*.py"))
CHECKS = {each.id: each for each in all_checks()}


def bare_asserts(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and node.msg is None:
            yield node.lineno


def broad_handlers(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "BaseException"
            if caught in ("BaseException", "Exception"):
                yield node.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_assertion_says_what_is_wrong(path: Path) -> None:
    assert not list(bare_asserts(ast.parse(path.read_text())))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_check_swallows_what_it_did_not_expect(path: Path) -> None:
    assert not list(broad_handlers(ast.parse(path.read_text())))


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_depends_on_checks_that_exist_and_not_on_itself(name: str) -> None:
    seen: set[str] = set()
    open_ids = list(CHECKS[name].depends)
    while open_ids:
        each = open_ids.pop()
        assert each in CHECKS, f"{name} depends on {each}, which no role has"
        assert each != name, f"{name} depends on itself"
        if each not in seen:
            seen.add(each)
            open_ids.extend(CHECKS[each].depends)


def test_the_rules_see_what_they_are_to_see() -> None:
    tree = ast.parse("try:\n    assert x\nexcept Exception:\n    assert y, 'why'\n")
    assert (list(bare_asserts(tree)), list(broad_handlers(tree))) == ([2], [3])
