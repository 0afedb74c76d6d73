"""A bare capture: the output of `nvidia-smi -q -x` in a file, judged as far as it goes."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flightline.audit.answers import Answer, missing, text
from flightline.catalog import gpu_by_device
from flightline.errors import FlightlineError
from flightline.gpu.evidence import PCI_BUS, SMI, derived_bus
from flightline.gpu.smi import SmiError, SmiGpu, SmiReport, parse_smi
from flightline.report.record import NOT_CAPTURED, GpuSeen, Inventory

MOST_BYTES = 16 * 1024 * 1024
"""A report of 8 GPUs has 0.4 MiB (B200, driver 580, 2026-08-21)."""

_BYTE_ORDER_MARKS = {
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
    b"<\0": "utf-16-le",  # of `<?xml`, where the mark was cut off
}
_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"BZh")
"""How files of gzip, zip, xz, zstd and bzip2 begin."""


@dataclass(frozen=True)
class Capture:
    """A capture that was read."""

    name: str
    """Of the node: the file's, without its extension."""
    answers: dict[str, Answer]
    """nvidia-smi's, and a listing of the PCI bus derived from it."""
    report: SmiReport

    def ask(self, commands: Sequence[str]) -> dict[str, Answer]:
        """Return the answers of the capture; every other command has none."""
        return {each: self.answers.get(each) or missing(each, NOT_CAPTURED) for each in commands}


def read(path: Path) -> Capture:
    """Return the capture in a file of any name.

    Raises FlightlineError for what is no such file, too large, or not whole.
    """
    raw = _content(path)
    if raw.startswith(_PACKED):
        raise FlightlineError(f"{path}: is compressed, expected plain text; unpack it first.")
    said = _decoded(raw)
    try:
        report = parse_smi(said)
    except SmiError as error:
        raise FlightlineError(
            f"{path}: is no capture of `nvidia-smi -q -x`: {error}. Name a recording (a folder "
            "under flightline-runs/), or a file with that command's whole output."
        ) from None
    bus = derived_bus((gpu.address, gpu.device_id.value or "") for gpu in report.gpus)
    answers = (Answer(SMI, 0, said.encode("utf-8", "replace")), Answer(PCI_BUS, 0, bus.encode()))
    return Capture(path.stem or path.name, {each.command: each for each in answers}, report)


def inventory(report: SmiReport) -> Inventory:
    """Return what the report shows of the node."""
    return Inventory(
        captured=report.timestamp,
        driver=report.driver_version.value,
        cuda=report.cuda_version.value,
        attached_gpus=report.attached_gpus.value,
        gpus=tuple(_seen(each) for each in report.gpus),
        lost=report.lost,
    )


def _seen(gpu: SmiGpu) -> GpuSeen:
    model = gpu_by_device(gpu.device_id.value) if gpu.device_id.value else None
    return GpuSeen(
        address=gpu.address,
        product=gpu.product_name.value,
        model=model.id if model else None,
        uuid=gpu.uuid.value,
        serial=gpu.serial.value,
        memory_mib=gpu.memory_total_mib.value,
        ecc=gpu.ecc_current.value,
        mig=gpu.mig_current.value,
        mig_devices=gpu.mig_devices,
        pcie_generation=gpu.pcie_generation.value,
        pcie_width=gpu.pcie_width.value,
        temperature_c=gpu.temperature_c.value,
        power_w=gpu.power_draw_w.value,
        power_limit_w=gpu.power_limit_w.value,
    )


def _content(path: Path) -> bytes:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise FlightlineError(f"{path}: is neither a recording's folder nor a regular file.")
        if about.st_size > MOST_BYTES:
            raise FlightlineError(
                f"{path}: has {about.st_size // 1024**2} MiB, expected at most "
                f"{MOST_BYTES // 1024**2} MiB: that is no output of `nvidia-smi -q -x`."
            )
        with path.open("rb") as file:
            return file.read(MOST_BYTES)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name is none"
        raise FlightlineError(f"{path}: cannot be read ({why}).") from None


def _decoded(raw: bytes) -> str:
    """Windows shells write UTF-16."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if raw.startswith(mark):
            return raw.decode(encoding, errors="replace")
    return text(raw)
