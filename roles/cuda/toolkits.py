"""Which CUDA toolkits a node has, and which one programs meet: pure parsing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("toolkits.sh").read_text(encoding="utf-8")
"""Prints the lines that `parse_toolkits` reads; one command."""


@dataclass(frozen=True)
class Toolkits:
    """What SCRIPT printed."""

    releases: Mapping[str, str]
    """What nvcc says of itself, by folder: {"/usr/local/cuda-12.8": "12.8"}."""
    default: str
    """Where /usr/local/cuda leads; empty where it is not there."""
    mode: str
    """How: "manual" stays, "auto" follows the newest package; empty without an alternative."""
    shell: str
    """The nvcc that a login shell finds; empty for none."""
    libraries: tuple[str, ...]
    """Files that ld.so's cache has for libcudart, in its order, links followed."""
    has_repository: bool
    """Whether NVIDIA's repository is known to the package manager."""
    versions: Mapping[str, str]
    """Installed packages with their versions."""
    held: frozenset[str]


def parse_toolkits(text: str) -> Toolkits:
    """Return what SCRIPT printed.

    Lines: `toolkit=/usr/local/cuda-12.8 12.8`, `package=hi  cuda-toolkit-12-8 12.8.1-1` (dpkg).
    Raises ValueError when the end is missing.
    """
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        values.setdefault(key, []).append(value)
    if "end" not in values:
        raise ValueError("the description of the CUDA toolkits is cut short")
    packages = [entry.split() for entry in values.get("package", [])]
    there = [entry for entry in packages if len(entry) == 3 and entry[0][1:2] == "i"]
    return Toolkits(
        releases=dict(map(_pair, values.get("toolkit", []))),
        default=values.get("default", [""])[0],
        mode=values.get("mode", [""])[0],
        shell=values.get("shell", [""])[0],
        libraries=tuple(_pair(entry)[1] for entry in values.get("library", [])),
        has_repository="repository" in values,
        versions={name: version for _, name, version in there},
        held=frozenset(name for state, name, _ in there if state[0] == "h"),
    )


def _pair(text: str) -> tuple[str, str]:
    first, _, second = text.partition(" ")
    return first, second
