"""What a healthy machine says of its driver, its packages and its services."""

from __future__ import annotations

from flightline.audit.answers import Answer
from roles.nvidia.evidence import DRIVER, PACKAGES, UNITS
from tests.machines.models import BUILDS, Build

_KERNELS = ("6.8.0-88-generic", "6.8.0-90-generic")
_PROPRIETARY = ("Volta",)
_LIBRARIES = "/usr/lib/x86_64-linux-gnu"


def answers(name: str) -> dict[str, Answer]:
    """Return the answers "driver", "packages" and "units" of the machine."""
    build = BUILDS[name]
    return {
        "driver": Answer(DRIVER, 0, _driver(build).encode()),
        "packages": Answer(PACKAGES, 0, _packages(build).encode()),
        "units": Answer(UNITS, 0, _units(build).encode()),
    }


def _is_open(build: Build) -> bool:
    return build.model.architecture not in _PROPRIETARY


def _has_fabric(build: Build) -> bool:
    return bool(build.switches) or build.model.fabric == "health"


def _driver(build: Build) -> str:
    title = "UNIX Open Kernel Module for x86_64" if _is_open(build) else "UNIX x86_64 Kernel Module"
    modules = ("nvidia", "nvidia_modeset", "nvidia_uvm", "ib_umad")
    files = ("ctl", "-uvm", "-uvm-tools", *map(str, range(len(build.addresses))))
    lines = [
        *(f"module:{module}" for module in modules),
        f"loaded:{build.driver}",
        f"flavour:NVRM version: NVIDIA {title}  {build.driver}  Release Build  (dvs-builder@U22)",
        "option:ResmanDebugLevel: 4294967295",
        "option:EnableStreamMemOPs: 1",
        'option:RegistryDwords: "PeerMappingOverride=1;"',
        *(f"minor:{address} {n}" for n, address in enumerate(build.addresses)),
        *(f"file:character special file|/dev/nvidia{each}" for each in files),
        "file:directory|/dev/nvidia-caps",
        f"library:{_LIBRARIES}/libcuda.so.{build.driver}",
        f"library:{_LIBRARIES}/libnvidia-ml.so.{build.driver}",
        *([f"fabricmanager:{build.driver}"] if _has_fabric(build) else []),
        f"running:{_KERNELS[-1]}",
        *(line for kernel in _KERNELS for line in _module(build, kernel)),
        "virtual:none",
        "nodes_with_cpus:0-1",
        "secure_boot:1",
        "signatures_enforced:N",
        *(f"identity:{address} {build.model.device}10de" for address in build.addresses),
        *(f"acs:{port} 0000" for port in ("0000:40:01.0", "0000:43:00.0", "0000:43:01.0")),
    ]
    return "\n".join([*lines, "end", ""])


def _module(build: Build, kernel: str) -> list[str]:
    said = {
        "filename": f"/lib/modules/{kernel}/updates/dkms/nvidia.ko.zst",
        "version": build.driver,
        "license": "Dual MIT/GPL" if _is_open(build) else "NVIDIA",
        "sig_id": "PKCS#7",
        "signer": "gpu-01 Secure Boot Module Signature key",
    }
    lines = [f"kernel:{kernel}|{key}|{value}" for key, value in said.items()]
    return [*lines, f"kernel:{kernel}|installed|yes"]


def _packages(build: Build) -> str:
    ours = f"{build.driver}-1ubuntu1"
    mark = "-open" if _is_open(build) else ""
    needs = {
        f"nvidia-dkms-{build.branch}{mark}": "",
        f"nvidia-utils-{build.branch}": f"libnvidia-compute-{build.branch} (= {ours})",
        "nvidia-persistenced": "",
        **({"nvidia-fabricmanager": ""} if _has_fabric(build) else {}),
    }
    toolkit, dcgm = "1.18.0-1", "1:4.4.1-1"
    cuda = build.cuda.partition(".")[0]
    lines = [
        *(f"package:hi |{name}|{ours}|, {what}" for name, what in needs.items()),
        f"package:ii |libnvidia-compute-{build.branch}|{ours}|, libc6 (>= 2.34)",
        "package:un |nvidia-driver||, ",
        f"package:hi |datacenter-gpu-manager-4-cuda{cuda}|{dcgm}|, "
        f"datacenter-gpu-manager-4-core (= {dcgm})",
        f"package:ii |datacenter-gpu-manager-4-core|{dcgm}|, libc6",
        f"package:ii |nvidia-container-toolkit|{toolkit}|, libc6",
        f"package:ii |nvidia-container-toolkit-base|{toolkit}|, libc6",
        "manager:apt",
        'setting:APT::Periodic::Unattended-Upgrade "1";',
        'setting:Unattended-Upgrade::Package-Blacklist:: "^nvidia-";',
        'setting:Unattended-Upgrade::Package-Blacklist:: "^libnvidia-";',
    ]
    return "\n".join([*lines, "end", ""])


def _units(build: Build) -> str:
    fabric = ("active", "running") if _has_fabric(build) else None
    found = {
        "nvidia-persistenced": ("active", "running"),
        "nvidia-fabricmanager": fabric,
        "nvidia-imex": ("active", "running") if build.model.fabric == "rack" else None,
        "nvidia-dcgm": ("active", "running"),
        "flightline-gpu": ("active", "exited"),
    }
    return "\n\n".join(_unit(name, state) for name, state in found.items()) + "\n"


def _unit(name: str, state: tuple[str, str] | None) -> str:
    """As `systemctl show` prints one (systemd 255), in its order."""
    active, detail = state or ("inactive", "dead")
    return "\n".join(
        [
            "Result=success",
            f"Id={name}.service",
            f"LoadState={'loaded' if state else 'not-found'}",
            f"ActiveState={active}",
            f"SubState={detail}",
        ]
    )
