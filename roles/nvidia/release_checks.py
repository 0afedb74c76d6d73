"""What must hold of versions, as the GPUs themselves report them: driver, CUDA, firmware."""

from __future__ import annotations

import datetime

from testinfra.host import Host

from flightline import catalog
from flightline.audit.check import CRITICAL, ERROR, WARNING, check, not_applicable, unknown
from flightline.errors import FlightlineError
from flightline.gpu.evidence import report
from flightline.gpu.smi import SmiReport
from roles.nvidia.boards import Board, branch
from roles.nvidia.gpu_checks import ANSWERS, KNOWN
from roles.nvidia.judging import alike, conclude, expect, maybe, value
from roles.nvidia.settings import NvidiaSettings


@check(
    "nvidia-driver-floor",
    "the driver's branch knows every GPU",
    severity=CRITICAL,
    remedy="declare a branch that knows it (`flightline catalog show gpu NAME`), and apply",
    depends=KNOWN,
)
def driver_floor(host: Host, _nvidia: NvidiaSettings) -> None:
    version = value(report(host).driver_version, "which driver is loaded")

    def wrong(board: Board, _device: str) -> str:
        first, last = board.known.first_branch, board.known.last_branch
        if board.branch < first:
            return f"runs driver {version}, expected branch {first} or newer ({board.known.id})"
        if last is not None and board.branch > last:
            return f"runs driver {version}, expected branch {last} at most ({board.known.id})"
        return ""

    expect(host, lambda gpu: gpu.device_id, wrong, needs_model=True)


@check(
    "nvidia-driver-lifecycle",
    "the driver's branch still gets fixes",
    severity=WARNING,
    remedy="plan the change to a supported branch: `flightline catalog list drivers`",
    depends=(*ANSWERS, "nvidia-driver-floor"),
)
def driver_lifecycle(host: Host, _nvidia: NvidiaSettings) -> None:
    shown = report(host)
    version = value(shown.driver_version, "which driver is loaded")
    known = catalog.branch(branch(shown))
    if known is None:
        unknown(f"branch {branch(shown)} (driver {version}) is not in the catalog")
    end = known.end_of_life
    assert end is None or _today(shown) <= end, (
        f"driver {version} is of branch {known.number}, which gets no fixes since {end}"
    )


def _today(shown: SmiReport) -> datetime.date:
    """The node's date as nvidia-smi printed it, "Fri Aug 21 08:54:01 2026"; else ours."""
    try:
        return datetime.datetime.strptime(shown.timestamp, "%a %b %d %H:%M:%S %Y").date()
    except ValueError:
        return datetime.datetime.now(datetime.UTC).date()


@check(
    "nvidia-cuda-supported",
    "the driver can run the CUDA of the container images",
    severity=CRITICAL,
    remedy="declare a newer branch and apply, or take images built for an older CUDA",
    depends=(*KNOWN, "nvidia-driver-floor"),
)
def cuda_supported(host: Host, nvidia: NvidiaSettings) -> None:
    if nvidia.image_cuda is None:
        not_applicable("NvidiaSettings.image_cuda is None: no image is declared")
    version = value(report(host).driver_version, "which driver is loaded")
    wanted = nvidia.image_cuda

    def wrong(board: Board, _device: str) -> str:
        try:
            fit = catalog.runs_cuda(version, wanted, board.known)
        except FlightlineError as error:
            unknown(error.message)
        # Whether an image carries the forward compatibility package, nvidia-smi cannot tell.
        lacks = fit.is_impossible or fit.needs_forward_package
        said = f"cannot run the images: {fit.sentence.rstrip('.')} (NvidiaSettings.image_cuda)"
        return said if lacks else ""

    expect(host, lambda gpu: gpu.device_id, wrong, needs_model=True)


@check(
    "nvidia-dtypes-supported",
    "every GPU computes in the number formats that the models here need",
    severity=CRITICAL,
    remedy="take models in a format that these GPUs have, or put other nodes into the group",
    depends=KNOWN,
)
def dtypes_supported(host: Host, nvidia: NvidiaSettings) -> None:
    if not nvidia.dtypes:
        not_applicable("NvidiaSettings.dtypes is empty: no format is needed")

    def wrong(board: Board, _device: str) -> str:
        lacking = [each for each in nvidia.dtypes if not catalog.has_dtype(board.known, each)]
        said = f"({board.known.id}) has no hardware for {', '.join(lacking)}"
        return f"{said} (NvidiaSettings.dtypes)" if lacking else ""

    expect(host, lambda gpu: gpu.device_id, wrong, needs_model=True)


@check(
    "nvidia-gsp-firmware",
    "the firmware on every GPU's system processor is the driver's",
    severity=ERROR,
    remedy="reboot, so that the driver loads its own firmware; then look at nvidia-firmware-*",
    depends=ANSWERS,
)
def gsp_firmware(host: Host, _nvidia: NvidiaSettings) -> None:
    driver = value(report(host).driver_version, "which driver is loaded")

    def wrong(_board: Board, version: str) -> str:
        same = version == driver
        return "" if same else f"runs GSP firmware {version}, expected the driver's {driver}"

    expect(host, lambda gpu: gpu.gsp_firmware_version, wrong, lacks=maybe, since=470)


@check(
    "nvidia-vbios-uniform",
    "all GPUs of the node run the same VBIOS",
    severity=WARNING,
    remedy="update the odd one with the server vendor's firmware bundle",
    depends=(*KNOWN, "nvidia-gpu-uniform"),
)
def vbios_uniform(host: Host, _nvidia: NvidiaSettings) -> None:
    conclude(alike(host, lambda gpu: gpu.vbios_version, "VBIOS"))


@check(
    "nvidia-inforom-uniform",
    "all GPUs of the node have the same InfoROM image",
    severity=WARNING,
    remedy="update the odd one with the server vendor's firmware bundle",
    depends=(*KNOWN, "nvidia-gpu-uniform"),
)
def inforom_uniform(host: Host, _nvidia: NvidiaSettings) -> None:
    conclude(alike(host, lambda gpu: gpu.inforom_image_version, "InfoROM", lacks=maybe))
