from __future__ import annotations

from typing import Any

import pytest

from flightline import catalog
from flightline.plan.sizing import shape
from flightline.plan.sizing.config import Config


@pytest.mark.parametrize("name", [each.id for each in catalog.models()])
def test_the_count_is_the_published_one(name: str) -> None:
    published = catalog.model(name)
    counted = shape.of(Config(published.config, name)).parameters.total
    assert counted == pytest.approx(published.parameters, rel=0.01)


@pytest.mark.parametrize(
    "name",
    [each.id for each in catalog.models() if each.id != "llama-4-scout"],
)
def test_text_models_are_counted_to_the_last_parameter(name: str) -> None:
    published = catalog.model(name)
    assert shape.of(Config(published.config, name)).parameters.total == published.parameters


OTHERS: dict[str, tuple[int, dict[str, Any]]] = {
    # published counts of models that the catalog does not have, by their config.json
    "microsoft/Phi-3-mini-4k-instruct": (
        3_821_079_552,
        {"model_type": "phi3", "hidden_size": 3072, "num_hidden_layers": 32,
         "num_attention_heads": 32, "num_key_value_heads": 32, "intermediate_size": 8192,
         "vocab_size": 32_064, "sliding_window": 2047},
    ),
    "microsoft/phi-4": (
        14_659_507_200,
        {"model_type": "phi3", "hidden_size": 5120, "num_hidden_layers": 40,
         "num_attention_heads": 40, "num_key_value_heads": 10, "intermediate_size": 17_920,
         "vocab_size": 100_352},
    ),
    "google/gemma-7b": (
        8_537_680_896,
        {"model_type": "gemma", "hidden_size": 3072, "num_hidden_layers": 28,
         "num_attention_heads": 16, "num_key_value_heads": 16, "intermediate_size": 24_576,
         "vocab_size": 256_000},
    ),
    "Qwen/Qwen1.5-MoE-A2.7B": (
        14_315_784_192,
        {"model_type": "qwen2_moe", "hidden_size": 2048, "num_hidden_layers": 24,
         "num_attention_heads": 16, "num_key_value_heads": 16, "intermediate_size": 5632,
         "moe_intermediate_size": 1408, "shared_expert_intermediate_size": 5632,
         "num_experts": 60, "decoder_sparse_step": 1, "vocab_size": 151_936},
    ),
    "deepseek-ai/DeepSeek-V2-Lite": (
        15_706_484_224,
        {"model_type": "deepseek_v2", "hidden_size": 2048, "num_hidden_layers": 27,
         "num_attention_heads": 16, "q_lora_rank": None, "kv_lora_rank": 512,
         "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
         "intermediate_size": 10_944, "moe_intermediate_size": 1408, "n_routed_experts": 64,
         "n_shared_experts": 2, "first_k_dense_replace": 1, "vocab_size": 102_400},
    ),
    "meta-llama/Llama-3.2-1B": (
        1_235_814_400,
        {"model_type": "llama", "hidden_size": 2048, "num_hidden_layers": 16,
         "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 8192,
         "vocab_size": 128_256, "tie_word_embeddings": True},
    ),
    "Qwen/Qwen2.5-VL-7B-Instruct": (
        8_292_166_656,
        {"model_type": "qwen2_5_vl", "hidden_size": 3584, "num_hidden_layers": 28,
         "num_attention_heads": 28, "num_key_value_heads": 4, "intermediate_size": 18_944,
         "vocab_size": 152_064,
         "vision_config": {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420,
                           "patch_size": 14, "spatial_merge_size": 2}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(OTHERS))
def test_the_count_of_other_architectures_is_the_published_one(name: str) -> None:
    published, config = OTHERS[name]
    counted = shape.of(Config({"torch_dtype": "bfloat16", **config}, name)).parameters.total
    assert counted == pytest.approx(published, rel=0.001)


def test_a_tied_output_is_not_counted_twice() -> None:
    config = catalog.model("qwen2.5-1.5b").config
    tied = shape.of(Config(config, "tied")).parameters
    free = shape.of(Config({**config, "tie_word_embeddings": False}, "free")).parameters
    assert tied.head == 0
    assert free.total - tied.total == 151_936 * 1536


def test_shared_experts_are_counted_beside_the_routed_ones() -> None:
    config = catalog.model("deepseek-v3").config
    without = Config({**config, "n_shared_experts": 0}, "without")
    whole = shape.of(Config(config, "whole")).parameters.total
    # 58 layers have experts; a shared one has three matrices of 7168 x 2048
    assert whole - shape.of(without).parameters.total == 58 * 3 * 7168 * 2048


def test_experts_are_nearly_all_of_a_mixture() -> None:
    parts = shape.of(Config(catalog.model("mixtral-8x7b").config, "mixtral")).parameters
    assert parts.experts == 32 * 8 * 3 * 4096 * 14336
    assert parts.mlp == 0


def test_a_vision_tower_is_counted() -> None:
    config = catalog.model("gemma-3-27b").config
    text = {**config["text_config"], "model_type": "gemma3_text"}
    whole = shape.of(Config(config, "whole")).parameters
    assert whole.total - shape.of(Config(text, "text")).parameters.total == whole.vision
    assert whole.vision == 423_060_336  # the published 27.43 B less the text model's 27.01 B


def test_dense_layers_before_the_experts_are_told_apart() -> None:
    widths = shape.of(Config(catalog.model("deepseek-v3").config, "v3")).widths
    assert (widths.dense_layers, widths.expert_layers) == (3, 58)
