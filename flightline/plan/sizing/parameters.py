"""Parameters of a model, counted from its shape: matrices, biases, norms."""

from __future__ import annotations

from dataclasses import dataclass

from flightline.plan.sizing.attention import Heads, Layers, Recurrence
from flightline.plan.sizing.config import Config
from flightline.plan.sizing.families import Family


@dataclass(frozen=True)
class Parameters:
    """Numbers of parameters by where they are: each part is stored and divided in its own way."""

    embedding: int
    """Table of the vocabulary, and learned positions."""
    head: int
    """Output matrix; 0 where it is the embedding (tied)."""
    attention: int
    """Matrices of queries and outputs, and of recurrent layers."""
    keys_values: int
    """Matrices of keys and values: copied where more GPUs than KV heads share a layer."""
    latent: int
    """MLA's matrices into the latent space: every GPU has all of them."""
    mlp: int
    """Dense MLPs and shared experts."""
    experts: int
    """Routed experts."""
    small: int
    """Norms, biases, routers: never quantised."""
    vision: int = 0
    """Vision tower and what joins it to the text model."""

    @property
    def total(self) -> int:
        """All parameters."""
        return self.linear + self.embedding + self.head + self.small + self.vision

    @property
    def linear(self) -> int:
        """Those of the layers' matrices: what quantisation makes smaller."""
        return self.attention + self.keys_values + self.latent + self.mlp + self.experts


@dataclass(frozen=True)
class Widths:
    """Widths of MLPs, and how many experts there are."""

    dense: int
    dense_layers: int
    expert: int = 0
    expert_layers: int = 0
    experts: int = 0
    shared: int = 0
    """Width of the shared experts of a layer together; 0 for none."""

    @property
    def divided(self) -> tuple[int, ...]:
        """Widths that a tensor parallel degree divides."""
        widths = (
            self.dense if self.dense_layers else 0,
            self.expert if self.expert_layers else 0,
            self.shared if self.expert_layers else 0,
        )
        return tuple(dict.fromkeys(each for each in widths if each))


def widths(config: Config, family: Family, layers: int) -> Widths:
    """Return the widths that config.json declares, and which layers have experts."""
    if family.moe == "none":
        return Widths(config.count("intermediate_size", "ffn_dim"), layers)
    experts = config.count("num_local_experts", "n_routed_experts", "num_experts", least=0)
    having = _layers_with_experts(config, family, layers) if experts else 0
    wide = config.count("intermediate_size") if having < layers else 0
    if family.moe == "interleaved":
        wide = config.count("intermediate_size_mlp") if having < layers else 0
    expert = config.count("moe_intermediate_size", "intermediate_size") if having else 0
    shared = _shared(config, family, expert) if having else 0
    return Widths(wide, layers - having, expert, having, experts, shared)


def _shared(config: Config, family: Family, expert: int) -> int:
    if family.shared == "count":
        return config.count("n_shared_experts", default=0, least=0) * expert
    if family.shared == "width":
        return config.count("shared_expert_intermediate_size", least=0)
    return expert if family.shared == "one" else 0


def _layers_with_experts(config: Config, family: Family, layers: int) -> int:
    if family.moe == "after-dense":
        first = config.count("first_k_dense_replace", default=0, least=0)
        step = config.count("moe_layer_freq", default=1)
        return sum(place % step == 0 for place in range(first, layers))
    if family.moe == "sparse-step":
        dense = set(config.counts("mlp_only_layers"))
        step = config.count("decoder_sparse_step", default=1)
        return sum((place + 1) % step == 0 and place not in dense for place in range(layers))
    if family.moe == "interleaved":
        step = config.count("interleave_moe_layer_step", default=1)
        return sum((place + 1) % step == 0 for place in range(layers))
    return layers


@dataclass(frozen=True)
class Body:
    """What the count needs to know of a model."""

    hidden: int
    heads: Heads
    layers: Layers
    widths: Widths
    recurrence: Recurrence | None = None


def counted(config: Config, family: Family, body: Body, vision: int) -> Parameters:
    """Return all parameters of a model."""
    vocab = config.count("vocab_size", default=family.defaults.get("vocab_size"))
    table = vocab * config.count("word_embed_proj_dim", default=body.hidden)
    positions = 0
    if family.learned_positions is not None:
        rows = config.count("max_position_embeddings") + family.learned_positions
        positions = rows * body.hidden
    has_experts = body.widths.expert_layers
    attention, keys_values, latent = _attention(config, family, body)
    mlp = family.mlp_matrices * body.hidden
    return Parameters(
        embedding=table + positions,
        head=0 if config.flag("tie_word_embeddings", family.tied) else table,
        attention=attention,
        keys_values=keys_values,
        latent=latent,
        mlp=mlp * (body.widths.dense * body.widths.dense_layers + body.widths.shared * has_experts),
        experts=mlp * body.widths.expert * body.widths.experts * has_experts,
        small=_small(config, family, body),
        vision=vision,
    )


def _attention(config: Config, family: Family, body: Body) -> tuple[int, int, int]:
    """Return queries and outputs, keys and values, latent matrices of all layers."""
    hidden, heads = body.hidden, body.heads
    having = body.layers.full + body.layers.sliding
    if family.attention == "latent":
        across, into = _latent(config, hidden, heads)
        return having * across, 0, having * into
    width = heads.queries * heads.width
    gate = 2 if family.has_output_gate else 1
    own = (1 + gate) * hidden * width * having
    return own + _recurrent(body), 2 * hidden * heads.kv * heads.width * having, 0


def _latent(config: Config, hidden: int, heads: Heads) -> tuple[int, int]:
    """Return the matrices of one MLA layer: those that GPUs share out, and those that all have."""
    nope, rope = config.count("qk_nope_head_dim"), config.count("qk_rope_head_dim")
    rank, query_rank = config.count("kv_lora_rank"), config.optional("q_lora_rank")
    out = heads.queries * heads.width * hidden
    expanded = rank * heads.queries * (nope + heads.width)
    queries = (query_rank or hidden) * heads.queries * (nope + rope)
    into = hidden * (rank + rope + (query_rank or 0))
    return out + expanded + queries, into


def _recurrent(body: Body) -> int:
    """Matrices of the recurrent layers: into queries, keys, values, gate; decay and beta; out."""
    if body.recurrence is None:
        return 0
    state = body.recurrence
    values = state.value_heads * state.value_width
    wide = body.hidden * (state.channels + values + 2 * state.value_heads) + values * body.hidden
    return body.layers.recurrent * (wide + state.channels * state.kernel)


def _small(config: Config, family: Family, body: Body) -> int:
    norm = body.hidden * (2 if family.has_norm_bias else 1)
    norms = (family.norms * body.layers.total + 1) * norm
    having = body.layers.full + body.layers.sliding
    state = body.recurrence
    decays = 2 * state.value_heads + state.value_width if state else 0
    recurrent = body.layers.recurrent * decays
    attention = having * _attention_small(config, family, body)
    return norms + attention + recurrent + _mlp_small(family, body)


def _attention_small(config: Config, family: Family, body: Body) -> int:
    heads = body.heads
    has_bias = config.flag("attention_bias", family.qkv_bias) or family.qkv_bias
    found = (heads.queries + 2 * heads.kv) * heads.width if has_bias else 0
    found += body.hidden if family.output_bias else 0
    found += heads.queries if family.has_sinks else 0
    if family.qk_norm != "none":
        found += heads.width * (2 if family.qk_norm == "head" else heads.queries + heads.kv)
    if family.attention == "latent":
        ranks = config.count("kv_lora_rank") + (config.optional("q_lora_rank") or 0)
        found = ranks
    return found


def _mlp_small(family: Family, body: Body) -> int:
    widths = body.widths
    router = widths.experts * body.hidden
    router += widths.experts if family.has_router_correction or family.has_expert_bias else 0
    router += body.hidden if family.shared == "width" else 0
    if family.has_expert_bias:
        router += widths.experts * (2 * widths.expert + body.hidden)
    dense = widths.dense + body.hidden if family.mlp_bias else 0
    return widths.expert_layers * router + widths.dense_layers * dense
