"""What a node has against what is declared for it: refused before anything is changed."""

from __future__ import annotations

import dataclasses

import pytest

from flightline.gpu.bus import PciDevice
from flightline.plan.found import Found, model, problems
from roles.nvidia.settings import NvidiaSettings

H100, A100, V100, B200 = "2330", "20b2", "1db5", "2901"


def device(
    number: int, device_id: str, class_code: str = "030200", revision: str = "a1"
) -> PciDevice:
    return PciDevice(
        address=f"0000:{number:02x}:00.0", vendor="10de", device=device_id, class_code=class_code,
        revision=revision, subsystem="", driver="", numa_node=0, link_speed_gts=32.0, link_width=16,
        max_link_speed_gts=32.0, max_link_width=16, aer_correctable=0, aer_nonfatal=0, aer_fatal=0,
        local_cpus="0-3", parents=(),
    )  # fmt: skip


def gpus(device_id: str, count: int = 8) -> tuple[PciDevice, ...]:
    return tuple(device(number + 1, device_id) for number in range(count))


def told(settings: NvidiaSettings, *devices: PciDevice, **found: bool) -> str:
    return " ".join(problems(settings, Found(devices, **found)))


def test_a_node_as_declared_has_no_problem() -> None:
    assert not told(NvidiaSettings(gpu_model="h100_sxm_80", gpu_count=8), *gpus(H100))


def test_a_node_without_gpus_is_fine_where_none_is_declared() -> None:
    assert not told(NvidiaSettings())


def test_a_missing_gpu_is_refused() -> None:
    said = told(NvidiaSettings(gpu_count=8), *gpus(H100, 7))
    assert said.startswith("7 GPUs are on the PCI bus, but gpu_count declares 8")


def test_no_gpu_at_all_is_refused_where_some_are_declared() -> None:
    assert "no NVIDIA GPU is on the PCI bus" in told(NvidiaSettings(gpu_count=8))


def test_another_model_than_declared_is_refused() -> None:
    said = told(NvidiaSettings(gpu_model="h100_sxm_80"), *gpus(A100))
    assert "but gpu_model declares h100_sxm_80" in said


def test_mixed_models_are_refused() -> None:
    said = told(NvidiaSettings(), *gpus(H100, 6), device(9, A100), device(10, A100))
    assert "different GPUs are in one node (2 x A100" in said and "6 x H100" in said


def test_a_gpu_that_the_catalog_does_not_know_is_refused() -> None:
    assert "the catalog does not know the GPU 10de:ffee" in told(
        NvidiaSettings(), device(1, "ffee")
    )


def test_a_gpu_that_fell_off_the_bus_is_refused() -> None:
    lost = dataclasses.replace(device(3, H100), revision="ff")
    assert told(NvidiaSettings(), *gpus(H100, 2), lost).startswith("0000:03:00.0: fell off")


def test_gpus_of_virtual_machines_are_not_this_nodes() -> None:
    passed = [dataclasses.replace(each, driver="vfio-pci") for each in gpus(A100, 2)]
    assert not told(NvidiaSettings(gpu_count=6), *gpus(H100, 6), *passed)
    assert model(passed) is None


@pytest.mark.parametrize(
    ("settings", "device_id", "sentence"),
    [
        (NvidiaSettings(branch=535), B200, "driver branch 535 does not know the B200"),
        (NvidiaSettings(kernel_modules="proprietary"), B200, "cannot drive the B200"),
        (NvidiaSettings(kernel_modules="open"), V100, "cannot drive the V100"),
        (NvidiaSettings(dtypes=("fp8",)), A100, "dtypes has fp8"),
        (NvidiaSettings(fabric_manager="off"), H100, "has NVSwitches"),
    ],
)
def test_what_the_found_gpu_cannot_do_is_refused(
    settings: NvidiaSettings, device_id: str, sentence: str
) -> None:
    assert sentence in told(settings, *gpus(device_id))


def test_switches_on_the_bus_need_a_fabric_manager() -> None:
    switch = device(20, "1af1", class_code="068000")
    said = told(NvidiaSettings(fabric_manager="off"), *gpus(A100), switch)
    assert "NVSwitches" in said


def test_secure_boot_without_signed_modules_is_refused_with_the_steps() -> None:
    said = told(NvidiaSettings(), *gpus(H100), is_secure_boot_on=True)
    assert "mokutil --import" in said


def test_a_trusted_key_must_be_enrolled() -> None:
    settings = NvidiaSettings(secure_boot="signed")
    assert "no key" in told(settings, *gpus(H100), is_secure_boot_on=True)
    assert not told(settings, *gpus(H100), is_secure_boot_on=True, has_enrolled_key=True)


def test_modules_that_come_signed_need_no_key() -> None:
    assert not told(NvidiaSettings(), *gpus(H100), is_secure_boot_on=True, builds_modules=False)


def test_one_model_is_told_and_mixed_ones_are_not() -> None:
    found = model(gpus(H100))
    assert found and found.id == "h100_sxm_80"
    assert model((*gpus(H100, 1), device(9, A100))) is None
    assert model(()) is None
