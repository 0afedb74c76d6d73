from __future__ import annotations

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
