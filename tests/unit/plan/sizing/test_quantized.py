from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flightline.errors import FlightlineError
from flightline.plan.sizing import quantized, weights
from flightline.plan.sizing.config import Config
from flightline.plan.sizing.shape import ModelShape

MakeShape = Callable[..., ModelShape]


def compressed(**weights: Any) -> dict[str, Any]:
    return {
        "quant_method": "compressed-tensors",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
        "ignore": ["lm_head"],
    }


@pytest.mark.parametrize(
    ("declared", "name", "bits"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, "int4", 4 + 20 / 128),
        ({"quant_method": "gptq", "bits": 4, "group_size": 32}, "int4", 4 + 20 / 32),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, "int8", 8),
        ({"quant_method": "awq", "w_bit": 4, "q_group_size": 64}, "int4", 4 + 20 / 64),
        ({"quant_method": "fp8"}, "fp8", 8),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8", 8 + 32 / 16384),
        ({"quant_method": "mxfp4"}, "mxfp4", 4.25),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "nf4", 4.5),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "int8", 8),
        (compressed(num_bits=4, type="int", group_size=128, symmetric=True), "int4", 4 + 16 / 128),
        (compressed(num_bits=8, type="float", strategy="channel"), "fp8", 8),
        (compressed(num_bits=4, type="float", group_size=16), "fp4", 4.5),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "fp4", 4.5),
        ({"quant_algo": "FP8"}, "fp8", 8),
    ],
)
def test_a_checkpoint_s_bits_count_its_scales(
    declared: dict[str, Any], name: str, bits: float
) -> None:
    found = quantized.of(Config(declared, "config.json", "quantization_config."))
    assert found.name == name
    assert found.bits == pytest.approx(bits, abs=1e-9)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"quant_method": "aqlm"}, "quant_method is 'aqlm', whose bits are unknown"),
        ({"quant_method": "modelopt", "quant_algo": "X"}, "quant_algo is 'X'"),
        ({"quant_method": "compressed-tensors"}, "config_groups has no weights"),
    ],
)
def test_a_method_whose_bits_are_unknown_is_refused(
    declared: dict[str, Any], expected: str
) -> None:
    with pytest.raises(FlightlineError, match=expected):
        quantized.of(Config(declared, "config.json", "quantization_config."))


@pytest.mark.parametrize(
    ("name", "declared", "gigabytes"),
    [
        # GB of the files of TheBloke's 70B AWQ checkpoints and of Qwen2.5-7B-Instruct-AWQ, the
        # latter from memory
        ("llama-2-70b", {"quant_method": "awq", "bits": 4, "group_size": 128}, 36.61),
        ("qwen2.5-7b", {"quant_method": "awq", "bits": 4, "group_size": 128}, 5.57),
    ],
)
def test_a_checkpoint_weighs_what_its_files_weigh(
    model: MakeShape, name: str, declared: dict[str, Any], gigabytes: float
) -> None:
    shape = model(name, quantization_config=declared)
    assert shape.is_quantized
    assert weights.of(shape, shape.format).total / 1e9 == pytest.approx(gigabytes, rel=0.005)


def test_a_cache_with_scales_is_counted_in_8_bits(model: MakeShape) -> None:
    declared = {**compressed(num_bits=8, type="float"), "kv_cache_scheme": {"num_bits": 8}}
    assert model("llama-3.1-8b", quantization_config=declared).cache_bits == 8
    assert model("llama-3.1-8b").cache_bits is None
