"""A model as sizing needs it: layers by kind, heads, widths, parameters, number format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from flightline.plan.sizing import attention, config, context, parameters, quantized, vision
from flightline.plan.sizing.attention import Heads, Layers
from flightline.plan.sizing.config import Config, shown
from flightline.plan.sizing.families import FAMILIES, WRAPPERS, Family
from flightline.plan.sizing.formats import BF16, FP16, FP32, Format, format_of
from flightline.plan.sizing.parameters import Body, Parameters, Widths

_ESSENTIAL = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "vocab_size",
)


@dataclass(frozen=True)
class ModelShape:
    """What of a model decides how much memory it takes."""

    architecture: str
    """model_type of the text model."""
    hidden: int
    heads: Heads
    layers: Layers
    widths: Widths
    state: int
    """Numbers that the recurrent layers of one sequence keep, all of them together."""
    vocab: int
    longest_context: int | None
    """Tokens that the model was made for; None where config.json does not say."""
    parameters: Parameters
    format: Format
    """How the checkpoint stores its weights."""
    is_quantized: bool
    cache_bits: int | None = None
    """Bits of a number in the KV cache that the checkpoint brings scales for; None: none."""
    notes: tuple[str, ...] = ()
    """What was taken from elsewhere than config.json, or left out; sentences."""


def from_file(path: Path) -> ModelShape:
    """Return the shape of a config.json. Raises FlightlineError, naming what is wrong."""
    return of(config.read(path))


def of(whole: Config) -> ModelShape:
    """Return the shape that a config.json declares.

    Raises FlightlineError for an unknown architecture, and for missing or impossible fields: all of
    them are named, none is guessed.
    """
    text, family, tower = _parts(whole)
    hidden = text.count("hidden_size")
    count = text.count("num_hidden_layers")
    text.refuse_wrong()  # what follows goes through the layers one by one
    heads = attention.heads(text, family, hidden)
    layers = attention.layers(text, family, count)
    widths = parameters.widths(text, family, count)
    recurrence = attention.recurrence(text) if layers.recurrent else None
    body = Body(hidden, heads, layers, widths, recurrence)
    seen = vision.parameters(tower, WRAPPERS.get(_type(whole), 2), hidden) if tower else 0
    counted = parameters.counted(text, family, body, seen)
    stored, is_quantized, cache_bits = _stored(whole, text)
    longest = context.longest(text, family)
    for part in (text, whole, *([tower] if tower else [])):
        part.refuse_wrong()
    return ModelShape(
        _type(text), hidden, heads, layers, widths,
        recurrence.state * layers.recurrent if recurrence else 0,
        text.count("vocab_size", default=family.defaults.get("vocab_size")),
        longest, counted, stored, is_quantized, cache_bits,
        tuple(_notes(whole, text, family, tower)),
    )  # fmt: skip


def _parts(whole: Config) -> tuple[Config, Family, Config | None]:
    """Return the text model's part, how it is built, and the vision tower's part."""
    inner = whole.inner("text_config")
    if inner is None and _type(whole) in WRAPPERS and _type(whole) not in FAMILIES:
        whole.refuse("text_config is missing; give the model's own config.json")
    if inner is not None and _type(whole) not in WRAPPERS:
        whole.refuse(
            f"model_type {_type(whole)!r} with a text_config is not an architecture that can be "
            f"sized ({', '.join(WRAPPERS)} are); size it by its engine's log"
        )
    text = whole if inner is None else _inherited(whole, inner)
    for name in ("audio_config", "encoder_layers"):
        if whole.has(name):
            whole.refuse(f"{name}: models with more than text and pictures cannot be sized")
    family = FAMILIES.get(_type(text))
    if family is None:
        _refuse_unknown(text)
    return text, family, whole.inner("vision_config")


def _refuse_unknown(text: Config) -> NoReturn:
    missing = [name for name in ("model_type", *_ESSENTIAL) if not text.has(name)]
    lacks = f"it lacks {', '.join(text.part + name for name in missing)}; " if missing else ""
    given = text.text("model_type")
    what = f"model_type {given[:60]!r} is unknown" if given else "this is no model's config.json"
    text.refuse(
        f"{what}; {lacks}nothing is guessed, the known ones are {', '.join(sorted(FAMILIES))}"
    )


def _inherited(whole: Config, inner: Config) -> Config:
    """Some fields of a text model stand one level higher."""
    shared = {
        name: whole.fields[name]
        for name in ("torch_dtype", "dtype", "tie_word_embeddings", "quantization_config")
        if whole.has(name)
    }
    return Config({**shared, **inner.fields}, inner.where, inner.part)


def _type(part: Config) -> str:
    return part.text("model_type") or ""


def _stored(whole: Config, text: Config) -> tuple[Format, bool, int | None]:
    """Return the checkpoint's number format, whether it is quantised, and its cache's bits."""
    declared = whole.inner("quantization_config") or text.inner("quantization_config")
    if declared is not None:
        found = quantized.of(declared)
        declared.refuse_wrong()
        return found, True, quantized.cache_bits(declared)
    types = _number_types(whole, text)
    for name, value in types.items():
        if _plain(value) is None:
            text.refuse(f"{name} is {shown(value)}, expected float32, float16 or bfloat16")
    return next(map(_plain, types.values()), None) or BF16, False, None


def _number_types(whole: Config, text: Config) -> dict[str, Any]:
    """Return what the file says of its numbers, by the fields' names; the first one counts."""
    return {
        name: part.fields[name]
        for name in ("torch_dtype", "dtype")
        for part in (whole, text)  # the text model's own counts more
        if part.has(name)
    }


def _plain(value: Any) -> Format | None:
    """Return the format of weights that are not quantised; None for anything else."""
    found = format_of(value) if isinstance(value, str) else None
    return found if found in (FP32, FP16, BF16) else None


def _notes(whole: Config, text: Config, family: Family, tower: Config | None) -> list[str]:
    silent = [name for name in family.defaults if not text.has(name)]
    notes = []
    types = _number_types(whole, text)
    if silent and not text.has("layer_types"):
        values = ", ".join(f"{name} {family.defaults[name]}" for name in silent)
        notes.append(f"config.json is silent about {values}: transformers' defaults are taken")
    if not types:
        notes.append("config.json names no torch_dtype: bfloat16 is taken")
    for name, value in types.items():  # a checkpoint that is not quantised was refused for it
        if _plain(value) is None:
            notes.append(
                f"{name} {shown(value)} is unknown: what is not quantised is taken as 16 bits"
            )
    if text.has("num_nextn_predict_layers"):
        notes.append("layers that predict further tokens (MTP) are not loaded and not counted")
    if tower:
        notes.append("the vision tower is counted as a plain vision transformer of 16 bits")
    return notes
