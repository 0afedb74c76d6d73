"""`nvidia-smi -q -x` as records: any driver from 470 on, old and new element names."""

from __future__ import annotations

from flightline.gpu.smi_gpu import gpu
from flightline.gpu.smi_records import SmiError, SmiGpu, SmiProcess, SmiReport
from flightline.gpu.smi_values import Values
from flightline.gpu.smi_xml import lost_lines, root

__all__ = ["COMMAND", "SmiError", "SmiGpu", "SmiProcess", "SmiReport", "parse_smi"]

COMMAND = "LC_ALL=C nvidia-smi -q -x"
"""The one question that a node's GPUs are asked."""


def parse_smi(text: str) -> SmiReport:
    """Return the report. Raises SmiError for anything that is not whole or not nvidia-smi's.

    Real lines (driver 580.105.08, 2026-08-21): `<gpu id="00000000:53:00.0">`,
    `<current_link_width>16x</current_link_width>`. Lines before and after the XML are allowed.
    """
    document = root(text)
    values = Values(document)
    return SmiReport(
        driver_version=values.text("driver_version"),
        cuda_version=values.text("cuda_version"),
        attached_gpus=values.count("attached_gpus"),
        timestamp=values.text("timestamp").raw,
        gpus=tuple(gpu(each) for each in document.findall("gpu")),
        lost=lost_lines(text),
    )
