"""What must hold of the PCIe links between GPUs and host."""

from __future__ import annotations

from statistics import median

from testinfra.host import Host

from flightline.audit.check import ERROR, WARNING, check, not_applicable
from roles.nvidia.boards import Board, boards
from roles.nvidia.gpu_checks import ANSWERS, KNOWN
from roles.nvidia.judging import conclude, examine, expect
from roles.nvidia.settings import NvidiaSettings

# GB200 and B300 have a generation 6 device, and no server's root port is faster than 5
# (captures of GB200 and B300 nodes, read 2026-11-20).
_FASTEST_HOST = 5

# NVIDIA's own diagnostics accept these at 8 lanes (DCGM nvvs/diag-skus.yaml.in, 2026-11-20): clouds
# have them in such slots, which a virtual machine cannot see. nvidia-bus-width sees real slots.
_EIGHT_LANES = ("t4", "a10g", "l40s")

# The link keeps its generation in P0 to P2 (compute states); below, it may rest.
_WORKING = ("P0", "P1", "P2")

# 106 to 174 replays on each GPU of a sound node with 8 H100 (capture read 2026-11-20).
_FEW_REPLAYS = 1000
_TIMES_PEERS = 10


@check(
    "nvidia-pcie-width",
    "every GPU uses all PCIe lanes that it and its slot have",
    severity=ERROR,
    remedy="reseat the GPU or its riser; then clean the contacts, then return the riser or GPU",
    depends=ANSWERS,
)
def pcie_width(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(board: Board, lanes: int) -> str:
        most = board.smi.pcie_width_max.value or 0
        least = min(most, 8) if board.model and board.model.id in _EIGHT_LANES else most
        return f"runs on {lanes} PCIe lanes, expected {least}" if lanes < least else ""

    conclude(
        examine(host, lambda gpu: gpu.pcie_width, wrong),
        examine(host, lambda gpu: gpu.pcie_width_max, lambda *_: ""),
    )


@check(
    "nvidia-pcie-generation",
    "every GPU that works runs its PCIe link at the speed that it and its slot have",
    severity=ERROR,
    remedy="reseat the GPU or its riser; look at link speed limits in the server's firmware setup",
    depends=ANSWERS,
)
def pcie_generation(host: Host, _nvidia: NvidiaSettings) -> None:
    if all(_rests(board) for board in boards(host)):
        not_applicable("every GPU is idle and rests its PCIe link; acceptance measures it")

    def wrong(board: Board, generation: int) -> str:
        most = board.smi.pcie_generation_max.value or 0
        state = board.smi.performance_state.value
        said = f"runs PCIe generation {generation} in {state}, expected {most}"
        return said if generation < most and not _rests(board) else ""

    conclude(
        examine(host, lambda gpu: gpu.pcie_generation, wrong),
        examine(host, lambda gpu: gpu.pcie_generation_max, lambda *_: ""),
    )


def _rests(board: Board) -> bool:
    """Whether an idle GPU has dropped its link's generation, as it may."""
    now, most = board.smi.pcie_generation.value, board.smi.pcie_generation_max.value
    state = board.smi.performance_state.value
    return bool(now and most and state and now < most and state not in _WORKING)


@check(
    "nvidia-pcie-slot",
    "every GPU is in a slot that gives it the lanes and speed of its model",
    severity=WARNING,
    remedy="move it to a wider or faster slot or riser, or accept it: waive this check",
    depends=KNOWN,
)
def pcie_slot(host: Host, _nvidia: NvidiaSettings) -> None:
    def narrow(board: Board, lanes: int) -> str:
        most = board.known.pcie_width
        said = f"can use {lanes} PCIe lanes here, expected {most} ({board.known.id}, catalog)"
        return said if lanes < most else ""

    def slow(board: Board, generation: int) -> str:
        most = min(board.known.pcie_generation, _FASTEST_HOST)
        said = f"can use PCIe generation {generation} here, expected {most}"
        return f"{said} ({board.known.id}, catalog)" if generation < most else ""

    conclude(
        examine(host, lambda gpu: gpu.pcie_width_max, narrow, needs_model=True),
        examine(host, lambda gpu: gpu.pcie_generation_max, slow, needs_model=True),
    )


@check(
    "nvidia-pcie-replays",
    "no GPU's PCIe link repeats far more packets than its peers'",
    severity=WARNING,
    remedy="reseat the GPU or its riser, and see whether the number still grows",
    depends=ANSWERS,
)
def pcie_replays(host: Host, _nvidia: NvidiaSettings) -> None:
    everyone = boards(host)
    if len(everyone) == 1:
        not_applicable("one GPU has no peers, and a number of replays alone says nothing")

    def wrong(board: Board, replays: int) -> str:
        others = [other.smi.pcie_replays.value or 0 for other in everyone if other != board]
        most = max(_FEW_REPLAYS, _TIMES_PEERS * median(others))
        said = f"has {replays} PCIe replays, its peers {median(others):.0f} (median)"
        return f"{said}, expected at most {most:.0f}" if replays > most else ""

    expect(host, lambda gpu: gpu.pcie_replays, wrong)
