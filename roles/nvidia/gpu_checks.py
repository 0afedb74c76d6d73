"""What must hold of the GPUs as such: all there, all answering, the declared ones, alike."""

from __future__ import annotations

import re
from collections import Counter

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, Unknown, check, not_applicable
from flightline.gpu.evidence import SMI, gpus_on_bus, report, smi
from roles.nvidia.boards import Board, boards, is_lost, lost_value
from roles.nvidia.judging import alike, conclude, expect, value
from roles.nvidia.settings import NvidiaSettings

ANSWERS = ("nvidia-smi-answers",)
KNOWN = (*ANSWERS, "nvidia-gpu-known")
"""For checks whose expectation depends on the model."""

_INFOROM = re.compile("inforom", re.IGNORECASE)
_RESET = "drain the node, reset the GPU (`nvidia-smi --gpu-reset -i INDEX`); if that fails, reboot"


@check(
    "nvidia-smi-answers",
    "nvidia-smi gives a whole report, and a GPU answers it",
    severity=CRITICAL,
    remedy="see why the driver does not answer: `nvidia-smi; dmesg | grep -E 'NVRM|nvidia'`",
    depends=("nvidia-module-loaded", "nvidia-module-version"),
)
def smi_answers(host: Host, _nvidia: NvidiaSettings) -> None:
    host.run(SMI)  # asked before the bus is known, so that both come in one round trip
    gpus = gpus_on_bus(host, or_listed=True)
    try:
        shown = smi(host)
    except Unknown as why:
        raise AssertionError(str(why)) from None
    assert shown.gpus or gpus, "nvidia-smi lists no GPU, expected one at least"
    assert not all(map(is_lost, shown.gpus)), (
        f"none of the {len(gpus)} GPUs on the PCI bus answers nvidia-smi, which lists "
        f"{', '.join(gpu.address for gpu in shown.gpus) or 'none'}"
    )


@check(
    "nvidia-gpu-answering",
    "every GPU that the driver attached answers",
    severity=CRITICAL,
    remedy="reboot; if it comes back, power the node off and on, then reseat or return the GPU",
    depends=(*ANSWERS, "nvidia-bus-fallen"),
)
def gpu_answering(host: Host, _nvidia: NvidiaSettings) -> None:
    shown = report(host)
    lost = [f"nvidia-smi says {line!r}" for line in shown.lost if not _INFOROM.search(line)]
    lost += [
        f"GPU {index} ({gpu.address}) does not answer: {lost_value(gpu)!r}"
        for index, gpu in enumerate(shown.gpus)
        if is_lost(gpu)
    ]
    assert not lost, "; ".join(lost)
    attached = value(shown.attached_gpus, "how many GPUs the driver attached")
    assert attached == len(shown.gpus), (
        f"nvidia-smi lists {len(shown.gpus)} GPUs, expected the {attached} that it calls attached"
    )


@check(
    "nvidia-gpu-present",
    "every NVIDIA GPU on the PCI bus is known to the driver",
    severity=CRITICAL,
    remedy="`dmesg | grep -i nvrm` says why the driver left it out; (rev ff): power off and on",
    depends=(*ANSWERS, "nvidia-gpu-answering", "nvidia-bus-fallen"),
)
def gpu_present(host: Host, _nvidia: NvidiaSettings) -> None:
    shown = {gpu.address for gpu in report(host).gpus}
    # vfio-pci holds GPUs that are given to virtual machines: they are not the driver's.
    ours = [each for each in gpus_on_bus(host) if each.driver != "vfio-pci"]
    lacking = [
        f"{each.address} (10de:{each.device}, driver {each.driver or 'none'}) is on the PCI bus "
        "and not in nvidia-smi's list"
        for each in ours
        if each.address not in shown
    ]
    lacking += [
        f"{each.address} answers with all ones: it fell off the bus"
        for each in ours
        if each.is_off_the_bus and each.address in shown
    ]
    assert not lacking, "; ".join(lacking)


@check(
    "nvidia-gpu-count",
    "the node has as many GPUs as declared",
    severity=CRITICAL,
    remedy="find the absent GPU: `lspci -d 10de:`, the server's BMC log; or correct gpu_count",
    depends=(*ANSWERS, "nvidia-gpu-answering", "nvidia-gpu-present"),
)
def gpu_count(host: Host, nvidia: NvidiaSettings) -> None:
    found = len(report(host).gpus)
    if nvidia.gpu_count is None:
        not_applicable("NvidiaSettings.gpu_count is None: any number is accepted")
    assert found == nvidia.gpu_count, (
        f"nvidia-smi lists {found} GPUs, expected {nvidia.gpu_count} (NvidiaSettings.gpu_count)"
    )


@check(
    "nvidia-gpu-known",
    "driver and catalog know the model of every GPU",
    severity=ERROR,
    remedy="take a newer driver branch; for a GPU that is new to the catalog, a newer Flightline",
    depends=ANSWERS,
)
def gpu_known(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(_board: Board, name: str) -> str:
        # What drivers print for a GPU whose name they do not have.
        nameless = "graphics device" in name.lower()
        return f"is a {name!r} to the driver, which does not know its name" if nameless else ""

    expect(host, lambda gpu: gpu.product_name, wrong, needs_model=True)


@check(
    "nvidia-gpu-model",
    "every GPU is of the declared model",
    severity=CRITICAL,
    remedy="correct NvidiaSettings.gpu_model, or put the right node into the group",
    depends=KNOWN,
)
def gpu_model(host: Host, nvidia: NvidiaSettings) -> None:
    wanted = nvidia.gpu_model
    if wanted is None:
        not_applicable("NvidiaSettings.gpu_model is None: any model in the catalog is accepted")

    def wrong(board: Board, _device: str) -> str:
        said = f"is {board.known.id} ({board.smi.product_name.raw}), expected {wanted}"
        return "" if board.known.id == wanted else f"{said} (NvidiaSettings.gpu_model)"

    expect(host, lambda gpu: gpu.device_id, wrong, needs_model=True)


@check(
    "nvidia-gpu-uniform",
    "all GPUs of the node are of one model",
    severity=ERROR,
    remedy="replace the odd one: engines and collectives run at the pace of the smallest GPU",
    depends=(*KNOWN, "nvidia-gpu-model"),
)
def gpu_uniform(host: Host, _nvidia: NvidiaSettings) -> None:
    conclude(alike(host, lambda gpu: gpu.device_id, "device id"))


@check(
    "nvidia-gpu-memory",
    "every GPU shows the memory of its model",
    severity=ERROR,
    remedy="reset the GPU; if it still shows less, return it: part of its memory is switched off",
    depends=(*KNOWN, "nvidia-gpu-model"),
)
def gpu_memory(host: Host, _nvidia: NvidiaSettings) -> None:
    if all(board.is_share for board in boards(host)):
        not_applicable("every GPU is a share of one (vGPU), and has as much as its host gave it")

    def wrong(board: Board, mib: int) -> str:
        least = board.known.memory.value * 1024 * 0.97  # 3 %: ECC and firmware differ, GPUs not
        said = f"shows {mib} MiB, expected at least {least:.0f} MiB ({board.known.id}, catalog)"
        return "" if mib >= least else said

    expect(host, lambda gpu: gpu.memory_total_mib, wrong, needs_model=True)


@check(
    "nvidia-gpu-recovery",
    "no GPU asks to be reset or rebooted",
    severity=CRITICAL,
    remedy=f"do what it asks for: {_RESET}",
    depends=ANSWERS,
)
def gpu_recovery(host: Host, _nvidia: NvidiaSettings) -> None:
    def wrong(_board: Board, action: str) -> str:
        asks = action.lower() != "none"
        return f"asks for {action!r} (gpu_recovery_action), expected 'None'" if asks else ""

    expect(host, lambda gpu: gpu.recovery_action, wrong, since=570)


@check(
    "nvidia-uuid-unique",
    "every GPU has a UUID of its own",
    severity=ERROR,
    remedy="return the board: its identity was copied, and software will take two GPUs for one",
    depends=ANSWERS,
)
def uuid_unique(host: Host, _nvidia: NvidiaSettings) -> None:
    times = Counter(board.smi.uuid.value for board in boards(host))

    def wrong(_board: Board, uuid: str) -> str:
        return f"has UUID {uuid}, which {times[uuid]} GPUs have" if times[uuid] > 1 else ""

    expect(host, lambda gpu: gpu.uuid, wrong)


@check(
    "nvidia-inforom-valid",
    "no GPU has a damaged InfoROM",
    severity=ERROR,
    remedy="return the board: what it remembers of its own errors can no longer be trusted",
    depends=ANSWERS,
)
def inforom_valid(host: Host, _nvidia: NvidiaSettings) -> None:
    damaged = [line for line in report(host).lost if _INFOROM.search(line)]
    assert not damaged, f"nvidia-smi says {damaged[0]!r}"
