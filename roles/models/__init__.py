"""Models on the node: fetched, verified against their manifest, never half visible."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from roles.models.operations import model_files, model_packages, model_versions
from roles.models.settings import ModelSettings, ModelsSettings, ModelVersion

__all__ = ["ModelSettings", "ModelVersion", "ModelsSettings", "models"]


@deploy("Models")
def models(settings: ModelsSettings) -> None:
    """The declared versions are on the node, verified, and each model has a current one."""
    model_packages(name="Install what fetches models", settings=settings)
    model_files(name="Write programs, units and what is declared", settings=settings)
    model_versions(name="Fetch and verify the declared versions", settings=settings)
