"""Rules between roles end a run before the first connection, for both commands."""

from __future__ import annotations

from typing import Any

SETTINGS = """
from types import SimpleNamespace

engine = SimpleNamespace(
    name="chat", engine="vllm", model="llama-3.1-8b", aliases=(), port=8100, grpc_port=None,
    side_port=None, gpus=(0,), nodes=(), leader=None, share_gpus=False, tensor_parallel=None,
    pipeline_parallel=None, context_tokens=4096, concurrency_max=None, dtype=None,
    quantization=None, kv_cache_dtype=None, memory_utilization=None, config_file=None,
)
inference = SimpleNamespace(engines=(engine,), store="/srv/models")
models = SimpleNamespace(models=(SimpleNamespace(name="{model}"),), store="/srv/models")
gateway = SimpleNamespace(enabled={gateway}, public=True, port=8443, metrics_port=8405)
pki = SimpleNamespace(enabled=True)
"""
UNREACHABLE = {"ssh_hostname": "127.0.0.1", "ssh_port": 1}


def declare(project: Any, model: str, gateway: bool = True) -> None:
    project.inventory(a=UNREACHABLE, b=UNREACHABLE)
    text = SETTINGS.replace("{model}", model).replace("{gateway}", str(gateway))
    project.write("group_data/gpu.py", text)


def test_flightline_refuses_before_it_connects(project: Any) -> None:
    declare(project, "mistral-7b")
    done = project.flightline("plan", "inventories/here.py")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "a, b: chat serves llama-3.1-8b, which is not among ModelsSettings.models" in line


def test_plain_pyinfra_refuses_too(project: Any) -> None:
    declare(project, "mistral-7b")
    done = project.pyinfra("inventories/here.py", "deploy.py", "--dry")
    assert done.returncode != 0
    assert "which is not among ModelsSettings.models" in done.stderr


def test_what_is_unwise_and_what_a_switch_would_do_is_told(project: Any) -> None:
    declare(project, "llama-3.1-8b", gateway=False)
    done = project.flightline("plan", "inventories/here.py", "--settings-only")
    assert done.returncode == 0
    assert "warning: a, b: engines are declared, and no node of the inventory is a" in done.stderr
    assert "warning: a, b: chat: whether it fits is not judged: the node's GPU" in done.stderr
    assert "note: a, b: chat: old and new version cannot stand side by side" in done.stderr


def test_a_limit_still_sees_the_whole_fleet(project: Any) -> None:
    declare(project, "llama-3.1-8b", gateway=False)
    project.write("group_data/front.py", "from types import SimpleNamespace\n"
        "gateway = SimpleNamespace(enabled=True, public=True, port=8443, metrics_port=8405)\n"
        "inference = SimpleNamespace(engines=(), store='/srv/models')\n")  # fmt: skip
    path = project.folder / "inventories" / "here.py"
    path.write_text(path.read_text() + f"front = [('gw', {UNREACHABLE!r})]\n")
    limited = ("plan", "inventories/here.py", "--limit", "a")
    done = project.flightline(*limited)
    assert done.returncode == 2
    assert "a: the gateway on gw must reach its engines" in done.stderr
