"""The fabric as it is on a node: one remote command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from flightline.errors import NodeRefused
from flightline.gpu.rdma import SCRIPT, RdmaReport, parse_rdma
from roles.fabric.evidence import ACCESS_CONTROL, LOSSLESS, lossless, redirecting

_BRIDGES, _LOSSLESS, _UNIT = "@@ bridges", "@@ lossless", "@@ unit"


@dataclass(frozen=True)
class Fabric:
    """What the running fabric is."""

    report: RdmaReport
    redirecting: tuple[str, ...] | None
    """Bridges whose ACS redirects peer traffic; None where it cannot be told yet."""
    lossless: Mapping[str, set[int]]
    """Priorities with PFC on, by RoCE interface."""
    is_set_up: bool
    """The role's unit has run since the boot, and did not fail."""


class Rdma(FactBase[Fabric | None]):
    """Devices, ports, interfaces, modules, ACS; None when the node could not be asked."""

    def command(self) -> str:
        """Return the one script."""
        return (
            f"(\n{SCRIPT})\necho '{_BRIDGES}'\n(\n{ACCESS_CONTROL}\n)\n"
            f"echo '{_LOSSLESS}'\n{LOSSLESS}\n"
            f"echo '{_UNIT}'; systemctl is-active flightline-fabric.service || true"
        )

    def process(self, output: list[str]) -> Fabric:
        """Return the record; raises FactProcessError when the output cannot be understood."""
        report, _, rest = "\n".join(output).partition(_BRIDGES)
        bridges, _, rest = rest.partition(_LOSSLESS)
        priorities, _, unit = rest.partition(_UNIT)
        try:
            found = parse_rdma(report)
        except ValueError as error:
            raise FactProcessError(f"the RDMA devices cannot be read: {error}") from error
        return Fabric(found, _known(bridges), lossless(priorities), unit.split() == ["active"])


def _known(bridges: str) -> tuple[str, ...] | None:
    """Before pciutils is installed nothing is known, and nothing wrong with that."""
    try:
        return redirecting(bridges.strip())
    except ValueError:
        return None


_LAST: WeakKeyDictionary[Any, Fabric] = WeakKeyDictionary()


def fabric_of(host: Any) -> Fabric:
    """Return the fabric as it is now, with one command; raises NodeRefused without an answer."""
    found: Fabric | None = host.get_fact(Rdma)
    if found is None:
        raise NodeRefused("the node did not say which RDMA devices it has; see its error above.")
    _LAST[host] = found
    return found


def last_fabric(host: Any) -> Fabric:
    """Return the fabric as it was when it was last read; asks where it may have changed since."""
    return _LAST.get(host) or fabric_of(host)


def forget_fabric(host: Any) -> None:
    """Have the next `last_fabric` ask again: something was changed on the node."""
    _LAST.pop(host, None)
