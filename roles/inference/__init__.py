"""Engines in containers, one unit for each slot of a service; on loopback alone."""

from __future__ import annotations

from collections.abc import Mapping

from pyinfra.api.deploy import deploy

from roles.inference.operations import engines_declared, engines_prepared, engines_running
from roles.inference.settings import EngineSettings, InferenceSettings

__all__ = ["EngineSettings", "InferenceSettings", "inference"]


@deploy("Inference")
def inference(settings: InferenceSettings, first_served: Mapping[str, str]) -> None:
    """Every declared engine serves its model.

    `first_served`: for each model the version that a service without a state begins with.
    """
    engines_prepared(name="Pull the images", settings=settings, first_served=first_served)
    engines_declared(name="Write what runs", settings=settings, first_served=first_served)
    engines_running(name="Run the engines", settings=settings, first_served=first_served)
