"""What a sound container host with GPUs says of its engine; written for these tests.

Docker 28 and toolkit 1.18 from their own repositories, on Debian 12, with the role's defaults.
"""

from __future__ import annotations

import json
from typing import Any

from flightline.audit.answers import Answer
from roles.containers import acceptance_checks, config_checks, gpus, node_checks, observe
from roles.containers.daemon import merge
from roles.containers.settings import ContainersSettings
from tests.machines.models import BUILDS, Build

IMAGE = "registry.example.org/engine:1"
DECLARED = ContainersSettings(source="docker", nvidia_proof_image=IMAGE)
_TOOLKIT = "1.18.1-1"
_STARTED = 1_795_000_000  # seconds since 1970: dockerd's start on such a machine


def settings(name: str) -> ContainersSettings:
    """Return what is declared for every such machine."""
    del name
    return DECLARED


def answers(name: str) -> dict[str, Answer]:
    """Return the answers of a machine by label."""
    build = BUILDS[name]
    printed = {**_engine(), **_config(), **_node(), **_gpus(build)}
    return {
        f"containers-{label}": Answer(command, 0, stdout.encode())
        for label, (command, stdout) in printed.items()
    }


def _engine() -> dict[str, tuple[str, str]]:
    units = [
        f"Id={name}\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\n"
        f"DropInPaths=/etc/systemd/system/{name}.d/flightline.conf\n"
        for name in ("docker.service", "containerd.service", "docker.socket")
    ]
    limits = [
        f"{unit} {what:<25} {limit:<20} {limit:<20} {unit_of}"
        for unit in ("docker", "containerd")
        for what, limit, unit_of in (
            ("Max locked memory", "unlimited", "bytes"),
            ("Max open files", "1048576", "files"),
        )
    ]
    packages = ("docker-ce", "docker-ce-cli", "containerd.io")
    return {
        "info": (observe._INFO, json.dumps(_info()) + "\n"),
        "units": (observe._UNITS, "\n".join(units)),
        "limits": (observe._LIMITS, "\n".join(limits)),
        "programs": (observe._PROGRAMS, "/usr/bin/dockerd\n/usr/bin/containerd\n"),
        "loaded": (observe._LOADED, f"{_STARTED - 60}\n{_STARTED}\n"),
        "packages": (observe._PACKAGES, "".join(f"hi  {name}\n" for name in packages)),
    }


def _info() -> dict[str, Any]:
    return {
        "ServerVersion": "28.5.1",
        "ContainersRunning": 0,
        "Images": 1,
        "Driver": "overlay2",
        "LoggingDriver": "local",
        "LiveRestoreEnabled": True,
        "DockerRootDir": "/var/lib/docker",
        "CgroupDriver": "systemd",
        "CgroupVersion": "2",
        "Runtimes": {
            "io.containerd.runc.v2": {"path": "runc"},
            "nvidia": {"path": "nvidia-container-runtime"},
            "runc": {"path": "runc"},
        },
        "DefaultRuntime": "runc",
        "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"],
        "DefaultAddressPools": [{"Base": "172.29.128.0/17", "Size": 24}],
        "RegistryConfig": {
            "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8"],
            "IndexConfigs": {"docker.io": {"Name": "docker.io", "Secure": True}},
            "Mirrors": None,
        },
    }


def _config() -> dict[str, tuple[str, str]]:
    return {
        "daemon-json": (config_checks._FILE, merge(DECLARED, None, has_gpu=True)),
        "validate": (f"{config_checks._HELPER} validate /etc/docker/daemon.json", ""),
        "socket": ("stat -L -c '%U:%G %a' /run/docker.sock", "root:docker 660\n"),
        "group": ("getent group docker", "docker:x:998:\n"),
    }


def _node() -> dict[str, tuple[str, str]]:
    address = {"local": "172.29.0.1", "prefixlen": 20}
    docker0 = [{"ifname": "docker0", "flags": ["BROADCAST", "UP"], "addr_info": [address]}]
    routes = [{"dst": "10.1.0.0/24", "dev": "eth0"}, {"dst": "172.29.0.0/20", "dev": "docker0"}]
    size = "/dev/nvme0n1p2 1921802500 104857600 1816944900 6% /\n"
    return {
        "ports": ("ss -Hltnp", "LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n"),
        "routes": (node_checks._ROUTES, json.dumps(routes)),
        "bridge": ("ip -j -4 addr show dev docker0", json.dumps(docker0)),
        "command-place": ("command -v command", "command\n"),
        "sysctl-place": ("command -v sysctl", "/usr/sbin/sysctl\n"),
        "forwarding": ("/usr/sbin/sysctl -n net.ipv4.ip_forward", "1\n"),
        "filesystems": ("cat /proc/filesystems", "nodev\ttmpfs\n\text4\nnodev\toverlay\n"),
        "forward": ("iptables -w 5 -S FORWARD", "-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n"),
        "nat": ("iptables -w 5 -t nat -S PREROUTING", "-A PREROUTING -j DOCKER\n"),
        "apparmor": (node_checks._APPARMOR, "Y\n/usr/sbin/apparmor_parser\n"),
        "space": ("df -Pk /var/lib/docker", f"Filesystem 1024-blocks Used\n{size}"),
    }


def _gpus(build: Build) -> dict[str, tuple[str, str]]:
    seen = [f"GPU {n}: {build.model.product} (UUID: GPU-{n})" for n in range(len(build.addresses))]
    survived = [f"{moment} {line}" for moment in ("before", "after") for line in seen]
    return {
        "gpus": (gpus.SCRIPT, _devices(build)),
        "survives": (acceptance_checks.proof(IMAGE), "\n".join([*survived, "end", ""])),
    }


def _devices(build: Build) -> str:
    count = len(build.addresses)
    nodes = [(f"/dev/nvidia{n}", f"195:{n}") for n in range(count)]
    nodes += [
        ("/dev/nvidiactl", "195:255"),
        ("/dev/nvidia-uvm", "511:0"),
        ("/dev/nvidia-uvm-tools", "511:1"),
        ("/dev/nvidia-caps/nvidia-cap1", "236:1"),
    ]
    lines = [
        *(f"gpu-bus={address}" for address in build.addresses),
        "gpu-key=/usr/share/keyrings/flightline-container-toolkit.asc",
        f"gpu-driver={build.driver}",
        *(f"gpu-node={path} {number} {path}" for path, number in nodes),
        "gpu-spec=/var/run/cdi/nvidia.yaml",
        f"gpu-spec-driver={build.driver}",
        *(f"gpu-spec-node=/dev/nvidia{n}" for n in range(count)),
        'gpu-config=mode = "auto"',
        "gpu-runtime=/usr/bin/nvidia-container-runtime",
        "gpu-unit=enabled",
        *(f"gpu-package=hi  {name} {_TOOLKIT}" for name in gpus.TOOLKIT),
        "gpu-end=yes",
    ]
    return "\n".join([*lines, ""])
