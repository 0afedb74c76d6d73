"""What must hold of the links among GPUs: NVLink and the NVSwitch fabric."""

from __future__ import annotations

from collections.abc import Callable

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, unknown
from flightline.catalog.model import Gpu
from flightline.gpu import nvlink
from flightline.gpu.nvlink import GpuLinks, parse_nvlink
from roles.nvidia.boards import STRANGER, Board, boards
from roles.nvidia.gpu_checks import KNOWN
from roles.nvidia.judging import Found, Said, alike, by_model, conclude, examine
from roles.nvidia.settings import NvidiaSettings

# Boards with NVSwitches before Hopper do not report their fabric's state.
_no_fabric = by_model(
    lambda model: (
        model.nvswitch not in ("all", "rack")
        or model.architecture in ("volta", "turing", "ampere", "ada")
    )
)

_NO_JUDGEMENT = ("partition_assigned",)  # how the fabric is cut up, not how it is
_GOOD_HEALTH = ("healthy", "full", "false", "no", "none", "not supported")


@check(
    "nvidia-nvlink-count",
    "every NVLink of every GPU is up",
    severity=CRITICAL,
    remedy="restart nvidia-fabricmanager, then reboot; if it stays, return the GPU or baseboard",
    depends=KNOWN,
)
def nvlink_count(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(board: Board, links: GpuLinks) -> str:
        down = ", ".join(map(str, links.inactive))
        said = f"has {len(links.active)} NVLinks up, expected {board.known.nvlink_links}"
        said += f" ({board.known.id}, catalog)" + (f"; down: {down}" if down else "")
        return "" if len(links.active) == board.known.nvlink_links else said

    conclude(_each_with_links(host, wrong))


@check(
    "nvidia-nvlink-speed",
    "every NVLink that is up runs at the speed of its model",
    severity=ERROR,
    remedy="reset all GPUs or reboot; if it stays slow, return the GPU or baseboard",
    depends=KNOWN,
)
def nvlink_speed(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(board: Board, links: GpuLinks) -> str:
        rate = board.known.nvlink_rate.value if board.known.nvlink_rate else 0.0
        slow = [f"{each:g}" for each in links.active if each < rate * 0.99]  # printed rounded
        said = f"has NVLinks at {', '.join(slow)} GB/s, expected {rate:g} GB/s at least"
        return f"{said} ({board.known.id}, catalog)" if slow else ""

    conclude(_each_with_links(host, wrong))


@check(
    "nvidia-fabric-trained",
    "every GPU on an NVSwitch has joined the fabric",
    severity=CRITICAL,
    remedy="`systemctl status nvidia-fabricmanager`, its version must be the driver's; then reboot",
    depends=(*KNOWN, "nvidia-fabricmanager-running"),
)
def fabric_trained(host: Host, _nvidia: NvidiaSettings) -> None:
    def state(_board: Board, found: str) -> str:
        wrong = found.lower() != "completed"
        return f"is in fabric state {found!r}, expected 'Completed'" if wrong else ""

    def status(_board: Board, found: str) -> str:
        wrong = found.lower() != "success"
        return f"has fabric status {found!r}, expected 'Success'" if wrong else ""

    conclude(
        examine(host, lambda gpu: gpu.fabric_state, state, lacks=_no_fabric, since=525),
        examine(host, lambda gpu: gpu.fabric_status, status, lacks=_no_fabric, since=525),
    )


@check(
    "nvidia-fabric-cluster",
    "all GPUs of the node are in one NVLink cluster and clique",
    severity=ERROR,
    remedy="see the fabric manager's or NMX's partitions; then restart nvidia-imex on all nodes",
    depends=(*KNOWN, "nvidia-fabric-trained"),
)
def fabric_cluster(host: Host, _nvidia: NvidiaSettings) -> None:
    conclude(
        alike(host, lambda gpu: gpu.fabric_cluster_uuid, "cluster", lacks=_no_fabric, since=545),
        alike(host, lambda gpu: gpu.fabric_clique_id, "clique", lacks=_no_fabric, since=545),
    )


@check(
    "nvidia-fabric-health",
    "no GPU reports a fault of its NVLink fabric",
    severity=CRITICAL,
    remedy="`nvidia-smi -q -i INDEX` shows which; look at the switch trays, then reset or reboot",
    depends=(*KNOWN, "nvidia-fabric-trained"),
)
def fabric_health(host: Host, _nvidia: NvidiaSettings) -> None:
    bad, blind, judged = list[Said](), list[Said](), 0
    for board in boards(host):
        for name, reading in board.smi.fabric_health.items():
            if name in _NO_JUDGEMENT:
                continue
            if reading.is_there:
                judged += 1
                good = str(reading.value).lower() in _GOOD_HEALTH
                bad += [] if good else [(board, f"reports fabric {name} {reading.value!r}")]
            elif not reading.is_unsupported:
                blind.append((board, f"reports {reading.raw!r} for {reading.name}"))
    absent = tuple((board, "reports no fabric health") for board in boards(host))
    conclude(Found(tuple(bad), tuple(blind), absent, judged > 0))


def _each_with_links(host: Host, wrong: Callable[[Board, GpuLinks], str]) -> Found:
    """Judge the links of every GPU that has NVLinks and the means to use them."""
    bad, blind, absent, judged = list[Said](), list[Said](), list[Said](), 0
    linked = [board for board in boards(host) if board.model is None or board.model.nvlink_links]
    links = _links(host) if linked else {}
    for board in boards(host):
        found = links.get(board.index)
        if board.model is None:
            blind.append((board, STRANGER))
        elif proof := _without_links(board, board.model, found):
            absent.append((board, proof))
        elif found is None:
            blind.append((board, "is not listed by nvidia-smi nvlink"))
        else:
            judged += 1
            bad += [(board, said)] if (said := wrong(board, found)) else []
    return Found(tuple(bad), tuple(blind), tuple(absent), judged > 0)


def _links(host: Host) -> dict[int, GpuLinks]:
    try:
        return {each.index: each for each in parse_nvlink(host.run(nvlink.COMMAND).stdout)}
    except ValueError as error:
        unknown(f"{error}")


def _without_links(board: Board, model: Gpu, found: GpuLinks | None) -> str:
    """Why this GPU has no NVLinks to judge; empty when it has."""
    if not model.nvlink_links:
        return f"is a {model.name}, which has no NVLink (catalog)"
    if board.smi.mig_current.value is True:
        return "has MIG on, which switches NVLink off"
    is_card = model.nvswitch == "none" and not any("SXM" in each for each in model.product_names)
    if is_card and found is not None and not found.active:
        return "is a card without an NVLink bridge: no link is up"
    return ""
