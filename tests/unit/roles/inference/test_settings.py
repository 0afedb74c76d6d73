"""What cannot work is refused where it is declared, in one sentence with the remedy."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.errors import SettingsError
from roles.inference.arguments import argument_problem
from roles.inference.engines import KINDS
from roles.inference.settings import InferenceSettings
from tests.unit.roles.inference.declared import DIGEST, IMAGE, engine

TODAY = datetime.date(2026, 11, 21)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_declared(kind: str) -> None:
    assert engine(kind).kind is KINDS[kind]


@pytest.mark.parametrize(
    ("kind", "values", "told"),
    [
        ("vllm", {"image": "registry.example.org/vllm:v1"}, "a tag may move; `skopeo inspect"),
        ("vllm", {"image": "vllm/vllm-openai"}, "REGISTRY/REPOSITORY@sha256:DIGEST"),
        ("vllm", {"image": f"vllm/vllm-openai@sha256:{DIGEST}"}, "REGISTRY/REPOSITORY"),
        ("vllm", {"image": f"{IMAGE}a"}, "REGISTRY/REPOSITORY@sha256:DIGEST"),
        ("vllm", {"name": "Chat"}, "name"),
        ("vllm", {"name": "chat;reboot"}, "name"),
        ("vllm", {"model": "../etc"}, "model"),
        ("vllm", {"model_file": "../../etc/shadow"}, "model_file"),
        ("vllm", {"program": "vllm --host 0.0.0.0"}, "program"),
        ("vllm", {"port": 80}, "port"),
        ("vllm", {"gpus": (0, 0)}, "each once"),
        ("vllm", {"gpus": (-1, 0)}, "from 0 up"),
        ("vllm", {"tensor_parallel": 4}, "4 x 1, expected the 2 GPUs"),
        ("vllm", {"pipeline_parallel": 3}, "expected the 2 GPUs"),
        ("vllm", {"gpus": (), "tensor_parallel": 2}, "name them in gpus"),
        ("vllm", {"gpus": (), "share_gpus": True}, "shares nothing"),
        ("vllm", {"memory_utilization": 1.0}, "memory_utilization"),
        ("vllm", {"context_tokens": 10**30}, "context_tokens"),
        ("vllm", {"concurrency_max": 10**30}, "concurrency_max"),
        ("vllm", {"aliases": ("a b",)}, "is no name"),
        ("vllm", {"aliases": ("tiny",)}, "keep one of each"),
        ("vllm", {"dtype": "bfloat16 --host"}, "dtype"),
        ("vllm", {"user": "root"}, "user"),
        ("vllm", {"grpc_port": 19_000, "side_port": 19_001}, "port 19001 is used twice"),
        ("vllm", {"grpc_port": 18_001}, "port 18001 is used twice"),
        ("vllm", {"nodes": ("gpu-1",)}, "two or more"),
        ("vllm", {"nodes": ("gpu-1", "gpu-1"), "tensor_parallel": 4}, "two or more, each once"),
        ("vllm", {"rdma": True}, "name them in nodes"),
        ("vllm", {"secret_files": {"hf": "token"}}, "absolute path of a file"),
        ("vllm", {"secret_files": {"hf": "/etc/../root/hf"}}, "has a part '..'"),
        ("vllm", {"program": "/usr/bin/./vllm"}, "has a part '.'; write the path out"),
        ("vllm", {"secret_files": {"a/b": "/etc/x"}}, "the name 'a/b'"),
        ("llamacpp", {"queue_max": 8}, "no option for queue_max"),
        ("llamacpp", {"dtype": "f16", "quantization": "q8"}, "no option for dtype, quantization"),
        ("llamacpp", {"pipeline_parallel": 2, "gpus": (0, 1)}, "no option for pipeline_parallel"),
        ("llamacpp", {"nodes": ("a", "b")}, "use vllm or sglang"),
        ("sglang", {"aliases": ("b",)}, "no option for aliases"),
        ("tensorrt_llm", {"gpus": ()}, "runs on GPUs alone"),
        ("tensorrt_llm", {"nodes": ("a", "b"), "tensor_parallel": 4}, "needs MPI to be started"),
        ("triton", {"grpc_port": 19_000}, "set grpc_port and side_port, or neither"),
        ("triton", {"context_tokens": 512}, "no option for context_tokens"),
        ("fastchat", {"side_port": None}, "the first of four"),
        ("fastchat", {"side_port": 17_998}, "port 18000 is used twice"),
        ("tgi", {"queue_max": 8}, "set concurrency_max too"),
        ("vllm", {"queue_max": 8}, "set concurrency_max too"),
        ("vllm", {"start_timeout_seconds": 1}, "start_timeout_seconds"),
        ("vllm", {"drain_seconds": 86_400}, "drain_seconds"),
        ("vllm", {"max_len": 3}, "no field max_len"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_it(
    kind: str, values: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError) as error:
        engine(kind, **values)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        ("vllm", "--host"),
        ("vllm", "--host=0.0.0.0"),
        ("vllm", "--ho=0.0.0.0"),
        ("vllm", "--api-key"),
        ("vllm", "--api_key=x"),
        ("vllm", "--ssl_keyfile"),
        ("vllm", "--uds"),
        ("vllm", "--config"),
        ("vllm", "--por"),
        ("vllm", "-tp"),
        ("vllm", "--tensor_parallel_size=8"),
        ("vllm", "--max-model-len"),
        ("sglang", "--admin-api-key"),
        ("sglang", "--tp"),
        ("llamacpp", "--host"),
        ("llamacpp", "--api-key-file"),
        ("llamacpp", "-c"),
        ("llamacpp", "-c4096"),
        ("llamacpp", "--ssl-key-file=x"),
        ("llamacpp", "-hf"),
        ("llamacpp", "--tools"),
        ("llamacpp", "--agent"),
        ("triton", "--http-address=0.0.0.0"),
        ("triton", "--grpc-address"),
        ("triton", "--openai-port"),
        ("tensorrt_llm", "--host"),
        ("tgi", "--hostname"),
        ("tgi", "-p8080"),
        ("vllm", "--seed\n--host"),
        ("vllm", "--seed=@version@"),
    ],
)
def test_what_would_expose_an_engine_or_undo_a_field_is_refused(kind: str, argument: str) -> None:
    with pytest.raises(SettingsError, match="extra_arguments"):
        engine(kind, extra_arguments=(argument, "x"))


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("vllm", ("--enable-prefix-caching", "--max-num-batched-tokens", "8192")),
        ("vllm", ("--hf-overrides.rope_theta", "10000", "-O3")),
        ("llamacpp", ("--flash-attn", "on", "-ub", "512", "--no-mmap", "--ui")),
        ("tgi", ("--max-batch-prefill-tokens", "8192")),
    ],
)
def test_other_arguments_pass(kind: str, arguments: tuple[str, ...]) -> None:
    declared = engine(kind, extra_arguments=arguments)
    assert declared.extra_arguments == arguments


OPTIONS = [
    (kind, option)
    for kind, known in KINDS.items()
    for option in known.owned
    if option.startswith("--")
]


@given(st.sampled_from(OPTIONS), st.integers(3, 40), st.booleans(), st.booleans())
def test_no_spelling_of_such_an_option_passes(
    which: tuple[str, str], length: int, underscores: bool, has_value: bool
) -> None:
    """As argparse reads it: shortened, with _ for -, with its value in the same word."""
    kind, option = which
    word = option[:length] if KINDS[kind].abbreviates else option
    spelled = f"--{word[2:].replace('-', '_')}" if underscores else word
    owned = KINDS[kind].owned
    told = argument_problem(
        owned, [f"{spelled}=x" if has_value else spelled], abbreviates=KINDS[kind].abbreviates
    )
    assert told is not None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("HF_TOKEN", "looks like a secret"),
        ("SITE_API_KEY", "looks like a secret"),
        ("DB_PASSWORD", "looks like a secret"),
        ("HF_HUB_OFFLINE", "the role's own"),
        ("VLLM_HOST_IP", "the role's own"),
        ("CUDA_VISIBLE_DEVICES", "the role's own"),
        ("LLAMA_ARG_HOST", "the role's own"),
        ("A B", "no variable"),
    ],
)
def test_a_variable_that_is_a_secret_or_the_roles_own_is_refused(name: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        engine("vllm", environment={name: "1"})


def test_a_limit_of_tokens_is_no_secret() -> None:
    assert engine("tgi", environment={"MAX_BATCH_TOKENS": "1"}).environment


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({}, "two services are called chat"),
        ({"name": "b", "port": 18_001}, "both use port 18001 (port, port"),
        ({"name": "b", "port": 17_999}, "both use port 18000"),
        ({"name": "b", "port": 18_010}, "both have GPU 0, 1"),
        ({"name": "b", "port": 18_010, "share_gpus": True}, "both have GPU 0, 1"),
    ],
)
def test_services_that_collide_are_refused(second: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as error:
        InferenceSettings(engines=(engine("vllm"), engine("vllm", **second)))
    assert told in str(error.value)


def test_gpus_are_shared_when_both_say_so() -> None:
    one = engine("vllm", share_gpus=True, memory_utilization=0.4)
    two = one.model_copy(update={"name": "b", "port": 18_010})
    assert InferenceSettings(engines=(one, two)).engines == (one, two)


@pytest.mark.parametrize("kind", ["tgi", "fastchat"])
def test_a_legacy_engine_is_warned_of_with_the_reason(kind: str) -> None:
    (warning,) = InferenceSettings(engines=(engine(kind),)).warnings(TODAY)
    assert warning.startswith(f"chat runs {kind}, which is legacy: ")


def test_the_others_are_not() -> None:
    assert not InferenceSettings(engines=(engine("vllm"),)).warnings(TODAY)


def test_requests_enter_a_spread_engine_at_its_first_node() -> None:
    assert engine("vllm").leader is None
    assert engine("vllm", nodes=("a", "b"), tensor_parallel=4).leader == "a"


def test_all_gpus_split_each_layer_unless_stages_are_declared() -> None:
    assert engine("vllm").tensor_degree == 2
    assert engine("vllm", pipeline_parallel=2).tensor_degree == 1
    assert engine("vllm", nodes=("a", "b"), pipeline_parallel=2).tensor_degree == 2
    assert engine("vllm", gpus=()).tensor_degree is None


def test_the_value_of_a_refused_argument_is_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        engine("vllm", extra_arguments=("--api-key=hunter2",))
    assert "extra_arguments has --api-key; --api-key is not to be set" in caught.value.message
    assert "hunter2" not in caught.value.message


def test_a_configuration_for_sizing_has_a_name() -> None:
    with pytest.raises(SettingsError, match="config_file is ''"):
        engine("vllm", config_file="")
