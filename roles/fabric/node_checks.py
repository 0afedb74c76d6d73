"""What must hold of the node's own part in the fabric: modules, packages, service, sysctls."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import ERROR, WARNING, check, not_applicable
from roles.fabric import evidence, wanted
from roles.fabric.settings import FabricSettings

APPLY = "run `flightline apply --role fabric`"
# The same words as the kernel role asks with: one question for both.
MODULES_AT_BOOT = "systemd-analyze cat-config --no-pager modules-load.d"
UNIT = "systemctl is-active flightline-fabric.service"
ENABLED = "systemctl is-enabled flightline-fabric.service"


@check(
    "fabric-modules-loaded",
    "every kernel module that the fabric needs is loaded or built in",
    severity=ERROR,
    remedy=APPLY,
)
def modules_loaded(host: Host, settings: FabricSettings) -> None:
    found = evidence.report(host, settings)
    lacking = [name for name in wanted.modules(settings, found) if name not in found.modules]
    assert not lacking, f"{', '.join(lacking)} is not loaded, expected it to be (FabricSettings)"


@check(
    "fabric-modules-persistent",
    "these modules are loaded again at the next boot",
    severity=ERROR,
    remedy=APPLY,
)
def modules_persistent(host: Host, settings: FabricSettings) -> None:
    found = evidence.report(host, settings)
    lines = host.run(MODULES_AT_BOOT).stdout.splitlines()
    listed = {line.strip().replace("-", "_") for line in lines}
    lacking = [name for name in wanted.modules(settings, found) if name not in listed]
    assert not lacking, (
        f"no file of modules-load.d has {', '.join(lacking)}, expected one (FabricSettings)"
    )


@check(
    "fabric-setup-ran",
    "the unit that sets up links and PCIe at boot has run, and did not fail",
    severity=ERROR,
    remedy="`systemctl restart flightline-fabric`, which says what it could not do",
)
def setup_ran(host: Host, settings: FabricSettings) -> None:
    evidence.report(host, settings)
    said = host.run(UNIT).stdout.strip()
    assert said == "active", f"flightline-fabric.service is {said or 'unknown'}, expected active"


@check(
    "fabric-setup-enabled",
    "that unit runs again at the next boot",
    severity=ERROR,
    remedy=APPLY,
)
def setup_enabled(host: Host, settings: FabricSettings) -> None:
    evidence.report(host, settings)
    said = host.run(ENABLED).stdout.strip()
    assert said == "enabled", (
        f"flightline-fabric.service is {said or 'not known to systemd'}, expected enabled"
    )


@check(
    "fabric-packages-installed",
    "every package of the RDMA stack is installed",
    severity=ERROR,
    remedy=APPLY,
)
def packages_installed(host: Host, settings: FabricSettings) -> None:
    evidence.report(host, settings)
    found = evidence.packages(host, settings)
    lacking = [name for name in found.wanted if name not in found.installed]
    assert not lacking, f"{', '.join(lacking)} is not installed, expected it (FabricSettings.stack)"


@check(
    "fabric-packages-held",
    "no upgrade moves the RDMA stack by itself",
    severity=WARNING,
    remedy=APPLY,
    depends=("fabric-packages-installed",),
)
def packages_held(host: Host, settings: FabricSettings) -> None:
    evidence.report(host, settings)
    if not settings.hold_packages:
        not_applicable("FabricSettings.hold_packages is False")
    found = evidence.packages(host, settings)
    names = wanted.held_packages(settings, found.family)
    free = [name for name in names if name not in found.held]
    assert not free, f"{', '.join(free)} is not held, expected it (FabricSettings.hold_packages)"


@check(
    "fabric-sysctls-live",
    "interfaces under RoCE announce and answer for their own address only",
    severity=ERROR,
    remedy=APPLY,
)
def sysctls_live(host: Host, settings: FabricSettings) -> None:
    found = evidence.report(host, settings)
    names = wanted.roce_interfaces(settings, found)
    if not (names and settings.interface_sysctls):
        not_applicable("FabricSettings.interface_sysctls is empty, or no port runs RoCE")
    wrong = [
        f"net.ipv4.conf.{name}.{key} is {live}, expected {value}"
        for name in names
        if name in found.interfaces
        for key, value in settings.interface_sysctls.items()
        if (live := found.interfaces[name].sysctls.get(key)) != str(value)
    ]
    assert not wrong, f"{'; '.join(wrong)} (FabricSettings.interface_sysctls)"
