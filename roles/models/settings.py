"""Which models a node keeps, and where each comes from."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from flightline.settings import Settings

NAME = r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$"
VERSION = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$"


class ModelVersion(Settings):
    """One version of a model: a folder of files with a manifest."""

    version: str = Field(pattern=VERSION)
    """Name of the version, such as "2026-11-01" or "1"; the folder is called so."""

    source: str
    """Folder that `flightline model publish` wrote: https://HOST/PATH, http://HOST/PATH,
    rclone:REMOTE:PATH (S3 and others), oci://REGISTRY/REPOSITORY@sha256:DIGEST, file:///PATH on
    the node."""

    manifest_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of the version's manifest.json, as `flightline model publish` prints it: whatever the
    source sends, only these files are taken."""


class ModelSettings(Settings):
    """A model and its versions."""

    name: str = Field(pattern=NAME)
    """The model's name, on disk and for clients."""

    versions: tuple[ModelVersion, ...] = Field(min_length=1)
    """Versions that the node keeps."""

    serve: str | None = None
    """The version that a fresh node serves. None: the last of `versions`. A node that serves one
    keeps it: `flightline model switch` changes that."""

    @model_validator(mode="after")
    def _serves_a_version(self) -> Self:
        names = [each.version for each in self.versions]
        if len(set(names)) < len(names):
            raise ValueError(f"{self.name} names a version twice; keep one of each")
        if self.serve is not None and self.serve not in names:
            raise ValueError(
                f"serve is {self.serve}, which is not among the versions of {self.name} "
                f"({', '.join(names)}); name one of them"
            )
        return self

    @property
    def first_served(self) -> str:
        """The version that a fresh node serves."""
        return self.serve or self.versions[-1].version


class ModelsSettings(Settings):
    """The node's models."""

    models: tuple[ModelSettings, ...] = ()
    """The models; empty, the default: nothing is installed and nothing is touched."""

    store: str = "/srv/models"
    """Folder of the models: `<store>/<name>/<version>/`, with `current` a link to a version."""
