"""`flightline model publish`, `list` and `verify`, to nodes that are an sshd on this computer.

Each node's commands see folders of their own in the place of /usr/local/lib and /var/lib (a mount
namespace), so the role's programs and records are where they are on a node.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flightline.serving import store
from flightline.serving.state import ServiceState, dumps
from flightline.templates import render
from roles.models.settings import ModelSettings, ModelsSettings, ModelVersion
from tests.unit.conftest import Sshd
from tests.unit.test_bad_input import project, typed

__all__ = ["project"]

pytestmark = pytest.mark.skipif(
    subprocess.run(["unshare", "-rm", "true"], check=False).returncode != 0,
    reason="needs user namespaces, which this kernel does not give",
)

SHELL = """\
#!/bin/sh
export FLIGHTLINE_MODELS_CONF={folder}/settings
exec unshare -rm sh -c '
    mount --bind "$0/lib" /usr/local/lib && mount --bind "$0/var" /var/lib
    eval "$SSH_ORIGINAL_COMMAND"' {folder}
"""
PROGRAMS = ("model-fetch", "model-verify", "model-store.sh", "model-transport.sh")


@dataclass
class Node:
    """One node with the role's programs, its store, and sshd."""

    folder: Path
    sshd: Sshd

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def program(self, name: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SSH_ORIGINAL_COMMAND": f"/usr/local/lib/flightline/{name}"}
        return subprocess.run(
            [self.folder / "shell"], env=environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def make_node(
    tmp_path_factory: pytest.TempPathFactory, make_sshd: Callable[..., Sshd]
) -> Callable[[ModelsSettings], Node]:
    def make(settings: ModelsSettings) -> Node:
        folder = tmp_path_factory.mktemp("node")
        for name in ("lib/flightline", "var/flightline/models", "var/flightline/serving", "run"):
            (folder / name).mkdir(parents=True)
        declared = settings.model_copy(update={"store": str(folder / "store"), "free_gib_min": 0})
        (folder / "store").mkdir()
        for name in PROGRAMS:
            file = folder / "lib" / "flightline" / name
            file.write_text(render(f"models/usr/local/lib/flightline/{name}"))
            file.chmod(0o755)
        places = SimpleNamespace(
            DECLARED=folder / "declared",
            RECORDS=store.RECORDS,
            SERVICES=store.SERVICES,
            RUN=folder / "run",
        )
        for name in ("settings", "declared"):
            source = f"models/etc/flightline/models/{name}.j2"
            (folder / name).write_text(render(source, settings=declared, store=places))
        (folder / "shell").write_text(SHELL.format(folder=folder))
        (folder / "shell").chmod(0o755)
        return Node(folder, make_sshd(f"ForceCommand {folder}/shell"))

    return make


@pytest.fixture
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(os.urandom(300_000))
    return folder


@pytest.fixture
def two(
    project: Path,
    weights: Path,
    make_node: Callable[[ModelsSettings], Node],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Node]:
    """Two nodes that declare a published model; both have fetched it."""
    mirror = tmp_path_factory.mktemp("mirror")
    done = typed(
        project, f"flightline model publish {weights} --name chat --version 1 --to {mirror}"
    )
    assert done.returncode == 0, done.stderr
    pasted = done.stdout[done.stdout.index("ModelVersion(") :].strip().rstrip(",")
    version = eval(pasted, {"ModelVersion": ModelVersion})
    settings = ModelsSettings(models=(ModelSettings(name="chat", versions=(version,)),))
    nodes = [make_node(settings) for _ in range(2)]
    for each in nodes:
        assert each.program("model-fetch").returncode == 0
    write(project, version, nodes)
    return nodes


def write(project: Path, version: ModelVersion, nodes: list[Node]) -> None:
    """Write an inventory that declares the version, with each node's own store."""
    hosts: list[Any] = []
    for number, each in enumerate(nodes, start=1):
        hosts.append((f"gpu-{number}", each.sshd.data))
    text = "from roles.models.settings import ModelSettings, ModelsSettings, ModelVersion\n"
    text += f"version = ModelVersion(**{version.to_json()!r})\n"
    text += "model = ModelSettings(name='chat', versions=(version,))\n"
    text += f"hosts = {hosts!r}\nstores = {[str(each.store) for each in nodes]!r}\n"
    text += (
        "gpu = [(name, {**data, 'models': ModelsSettings(models=(model,), store=store, "
        "free_gib_min=0)}) for (name, data), store in zip(hosts, stores)]\n"
    )
    # pyinfra takes every list of a file for a group.
    text += "del hosts, stores, version, model\n"
    (project / "inventories" / "two.py").write_text(text)


LIST = "flightline model list inventories/two.py"
VERIFY = "flightline model verify inventories/two.py"


def test_what_publish_prints_is_what_the_nodes_list_as_verified(
    project: Path, two: list[Node]
) -> None:
    state = dumps(ServiceState(model="chat", active="a", a="1"))
    (two[0].folder / "var" / "flightline" / "serving" / "chat.json").write_text(state)
    done = typed(project, LIST)
    assert done.returncode == 0, done.stderr
    rows = [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines()[1:]]
    assert [(row[0], row[1], row[2], row[-1]) for row in rows] == [
        ("gpu-1", "chat", "1", "verified"),
        ("gpu-2", "chat", "1", "verified"),
    ]
    told = json.loads(typed(project, f"{LIST} --format json").stdout)
    assert told["schema"] == "flightline.models/1"
    first, second = (each["versions"][0] for each in told["nodes"])
    assert (first["services"], second["services"]) == (["chat"], [])
    assert first["current"] is True
    assert first["bytes"] == 300_002


def test_verify_hashes_and_names_node_and_file(project: Path, two: list[Node]) -> None:
    sound = typed(project, VERIFY)
    assert (sound.returncode, sound.stderr) == (0, "")
    assert sound.stdout.splitlines() == [
        f"gpu-{number}: chat 1 is as its manifest says" for number in (1, 2)
    ]
    file = two[1].store / "chat" / "1" / "model.safetensors"
    file.write_bytes(b"x" * 300_000)
    bad = typed(project, VERIFY)
    assert bad.returncode == 1
    assert "gpu-2: chat 1 in" in bad.stdout
    assert "model.safetensors has sha256" in bad.stdout
    assert "gpu-1: chat 1 is as its manifest says" in bad.stdout
    first, second = typed(project, LIST).stdout.splitlines()[1:]
    assert first.rstrip().endswith(" verified")
    assert second.rstrip().endswith(" not verified")
    one = typed(project, f"{VERIFY} --limit gpu-1 --format json")
    assert one.returncode == 0
    assert json.loads(one.stdout)["versions"][0]["problem"] == ""


def test_what_is_missing_or_half_there_is_listed(project: Path, two: list[Node]) -> None:
    shutil.rmtree(two[0].store / "chat" / "1")
    half = two[1].store / "chat" / ".fetch-2"
    half.mkdir()
    (half / "part").write_bytes(b"x" * 4096)
    told = json.loads(typed(project, f"{LIST} --format json").stdout)
    states = [[(v["version"], v["state"]) for v in each["versions"]] for each in told["nodes"]]
    assert states == [[("1", "missing")], [("1", "verified"), ("2", "in part")]]
    done = typed(project, VERIFY)
    assert done.returncode == 1
    assert "gpu-1: chat 1 is not in" in done.stdout


def test_a_node_without_the_role_cannot_be_judged(project: Path, two: list[Node]) -> None:
    (two[1].folder / "lib" / "flightline" / "model-verify").unlink()
    done = typed(project, VERIFY)
    assert done.returncode == 2
    assert "gpu-2: chat 1 could not be judged: the role models has not been applied" in done.stdout


def test_a_node_out_of_reach_is_named(project: Path, two: list[Node]) -> None:
    two[1].sshd.stop()
    listed = typed(project, LIST)
    assert listed.returncode == 2
    assert "gpu-1" in listed.stdout
    assert re.search(r"^gpu-2: nothing answers", listed.stderr, re.MULTILINE)
    verified = typed(project, VERIFY)
    assert verified.returncode == 2
    assert "gpu-2: chat 1 could not be judged: nothing answers" in verified.stdout


def test_a_model_that_nobody_declares_is_refused(project: Path, two: list[Node]) -> None:
    assert two
    done = typed(project, f"{VERIFY} --model other")
    assert done.returncode == 2
    assert "no node declares other" in done.stderr
    done = typed(project, f"{VERIFY} --version 1")
    assert done.returncode == 2
    assert "--model" in done.stderr
