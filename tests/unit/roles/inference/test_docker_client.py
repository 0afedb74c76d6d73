"""Docker's own client takes what the role writes, and shows what the role's scripts ask.

The client is real, the daemon behind it keeps what it is asked: what arrives there is what Docker
understood of the arguments.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roles.inference import evidence, facts
from roles.inference.container import Slot, command, declaration, docker_arguments, place
from roles.inference.records import Container
from roles.inference.settings import EngineSettings, InferenceSettings
from tests.unit.roles.inference.declared import IMAGE, NEEDS, engine
from tests.unit.roles.inference.docker_api import Daemon, daemon

pytestmark = pytest.mark.skipif(
    not shutil.which("docker"), reason="Docker's client is not installed (package docker.io)"
)
GIB = 1024**3


@pytest.fixture
def docker() -> Iterator[Daemon]:
    # a socket's path has 107 bytes at most
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, daemon(Path(folder) / "s") as server:
        yield server


def slot_of(declared: EngineSettings, **node: Any) -> Slot:
    settings = InferenceSettings(engines=(declared,), **node)
    return Slot(settings, declared, "a", place(declared, "a"))


def make(server: Daemon, slot: Slot) -> tuple[str, dict[str, Any]]:
    arguments = [line.replace("@version@", "7") for line in docker_arguments(slot)]
    done = subprocess.run(
        ["docker", "run", "--detach", *arguments],
        env=surroundings(server),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return server.made[-1]


def surroundings(server: Daemon, *programs: Path) -> dict[str, str]:
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    return {"DOCKER_HOST": f"unix://{server.server_address!s}", "PATH": path, "HOME": "/nowhere"}


@pytest.mark.parametrize("kind", NEEDS)
def test_docker_takes_every_kinds_arguments(kind: str, docker: Daemon) -> None:
    slot = slot_of(engine(kind))
    name, body = make(docker, slot)
    host = body["HostConfig"]
    assert name == "flightline-chat-a"
    assert body["Image"] == IMAGE
    assert [*body["Entrypoint"], *body["Cmd"]] == command(slot)
    assert body["Labels"]["flightline.version"] == "7"
    assert body["Labels"]["flightline.declaration"] == declaration(slot)
    assert host["NetworkMode"] == "host"
    assert host["RestartPolicy"]["Name"] == "no"
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["ShmSize"] == 16 * GIB
    assert host["LogConfig"] == {"Type": "local", "Config": {"max-size": "50m", "max-file": "5"}}
    assert {each["Name"]: each["Hard"] for each in host["Ulimits"]} == {
        "memlock": -1,
        "stack": 67_108_864,
        "nofile": 65_536,
    }
    mounts = {each["Target"]: each for each in host["Mounts"]}
    assert mounts["/model"]["Source"] == "/srv/models/tiny/7"
    assert mounts["/model"]["ReadOnly"] is True
    assert not host.get("Privileged")
    assert not host.get("PortBindings")


def test_gpus_come_by_cdi(docker: Daemon) -> None:
    _, body = make(docker, slot_of(engine("vllm", gpus=(2, 5))))
    (request,) = body["HostConfig"]["DeviceRequests"]
    assert request["Driver"] == "cdi"
    assert request["DeviceIDs"] == ["nvidia.com/gpu=2", "nvidia.com/gpu=5"]
    assert "NVIDIA_VISIBLE_DEVICES=void" in body["Env"]


def test_gpus_come_by_the_runtime_where_docker_is_older(docker: Daemon) -> None:
    _, body = make(docker, slot_of(engine("vllm", gpus=(2, 5)), gpu_injection="runtime"))
    assert body["HostConfig"]["Runtime"] == "nvidia"
    assert not body["HostConfig"]["DeviceRequests"]
    assert "NVIDIA_VISIBLE_DEVICES=2,5" in body["Env"]


def test_a_container_can_be_read_only_with_a_folder_to_compile_in(docker: Daemon) -> None:
    _, body = make(docker, slot_of(engine()))
    assert body["HostConfig"]["ReadonlyRootfs"] is True
    assert body["HostConfig"]["Tmpfs"] == {"/tmp": "rw,exec,nosuid,nodev"}
    assert body["User"] == "65534:65534"


def shown(body: dict[str, Any]) -> dict[str, Any]:
    """What `docker inspect` shows of what was made."""
    mounts = [
        {"Source": each["Source"], "Destination": each["Target"], "RW": not each.get("ReadOnly")}
        for each in body["HostConfig"]["Mounts"]
    ]
    config = {name: body[name] for name in ("Image", "Env", "Entrypoint", "Cmd", "Labels", "User")}
    return {
        "Id": "c" * 64,
        "Name": "/flightline-chat-a",
        "Image": "sha256:1",
        "State": {"Running": True, "Pid": os.getpid(), "OOMKilled": False, "ExitCode": 0},
        "HostConfig": body["HostConfig"],
        "Config": config,
        "Mounts": mounts,
    }


FOREIGN = {
    "Id": "d" * 64,
    "Name": "/training",
    "Image": "sha256:9",
    "State": {"Running": True, "Pid": 4, "OOMKilled": False},
    "HostConfig": {"DeviceRequests": None, "Runtime": "nvidia"},
    "Config": {
        "Labels": None,
        "Env": ["NVIDIA_VISIBLE_DEVICES=1", "WANDB_API_KEY=hunter2"],
        "Entrypoint": None,
        "Cmd": ["python3", "--password", "hunter3"],
    },
    "Mounts": [],
}


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    stand_ins = {
        "systemctl": "#!/bin/sh\ncase $1 in list-units) ;; show) echo NRestarts=0 ;; esac\n",
        "ss": "#!/bin/sh\necho 'LISTEN 0 9 127.0.0.1:18000 0.0.0.0:*'\n"
        "echo 'LISTEN 0 9 0.0.0.0:22 0.0.0.0:*'\n",
        "curl": '#!/bin/sh\ncase "$*" in *http_code*:18000/*) printf 200 ;; *http_code*) '
        'printf 000; exit 7 ;; *) echo \'{"data": [{"id": "tiny"}]}\' ;; esac\n',
    }
    for name, text in stand_ins.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def printed(server: Daemon, script: str, *programs: Path) -> str:
    done = subprocess.run(
        ["dash", "-c", script],
        env=surroundings(server, *programs),
        text=True,
        capture_output=True,
        check=True,
    )
    return done.stdout


def test_the_audits_script_says_what_docker_shows_and_no_secret(
    docker: Daemon, programs: Path
) -> None:
    slot = slot_of(engine("vllm", extra_arguments=("--max-num-batched-tokens", "8192")))
    _, body = make(docker, slot)
    body["Env"] += ["HF_TOKEN=hunter1", "PATH=/bin"]
    body["Cmd"] += ["--api-key", "hunter4", "--hf-token=hunter5"]
    docker.containers = {"flightline-chat-a": shown(body), "training": FOREIGN}
    docker.images = {IMAGE: {"Id": "sha256:1"}}
    text = printed(docker, evidence.script(slot.node), programs)
    found = evidence.parse_live(text)
    assert "hunter" not in text
    ours, foreign = sorted(found.containers, key=lambda each: each.name)
    assert ours.version == "7"
    assert ours.gpus == {"0", "1"}
    assert ours.arguments == (
        *command(slot), "--api-key", "(hidden)", "--hf-token=(hidden)",
    )  # fmt: skip
    assert ours.environment["HF_HUB_OFFLINE"] == "1"
    assert ours.environment["HF_TOKEN"] == ""
    assert foreign == Container("training", "", True, frozenset({"1"}), environment={
        "NVIDIA_VISIBLE_DEVICES": "1"
    })  # fmt: skip
    assert found.images == {IMAGE: "sha256:1"}
    assert found.listening == ("127.0.0.1:18000",)
    assert found.health == {"chat-a": "200", "chat-b": "000"}
    assert found.models == {"chat-a": ("tiny",)}
    assert set(found.processes) == {("chat-a", each) for each in ("memlock", "shm", "gpus")}


def test_the_roles_question_is_answered_by_docker(docker: Daemon, programs: Path) -> None:
    slot = slot_of(engine())
    _, body = make(docker, slot)
    docker.containers = {"flightline-chat-a": shown(body)}
    docker.images = {IMAGE: {"Id": "sha256:1"}}
    other = IMAGE.replace("a@", "b@")
    text = printed(docker, facts.Node().command((IMAGE, other)), programs)
    found = facts.parse_serving(text.splitlines())
    assert found.docker == "28.5.1"
    assert found.containers == {"chat-a": facts.Running(True, declaration(slot), "7")}
    assert found.images == {IMAGE}
    assert not found.states


def test_half_an_answer_is_none() -> None:
    with pytest.raises(ValueError, match="cut short"):
        evidence.parse_live("docker here\n")


def test_without_dockerd_containers_are_unknown_and_the_rest_is_told() -> None:
    found = evidence.parse_live("listens 127.0.0.1:1\ndocker away\nend\n")
    assert (found.has_docker, found.listening) == (False, ("127.0.0.1:1",))
