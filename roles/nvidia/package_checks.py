"""What must hold of the driver's packages: one version, and nothing that moves one alone."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import ERROR, WARNING, check, not_applicable
from flightline.gpu.driver_packages import Package
from roles.nvidia.evidence import driver, packages
from roles.nvidia.settings import NvidiaSettings

_APPLY = "run `flightline apply --role nvidia`"


@check(
    "nvidia-packages-one-version",
    "all packages of the driver have one version, and those of each companion one of theirs",
    severity=ERROR,
    remedy=f"{_APPLY}; a mixture stops the GPUs at the next restart",
    depends=("nvidia-module-version",),
)
def packages_one_version(host: Host, _nvidia: NvidiaSettings) -> None:
    found = packages(host)
    mixed = [
        f"{what} is mixed: {_listed(each)}"
        for what, each in found.companions.items()
        if len({package.version for package in each}) > 1
    ]
    ours = found.of_the_driver
    if len({package.driver for package in ours}) > 1:
        mixed.append(f"the driver is mixed: {_listed(ours)}")
    assert not mixed, f"{'; '.join(mixed)}; expected one version"
    if not ours:
        not_applicable("no package of the driver is installed")
    loaded = driver(host).loaded
    assert not loaded or ours[0].driver == loaded, (
        f"the packages are {ours[0].driver}, expected {loaded}, which is loaded"
    )


@check(
    "nvidia-packages-held",
    "no package of the driver can be upgraded on its own",
    severity=ERROR,
    remedy=f"{_APPLY}; it holds the set (`apt-mark hold`, `dnf versionlock`)",
)
def packages_held(host: Host, nvidia: NvidiaSettings) -> None:
    found = packages(host)
    if not nvidia.hold_packages:
        not_applicable("NvidiaSettings.hold_packages is False")
    ours = (*found.of_the_driver, *found.companions.get("DCGM", ()))
    if not ours:
        not_applicable("no package of the driver is installed")
    assert found.heeds_locks, (
        "dnf does not heed its version locks: python3-dnf-plugin-versionlock is absent or off, "
        "expected on (NvidiaSettings.hold_packages)"
    )
    free = [each for each in ours if each.name not in found.fixed]
    assert not free, f"{_listed(free)} not held, expected held (NvidiaSettings.hold_packages)"


@check(
    "nvidia-upgrades-blocked",
    "unattended upgrades leave everything of NVIDIA alone",
    severity=WARNING,
    remedy=f"{_APPLY}; or `apt-mark hold` what is named",
    depends=("nvidia-packages-held",),
)
def upgrades_blocked(host: Host, nvidia: NvidiaSettings) -> None:
    found = packages(host)
    if not nvidia.hold_packages:
        not_applicable("NvidiaSettings.hold_packages is False")
    if not found.upgrades_alone:
        not_applicable("unattended upgrades are off (APT::Periodic::Unattended-Upgrade)")
    free = [each for each in found.ours if not found.is_left_alone(each)]
    assert not free, (
        f"unattended upgrades may change {_listed(free)}, expected them on "
        "Unattended-Upgrade::Package-Blacklist, or held"
    )


def _listed(found: tuple[Package, ...] | list[Package]) -> str:
    """Up to eight of them."""
    shown = ", ".join(map(str, found[:8]))
    return shown if len(found) <= 8 else f"{shown} and {len(found) - 8} more"
