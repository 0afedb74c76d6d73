"""Bad input: one sentence on the last line, exit code 2, no traceback, and no node is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PARTS = ("deploy.py", "config.py", "roles", "templates", "group_data", "inventories")
HOST = '("gpu-01", {"ssh_hostname": "127.0.0.1", "ssh_port": 1})'
"""Nothing listens on port 1: whoever connects all the same is told so, with another exit code."""

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Copy the operator's files, to be spoiled, beside an inventory of one host."""
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    (tmp_path / "inventories" / "one.py").write_text(f"gpu = [{HOST}]\n")
    return tmp_path


def typed(project: Path, line: str, **env: str) -> Done:
    """Run a command as an operator types it in the project's folder."""
    program, *arguments = line.split()
    return subprocess.run(
        [str(BIN / program), *arguments],
        cwd=project, capture_output=True, text=True, check=False, timeout=60,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYINFRA_PROGRESS": "off", "PYTHONDONTWRITEBYTECODE": "1",
             "FLIGHTLINE_PROJECT": str(project), "FLIGHTLINE_RUNS": str(project / "runs"), **env},
    )  # fmt: skip


def told(done: Done) -> str:
    """Return the sentence that a person reads, on the last line."""
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "Traceback" not in said
    assert "nothing answers" not in said
    return done.stderr.strip().splitlines()[-1]


PLAN = "flightline plan inventories/one.py"
PLAIN = "pyinfra -y inventories/one.py deploy.py"
FROM_ALL = "from group_data.all import {0} as declared\n{0} = declared.model_copy(update={1})\n"

GROUP_DATA = {
    "an unknown field": (
        FROM_ALL.format("kernel", {"swapiness": 1}),
        "group_data/gpu.py:2: KernelSettings has no field swapiness; the fields are",
    ),
    "a number with a unit": (
        FROM_ALL.format("containers", {"data_root_min_free_gib": "5GB"}),
        "ContainersSettings.data_root_min_free_gib is '5GB': input should be a valid integer",
    ),
    "a value out of its range": (
        FROM_ALL.format("kernel", {"hugepages_2mib_per_node": -3}),
        "hugepages_2mib_per_node is -3: input should be greater than or equal to 0",
    ),
    "minutes for seconds": (
        FROM_ALL.format("reboot", {"timeout_minutes": 5}),
        "RebootSettings has no field timeout_minutes; the fields are allowed, timeout_seconds.",
    ),
    "a mapping for settings": (
        "kernel = {'hugepages_2mib_per_node': 3}\n",
        "expected a KernelSettings; write kernel = KernelSettings(...)",
    ),
    "a misspelt role": (
        "from roles.kernel.settings import KernelSettings\nkrenel = KernelSettings(swap=True)\n",
        "group_data: nothing reads krenel; did you mean kernel?",
    ),
    "a syntax error": ("x = 1\ny = = 2\n", "group_data/gpu.py:2: invalid syntax"),
    "a wrong indentation": ("x = 1\n y = 2\n", "group_data/gpu.py:2: unexpected indent"),
    "an unknown name": ("x = 1\ny = z\n", "group_data/gpu.py:2: NameError: name 'z' is not"),
    "an unknown module": ("import nowhere\n", "No module named 'nowhere'"),
}


@pytest.mark.parametrize(("text", "sentence"), GROUP_DATA.values(), ids=GROUP_DATA)
def test_a_mistake_in_group_data_is_told_before_any_connection(
    project: Path, text: str, sentence: str
) -> None:
    (project / "group_data" / "gpu.py").write_text(text)
    assert sentence in told(typed(project, PLAN))


@pytest.mark.parametrize("case", ["an unknown field", "a misspelt role", "a syntax error"])
def test_plain_pyinfra_tells_the_same_mistakes(project: Path, case: str) -> None:
    text, sentence = GROUP_DATA[case]
    (project / "group_data" / "gpu.py").write_text(text)
    assert sentence in told(typed(project, PLAIN))


@pytest.mark.parametrize("command", ["apply", "audit"])
def test_every_command_refuses_the_same_group_data(project: Path, command: str) -> None:
    (project / "group_data" / "gpu.py").write_text("krenel = 1\nkernel = 2\n")
    sentence = told(typed(project, f"flightline {command} inventories/one.py"))
    assert "kernel is 2, expected a KernelSettings" in sentence
    assert "nothing reads krenel" in sentence
    assert not (project / "runs").exists()


def test_names_of_the_operators_own_are_no_mistake(project: Path) -> None:
    (project / "group_data" / "gpu.py").write_text(
        "from group_data.all import kernel as declared\n"
        "h200_kernel = declared.model_copy(update={'swap': True})\n"
        "kernel = h200_kernel\n_sudo = True\nssh_user = 'operator'\nrack = 7\n"
    )
    assert typed(project, f"{PLAN} --settings-only").returncode == 0


@pytest.mark.parametrize(
    "line", ["flightline plan {}", "flightline audit {}", "pyinfra -y {} deploy.py"]
)
def test_an_inventory_that_is_not_there_names_those_that_are(project: Path, line: str) -> None:
    sentence = told(typed(project, line.format("inventories/prod.py")))
    assert "there is no inventory inventories/prod.py; there are inventories/example.py" in sentence


@pytest.mark.parametrize(
    "line", ["flightline apply {}", "flightline audit {}", "pyinfra -y {} deploy.py"]
)
def test_an_inventory_without_hosts_says_how_to_write_one(project: Path, line: str) -> None:
    (project / "inventories" / "one.py").write_text("gpu = []\n")
    sentence = told(typed(project, line.format("inventories/one.py")))
    assert 'declares no hosts; write a list of them, such as gpu = [("gpu-01"' in sentence


def test_plain_pyinfra_refuses_data_of_the_wrong_type(project: Path) -> None:
    sentence = told(typed(project, f"{PLAIN} --data kernel=oops"))
    assert "kernel is 'oops', expected a KernelSettings" in sentence


def test_a_mistake_in_deploy_py_is_told_by_plain_pyinfra_too(project: Path) -> None:
    (project / "inventories" / "one.py").write_text('gpu = ["@local"]\n')
    (project / "deploy.py").write_text("x = = 1\n")
    assert "deploy.py:1: invalid syntax" in told(typed(project, PLAIN))


MISTYPED = {
    f"{PLAIN} --limit gpu-9": "--limit gpu-9 matches no host or group",
    "flightline audit inventories/one.py --limit gpu-9": "its hosts are gpu-01",
    "flightline apply inventories/one.py --role kernal": "Did you mean kernel?",
    "flightline audit inventories/one.py --role kernal": "did you mean kernel?",
    "flightline audit inventories/one.py --check kernel-swap-of": "did you mean kernel-swap-off?",
    "flightline audit inventories/one.py --format yaml": "'yaml' is not one of 'text', 'json'",
    "flightline paln inventories/one.py": "No such command 'paln'",
    "flightline audit": "name either an INVENTORY or a recording (--from)",
    "flightline audit --from /etc": "/etc: is no recording",
    "flightline lab reset node-99": "the lab has no node 'node-99'",
}


@pytest.mark.parametrize(("line", "sentence"), MISTYPED.items(), ids=MISTYPED)
def test_a_mistyped_command_says_what_there_is(project: Path, line: str, sentence: str) -> None:
    assert sentence in told(typed(project, line))


@pytest.mark.parametrize("junk", [b"{", b"{}", b"\xff\xfe", b"[1]"], ids=repr)
def test_junk_is_no_recording(project: Path, junk: bytes) -> None:
    (project / "manifest.json").write_bytes(junk)
    assert "manifest.json" in told(typed(project, "flightline audit --from ."))


def test_outside_a_project_the_way_into_one_is_told(tmp_path: Path) -> None:
    done = typed(tmp_path, PLAN)
    assert "is not in a Flightline project" in told(done)
    assert "set FLIGHTLINE_PROJECT" in told(done)


@pytest.mark.parametrize("command", ["apply", "audit"])
def test_a_run_folder_that_cannot_be_made_is_named(project: Path, command: str) -> None:
    (project / "inventories" / "one.py").write_text('gpu = ["@local"]\n')
    (project / "runs").write_text("a file, no folder")
    sentence = told(typed(project, f"flightline {command} inventories/one.py"))
    assert str(project / "runs") in sentence


def test_plain_pyinfra_names_the_failed_nodes_at_the_end(project: Path) -> None:
    done = typed(project, PLAIN)
    assert done.returncode == 1
    assert "1 of 1 nodes failed: gpu-01." in done.stderr.splitlines()[-3:][0]
