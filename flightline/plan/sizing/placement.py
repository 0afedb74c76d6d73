"""Over how many GPUs a model is spread: within layers (tensor parallel), across them (pipeline)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flightline.plan.sizing.formats import Format
from flightline.plan.sizing.shape import ModelShape


@dataclass(frozen=True)
class Placement:
    """One way to spread a model."""

    tensor_parallel: int
    """GPUs that share every layer; of one node, where their links are fast."""
    pipeline_parallel: int
    """Groups of them, each with some of the layers."""
    layers: int
    """Layers of the model."""
    kv_heads: int
    """Heads of keys and values that can be shared out; 1 for MLA, whose cache every GPU keeps."""

    @property
    def gpus(self) -> int:
        """GPUs in use."""
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def kv_degree(self) -> int:
        """GPUs over which the cache is divided; the others keep copies."""
        return min(self.tensor_parallel, self.kv_heads)

    @property
    def copies(self) -> int:
        """How often the cache of one token is kept."""
        return self.tensor_parallel // self.kv_degree

    @property
    def stage_layers(self) -> int:
        """Layers of the longest pipeline stage."""
        return -(-self.layers // self.pipeline_parallel)

    @property
    def stage_share(self) -> float:
        """The same as a share of all layers."""
        return self.stage_layers / self.layers


def spread(shape: ModelShape, tensor_parallel: int, pipeline_parallel: int) -> Placement:
    """Return a placement of a model."""
    kv = 1 if shape.heads.latent else shape.heads.kv
    return Placement(tensor_parallel, pipeline_parallel, shape.layers.total, kv)


def degrees(shape: ModelShape, stored: Format, gpus: int) -> tuple[int, ...]:
    """Return the tensor parallel degrees up to `gpus` that the model can be divided by."""
    return tuple(
        degree for degree in range(1, gpus + 1) if not list(hindrances(shape, stored, degree))
    )


def chosen(shape: ModelShape, stored: Format, gpus: int, nodes: int) -> Placement:
    """Return how all these GPUs are best used: layers shared within a node, stages across nodes.

    Where the GPUs of a node do not divide the model, the largest degree that divides both is taken,
    and the node has several stages.
    """
    possible = degrees(shape, stored, gpus)
    degree = max((each for each in possible if gpus % each == 0), default=1)
    stages = min(gpus // degree * nodes, shape.layers.total)
    return spread(shape, degree, stages)


def uneven_part(width: int, stored: Format, degree: int) -> int | None:
    """Return the width of an expert's largest part where GPUs take whole blocks of it, and the last
    one what is left; None where the parts must be even.

    vLLM divides experts in mxfp4 so: cdiv(width // 32, degree) * 32 (gpt_oss.py).
    """
    if stored.covers != "experts" or stored.block is None:
        return None
    return -(-width // (stored.block * degree)) * stored.block


def hindrances(shape: ModelShape, stored: Format, degree: int) -> Iterator[str]:
    """Yield why a model cannot be divided over so many GPUs."""
    heads, kv = shape.heads.queries, shape.heads.kv
    if heads % degree:
        yield f"the {heads} attention heads cannot be divided by {degree}"
    if not shape.heads.latent and kv % degree and degree % kv:
        yield f"the {kv} KV heads can neither be divided nor copied over {degree} GPUs"
    for width in shape.widths.divided:
        if width == shape.widths.expert and (part := uneven_part(width, stored, degree)):
            if part * (degree - 1) >= width:
                yield f"experts {width} wide leave nothing to the last of {degree} GPUs"
        elif width % degree:
            yield f"an MLP {width} wide cannot be divided by {degree}"
        elif degree > 1 and stored.block and width // degree % stored.block:
            yield (
                f"an MLP {width} wide leaves {width // degree} to each of {degree} GPUs, which is "
                f"no multiple of the {stored.block} weights that share a scale"
            )
