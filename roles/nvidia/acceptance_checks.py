"""Checks that load the GPUs: rates against the catalog's floors and against their peers.

Each asks one command, which refuses on a GPU in use; what could not be measured is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from testinfra.host import Host

from flightline.acceptance.judging import judge_pairs
from flightline.acceptance.kinds import AllReduce
from flightline.audit.check import ACCEPTANCE, CRITICAL, ERROR, check, not_applicable, unknown
from flightline.gpu.evidence import gpus_on_bus
from flightline.gpu.load import commands, peers, results
from roles.nvidia.measuring import judge, model, result
from roles.nvidia.settings import NvidiaSettings

T = TypeVar("T")

_REDUCE = AllReduce(image=lambda nvidia: nvidia.acceptance.image)

_SLOW = "look at clocks, temperature and PCIe width under load; docs/runbooks/nvidia.md"


@check(
    "nvidia-acceptance-memory",
    "every GPU reads and writes its memory as fast as the model should, and as its peers",
    severity=ERROR,
    phase=ACCEPTANCE,
    remedy=_SLOW,
)
def memory_bandwidth(host: Host, nvidia: NvidiaSettings) -> None:
    gpu = model(host)
    rates = result(host, commands.probe(nvidia.acceptance.image), results.rates)
    found = {str(number): each.memory_gbps for number, each in enumerate(rates)}
    judge(nvidia, gpu, "memory_bandwidth", found, "GB/s")


@check(
    "nvidia-acceptance-compute",
    "every GPU multiplies bf16 matrices as fast as the model should, and as its peers",
    severity=ERROR,
    phase=ACCEPTANCE,
    remedy=_SLOW,
)
def matrix_rate(host: Host, nvidia: NvidiaSettings) -> None:
    gpu = model(host)
    if gpu.bf16 is None:
        not_applicable(f"the {gpu.name} has no bf16.")
    rates = result(host, commands.probe(nvidia.acceptance.image), results.rates)
    found = {str(number): each.bf16_tflops for number, each in enumerate(rates)}
    judge(nvidia, gpu, "bf16", found, "TFLOPS")


@check(
    "nvidia-acceptance-host",
    "copies between host and every GPU run as fast as its PCIe link should",
    severity=ERROR,
    phase=ACCEPTANCE,
    remedy="reseat the slow GPU or its riser; look at nvidia-pcie-width and nvidia-numa-locality",
)
def host_copies(host: Host, nvidia: NvidiaSettings) -> None:
    gpu = model(host)
    found = result(host, commands.copies(nvidia.acceptance.image), results.copies)
    for metric, test in (("h2d", "host_to_device_memcpy_ce"), ("d2h", "device_to_host_memcpy_ce")):
        if test not in found:
            unknown(f"nvbandwidth measured no {test}.")
        judge(nvidia, gpu, metric, peers.least(found[test]), "GB/s")


@check(
    "nvidia-acceptance-peer",
    "copies between every pair of GPUs run as fast as their links should",
    severity=ERROR,
    phase=ACCEPTANCE,
    remedy="look at nvidia-nvlink-count and at ACS; one slow row and column name the GPU",
)
def peer_copies(host: Host, nvidia: NvidiaSettings) -> None:
    gpu = model(host)
    if len(gpus_on_bus(host)) < 2:
        not_applicable("there is one GPU in the node, and no peer.")
    found = result(host, commands.copies(nvidia.acceptance.image), results.copies)
    test = "device_to_device_memcpy_read_ce"
    if test not in found:
        unknown(f"nvbandwidth measured no {test}: the GPUs do not reach each other.")
    judge(nvidia, gpu, "p2p", peers.least(found[test]), "GB/s")


@check(
    "nvidia-acceptance-allreduce",
    "all_reduce over all GPUs of the node reaches its bus bandwidth at 8 GiB",
    severity=ERROR,
    phase=ACCEPTANCE,
    remedy="look at nvidia-fabric-trained, nvidia-nvlink-count, and for an NCCL topology file",
)
def all_reduce(host: Host, nvidia: NvidiaSettings) -> None:
    gpu, count = model(host), len(gpus_on_bus(host))
    if count < 2:
        not_applicable("there is one GPU in the node, and nothing to reduce over.")
    size = commands.ALL_REDUCE_BYTES
    found = result(
        host,
        commands.all_reduce(count, nvidia.acceptance.image),
        lambda text: results.collective(text, size),
    )
    assert not found.wrong, (
        f"all_reduce returned {found.wrong} wrong elements; take the node out of service and run "
        "`dcgmi diag -r 3`."
    )
    judge(nvidia, gpu, f"all_reduce_{count}", {"all": found.busbw_gbps}, "GB/s")


@check(
    "nvidia-acceptance-nodes",
    "all_reduce over the GPUs of two nodes reaches its bus bandwidth",
    severity=ERROR,
    phase=ACCEPTANCE,
    remedy="look at fabric-acceptance-pairs and /etc/nccl.conf on the node that is named",
    between=_REDUCE,
)
def all_reduce_between(host: Host, _nvidia: NvidiaSettings) -> None:
    gpus_on_bus(host)
    judge_pairs(host, _REDUCE.label, "GB/s", nothing="the node has no GPU")


@check(
    "nvidia-acceptance-burn",
    "every GPU computes without an error at full power",
    severity=CRITICAL,
    phase=ACCEPTANCE,
    remedy="take the GPU out of service; `dcgmi diag -r 3` for the vendor's ticket",
)
def burn(host: Host, nvidia: NvidiaSettings) -> None:
    found = _burnt(host, nvidia, results.burned)
    bad = [str(each.number) for each in found if not each.is_ok]
    assert not bad, f"gpu_burn found wrong results on GPU {', '.join(bad)}."
    count = len(gpus_on_bus(host))
    assert len(found) == count, f"gpu_burn ran on {len(found)} of {count} GPUs."


@check(
    "nvidia-acceptance-thermal",
    "no GPU slows down for heat or power supply at full load",
    severity=ERROR,
    phase=ACCEPTANCE,
    remedy="mend the air flow, fans, or power supply that the reason names",
    depends=("nvidia-acceptance-burn",),
)
def thermal(host: Host, nvidia: NvidiaSettings) -> None:
    found = _burnt(host, nvidia, results.samples)
    if not found or any(each.throttle_bits is None for each in found):
        unknown("nvidia-smi gave no throttle reasons under load.")
    slowed = [
        f"{each.address} ({_reasons(each.throttle_bits or 0)}, {each.temperature_c:.0f} C)"
        if each.temperature_c is not None
        else f"{each.address} ({_reasons(each.throttle_bits or 0)})"
        for each in found
        if (each.throttle_bits or 0) & _BAD_BITS
    ]
    assert not slowed, f"slowed down under load: {'; '.join(slowed)}."


@check(
    "nvidia-acceptance-dcgm",
    "DCGM's own diagnostics pass",
    severity=ERROR,
    phase=ACCEPTANCE,
    remedy="follow the message of the test that failed; `dcgmi diag -r 3` for the vendor's ticket",
)
def diagnostics(host: Host, nvidia: NvidiaSettings) -> None:
    gpus_on_bus(host)
    if not nvidia.dcgm:
        not_applicable("DCGM is not declared (NvidiaSettings.dcgm).")
    command = commands.diagnose(nvidia.acceptance.dcgm_level)
    found = result(host, command, results.diagnoses, may_fail=True)
    failed = [f"{each.test}: {each.detail or each.status}" for each in found if _has_failed(each)]
    assert not failed, f"dcgmi diag: {'; '.join(failed)}."
    if not any(each.status.lower() == "pass" for each in found):
        unknown("dcgmi diag skipped every test: it does not know this GPU.")


# nvml.h, nvmlClocksEventReasons: 0x8 hardware, 0x20 software thermal, 0x40 hardware thermal,
# 0x80 power brake. A software power cap (0x4) is what full load looks like.
_REASONS = {0x8: "hardware slowdown", 0x20: "heat", 0x40: "critical heat", 0x80: "power brake"}
_BAD_BITS = sum(_REASONS)


def _reasons(bits: int) -> str:
    return ", ".join(name for bit, name in _REASONS.items() if bits & bit)


def _has_failed(each: results.Diagnosis) -> bool:
    return each.status.lower() in ("fail", "warn")


def _burnt(host: Host, nvidia: NvidiaSettings, read: Callable[[str], T]) -> T:
    gpus_on_bus(host)
    wanted = nvidia.acceptance
    return result(host, commands.burn(wanted.burn_seconds, wanted.image), read)
