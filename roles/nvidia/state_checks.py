"""What must hold of how the GPUs run: throttling, heat, power, clocks, modes, who holds them."""

from __future__ import annotations

from collections.abc import Callable

from testinfra.host import Host

from flightline.audit.check import ERROR, WARNING, check, not_applicable
from flightline.gpu.reading import Reading, State
from flightline.gpu.smi import SmiGpu
from roles.nvidia.boards import Board, boards
from roles.nvidia.gpu_checks import ANSWERS, KNOWN
from roles.nvidia.judging import Found, by_model, conclude, examine, expect, maybe
from roles.nvidia.settings import NvidiaSettings

_APPLY = "run `flightline apply --role nvidia`"
_COOL = "look at fans, air filters, coolant and the room; idle the GPU and see whether it recovers"

_HOTTEST_MEMORY_C = (
    95  # HBM, where the driver names no limit: A100's own, and sichek's (2026-11-20)
)
_ROUNDING_W = 1.0
_needs_no_meter = by_model(lambda model: not model.is_datacenter)
_LEFTOVER = 0.02  # of the memory: an idle MIG GPU or an older driver counts some of its own


@check(
    "nvidia-throttle-thermal",
    "no GPU is slowed down because it is hot",
    severity=ERROR,
    remedy=_COOL,
    depends=ANSWERS,
)
def throttle_thermal(host: Host, _nvidia: NvidiaSettings) -> None:
    _expect_free(host, "hw_thermal_slowdown", "sw_thermal_slowdown")


@check(
    "nvidia-throttle-power-brake",
    "no GPU is slowed down because the server's power supply asks for it",
    severity=ERROR,
    remedy="look at the power supplies and their feeds (BMC log), and at power caps of the server",
    depends=ANSWERS,
)
def throttle_power_brake(host: Host, _nvidia: NvidiaSettings) -> None:
    _expect_free(host, "hw_power_brake_slowdown")


@check(
    "nvidia-throttle-hardware",
    "no GPU's own protection slows it down",
    severity=ERROR,
    remedy="`nvidia-smi -q -d PERFORMANCE`; look at heat and power, then return the GPU",
    depends=(*ANSWERS, "nvidia-throttle-thermal", "nvidia-throttle-power-brake"),
)
def throttle_hardware(host: Host, _nvidia: NvidiaSettings) -> None:
    _expect_free(host, "hw_slowdown")


def _expect_free(host: Host, *reasons: str) -> None:
    conclude(*(_slowed(host, reason) for reason in reasons))


def _slowed(host: Host, reason: str) -> Found:
    def reading(gpu: SmiGpu) -> Reading[bool]:
        missing = Reading[bool](f"clocks_event_reason_{reason}", State.MISSING)
        return gpu.throttle_reasons.get(reason, missing)

    def wrong(_board: Board, active: bool) -> str:
        return f"is slowed down now: {reason} is active" if active else ""

    return examine(host, reading, wrong)


@check(
    "nvidia-temperature-limit",
    "every GPU is cooler than where it slows down",
    severity=ERROR,
    remedy=_COOL,
    depends=(*ANSWERS, "nvidia-throttle-thermal"),
)
def temperature_limit(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(board: Board, celsius: int) -> str:
        limit, left = board.smi.temperature_slowdown_c.value, board.smi.temperature_margin_c.value
        if limit is not None and celsius >= limit:
            return f"is at {celsius} °C, expected less than {limit} °C (its slowdown limit)"
        if left is not None and left < 0:
            return f"is at {celsius} °C, {-left} °C beyond where it slows down"
        return ""

    conclude(
        examine(host, lambda gpu: gpu.temperature_c, wrong),
        examine(host, _either_limit, lambda *_: ""),
    )


def _either_limit(gpu: SmiGpu) -> Reading[int]:
    """Drivers name a limit in degrees, or (since 530, on newer GPUs) the degrees left to it."""
    limit, left = gpu.temperature_slowdown_c, gpu.temperature_margin_c
    return limit if limit.is_there else left


@check(
    "nvidia-temperature-memory",
    "the memory of every GPU is cooler than its limit",
    severity=ERROR,
    remedy=_COOL,
    depends=ANSWERS,
)
def temperature_memory(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(board: Board, celsius: int) -> str:
        # Newer drivers print 0 to 0 degrees left there, older ones the limit itself.
        limit = board.smi.temperature_memory_max_c.value or _HOTTEST_MEMORY_C
        said = f"has memory at {celsius} °C, expected less than {limit} °C"
        return said if celsius >= limit else ""

    expect(host, lambda gpu: gpu.temperature_memory_c, wrong, lacks=maybe)


@check(
    "nvidia-power-limit",
    "every GPU may draw the declared power, or at least its default",
    severity=ERROR,
    remedy=f"{_APPLY}; if it is lower again, a service or the BMC caps it",
    depends=ANSWERS,
)
def power_limit(host: Host, nvidia: NvidiaSettings) -> None:
    wanted = nvidia.power_limit_watts

    def wrong(board: Board, watts: float) -> str:
        default = board.smi.power_limit_default_w.value or 0.0
        said = f"has a power limit of {watts:g} W, expected"
        if wanted is not None:
            fine = abs(watts - wanted) <= _ROUNDING_W
            return "" if fine else f"{said} {wanted} W (NvidiaSettings.power_limit_watts)"
        fine = watts >= default - _ROUNDING_W
        return "" if fine else f"{said} its default of {default:g} W at least"

    conclude(
        examine(host, lambda gpu: gpu.power_limit_w, wrong),
        examine(host, lambda gpu: gpu.power_limit_default_w, lambda *_: ""),
    )


@check(
    "nvidia-power-reported",
    "every GPU can tell the power that it draws",
    severity=ERROR,
    remedy="reseat the GPU's power cables; power the node off and on; then return the GPU",
    depends=KNOWN,
)
def power_reported(host: Host, _nvidia: NvidiaSettings) -> None:
    # An error in place of the power is no gap in the evidence: it is how a GPU with a loose power
    # cable or a broken regulator shows.
    broken = [
        f"{board} answers {board.smi.power_draw_w.raw!r} when asked for its power"
        for board in boards(host)
        if board.smi.power_draw_w.state is State.TROUBLE
    ]
    assert not broken, "; ".join(broken)

    def wrong(_board: Board, watts: float) -> str:
        return "" if watts > 0 else f"says that it draws {watts:g} W, expected more than 0"

    expect(host, lambda gpu: gpu.power_draw_w, wrong, lacks=_needs_no_meter)


@check(
    "nvidia-clocks-applied",
    "every GPU has the declared application clocks",
    severity=ERROR,
    remedy=_APPLY,
    depends=ANSWERS,
)
def clocks_applied(host: Host, nvidia: NvidiaSettings) -> None:
    wanted = nvidia.application_clocks
    if wanted is None:
        not_applicable("NvidiaSettings.application_clocks is None")

    def other_than(expected: int, kind: str) -> Callable[[Board, int], str]:
        said = f"MHz as {kind} application clock, expected {expected} MHz"
        said += " (NvidiaSettings.application_clocks)"
        return lambda _, mhz: "" if mhz == expected else f"has {mhz} {said}"

    graphics = other_than(wanted.graphics_mhz, "graphics")
    memory = other_than(wanted.memory_mhz, "memory")
    conclude(
        examine(host, lambda gpu: gpu.application_clock_sm_mhz, graphics),
        examine(host, lambda gpu: gpu.application_clock_memory_mhz, memory),
    )


@check(
    "nvidia-memory-free",
    "a GPU that no process uses has its memory free",
    severity=WARNING,
    remedy="find who holds it: `fuser -v /dev/nvidia*`; end that, or reset the GPU",
    depends=ANSWERS,
)
def memory_free(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(board: Board, mib: int) -> str:
        total = board.smi.memory_total_mib.value or 0
        said = f"has {mib} MiB in use and no process, expected at most {total * _LEFTOVER:.0f} MiB"
        return said if not board.smi.processes and mib > total * _LEFTOVER else ""

    conclude(
        examine(host, lambda gpu: gpu.memory_used_mib, wrong),
        examine(host, lambda gpu: gpu.memory_total_mib, lambda *_: ""),
    )


@check(
    "nvidia-graphics-absent",
    "no display server or other graphics program holds a GPU",
    severity=WARNING,
    remedy="`systemctl isolate multi-user.target; systemctl set-default multi-user.target`",
    depends=ANSWERS,
)
def graphics_absent(host: Host, _nvidia: NvidiaSettings) -> None:
    found = [
        f"{board} is used for graphics by {each.name} (pid {each.pid})"
        for board in boards(host)
        for each in board.smi.processes
        if "G" in each.kind.upper()
    ]
    assert not found, "; ".join(found)
