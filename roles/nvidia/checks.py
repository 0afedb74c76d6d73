"""What must hold of a node's GPUs and their driver; the checks are in the modules beside."""

from __future__ import annotations

from roles.nvidia import (
    gpu_checks,
    memory_checks,
)

__all__ = [
    "gpu_checks",
    "memory_checks",
]
