"""What must hold of GPU memory: ECC, its errors, remapped rows, retired pages.

Counters that a GPU keeps for life are never expected to be 0; those since the driver was loaded
are, where one error spoils results.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, WARNING, check, not_applicable
from flightline.gpu.reading import Reading
from flightline.gpu.smi import SmiGpu
from roles.nvidia.boards import Board, boards
from roles.nvidia.gpu_checks import KNOWN
from roles.nvidia.judging import Found, by_model, conclude, examine, expect
from roles.nvidia.settings import NvidiaSettings

_RESET = "drain the node, reset the GPU (`nvidia-smi --gpu-reset -i INDEX`); if that fails, reboot"
_WAITS = "whose repair waits for a reset, expected none"
_RETURN = "take the GPU out of service and return it"

# NVIDIA GPU Memory Error Management and other operators' limits (facts read 2026-11-20): more
# than 4 in SRAM over the GPU's life, or its own threshold, is a reason to return it.
_MOST_SRAM_ERRORS = 4
_MOST_REMAPPED = 512  # uncorrectable rows; OCI's and Azure's limit (2026-11-20)
_MOST_RETIRED = 60  # of 64 that fit; AWS's limit (2026-11-20)
_CARD_FOR_DESKS = re.compile(r"\b(?:GeForce|RTX|Quadro|TITAN)\b")
_MOST_CORRECTED = {"DRAM": 20_000_000, "SRAM": 10_000}  # Azure's check_gpu_ecc (2026-11-20)


_no_ecc = by_model(lambda model: not model.has_ecc)
_no_rows = by_model(lambda model: not model.has_row_remapping)
# Volta and Turing data centre GPUs retire pages; GeForce cards, with ECC or without, do not.
_no_pages = by_model(
    lambda model: model.has_row_remapping or not model.has_ecc or not model.is_datacenter
)


def _comes_without_ecc(board: Board) -> bool:
    """GeForce and workstation cards leave the factory with ECC off, where they have it.

    As captures of RTX A5000 and RTX PRO 6000 Max-Q show (telegraf's test data, read 2026-11-21).
    """
    if board.model is not None:
        return not board.model.is_datacenter
    name = board.smi.product_name.value or ""
    return _CARD_FOR_DESKS.search(name) is not None and "Server" not in name


def _uncounted(board: Board) -> str:
    """Without ECC, errors are not counted; whether it must be on, nvidia-ecc-enabled judges."""
    return "has ECC off" if board.smi.ecc_current.value is False else _no_ecc(board)


@check(
    "nvidia-ecc-enabled",
    "ECC is on, so that memory errors are corrected or at least seen",
    severity=ERROR,
    remedy="`nvidia-smi -e 1`, then reset the GPUs or reboot",
    depends=KNOWN,
)
def ecc_enabled(host: Host, nvidia: NvidiaSettings) -> None:
    if not nvidia.ecc:
        not_applicable("NvidiaSettings.ecc is False")
    if "ecc" not in nvidia.model_fields_set and all(map(_comes_without_ecc, boards(host))):
        not_applicable(
            "GeForce and workstation cards come with ECC off; NvidiaSettings(ecc=True) demands it"
        )

    def wrong(_board: Board, on: bool) -> str:
        return "" if on else "has ECC off, expected on (NvidiaSettings.ecc)"

    expect(host, lambda gpu: gpu.ecc_current, wrong, lacks=_no_ecc)


@check(
    "nvidia-ecc-pending",
    "no change of the ECC mode waits for the next reset",
    severity=WARNING,
    remedy=f"set it to what is wanted (`nvidia-smi -e 0|1`); {_RESET}",
    depends=(*KNOWN, "nvidia-ecc-enabled"),
)
def ecc_pending(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(board: Board, later: bool) -> str:
        now = board.smi.ecc_current.value
        words = {True: "on", False: "off"}
        said = f"has ECC {words.get(bool(now))} and after the next reset {words[later]}"
        return "" if later == now else said

    expect(host, lambda gpu: gpu.ecc_pending, wrong, lacks=_no_ecc)


@check(
    "nvidia-ecc-uncorrectable",
    "no memory error was left uncorrected since the driver was loaded",
    severity=CRITICAL,
    remedy=f"{_RESET}; then run `flightline audit --phase acceptance`",
    depends=KNOWN,
)
def ecc_uncorrectable(host: Host, _nvidia: NvidiaSettings) -> None:
    def in_memory(kind: str) -> Callable[[Board, int], str]:
        said = f"uncorrectable errors in {kind} since the driver was loaded, expected 0"
        return lambda _, errors: f"has {errors} {said}" if errors else ""

    dram, sram = in_memory("DRAM"), in_memory("SRAM")
    conclude(
        examine(host, lambda gpu: gpu.dram_uncorrectable_volatile, dram, lacks=_uncounted),
        examine(host, lambda gpu: gpu.sram_uncorrectable_volatile, sram, lacks=_uncounted),
    )


@check(
    "nvidia-ecc-sram-threshold",
    "no GPU has had so many uncorrectable SRAM errors that it must be replaced",
    severity=CRITICAL,
    remedy=_RETURN,
    depends=KNOWN,
)
def ecc_sram_threshold(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(board: Board, errors: int) -> str:
        if board.smi.sram_threshold_exceeded.value is True:
            return f"says that its SRAM error threshold is exceeded ({errors} in its life)"
        said = f"has had {errors} uncorrectable SRAM errors, expected at most {_MOST_SRAM_ERRORS}"
        return said if errors > _MOST_SRAM_ERRORS else ""

    expect(host, lambda gpu: gpu.sram_uncorrectable_aggregate, wrong, lacks=_uncounted)


@check(
    "nvidia-ecc-correctable-rate",
    "memory errors that ECC corrects stay rare",
    severity=WARNING,
    remedy="watch the GPU; when the number keeps growing, have it replaced",
    depends=KNOWN,
)
def ecc_correctable_rate(host: Host, _nvidia: NvidiaSettings) -> None:
    def at_most(kind: str) -> Callable[[Board, int], str]:
        most = _MOST_CORRECTED[kind]
        said = f"in {kind} since the driver was loaded, expected at most {most}"
        return lambda _, errors: f"corrected {errors} errors {said}" if errors > most else ""

    dram, sram = at_most("DRAM"), at_most("SRAM")
    conclude(
        examine(host, lambda gpu: gpu.dram_correctable_volatile, dram, lacks=_uncounted),
        examine(host, lambda gpu: gpu.sram_correctable_volatile, sram, lacks=_uncounted),
    )


@check(
    "nvidia-remap-pending",
    "no bad memory row, channel or group of cores waits for a reset to be replaced",
    severity=CRITICAL,
    remedy=_RESET,
    depends=KNOWN,
)
def remap_pending(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(_board: Board, waits: bool) -> str:
        return "has a row remapping that waits for a reset, expected none" if waits else ""

    conclude(
        examine(host, lambda gpu: gpu.remap_pending, wrong, lacks=_no_rows),
        _told(host, lambda gpu: gpu.channel_repair_pending, f"memory channel {_WAITS}"),
        _told(host, lambda gpu: gpu.tpc_repair_pending, f"group of cores (TPC) {_WAITS}"),
    )


def _told(host: Host, read: Callable[[SmiGpu], Reading[bool]], what: str) -> Found:
    """What GPUs tell of a fault that drivers before 580, and many GPUs, do not report."""

    def wrong(_board: Board, is_so: bool) -> str:
        return f"has a {what}" if is_so else ""

    found = examine(host, read, wrong, lacks=lambda _: "does not tell")
    return Found(bad=found.bad, blind=found.blind)


@check(
    "nvidia-remap-failure",
    "no bad memory row is left without a spare one",
    severity=CRITICAL,
    remedy=_RETURN,
    depends=KNOWN,
)
def remap_failure(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(_board: Board, failed: bool) -> str:
        return "could not remap a bad row: no spare row is left in its bank" if failed else ""

    conclude(
        examine(host, lambda gpu: gpu.remap_failure, wrong, lacks=_no_rows),
        _told(host, lambda gpu: gpu.unrepairable_memory, "fault in its memory beyond repair"),
    )


@check(
    "nvidia-remap-exhausted",
    "the spare memory rows are far from used up",
    severity=CRITICAL,
    remedy=_RETURN,
    depends=(*KNOWN, "nvidia-remap-failure"),
)
def remap_exhausted(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(_board: Board, rows: int) -> str:
        said = f"has {rows} rows remapped for uncorrectable errors"
        return f"{said}, expected at most {_MOST_REMAPPED}" if rows > _MOST_REMAPPED else ""

    expect(host, lambda gpu: gpu.remapped_uncorrectable, wrong, lacks=_no_rows)


@check(
    "nvidia-pages-pending",
    "no bad memory page waits for a reset to be retired",
    severity=CRITICAL,
    remedy=_RESET,
    depends=KNOWN,
)
def pages_pending(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(_board: Board, waits: bool) -> str:
        return "has a page retirement that waits for a reset, expected none" if waits else ""

    expect(host, lambda gpu: gpu.retirement_pending, wrong, lacks=_no_pages)


@check(
    "nvidia-pages-retired",
    "the memory pages that may be retired are not used up",
    severity=CRITICAL,
    remedy=_RETURN,
    depends=KNOWN,
)
def pages_retired(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(board: Board, single: int) -> str:
        pages = single + (board.smi.retired_double_bit.value or 0)
        said = f"has {pages} retired pages, expected at most {_MOST_RETIRED}"
        return said if pages > _MOST_RETIRED else ""

    conclude(
        examine(host, lambda gpu: gpu.retired_single_bit, wrong, lacks=_no_pages),
        examine(host, lambda gpu: gpu.retired_double_bit, lambda *_: "", lacks=_no_pages),
    )
