"""Finding a GPU or a model by what people type: id, name, or the beginning of one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence

from flightline.catalog.model import Gpu, PublishedModel
from flightline.errors import FlightlineError


def one_of(text: str, gpus: Sequence[Gpu]) -> Gpu:
    """Return the GPU that the text means. Raises FlightlineError when it is none, or several."""
    wanted = _plain(text)
    for means in (_is, _begins, _ends, _contains):
        found = [gpu for gpu in gpus if wanted and means(gpu, wanted)]
        if len(found) == 1:
            return found[0]
        if found:
            raise FlightlineError(f"{text} may be {_choice(found)}; name one of them.")
    near = difflib.get_close_matches(text.lower(), [gpu.id for gpu in gpus], n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise FlightlineError(
        f"the catalog has no GPU {text!r}; {hint}`flightline catalog list gpus` lists all."
    )


def model_of(text: str, models: Sequence[PublishedModel]) -> PublishedModel:
    """Return the model that the text means. Raises FlightlineError when it is none, or several."""
    wanted = _plain(text.rpartition("/")[2])
    named = {each.id: {_plain(each.id), _plain(each.name)} for each in models}
    found = [each for each in models if wanted in named[each.id]] or [
        each for each in models if wanted and any(wanted in name for name in named[each.id])
    ]
    if len(found) == 1:
        return found[0]
    ids = [each.id for each in found]
    if ids:
        raise FlightlineError(
            f"{text[:60]} may be {', '.join(ids[:-1])} or {ids[-1]}; name one of them."
        )
    near = difflib.get_close_matches(text.lower(), list(named), n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise FlightlineError(
        f"the catalog has no model {text[:60]!r}; {hint}`flightline catalog list models` lists "
        "all, and --config takes any model's own config.json."
    )


def _is(gpu: Gpu, wanted: str) -> bool:
    return wanted in {_plain(each) for each in (gpu.id, gpu.name, *_others(gpu))}


def _begins(gpu: Gpu, wanted: str) -> bool:
    return _any(gpu, lambda name: name.startswith(wanted))


def _ends(gpu: Gpu, wanted: str) -> bool:
    """ "5090" is the GeForce RTX 5090, not the 5090 D."""
    return _any(gpu, lambda name: name.endswith(wanted))


def _contains(gpu: Gpu, wanted: str) -> bool:
    return _any(gpu, lambda name: wanted in name)


def _any(gpu: Gpu, holds: Callable[[str], bool]) -> bool:
    return any(holds(_plain(each)) for each in (gpu.id, gpu.name, *gpu.product_names))


def _others(gpu: Gpu) -> tuple[str, ...]:
    return (*gpu.product_names, *gpu.device_ids, *(f"10de:{each}" for each in gpu.device_ids))


def _plain(text: str) -> str:
    """Lower case, without the maker and without what only separates."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"^nvidia\s", "", text.strip().lower()))


def _choice(found: Sequence[Gpu]) -> str:
    ids = [gpu.id for gpu in found]
    return f"{', '.join(ids[:-1])} or {ids[-1]}"
