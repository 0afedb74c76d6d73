"""Which CUDA toolkits a node has for programs that are built or run outside containers."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import field_validator, model_validator

from flightline.settings import Settings

_VERSION = re.compile(r"\d{2}\.\d{1,2}(\.\d{1,2})?")


class CudaSettings(Settings):
    """CUDA toolkits beside one another.

    Deliberately not set: LD_LIBRARY_PATH (it reaches into every program of a shell; `linker` finds
    libraries without it), and the package `cuda`, which would bring a driver of its own.
    """

    versions: tuple[str, ...] = ()
    """Toolkits, such as ("12.8", "13.0"); "12.8.1" pins the update too. Empty, the default: none is
    installed and nothing is touched, because inference engines carry theirs in their images."""

    default: str | None = None
    """The one of `versions` that /usr/local/cuda is. None takes the newest of them."""

    source: Literal["nvidia", "distribution"] = "nvidia"
    """NVIDIA's repository, which the role nvidia makes known, or the distribution's package
    nvidia-cuda-toolkit (Debian, Ubuntu): one version, in /usr, under no alternative."""

    hold_packages: bool = True
    """Keep the toolkits at their update until Flightline changes them."""

    profile: bool = False
    """Put /usr/local/cuda/bin into PATH, and CUDA_HOME, for every login shell."""

    linker: bool = False
    """Let every program find libraries in /usr/local/cuda/lib64, by ld.so's cache. NVIDIA's
    packages bring a path of their own, in which another toolkit may come first."""

    @field_validator("versions")
    @classmethod
    def _are_versions(cls, versions: tuple[str, ...]) -> tuple[str, ...]:
        for version in versions:
            if not _VERSION.fullmatch(version):
                raise ValueError(f'{version!r} is not a CUDA version; write one such as "12.8"')
        lines = [line_of(version) for version in versions]
        for line in lines:
            if lines.count(line) > 1:
                raise ValueError(f"CUDA {line} is named twice; one update of it can be installed")
        return versions

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.default is not None and self.default not in self.versions:
            raise ValueError(
                f"default is {self.default}, which is not among versions "
                f"({', '.join(self.versions) or 'none'}); add it there or name one of them"
            )
        if self.source == "distribution":
            self._suit_distribution()
        if not self.versions and (self.profile or self.linker):
            raise ValueError("profile and linker need a toolkit; name one in versions")
        return self

    def _suit_distribution(self) -> None:
        if len(self.versions) > 1:
            raise ValueError(
                'source="distribution" has one toolkit; name one version, or take source="nvidia"'
            )
        if self.profile or self.linker:
            raise ValueError(
                "the distribution's toolkit lies in /usr, where shells and the linker look "
                "already; set profile and linker to False"
            )

    @property
    def default_line(self) -> str | None:
        """The line that /usr/local/cuda is, such as "12.8"; None without a toolkit of NVIDIA's."""
        if not self.versions or self.source == "distribution":
            return None
        newest = max(self.versions, key=lambda version: tuple(map(int, version.split("."))))
        return line_of(self.default or newest)


def line_of(version: str) -> str:
    """Return major and minor of a version: "12.8" of "12.8.1"."""
    return ".".join(version.split(".")[:2])
