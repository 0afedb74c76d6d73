"""What can be measured between nodes, as a check declares it; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flightline.gpu.rdma import RdmaPort


@dataclass(frozen=True)
class RdmaWrite:
    """ib_write_bw, port by port."""

    ports: Callable[[Any, Any], Sequence[RdmaPort]]
    """Returns the ports to be measured, from an RdmaReport and the role's settings."""

    label: str = "flightline: ib_write_bw between nodes"
    """The command under which a node's evidence holds what was measured; no node runs it."""


@dataclass(frozen=True)
class AllReduce:
    """NCCL's all_reduce over all GPUs of two nodes, by PyTorch's own launcher."""

    image: Callable[[Any], str | None]
    """Returns the container image with PyTorch, from the role's settings; None for the node's."""

    label: str = "flightline: all_reduce between nodes"
    """The command under which a node's evidence holds what was measured; no node runs it."""


Between = RdmaWrite | AllReduce
