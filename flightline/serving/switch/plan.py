"""What one switch is to do: fixed before it begins, and enough to go on with it later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flightline.serving.switch.gates import Limits
from flightline.serving.switch.golden import DEFAULT, Prompts
from flightline.serving.switch.steps import Mode

CANARY = (10, 50, 100)
HOLD_SECONDS = 300.0
READY_SECONDS = 1800.0
"""As EngineSettings.start_timeout_seconds: 140 GB from a disk of 0.3 GB/s take 8 minutes."""
DRAIN_SECONDS = 600.0
"""Longer than the longest answers; what is not done by then goes on, and is not cut."""

Tell = Callable[[str, str, str], None]
"""Takes node or service, step, and a sentence: what a person and the run's events are told."""


@dataclass(frozen=True)
class Plan:
    """A switch of some services to one version."""

    to: str
    mode: Mode
    services: tuple[str, ...]
    """Keys of the services, in the order in which they take turns."""
    canary: tuple[int, ...] = CANARY
    hold_seconds: float = HOLD_SECONDS
    keep_standby: bool = True
    limits: Limits = field(default_factory=Limits)
    prompts: Prompts = DEFAULT
    ready_seconds: float = READY_SECONDS
    drain_seconds: float = DRAIN_SECONDS
    key: str = field(default="", repr=False)
    """An API key, to ask the gateways with where clients ask little; "" without one."""
    downtime: bool = False
    """Whether the model may be without an engine for a while."""
