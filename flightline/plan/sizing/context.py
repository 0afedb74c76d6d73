"""The longest context that a model was made for."""

from __future__ import annotations

import math

from flightline.plan.sizing.config import Config
from flightline.plan.sizing.families import Family

_STRETCHING = ("yarn", "linear", "dynamic")
"""Kinds of rope_scaling whose factor engines multiply by (vLLM, config/model.py,
_get_and_verify_max_len; from knowledge of it, 2026-11-21); with the others
max_position_embeddings counts it."""

_MOST_FACTOR = 10_000


def longest(config: Config, family: Family) -> int | None:
    """Return the tokens of the longest context; None where config.json does not say."""
    default = family.defaults.get("max_position_embeddings", 0)
    positions = config.count("max_position_embeddings", default=default, least=0)
    scaling = config.inner("rope_scaling") or config.inner("rope_parameters")
    if scaling is None or family.has_stretched_positions:
        return positions or None
    kind = scaling.text("rope_type") or scaling.text("type")
    if kind not in _STRETCHING or not scaling.has("factor"):
        return positions or None
    first = scaling.count("original_max_position_embeddings", default=positions, least=0)
    stretched = int((first if kind == "yarn" else positions) * _factor(scaling))
    config.wrong += scaling.wrong
    return max(positions, stretched) or None


def _factor(scaling: Config) -> float:
    value = scaling.fields["factor"]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 1 <= value <= _MOST_FACTOR or not math.isfinite(value):
        scaling.wrong.append(f"{scaling.part}factor is no number from 1 to {_MOST_FACTOR}")
        return 1.0
    return float(value)
