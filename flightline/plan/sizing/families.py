"""How known architectures are built, where their config.json is silent.

Source of each: transformers' modeling_<model_type>.py and configuration_<model_type>.py, from
knowledge of them (2026-11-21). The parameters counted with it equal the published counts (tests).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Windows = Literal["none", "all", "even", "pattern", "from-layer", "three-of-four"]


@dataclass(frozen=True)
class Family:
    """What one architecture has that another has not."""

    attention: Literal["heads", "latent"] = "heads"
    """heads: keys and values per head (MHA, GQA). latent: MLA."""

    windows: Windows = "none"
    """Which layers slide where config.json has no layer_types. none: none. all: every layer, if
    there is a sliding_window. even: every other, from the first. pattern: all but each
    sliding_window_pattern-th. from-layer: from max_window_layers on, if use_sliding_window.
    three-of-four: all but each fourth (chunked or recurrent)."""

    mlp_matrices: Literal[2, 3] = 3
    """3: gate, up and down; 2: up and down."""

    norms: int = 2
    """Norms of a layer, each as wide as the model."""

    has_norm_bias: bool = False
    qkv_bias: bool = False
    """Default of attention_bias for query, key and value."""
    output_bias: bool = False
    mlp_bias: bool = False
    qk_norm: Literal["none", "head", "all"] = "none"
    """head: a norm as wide as one head, for queries and for keys. all: as wide as all heads."""

    has_sinks: bool = False
    """One learned number a head (gpt-oss)."""

    has_output_gate: bool = False
    """Queries come with a gate as wide as they are (Qwen3-Next)."""

    tied: bool = False
    """transformers' default of tie_word_embeddings."""

    learned_positions: int | None = None
    """Extra rows of a learned table of positions (OPT: 2); None: rotary."""

    moe: Literal["none", "all", "after-dense", "sparse-step", "interleaved"] = "none"
    """Which layers have experts. all: every one. after-dense: from first_k_dense_replace on, each
    moe_layer_freq-th. sparse-step: each decoder_sparse_step-th, without mlp_only_layers.
    interleaved: each interleave_moe_layer_step-th."""

    has_expert_bias: bool = False
    """Biases in experts and router (gpt-oss)."""

    has_router_correction: bool = False
    """One number an expert beside the router (DeepSeek-V3)."""

    shared: Literal["none", "count", "width", "one"] = "none"
    """Shared experts. count: n_shared_experts of the routed ones' width. width:
    shared_expert_intermediate_size, with a gate. one: one as wide as a routed one (Llama 4)."""

    has_recurrent: bool = False
    """Layers that do not slide and are not full keep a state of constant size."""

    has_stretched_positions: bool = False
    """max_position_embeddings counts rope_scaling already (Gemma 3)."""

    defaults: Mapping[str, int] = field(default_factory=dict)
    """What transformers fills in where config.json has no value."""


_QWEN2 = Family(windows="from-layer", qkv_bias=True)
_QWEN3 = Family(windows="from-layer", qk_norm="head", defaults={"head_dim": 128})
_DEEPSEEK = Family(attention="latent", moe="after-dense", shared="count")
_GEMMA3 = Family(
    windows="pattern",
    norms=4,
    qk_norm="head",
    tied=True,
    has_stretched_positions=True,
    defaults={
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 262_208,
        "sliding_window": 4096,
        "sliding_window_pattern": 6,
        "max_position_embeddings": 131_072,
    },
)

FAMILIES: Mapping[str, Family] = {
    "llama": Family(),
    "mistral": Family(windows="all"),
    "mixtral": Family(windows="all", moe="all"),
    "phi3": Family(windows="all"),
    "opt": Family(
        mlp_matrices=2,
        has_norm_bias=True,
        qkv_bias=True,
        output_bias=True,
        mlp_bias=True,
        tied=True,
        learned_positions=2,
    ),
    "qwen2": _QWEN2,
    "qwen2_5_vl": _QWEN2,
    "qwen2_5_vl_text": _QWEN2,
    "qwen2_moe": Family(windows="from-layer", qkv_bias=True, moe="sparse-step", shared="width"),
    "qwen3": _QWEN3,
    "qwen3_moe": Family(windows="from-layer", qk_norm="head", moe="sparse-step"),
    "qwen3_next": Family(
        windows="three-of-four",
        qk_norm="head",
        moe="sparse-step",
        shared="width",
        has_output_gate=True,
        has_recurrent=True,
        defaults={"full_attention_interval": 4, "head_dim": 256},
    ),
    "gemma": Family(tied=True, defaults={"head_dim": 256}),
    "gemma2": Family(windows="even", norms=4, tied=True, defaults={"head_dim": 256}),
    "gemma3_text": _GEMMA3,
    "gpt_oss": Family(
        windows="even",
        qkv_bias=True,
        output_bias=True,
        has_sinks=True,
        moe="all",
        has_expert_bias=True,
        defaults={"head_dim": 64},
    ),
    "deepseek_v2": _DEEPSEEK,
    "deepseek_v3": Family(
        attention="latent", moe="after-dense", shared="count", has_router_correction=True
    ),
    "kimi_k2": Family(
        attention="latent", moe="after-dense", shared="count", has_router_correction=True
    ),
    "llama4_text": Family(windows="three-of-four", moe="interleaved", shared="one"),
}
"""By model_type."""

WRAPPERS: Mapping[str, Literal[2, 3]] = {
    "gemma3": 2,
    "llava": 2,
    "llama4": 2,
    "mistral3": 3,
    "qwen2_5_vl": 3,
}
"""Multimodal models with text_config and vision_config: matrices of the vision tower's MLP."""
