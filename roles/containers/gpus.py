"""What containers can have of a node's GPUs: device files, links, CDI, toolkit. Pure parsing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("gpu.sh").read_text(encoding="utf-8")
"""Prints the `gpu-...` lines that `parse_gpus` reads; one command."""

TOOLKIT = (
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "libnvidia-container-tools",
    "libnvidia-container1",
)
"""The packages of one release, which only work together."""

TELLS_RUNC = (1, 18)
"""From this release on the runtime names the GPUs to runc by CDI, so that runc gives them back when
systemd reloads; before, a hook gave them behind its back (nvidia-container-toolkit issue 1227)."""


@dataclass(frozen=True)
class Node:
    """A character device of the driver."""

    path: str
    number: str
    """Major and minor: "195:0"."""
    link: str
    """Where /dev/char/<number> leads; empty for no link."""


@dataclass(frozen=True)
class Specification:
    """A CDI file that describes NVIDIA GPUs."""

    path: str
    drivers: frozenset[str]
    """Versions of the driver whose libraries it names."""
    nodes: frozenset[str]
    """GPUs that it lists, such as /dev/nvidia0."""


@dataclass(frozen=True)
class Gpus:
    """What SCRIPT printed."""

    on_bus: tuple[str, ...]
    keys: tuple[str, ...]
    """Key files of the toolkit's repository that are there."""
    driver: str
    """Version of the loaded driver; empty for none."""
    nodes: tuple[Node, ...]
    specifications: tuple[Specification, ...]
    config: frozenset[str]
    """Lines of the runtime's config.toml that set mode and no-cgroups, without blanks."""
    runtime: str
    """Path of nvidia-container-runtime; empty where it is not installed."""
    unit: str
    """Whether flightline-gpu-devices.service starts at boot, in systemctl's word."""
    versions: tuple[tuple[str, str], ...]
    """Installed packages of TOOLKIT with their versions."""
    held: frozenset[str]

    @property
    def files(self) -> frozenset[str]:
        """The GPUs' own device files: /dev/nvidia0 and so on."""
        return frozenset(n.path for n in self.nodes if re.fullmatch(r"/dev/nvidia\d+", n.path))

    @property
    def unlinked(self) -> tuple[str, ...]:
        """Device files that /dev/char does not lead to."""
        return tuple(node.path for node in self.nodes if node.link != node.path)

    @property
    def cdi_fault(self) -> str | None:
        """What is wrong with the CDI specifications for the loaded driver; None when nothing is."""
        if not self.specifications:
            return "no CDI specification describes the GPUs (/var/run/cdi, /etc/cdi)"
        for found in self.specifications:
            if found.drivers != {self.driver}:
                named = ", ".join(sorted(found.drivers)) or "no driver"
                return f"{found.path} is for {named}, and the driver {self.driver} is loaded"
        listed = frozenset().union(*(found.nodes for found in self.specifications))
        if lost := self.files - listed:
            return f"no CDI specification lists {', '.join(sorted(lost))}"
        if gone := listed - self.files:
            return f"a CDI specification lists {', '.join(sorted(gone))}, which is not there"
        return None

    @property
    def release(self) -> tuple[int, ...]:
        """Version of the toolkit as numbers; empty where it is not installed."""
        version = dict(self.versions).get(TOOLKIT[0], "")
        return tuple(map(int, re.findall(r"\d+", version)[:3]))

    @property
    def is_runc_told(self) -> bool:
        """Whether the NVIDIA runtime names the GPUs to runc, instead of adding them by a hook."""
        modes = {line.partition("=")[2].strip('"') for line in self.config if line[:4] == "mode"}
        if modes & {"legacy"}:
            return False
        return self.release >= TELLS_RUNC or "cdi" in modes


def parse_gpus(text: str) -> Gpus:
    """Return what SCRIPT printed.

    Lines: `gpu-bus=0000:19:00.0`, `gpu-node=/dev/nvidia0 195:0 /dev/nvidia0`,
    `gpu-package=hi  libnvidia-container1 1.18.1-1` (nvidia-container-toolkit 1.18). Raises
    ValueError when the end is missing.
    """
    values: dict[str, list[str]] = {}
    specifications: list[tuple[str, dict[str, set[str]]]] = []
    for line in text.splitlines():
        key, _, value = line.partition("=")
        values.setdefault(key, []).append(value)
        if key == "gpu-spec":
            specifications.append((value, {"gpu-spec-driver": set(), "gpu-spec-node": set()}))
        elif key.startswith("gpu-spec-"):
            specifications[-1][1][key].add(value)
    if "gpu-end" not in values:
        raise ValueError("the description of the GPUs for containers is cut short")
    packages = [entry.split() for entry in values.get("gpu-package", [])]
    there = [entry for entry in packages if len(entry) == 3 and entry[0][1:2] == "i"]
    return Gpus(
        on_bus=tuple(values.get("gpu-bus", [])),
        keys=tuple(values.get("gpu-key", [])),
        driver=values.get("gpu-driver", [""])[0],
        nodes=tuple(map(_node, values.get("gpu-node", []))),
        specifications=tuple(
            Specification(
                path, frozenset(found["gpu-spec-driver"]), frozenset(found["gpu-spec-node"])
            )
            for path, found in specifications
        ),
        config=frozenset(re.sub(r"\s|#.*", "", line) for line in values.get("gpu-config", [])),
        runtime=values.get("gpu-runtime", [""])[0],
        unit=values.get("gpu-unit", [""])[0],
        versions=tuple((name, version) for _, name, version in there),
        held=frozenset(name for state, name, _ in there if state[0] == "h"),
    )


def _node(text: str) -> Node:
    path, number, *link = text.split()
    return Node(path, number, link[0] if link else "")
