"""What of one GPU in nvidia-smi's report is measured: temperature, power, clocks, fabric."""

from __future__ import annotations

from tests.machines.models import Build
from tests.machines.smi_sections import NONE, Nodes, since


def bottom(build: Build, index: int) -> Nodes:
    """Return what comes after the memory errors."""
    model, branch = build.model, build.branch
    applied = (("graphics_clock", f"{model.sm_mhz} MHz"), ("mem_clock", f"{model.memory_mhz} MHz"))
    deprecated = "Requested functionality has been deprecated"
    if branch >= 590:
        applied = (("graphics_clock", deprecated), ("mem_clock", deprecated))
    return (
        ("temperature", _temperatures(build, index)),
        *_power(build, index),
        ("clocks", _clocks(345, model.memory_mhz)),
        ("applications_clocks", applied),
        ("max_clocks", _clocks(model.sm_mhz, model.memory_mhz)),
        *_fabric(build, index),
        ("processes", ()),
    )


def _temperatures(build: Build, index: int) -> Nodes:
    memory = NONE if build.model.memory_c is None else f"{build.model.memory_c} C"
    if build.branch >= 570 and build.model.generation >= 5:
        limits: Nodes = (
            ("gpu_temp_tlimit", f"{56 - index} C"),
            ("gpu_temp_max_tlimit_threshold", "-8 C"),
            ("gpu_temp_slow_tlimit_threshold", "-2 C"),
        )
        most = ("gpu_temp_max_mem_tlimit_threshold", "0 C")
    else:
        limits = (("gpu_temp_max_threshold", "92 C"), ("gpu_temp_slow_threshold", "89 C"))
        limits = (*since(build.branch >= 525, ("gpu_temp_tlimit", NONE)), *limits)
        most = ("gpu_temp_max_mem_threshold", NONE if build.model.memory_c is None else "95 C")
    return (("gpu_temp", f"{30 + index} C"), *limits, ("memory_temp", memory), most)


def _power(build: Build, index: int) -> Nodes:
    watts, drawn = f"{build.model.watts}.00 W", f"{70 + index}.25 W"
    current = "current_power_limit" if build.branch >= 530 else "power_limit"
    limits = (
        (current, watts),
        ("default_power_limit", watts),
        ("min_power_limit", "100.00 W"),
        ("max_power_limit", watts),
    )
    state = ("power_state", "P0")
    if build.branch < 530:
        return (("power_readings", (state, ("power_draw", drawn), *limits)),)
    draws: Nodes = (("average_power_draw", drawn), ("instant_power_draw", drawn))
    shown = draws if build.branch >= 550 else (("power_draw", drawn),)
    return (("gpu_power_readings", (state, *shown, *limits)),)


def _clocks(sm: int, memory: int) -> Nodes:
    shown = {"graphics_clock": sm, "sm_clock": sm, "mem_clock": memory}
    return tuple((name, f"{mhz} MHz") for name, mhz in shown.items())


def _fabric(build: Build, _index: int) -> Nodes:
    if build.branch < 525:
        return ()
    kind = build.model.fabric
    summary = "Healthy" if kind in ("health", "rack") else NONE
    healthy = "False" if kind == "rack" else NONE
    cluster = "c0ffee00-0000-4000-8000-000000000001" if kind == "rack" else _NO_CLUSTER
    health = (
        ("summary", summary),
        ("bandwidth", "Full" if kind == "rack" else NONE),
        ("route_recovery_in_progress", healthy),
        ("route_unhealthy", healthy),
        ("access_timeout_recovery", "False" if summary != NONE else NONE),
        ("incorrect_configuration", NONE),
    )
    state = (
        ("state", "Completed" if kind else NONE),
        ("status", "Success" if kind else NONE),
        ("cliqueId", ("2" if kind == "rack" else "0") if kind else NONE),
        ("clusterUuid", cluster if kind else NONE),
    )
    return (("fabric", (*state, *since(build.branch >= 570, ("health", health)))),)


_NO_CLUSTER = "00000000-0000-0000-0000-000000000000"
