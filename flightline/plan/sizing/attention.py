"""Layers of a model by what they keep of the past: all of it, a window, or a state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from flightline.plan.sizing.config import Config
from flightline.plan.sizing.families import Family

_KINDS = {
    "full_attention": "full",
    "attention": "full",
    "sliding_attention": "sliding",
    "chunked_attention": "sliding",
    "linear_attention": "recurrent",
}
"""Names of transformers in layer_types."""


@dataclass(frozen=True)
class Layers:
    """How many layers are of each kind."""

    full: int
    """Keep keys and values of every token."""

    sliding: int = 0
    """Keep those of the last `window` tokens (or of their chunk of so many)."""

    window: int = 0
    recurrent: int = 0
    """Keep a state whose size does not depend on the context."""

    @property
    def total(self) -> int:
        """All layers."""
        return self.full + self.sliding + self.recurrent


@dataclass(frozen=True)
class Heads:
    """The heads of a layer with attention."""

    queries: int
    kv: int
    """Heads of keys and values: as many as queries (MHA), fewer (GQA), 1 (MQA)."""
    width: int
    """Numbers in one head."""
    latent: int = 0
    """Numbers that MLA keeps of a token in a layer (kv_lora_rank + qk_rope_head_dim); 0: no MLA."""

    @property
    def kept(self) -> int:
        """Numbers that one layer keeps of one token."""
        return self.latent or 2 * self.kv * self.width


@dataclass(frozen=True)
class Recurrence:
    """The state of one recurrent layer (gated delta net)."""

    key_heads: int
    key_width: int
    value_heads: int
    value_width: int
    kernel: int

    @property
    def channels(self) -> int:
        """Width of what the convolution before it sees."""
        return 2 * self.key_heads * self.key_width + self.value_heads * self.value_width

    @property
    def state(self) -> int:
        """Numbers that one layer keeps of one sequence."""
        matrix = self.value_heads * self.key_width * self.value_width
        return matrix + (self.kernel - 1) * self.channels


def heads(config: Config, family: Family, hidden: int) -> Heads:
    """Return the heads that config.json declares."""
    default = family.defaults.get
    queries = config.count("num_attention_heads", default=default("num_attention_heads"))
    if family.attention == "latent":
        latent = config.count("kv_lora_rank") + config.count("qk_rope_head_dim")
        return Heads(queries, queries, config.count("v_head_dim"), latent)
    kv = config.count("num_key_value_heads", default=default("num_key_value_heads", queries))
    if queries % kv:
        config.wrong.append(
            f"{config.part}num_key_value_heads is {kv}, expected a divisor of the {queries} heads"
        )
    if not config.has("head_dim") and default("head_dim") is None and hidden % queries:
        config.wrong.append(
            f"{config.part}num_attention_heads is {queries}, expected a divisor of hidden_size "
            f"{hidden}"
        )
    width = config.count("head_dim", default=default("head_dim", max(hidden // queries, 1)))
    return Heads(queries, kv, width)


def recurrence(config: Config) -> Recurrence:
    """Return what the recurrent layers keep."""
    return Recurrence(
        config.count("linear_num_key_heads"),
        config.count("linear_key_head_dim"),
        config.count("linear_num_value_heads"),
        config.count("linear_value_head_dim"),
        config.count("linear_conv_kernel_dim"),
    )


def layers(config: Config, family: Family, count: int) -> Layers:
    """Return the layers by kind: as layer_types says, else as the architecture has them."""
    listed = config.texts("layer_types")
    kinds = _listed(config, listed, count) if listed else Counter(_ruled(config, family, count))
    window = 0
    if kinds["sliding"]:
        default = family.defaults.get("sliding_window")
        window = config.count("sliding_window", "attention_chunk_size", default=default)
    return Layers(kinds["full"], kinds["sliding"], window, kinds["recurrent"])


def _listed(config: Config, listed: tuple[str, ...], count: int) -> Counter[str]:
    unknown = sorted(set(listed) - set(_KINDS))
    if unknown:
        config.wrong.append(
            f"{config.part}layer_types has {', '.join(unknown)[:100]}, which cannot be sized"
        )
    if len(listed) != count:
        config.wrong.append(
            f"{config.part}layer_types names {len(listed)} layers, expected the "
            f"{count} of num_hidden_layers"
        )
    return Counter(_KINDS.get(each, "full") for each in listed)


def _ruled(config: Config, family: Family, count: int) -> Iterator[str]:
    """Yield the kind of each layer of an architecture whose config.json does not list them."""
    rule = family.windows
    every = _interval(config, family)
    first = count
    if rule == "from-layer" and config.flag("use_sliding_window", False):
        first = config.count("max_window_layers", least=0)
    slides = rule != "all" or config.has("sliding_window")
    other = "recurrent" if family.has_recurrent else "sliding"
    for place in range(count):
        is_full = {
            "none": True,
            "all": not slides,
            "even": place % 2 == 1,
            "from-layer": place < first,
            "pattern": (place + 1) % every == 0,
            "three-of-four": (place + 1) % every == 0,
        }[rule]
        yield "full" if is_full else other


def _interval(config: Config, family: Family) -> int:
    """Each so-manieth layer is full."""
    if family.windows == "pattern":
        default = family.defaults.get("sliding_window_pattern")
        return config.count("sliding_window_pattern", default=default)
    return config.count("full_attention_interval", default=4)
