"""What each kind of engine is told, compared with golden files, and scripts read by shells.

`FLIGHTLINE_GOLDEN=write pytest tests/render/inference` writes the golden files anew; read the diff.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flightline.operations.bundle import Directory, File
from flightline.serving import state
from roles.inference import files, scripts
from roles.inference.facts import Serving
from roles.inference.settings import EngineSettings, InferenceSettings
from roles.inference.wanted import wanted
from tests.unit.roles.inference.declared import engine

GOLDEN = Path(__file__).parent / "golden"
PAIR: dict[str, Any] = {"nodes": ("gpu-1", "gpu-2"), "tensor_parallel": 2, "pipeline_parallel": 2}
ADDRESSES = {"gpu-1": "10.9.0.1", "gpu-2": "10.9.0.2"}
FULL: dict[str, Any] = {
    "aliases": ("small", "tiny/chat"),
    "context_tokens": 32_768,
    "concurrency_max": 64,
    "queue_max": 128,
    "dtype": "bfloat16",
    "quantization": "fp8",
    "kv_cache_dtype": "fp8",
    "memory_utilization": 0.42,
    "tensor_parallel": 2,
    "extra_arguments": ("--max-num-batched-tokens", "8192"),
    "environment": {"NCCL_DEBUG": "WARN"},
    "secret_files": {"hf": "/etc/site/hf"},
    "user": "2000:2000",
    "read_only_root": True,
    "shm_gib": 32,
    "drain_seconds": 300,
}
_SGLANG = {
    name: value for name, value in FULL.items() if name not in ("aliases", "extra_arguments")
}
CASES: dict[str, tuple[str, EngineSettings]] = {
    "vllm": ("gpu-1", engine("vllm")),
    "vllm-full": ("gpu-1", engine("vllm", **FULL)),
    "vllm-leader": ("gpu-1", engine("vllm", **PAIR, rdma=True)),
    "vllm-follower": ("gpu-2", engine("vllm", **PAIR, rdma=True)),
    "sglang": ("gpu-1", engine("sglang")),
    "sglang-full": ("gpu-1", engine("sglang", **_SGLANG)),
    "sglang-follower": ("gpu-2", engine("sglang", **PAIR)),
    "llamacpp-cpu": ("gpu-1", engine()),
    "llamacpp-gpu": (
        "gpu-1",
        engine(
            gpus=(3,),
            aliases=("small",),
            model_file="q4/tiny.gguf",
            context_tokens=4096,
            concurrency_max=8,
            kv_cache_dtype="q8_0",
            program="/usr/bin/llama-server",
        ),
    ),
    "triton-openai": (
        "gpu-1",
        engine("triton", tokenizer="tiny/1/hf", grpc_port=19_000, side_port=20_000),
    ),
    "triton-kserve": (
        "gpu-1",
        engine("triton", frontend="kserve", grpc_port=19_000, side_port=20_000),
    ),
    "tensorrt_llm": (
        "gpu-1",
        engine("tensorrt_llm", context_tokens=8192, concurrency_max=32, memory_utilization=0.8),
    ),
    "tgi": ("gpu-1", engine("tgi", context_tokens=8192, concurrency_max=32, queue_max=64)),
    "fastchat": ("gpu-1", engine("fastchat", gpus=(0,), aliases=("small",))),
}
PROGRAMS = (files.RUN, files.SLOT)


def shown(name: str) -> str:
    node, declared = CASES[name]
    injection: Any = "runtime" if name == "llamacpp-gpu" else "cdi"
    settings = InferenceSettings(engines=(declared,), gpu_injection=injection)
    target = wanted(settings, Serving(True, "28.5.1", {}), {"tiny": "1"}, node, ADDRESSES.get)
    parts = []
    for item in files.items(target):
        if "/chat" not in item.path or (item.path.endswith("chat-b/docker") and name != "vllm"):
            continue
        match item:
            case File():
                parts.append(f"==> {item.path} {item.mode}\n{item.content}")
            case Directory():
                parts.append(f"==> {item.path}/ {item.mode} {item.owner}:{item.group}\n")
    return "".join(parts)


@pytest.mark.parametrize("name", CASES)
def test_files_are_the_golden_ones(name: str) -> None:
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("FLIGHTLINE_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(shown(name))
    assert shown(name) == golden.read_text()


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("path", PROGRAMS)
def test_programs_are_good_shell(path: str, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    command = ["busybox", "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(
        [*command, "-n"],
        input=files.text(path),
        text=True,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def commands() -> dict[str, str]:
    settings = InferenceSettings(engines=(engine(),))
    target = wanted(settings, Serving(True, "28", {}), {"tiny": "1"}, "gpu-1", ADDRESSES.get)
    return {
        "pull": scripts.pull(settings, ("r.example.org/a@sha256:0", "r.example.org/b@sha256:1")),
        "start": scripts.start(target.slots),
        "restart": scripts.restart(target.slots[0]),
        "stop": scripts.stop(("chat-b",)),
        "remove": scripts.remove("chat"),
        "node": Path("roles/inference/node.sh").read_text(),
        **{path.rpartition("/")[2]: files.text(path) for path in PROGRAMS},
    }


@pytest.mark.parametrize("name", commands())
def test_shellcheck_finds_nothing(name: str) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    command = ["shellcheck", "-s", "sh", "-e", "SC2015", "-"]
    done = subprocess.run(
        command, input=commands()[name], text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "flightline-engine@chat-a.service"
    text = files.text(files.UNIT)
    unit.write_text(text.replace("/usr/local/lib/flightline/engine-run", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], text=True, capture_output=True, check=False
    )
    about = [line for line in done.stderr.splitlines() if "flightline" in line]
    assert (done.returncode, about) == (0, [])


def test_a_fresh_service_gets_a_state_and_one_that_serves_keeps_its_own() -> None:
    settings = InferenceSettings(engines=(engine(),))
    fresh = wanted(settings, Serving(True, "28", {}), {"tiny": "1"}, "gpu-1", ADDRESSES.get)
    path = "/var/lib/flightline/serving/chat.json"
    (held,) = (item for item in files.items(fresh) if item.path == path)
    assert isinstance(held, File)
    assert state.loads(held.content, path) == state.fresh("tiny", "1")
    switched = {"chat": state.ServiceState(model="tiny", active="b", b="2")}
    later = wanted(settings, Serving(True, "28", switched), {"tiny": "1"}, "gpu-1", ADDRESSES.get)
    assert path not in [item.path for item in files.items(later)]
    assert [slot.name for slot in later.running] == ["chat-b"]
