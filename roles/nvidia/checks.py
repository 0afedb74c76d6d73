"""What must hold of a node's GPUs and their driver; the checks are in the modules beside."""

from __future__ import annotations

from roles.nvidia import (
    acceptance_checks,
    gpu_checks,
    link_checks,
    memory_checks,
    mode_checks,
    nvlink_checks,
    release_checks,
    state_checks,
)

__all__ = [
    "acceptance_checks",
    "gpu_checks",
    "link_checks",
    "memory_checks",
    "mode_checks",
    "nvlink_checks",
    "release_checks",
    "state_checks",
]
