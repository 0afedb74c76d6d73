"""What must hold of a node's GPUs and their driver; the checks are in the modules beside."""

from __future__ import annotations

from roles.nvidia import (
    acceptance_checks,
    driver_checks,
    gpu_checks,
    link_checks,
    log_checks,
    memory_checks,
    mode_checks,
    nvlink_checks,
    package_checks,
    platform_checks,
    release_checks,
    service_checks,
    state_checks,
)

__all__ = [
    "acceptance_checks",
    "driver_checks",
    "gpu_checks",
    "link_checks",
    "log_checks",
    "memory_checks",
    "mode_checks",
    "nvlink_checks",
    "package_checks",
    "platform_checks",
    "release_checks",
    "service_checks",
    "state_checks",
]
