"""What must hold where containers get GPUs: toolkit, runtime, CDI, and that nothing takes them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, not_applicable, unknown
from flightline.gpu.evidence import gpus_on_bus
from roles.containers import gpus, live, observe
from roles.containers.gpus import TOOLKIT, Gpus, parse_gpus
from roles.containers.settings import ContainersSettings

APPLY = "flightline apply --role containers"
REFRESH = "/usr/local/lib/flightline/gpu-devices refresh"
RUNS = ("containers-docker-running", "containers-containerd-running")


@check(
    "containers-nvidia-toolkit",
    "the container toolkit is there whole, at one version, and held",
    severity=ERROR,
    remedy=APPLY,
)
def toolkit_whole(host: Host, settings: ContainersSettings) -> None:
    """Its parts check each other's version at every start of a container."""
    found = _gpus(host, settings)
    versions = dict(found.versions)
    lacking = [name for name in TOOLKIT if name not in versions]
    assert not lacking, (
        f"{', '.join(lacking)} is not installed, expected the whole toolkit "
        "(ContainersSettings.nvidia_toolkit)."
    )
    several = sorted(set(versions.values()))
    assert len(several) == 1, f"the toolkit's parts have versions {', '.join(several)}."
    wanted = settings.nvidia_toolkit_version
    assert wanted in (None, several[0], several[0].partition("-")[0]), (
        f"the toolkit is {several[0]}, expected {wanted} "
        "(ContainersSettings.nvidia_toolkit_version)."
    )
    free = sorted(set(TOOLKIT) - found.held) if settings.hold_packages else []
    assert not free, f"{', '.join(free)} is not held (ContainersSettings.hold_packages)."


@check(
    "containers-nvidia-runtime",
    "dockerd has NVIDIA's runtime, and its program is there",
    severity=CRITICAL,
    remedy=APPLY,
    depends=(*RUNS, "containers-nvidia-toolkit"),
)
def runtime_known(host: Host, settings: ContainersSettings) -> None:
    """Asked of dockerd: a line in daemon.json that nobody loaded gives no container a GPU."""
    info, found = _engine(host, settings)
    runtime = (info.get("Runtimes") or {}).get("nvidia")
    assert runtime, "dockerd knows no runtime nvidia, expected it (`docker info`, Runtimes)."
    assert str(runtime.get("path")).rpartition("/")[2] == "nvidia-container-runtime", (
        f"dockerd's runtime nvidia is {runtime.get('path')}, expected nvidia-container-runtime."
    )
    assert found.runtime, "the program nvidia-container-runtime is not there."


@check(
    "containers-nvidia-default",
    "containers get NVIDIA's runtime unasked, or not, as declared",
    severity=ERROR,
    remedy=APPLY,
    depends=RUNS,
)
def runtime_default(host: Host, settings: ContainersSettings) -> None:
    """With it any image that names NVIDIA_VISIBLE_DEVICES takes GPUs; without, only who asks."""
    info, _ = _engine(host, settings)
    default = info.get("DefaultRuntime")
    if default is None:
        unknown("docker info has no DefaultRuntime.")
    wanted = settings.nvidia_runtime_default
    assert (default == "nvidia") is wanted, (
        f"the default runtime is {default}, expected {'nvidia' if wanted else 'another'} "
        "(ContainersSettings.nvidia_runtime_default)."
    )


@check(
    "containers-nvidia-cdi",
    "dockerd gives out devices by their CDI names, or not, as declared",
    severity=ERROR,
    remedy=f"{APPLY}, or `systemctl restart docker`: CDI is set up at its start",
    depends=RUNS,
)
def cdi_used(host: Host, settings: ContainersSettings) -> None:
    """Engines that ask by --device nvidia.com/gpu=all do not start without it."""
    info, _ = _engine(host, settings)
    if not settings.nvidia_cdi:
        not_applicable("ContainersSettings.nvidia_cdi is False.")
    if not live.knows_cdi(info):
        not_applicable(f"Docker {info.get('ServerVersion')} knows no CDI; Docker 25 does.")
    assert live.cdi_folders(info), (
        "dockerd uses no CDI folder, expected /etc/cdi and /var/run/cdi "
        "(ContainersSettings.nvidia_cdi)."
    )


@check(
    "containers-nvidia-cdi-current",
    "the CDI specification is for the loaded driver and lists every GPU",
    severity=CRITICAL,
    remedy=REFRESH,
    depends=("containers-nvidia-toolkit",),
)
def cdi_current(host: Host, settings: ContainersSettings) -> None:
    """After a driver's upgrade an old one names libraries that are gone: no container starts."""
    found = _with_driver(host, settings)
    assert found.cdi_fault is None, f"{found.cdi_fault}."


@check(
    "containers-nvidia-charlinks",
    "every device file of the driver has its link in /dev/char",
    severity=ERROR,
    remedy=REFRESH,
    depends=("containers-nvidia-toolkit",),
)
def char_links(host: Host, settings: ContainersSettings) -> None:
    """systemd finds devices there when it writes the rules of a container anew."""
    found = _with_driver(host, settings)
    assert not found.unlinked, (
        f"{', '.join(found.unlinked)} has no link in /dev/char, expected one for every device file."
    )


@check(
    "containers-nvidia-boot",
    "device links and CDI specification are made at boot, before any container starts",
    severity=ERROR,
    remedy=f"{APPLY}, or `systemctl enable flightline-gpu-devices.service`",
)
def made_at_boot(host: Host, settings: ContainersSettings) -> None:
    """Both lie in memory; containers that dockerd starts again at boot need them."""
    found = _gpus(host, settings)
    assert found.unit == "enabled", (
        f"flightline-gpu-devices.service is {found.unit or 'not there'}, expected enabled."
    )


@check(
    "containers-nvidia-cgroups",
    "NVIDIA's runtime may let containers use the devices it gives them",
    severity=CRITICAL,
    remedy="take no-cgroups out of /etc/nvidia-container-runtime/config.toml",
)
def cgroups_used(host: Host, settings: ContainersSettings) -> None:
    """`no-cgroups` is for rootless engines; under root's dockerd it leaves devices forbidden."""
    found = _gpus(host, settings)
    assert "no-cgroups=true" not in found.config, (
        "no-cgroups is true in /etc/nvidia-container-runtime/config.toml, expected false."
    )


@check(
    "containers-nvidia-reload",
    "a reload of systemd leaves running containers their GPUs",
    severity=CRITICAL,
    remedy='a toolkit from 1.18 on with mode = "auto", or cgroup_driver="cgroupfs"',
    depends=(*RUNS, "containers-nvidia-toolkit", "containers-nvidia-charlinks"),
)
def reload_safe(host: Host, settings: ContainersSettings) -> None:
    """Every package with a unit makes systemd reload; what runc does not know of is lost then."""
    info, found = _engine(host, settings)
    if info.get("CgroupDriver") == "cgroupfs":
        return
    release = ".".join(map(str, found.release))
    assert found.is_runc_told, (
        f"with cgroup driver systemd, toolkit {release} and mode {_mode(found)} runc is not told "
        "of the GPUs, expected a toolkit from 1.18 on in mode auto (nvidia_toolkit_version), or "
        "cgroup driver cgroupfs (cgroup_driver of ContainersSettings)."
    )


def _gpus(host: Host, settings: ContainersSettings) -> Gpus:
    """Return what containers can have; ends the check where they get no GPU here."""
    if settings.nvidia_toolkit == "off":
        not_applicable('ContainersSettings.nvidia_toolkit is "off".')
    gpus_on_bus(host)
    try:
        return _parsed(host.run(gpus.SCRIPT).stdout)
    except ValueError as error:
        unknown(f"{error}.")


def _with_driver(host: Host, settings: ContainersSettings) -> Gpus:
    found = _gpus(host, settings)
    if not (found.driver and found.files):
        unknown("no driver is loaded that has made GPU device files, so there is nothing to give.")
    return found


def _engine(host: Host, settings: ContainersSettings) -> tuple[Mapping[str, Any], Gpus]:
    found = _gpus(host, settings)
    return observe.engine_info(host), found


def _mode(found: Gpus) -> str:
    named = [line.partition("=")[2] for line in found.config if line.startswith("mode")]
    return named[0] if named else '"auto"'


@lru_cache(maxsize=16)
def _parsed(text: str) -> Gpus:
    return parse_gpus(text)
