"""What must hold of the modes that GPUs are set to: persistence, compute, MIG, addressing."""

from __future__ import annotations

import re

from testinfra.host import Host

from flightline.audit.check import ERROR, WARNING, check, not_applicable, unknown
from flightline.gpu import mig
from flightline.gpu.mig import parse_mig
from roles.nvidia.boards import Board, boards
from roles.nvidia.gpu_checks import ANSWERS, KNOWN
from roles.nvidia.judging import Found, by_model, conclude, examine, expect, maybe
from roles.nvidia.settings import NvidiaSettings

_APPLY = "run `flightline apply --role nvidia`"
_MIG = f"{_APPLY}; it changes only GPUs that nothing uses"


# Only GPUs on a Grace CPU share its page tables: GH200, GB200, GB300.
_no_coherent_cpu = by_model(
    lambda model: not any(re.search(r"\bG[HB]\d00", name) for name in model.product_names)
)


@check(
    "nvidia-persistence-enabled",
    "the driver stays loaded on every GPU between jobs",
    severity=ERROR,
    remedy=f"{_APPLY}; it runs nvidia-persistenced",
    depends=(*ANSWERS, "nvidia-persistenced-running"),
)
def persistence_enabled(host: Host, nvidia: NvidiaSettings) -> None:
    if not nvidia.persistence:
        not_applicable("NvidiaSettings.persistence is False")

    def wrong(_board: Board, on: bool) -> str:
        return "" if on else "has persistence mode off, expected on (NvidiaSettings.persistence)"

    expect(host, lambda gpu: gpu.persistence_mode, wrong)


@check(
    "nvidia-compute-mode",
    "several processes may use a GPU, as engines and their tools need",
    severity=ERROR,
    remedy="`nvidia-smi -c DEFAULT`; look for the start-up script or MPS unit that sets it",
    depends=ANSWERS,
)
def compute_mode(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(_board: Board, mode: str) -> str:
        fine = mode.lower() == "default"
        return "" if fine else f"is in compute mode {mode!r}, expected 'Default'"

    expect(host, lambda gpu: gpu.compute_mode, wrong)


@check(
    "nvidia-mig-mode",
    "MIG is on or off as declared, and no change of it waits for a reset",
    severity=ERROR,
    remedy=_MIG,
    depends=KNOWN,
)
def mig_mode(host: Host, nvidia: NvidiaSettings) -> None:
    words = {True: "on", False: "off"}

    def now(board: Board, on: bool) -> str:
        if nvidia.mig is None:
            idle = on and not board.smi.mig_devices
            return "has MIG on and no MIG device: nothing can compute on it" if idle else ""
        fine = on == bool(nvidia.mig)
        said = f"has MIG {words[on]}, expected {words[not on]} (NvidiaSettings.mig)"
        return "" if fine else said

    def later(board: Board, on: bool) -> str:
        fine = on == board.smi.mig_current.value
        return "" if fine else f"has MIG {words[not on]} and after the next reset {words[on]}"

    conclude(
        _without_mig(host, nvidia),
        examine(host, lambda gpu: gpu.mig_current, now, lacks=maybe),
        examine(host, lambda gpu: gpu.mig_pending, later, lacks=maybe),
    )


def _without_mig(host: Host, nvidia: NvidiaSettings) -> Found:
    """GPUs that have no MIG, and some workstation cards until their mode is changed, say N/A."""
    said = "reports no MIG, expected it on (NvidiaSettings.mig)"
    found = [each for each in boards(host) if each.smi.mig_current.is_unsupported and nvidia.mig]
    return Found(bad=tuple((board, said) for board in found))


@check(
    "nvidia-mig-layout",
    "every GPU has the declared MIG devices",
    severity=ERROR,
    remedy=_MIG,
    depends=(*KNOWN, "nvidia-mig-mode"),
)
def mig_layout(host: Host, nvidia: NvidiaSettings) -> None:
    if not nvidia.mig:
        not_applicable(f"NvidiaSettings.mig is {nvidia.mig}: no MIG device is declared")
    wanted = tuple(sorted(nvidia.mig))
    found = _mig_devices(host)

    def wrong(board: Board, _on: bool) -> str:
        devices = found.get(board.index, ())
        said = f"has MIG devices {', '.join(devices) or 'none'}, expected {', '.join(wanted)}"
        return "" if devices == wanted else f"{said} (NvidiaSettings.mig)"

    expect(host, lambda gpu: gpu.mig_current, wrong)


def _mig_devices(host: Host) -> dict[int, tuple[str, ...]]:
    boards(host)  # ends the check where there is no GPU to list
    try:
        return parse_mig(host.run(mig.COMMAND).stdout)
    except ValueError as error:
        unknown(f"{error}")


@check(
    "nvidia-addressing-mode",
    "GPUs on a Grace CPU share its page tables (ATS)",
    severity=WARNING,
    remedy="remove NVreg options and kernel arguments that turn ATS off (iommu=off), then reboot",
    depends=KNOWN,
)
def addressing_mode(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(board: Board, mode: str) -> str:
        fine = mode.upper() == "ATS" or _no_coherent_cpu(board)
        return "" if fine else f"has addressing mode {mode!r}, expected 'ATS'"

    expect(host, lambda gpu: gpu.addressing_mode, wrong, lacks=maybe, needs_model=True, since=535)
