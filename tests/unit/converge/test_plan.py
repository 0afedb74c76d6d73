"""Plans over real connections, and bad input, which never connects."""

from __future__ import annotations

import json
from typing import Any

import pytest


def plan(project: Any, *arguments: str, inventory: str = "inventories/here.py") -> Any:
    return project.flightline("plan", inventory, *arguments)


def said(done: Any) -> str:
    """What a person reads: one sentence on stderr, and exit code 2."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return str(lines[0])


def test_an_inventory_that_does_not_exist_names_those_that_do(project: Any) -> None:
    project.inventory(a={})
    text = said(plan(project, inventory="inventories/her.py"))
    assert "there is no inventory inventories/her.py; there are inventories/here.py" in text


def test_an_inventory_without_hosts_says_how_to_write_one(project: Any) -> None:
    project.write("inventories/here.py", "x = 1\n")
    assert "inventories/here.py declares no hosts" in said(plan(project))


@pytest.mark.parametrize(
    ("path", "text", "sentence"),
    [
        ("inventories/here.py", "gpu = [\n", "inventories/here.py:1: '[' was never closed"),
        ("group_data/gpu.py", "x = 1\ny = = 2\n", "group_data/gpu.py:2: invalid syntax"),
        ("group_data/gpu.py", "x = 1\ny = z\n", "group_data/gpu.py:2: NameError: name 'z'"),
        (
            "group_data/gpu.py",
            "from roles.alpha.settings import AlphaSettings\nalpha = AlphaSettings(txt='x')\n",
            "AlphaSettings has no field txt; the fields are text.",
        ),
        ("group_data/gpu.py", "alpha = 'oops'\n", "alpha is 'oops', expected a AlphaSettings"),
        ("config.py", "import nowhere\n", "No module named 'nowhere'"),
    ],
)
def test_a_mistake_in_the_operators_files_is_one_sentence(
    project: Any, path: str, text: str, sentence: str
) -> None:
    project.inventory(a={"ssh_port": 1})
    project.write(path, text)
    assert sentence in said(plan(project))


def test_plain_pyinfra_tells_a_mistake_in_settings_in_one_sentence(project: Any) -> None:
    project.inventory(a={})
    project.write(
        "group_data/gpu.py",
        "from roles.alpha.settings import AlphaSettings\nalpha = AlphaSettings(txt='x')\n",
    )
    done = project.pyinfra("inventories/here.py", "deploy.py", "--dry")
    assert done.returncode != 0
    assert "AlphaSettings has no field txt" in done.stderr


def test_outside_a_project_the_way_into_one_is_told(project: Any) -> None:
    (project.folder / "deploy.py").unlink()
    assert "is not in a Flightline project" in said(plan(project))


def test_a_limit_that_matches_nothing_lists_the_hosts(project: Any) -> None:
    project.inventory(a={}, b={})
    assert "--limit c matches no host or group" in said(plan(project, "--limit", "c"))
    assert "its hosts are a, b" in said(plan(project, "--limit", "c"))


@pytest.mark.parametrize("size", ["0", "0%", "101%", "x", "-1", "1.5"])
def test_a_batch_that_is_no_size_is_refused(project: Any, size: str) -> None:
    project.inventory(a={})
    done = project.flightline("apply", "inventories/here.py", f"--batch={size}")
    assert f"--batch {size} is neither a number of nodes" in said(done)


def test_settings_alone_are_checked_without_a_connection(project: Any) -> None:
    project.inventory(a={"ssh_port": 1})
    assert plan(project, "--settings-only").returncode == 0


def test_settings_alone_are_told_as_a_plan_in_json(project: Any) -> None:
    project.inventory(a={"ssh_port": 1})
    done = plan(project, "--settings-only", "--format", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "schema": "flightline.plan/1",
        "inventory": "inventories/here.py",
        "nodes": [
            {"status": "valid", "node": "a", "problems": [], "changes": [], "was_reached": False}
        ],
    }


def test_wrong_settings_are_one_sentence_whatever_the_format(project: Any) -> None:
    project.inventory(a={"ssh_port": 1})
    project.write("group_data/gpu.py", "alpha = 'oops'\n")
    for option in ((), ("--settings-only",)):
        done = plan(project, *option, "--format", "json")
        assert "alpha is 'oops', expected a AlphaSettings" in said(done)
        assert done.stdout == ""


def test_a_plan_names_what_would_change_and_changes_nothing(project: Any) -> None:
    project.inventory(a={}, gone={"ssh_port": 1})
    done = plan(project, "--format", "json")
    document = json.loads(done.stdout)
    here, gone = document["nodes"]
    assert done.returncode == 1
    assert gone["status"] == "unreachable"
    assert "nothing answers" in gone["problems"][0]
    if here["status"] == "valid":  # this computer may be a system that no role supports
        assert [each["operation"] for each in here["changes"]] == [
            "Make the folder",
            "Write the text",
            "Make beta",
        ]
    assert not project.exists("a")
