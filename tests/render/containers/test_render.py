"""Files as they land, compared with golden ones and read by the programs that will read them.

`FLIGHTLINE_GOLDEN=write pytest tests/render/containers` writes the golden files anew; read the
diff. dockerd itself reads daemon.json on the lab's nodes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from flightline.operations.bundle import Absent, File, Item, Merge
from roles.containers import toolkit
from roles.containers.daemon import PATH, merge
from roles.containers.operations import HELPER, engine_items
from roles.containers.settings import ContainersSettings
from tests.unit.roles.containers.conftest import DEBIAN_12, MakeNode

GOLDEN = Path(__file__).parent / "golden"
FULL = ContainersSettings(
    source="docker",
    repository_url="https://mirror.example.org/docker",
    registry_mirrors=("https://hub.example.org",),
    insecure_registries=("10.0.2.2:5000", "10.1.0.0/16"),
    log_driver="journald",
    data_root="/data/docker",
    cgroup_driver="cgroupfs",
    extra={"debug": True},
)
UBUNTU = {"distribution": "ubuntu", "version": "24.04", "codename": "noble"}
ROCKY = {"distribution": "rocky", "version": "9.6", "codename": "", "family": "rhel"}
SYSTEMS = {
    "debian-12-distribution": ({}, ContainersSettings()),
    "debian-13-docker": ({"version": "13", "codename": "trixie"}, FULL),
    "ubuntu-24.04-docker": (UBUNTU, FULL),
    "rocky-9-docker": (ROCKY, FULL),
}
GPU_SYSTEMS = {"debian-12": {}, "rocky-9": ROCKY}
GPU = ContainersSettings(
    nvidia_repository_url="https://mirror.example.org/nct", nvidia_runtime_default=True
)


@pytest.fixture
def make_node() -> MakeNode:
    return lambda **changes: replace(DEBIAN_12, **changes)


def shown(items: tuple[Item, ...]) -> str:
    """Path and content of all files; keys and the helper only by name, a merge on a bare node."""
    parts = []
    for item in items:
        if isinstance(item, Absent):
            parts.append(f"==> {item.path} (absent)\n")
        elif isinstance(item, Merge):
            parts.append(f"==> {item.path} ({item.mode})\n{item.merge(None)}")
        elif isinstance(item, File):
            long = item.path in (HELPER, toolkit.HELPER) or "PGP" in item.content
            parts.append(f"==> {item.path} ({item.mode})\n{'' if long else item.content}")
    return "".join(parts)


@pytest.mark.parametrize("name", SYSTEMS)
def test_files_are_the_golden_ones(name: str, make_node: MakeNode) -> None:
    changes, settings = SYSTEMS[name]
    rendered, golden = shown(engine_items(make_node(**changes), settings)), GOLDEN / f"{name}.txt"
    if os.environ.get("FLIGHTLINE_GOLDEN") == "write":
        golden.write_text(rendered)
    assert rendered == golden.read_text()


@pytest.mark.parametrize("name", GPU_SYSTEMS)
def test_files_that_give_containers_gpus_are_the_golden_ones(
    name: str, make_node: MakeNode
) -> None:
    node, golden = make_node(**GPU_SYSTEMS[name]), GOLDEN / f"{name}-gpu.txt"
    config = Merge(PATH, lambda text: merge(GPU, text, has_gpu=True))
    items = (*toolkit.repository_items(node, GPU), *toolkit.device_items(), config)
    rendered = shown(items)
    if os.environ.get("FLIGHTLINE_GOLDEN") == "write":
        golden.write_text(rendered)
    assert rendered == golden.read_text()


def test_systemd_can_read_the_unit_of_the_gpus(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    unit = next(item for item in toolkit.device_items() if item.path.endswith(".service"))
    assert isinstance(unit, File)
    service = tmp_path / toolkit.UNIT
    service.write_text(unit.content.replace(f"{toolkit.HELPER} refresh", "/bin/true"))
    said = subprocess.run(
        ["systemd-analyze", "verify", str(service)], capture_output=True, text=True, check=False
    )
    assert service.name not in said.stderr, said.stderr


def test_a_shell_can_read_the_helper(make_node: MakeNode, tmp_path: Path) -> None:
    helper = next(
        item
        for item in engine_items(make_node(), ContainersSettings())
        if isinstance(item, File) and item.path == HELPER
    )
    script = tmp_path / "docker-config"
    script.write_text(helper.content)
    for shell in filter(shutil.which, ("dash", "bash")):
        subprocess.run([shell, "-n", str(script)], check=True)
    said = subprocess.run(["sh", str(script)], capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert "expected validate FILE, reload or restart" in said.stderr


@pytest.mark.parametrize("unit", ["docker", "containerd"])
def test_systemd_can_read_the_drop_ins(make_node: MakeNode, tmp_path: Path, unit: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    drop_in = next(
        item
        for item in engine_items(make_node(), FULL)
        if isinstance(item, File) and item.path.endswith(f"{unit}.service.d/flightline.conf")
    )
    service = tmp_path / f"{unit}.service"
    service.write_text(f"{drop_in.content}ExecStart=/bin/true\n")
    said = subprocess.run(
        ["systemd-analyze", "verify", str(service)], capture_output=True, text=True, check=False
    )
    assert service.name not in said.stderr, said.stderr


def test_a_dockerd_that_is_here_accepts_the_file(tmp_path: Path) -> None:
    dockerd = shutil.which("dockerd")
    if dockerd is None:
        pytest.skip("dockerd is not installed here; the lab's nodes judge")
    file = tmp_path / "daemon.json"
    merged = next(
        item for item in engine_items(DEBIAN_12, ContainersSettings()) if isinstance(item, Merge)
    ).merge(None)
    file.write_text(merged)
    assert json.loads(merged)["live-restore"] is True
    subprocess.run([dockerd, "--validate", "--config-file", str(file)], check=True)
