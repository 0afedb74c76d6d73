"""When a reboot is asked for: the probes as a shell runs them, over files that stand in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flightline.operations.cmdline import LIST, MISSING_PROBE, SEEN, STALE_PROBE
from roles.kernel.reboots import reboot_probes
from roles.kernel.settings import KernelSettings

GRUB = """\
menuentry 'Debian GNU/Linux' {
\tlinux\t/boot/vmlinuz-6.1.0-56-amd64 root=UUID=f25c ro %s
}
menuentry 'Debian GNU/Linux (recovery mode)' {
\tlinux\t/boot/vmlinuz-6.1.0-56-amd64 root=UUID=f25c ro single
}
"""


def needed(
    probe: str, folder: Path, *, running: str, ahead: str, declared: str, seen: str = ""
) -> bool:
    """Whether the probe asks for a reboot; the arguments are separated by commas."""
    stand_ins = {
        "/proc/cmdline": f"BOOT_IMAGE=/boot/vmlinuz ro {running}\n",
        "/boot/grub/grub.cfg": GRUB % ahead,
        LIST: "# ours\n" + declared.replace(",", "\n") + "\n",
        SEEN: "# ours\n" + seen.replace(",", "\n") + "\n",
    }
    for path, text in stand_ins.items():
        file = folder / path.replace("/", "_")
        file.write_text(text)
        probe = probe.replace(path, str(file))
    done = subprocess.run(["sh", "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


@pytest.mark.parametrize(
    ("running", "ahead", "asked"),
    [
        ("quiet", "quiet iommu=pt", True),  # before the reboot
        ("quiet iommu=pt", "quiet iommu=pt", False),  # after it
        ("quiet", "quiet", False),  # a reboot would not bring it: the boot loader lacks it
        ("iommu=pt2", "iommu=pt", True),
    ],
)
def test_a_declared_argument_is_waited_for_until_it_is_there(
    running: str, ahead: str, asked: bool, tmp_path: Path
) -> None:
    found = needed(MISSING_PROBE, tmp_path, running=running, ahead=ahead, declared="iommu=pt")
    assert found == asked


def test_huge_pages_count_as_a_pair(tmp_path: Path) -> None:
    wanted = "hugepagesz=2M hugepages=64"
    before = "hugepagesz=2M hugepages=32"
    assert needed(MISSING_PROBE, tmp_path, running=before, ahead=wanted, declared=wanted)


@pytest.mark.parametrize(
    ("running", "ahead", "asked"),
    [
        ("old=1 iommu=pt", "iommu=pt", True),  # ours, taken out of the boot loader, still running
        ("iommu=pt", "iommu=pt", False),  # after the reboot
        ("old=1 iommu=pt", "old=1 iommu=pt", False),  # the site declares it elsewhere: it stays
    ],
)
def test_an_argument_of_ours_that_is_no_longer_declared_goes(
    running: str, ahead: str, asked: bool, tmp_path: Path
) -> None:
    found = needed(
        STALE_PROBE,
        tmp_path,
        running=running,
        ahead=ahead,
        declared="iommu=pt",
        seen="iommu=pt,old=1",
    )
    assert found == asked


def test_what_was_never_ours_is_left_alone(tmp_path: Path) -> None:
    found = needed(STALE_PROBE, tmp_path, running="theirs=1", ahead="", declared="", seen="")
    assert not found


@pytest.mark.parametrize("probe", reboot_probes(KernelSettings(hugepages_2mib_per_node=64)))
def test_a_probe_is_quiet_on_a_node_that_flightline_never_touched(probe: object) -> None:
    if Path("/sys/module/nouveau").exists():
        pytest.skip("nouveau is loaded on this computer")
    command = str(getattr(probe, "command", "")).replace("-ge 64", "-ge 0")
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert done.returncode == 1


def test_every_probe_has_a_reason_of_its_own() -> None:
    probes = reboot_probes(KernelSettings(hugepages_2mib_per_node=1, hugepages_1gib_per_node=1))
    assert len({probe.reason for probe in probes}) == len(probes) == 5


def test_nouveau_asks_for_no_reboot_where_it_may_stay() -> None:
    probes = reboot_probes(KernelSettings(nouveau_removed=False))
    assert not [probe for probe in probes if "nouveau" in probe.reason]
