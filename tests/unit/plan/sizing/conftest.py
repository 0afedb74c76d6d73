"""Models of the catalog, and GPUs of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flightline import catalog
from flightline.catalog import Gpu
from flightline.plan.sizing import shape
from flightline.plan.sizing.config import Config
from flightline.plan.sizing.fit import Fit, judged
from flightline.plan.sizing.formats import cache_format, format_of
from flightline.plan.sizing.request import Request
from flightline.plan.sizing.shape import ModelShape

MakeShape = Callable[..., ModelShape]
MakeFit = Callable[..., Fit]


@pytest.fixture
def model() -> MakeShape:
    """Return a model of the catalog, some fields of its config.json replaced."""

    def make(name: str, **changed: Any) -> ModelShape:
        return shape.of(Config({**catalog.model(name).config, **changed}, name))

    return make


@pytest.fixture
def sized(model: MakeShape) -> MakeFit:
    """Return the fit of a model of the catalog."""

    def make(
        name: str,
        gpu: str | Gpu,
        gpus: int = 1,
        *,
        context: int = 4096,
        dtype: str | None = None,
        kv: str = "auto",
        config: dict[str, Any] | None = None,
        **others: Any,
    ) -> Fit:
        found = model(name, **(config or {}))
        stored = format_of(dtype) if dtype else found.format
        assert stored is not None
        card = catalog.gpu(gpu) if isinstance(gpu, str) else gpu
        others.setdefault("is_stored_only", stored is found.format)
        return judged(Request(found, card, gpus, context, stored, cache_format(kv), **others))

    return make


@pytest.fixture
def card() -> Callable[[float], Gpu]:
    """Return an L40S with another amount of memory, GiB."""

    def make(gib: float) -> Gpu:
        gpu = catalog.gpu("l40s")
        return gpu.model_copy(update={"memory": gpu.memory.model_copy(update={"value": gib})})

    return make
