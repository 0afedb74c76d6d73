"""The longest context that a model was made for."""

from __future__ import annotations

from flightline.plan.sizing.config import Config, shown
from flightline.plan.sizing.families import Family

_STRETCHING = ("yarn", "linear", "dynamic")
"""Kinds of rope_scaling whose factor engines multiply by (vLLM, config/model.py,
_get_and_verify_max_len; from knowledge of it, 2026-11-21); with the others
max_position_embeddings counts it."""

_MOST_FACTOR = 10_000
_SCALING = ("rope_scaling", "rope_parameters")


def longest(config: Config, family: Family) -> int | None:
    """Return the tokens of the longest context; None where config.json does not say."""
    default = family.defaults.get("max_position_embeddings", 0)
    positions = config.count("max_position_embeddings", default=default, least=0)
    given = [each for name in _SCALING if (each := config.inner(name)) is not None]
    for each in given:
        _refuse_wrong_factors(config, each)
    scaling = given[0] if given else None
    if scaling is None or family.has_stretched_positions:
        return positions or None
    kind = scaling.text("rope_type") or scaling.text("type")
    if kind not in _STRETCHING or not scaling.has("factor"):
        return positions or None
    first = scaling.count("original_max_position_embeddings", default=positions, least=0)
    config.wrong += scaling.wrong
    if config.wrong:
        return None  # of several sentences, this one is refused with
    stretched = int((first if kind == "yarn" else positions) * scaling.fields["factor"])
    return max(positions, stretched) or None


def _refuse_wrong_factors(config: Config, scaling: Config) -> None:
    """Hold that factors are numbers, also where they do not count: such a file is no model's.

    rope_parameters may have a part for each kind of layer.
    """
    inner = [name for name, value in scaling.fields.items() if isinstance(value, dict)]
    for part in (scaling, *(each for name in inner if (each := scaling.inner(name)))):
        for name in ("rope_type", "type"):
            if part.has(name) and part.text(name) is None:
                config.wrong.append(
                    f"{part.part}{name} is {shown(part.fields[name])}, expected a name"
                )
        if part.has("factor") and not _is_factor(part.fields["factor"]):
            config.wrong.append(
                f"{part.part}factor is {shown(part.fields['factor'])}, expected a number from 1 to "
                f"{_MOST_FACTOR}"
            )


def _is_factor(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 1 <= value <= _MOST_FACTOR  # and neither infinite nor nan
