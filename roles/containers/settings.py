"""What a container host is declared to be."""

from __future__ import annotations

import ipaddress
from typing import Literal

from pydantic import Field, JsonValue, ValidationInfo, field_validator, model_validator

from flightline.settings import Settings
from roles.containers.formats import folder, interface, mirror, network, registry, url, user

UNLIMITED = -1


class Ulimit(Settings):
    """A soft and a hard limit, in the unit of the resource; -1 means unlimited."""

    soft: int = Field(ge=-1)
    """What a process starts with."""

    hard: int = Field(ge=-1)
    """How far a process may raise it; at least the soft limit."""

    @field_validator("hard")
    @classmethod
    def _at_least_soft(cls, hard: int, info: ValidationInfo) -> int:
        soft = info.data.get("soft", UNLIMITED)
        if hard != UNLIMITED and (soft == UNLIMITED or soft > hard):
            raise ValueError(f"the hard limit {hard} is below the soft limit {soft}; raise it")
        return hard


class AddressPool(Settings):
    """A range that user-defined container networks are cut from."""

    base: str
    """An IPv4 network, such as "172.29.128.0/17"."""

    size: int = Field(ge=8, le=29)
    """Prefix length of each network cut from it; 24 gives 253 containers to each."""

    @field_validator("base")
    @classmethod
    def _is_network(cls, base: str) -> str:
        return str(network(base))

    @model_validator(mode="after")
    def _can_be_cut(self) -> AddressPool:
        if self.size < network(self.base).prefixlen:
            raise ValueError(
                f"a network of /{self.size} does not fit into {self.base}; raise size or widen base"
            )
        return self


class ContainersSettings(Settings):
    """Docker, where it comes from and how it is set up.

    Deliberately not set: `icc` and `userland-proxy` (engines are reached over the host's network),
    `userns-remap` (GPU devices and host IPC do not work through it), `hosts` (the API stays on its
    socket). Without a GPU, `runtimes`, `default-runtime` and `features` are left as they are found.
    """

    source: Literal["distribution", "docker"] = "distribution"
    """Whose packages: the distribution's (security fixes with the rest of the system, the default),
    or Docker's own repository (newer; the only choice on the RHEL family)."""

    repository_url: str = "https://download.docker.com/linux"
    """Where Docker's repository is; a site without internet names its mirror. Packages must carry
    Docker's signature still: only Docker's key is trusted."""

    hold_packages: bool = True
    """Keep the engine at its version until Flightline changes it: an unattended upgrade would
    restart dockerd under load."""

    restart_allowed: bool = True
    """Whether dockerd may be restarted when a setting needs it. Containers run on through a restart
    while `live_restore` is on. False: such a change is refused, and nothing is changed."""

    registry_mirrors: tuple[str, ...] = ()
    """Mirrors of Docker Hub, as URLs; replaces what the node has. Empty: none."""

    insecure_registries: tuple[str, ...] = ()
    """Registries spoken to over HTTP or with an unknown certificate, as host[:port] or network;
    replaces what the node has, so that none stays behind. Empty: none."""

    log_driver: Literal["local", "json-file", "journald"] = "local"
    """Where container output goes. `local` rotates and compresses, and is Docker's own advice
    against full disks (docs.docker.com/engine/logging/configure, read 2026-11-20)."""

    log_max_size_mb: int = Field(default=100, ge=1, le=10_000)
    """Size at which a container's log file is rotated, MB (10^6 bytes); unused by journald."""

    log_max_files: int = Field(default=5, ge=1, le=100)
    """Log files kept for each container: 500 MB at most with the default size."""

    ulimit_memlock_bytes: Ulimit = Ulimit(soft=UNLIMITED, hard=UNLIMITED)
    """Memory that may be locked, bytes. GPU and RDMA buffers are pinned: unlimited."""

    ulimit_stack_bytes: Ulimit = Ulimit(soft=67_108_864, hard=67_108_864)
    """Stack, bytes: 64 MiB, what NVIDIA's framework containers ask for."""

    ulimit_nofile: Ulimit = Ulimit(soft=65_536, hard=1_048_576)
    """Open files: vLLM warns below 65536 (measured 2026-11-20); the hard limit is the kernel's
    fs.nr_open, and no more, because some programs close every possible file at start."""

    shm_size_mib: int = Field(default=1024, ge=64, le=1_048_576)
    """Shared memory of a container, MiB. Docker's 64 is too small for tensor parallelism; NVIDIA's
    DGX OS sets 1 GiB."""

    data_root: str = "/var/lib/docker"
    """Where images, volumes and containers live. Moving one that is not empty is refused."""

    data_root_min_free_gib: int = Field(default=20, ge=1)
    """Free space that the audit wants there, GiB: room for one CUDA inference image unpacked."""

    bridge_address: str = "172.29.0.1/20"
    """Address and network of docker0. Bridge and pools share 172.29.0.0/16: one range for a site
    to keep free, clear of the 172.17-172.28 and 192.168 that Docker takes unasked."""

    address_pools: tuple[AddressPool, ...] = Field(
        default=(AddressPool(base="172.29.128.0/17", size=24),), min_length=1
    )
    """Where other container networks are cut from: 128 networks by default."""

    live_restore: bool = True
    """Containers run on while dockerd is restarted or upgraded. Swarm needs False."""

    storage_driver: Literal["overlay2"] = "overlay2"
    """The one driver that is supported for production on every distribution here."""

    cgroup_driver: Literal["systemd", "cgroupfs"] = "systemd"
    """systemd: one manager of cgroups on the node, as cgroup v2 wants it. cgroupfs is the known
    cure where containers lose their GPUs at `systemctl daemon-reload`."""

    operators: tuple[str, ...] = ()
    """Exact members of the group docker, which is root by another name. Empty: only root."""

    extra: dict[str, JsonValue] = Field(default_factory=dict)
    """Keys of daemon.json that no other field owns, written as they are."""

    nvidia_toolkit: Literal["when-present", "always", "off"] = "when-present"
    """NVIDIA's container toolkit: where a GPU is on the bus, always (to make images), or left as it
    is found."""

    nvidia_repository_url: str = "https://nvidia.github.io/libnvidia-container"
    """Where NVIDIA's repository of the toolkit is; a site without internet names its mirror, with
    the file gpgkey. Only NVIDIA's key is trusted, by its fingerprint."""

    nvidia_toolkit_version: str | None = Field(default=None, pattern=r"^\d+\.\d+\.\d+(-\d+)?$")
    """Version of the toolkit's packages, such as "1.18.2". None takes the newest at the first
    install and keeps it. Before 1.18, `systemctl daemon-reload` takes GPUs from containers."""

    nvidia_runtime_default: bool = False
    """Whether containers get NVIDIA's runtime unasked. False: they ask (--runtime nvidia, or
    --device nvidia.com/gpu=all), so that others never see a GPU."""

    nvidia_cdi: bool = True
    """Let dockerd itself give out GPUs by their CDI names (Docker 25 and newer). True: runc then
    knows of them, and they stay through `systemctl daemon-reload`."""

    nvidia_proof_image: str | None = None
    """Image with sh, sleep and glibc, already on the node, in which the acceptance proves that
    containers keep their GPUs. None: it cannot be proved, and that is what the audit says."""

    @field_validator("repository_url", "nvidia_repository_url")
    @classmethod
    def _is_repository(cls, address: str) -> str:
        return url(address).rstrip("/")

    @field_validator("registry_mirrors")
    @classmethod
    def _are_mirrors(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(mirror(address) for address in urls)

    @field_validator("insecure_registries")
    @classmethod
    def _are_registries(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(registry(name) for name in names)

    @field_validator("data_root")
    @classmethod
    def _is_folder(cls, path: str) -> str:
        return folder(path)

    @field_validator("bridge_address")
    @classmethod
    def _is_address(cls, address: str) -> str:
        bridge = interface(address)
        if bridge.ip in (bridge.network.network_address, bridge.network.broadcast_address):
            raise ValueError(
                f"{address} names the network itself; write docker0's address in it, "
                f"such as {bridge.network.network_address + 1}/{bridge.network.prefixlen}"
            )
        return address

    @field_validator("address_pools")
    @classmethod
    def _are_apart(
        cls, pools: tuple[AddressPool, ...], info: ValidationInfo
    ) -> tuple[AddressPool, ...]:
        bridge = info.data.get("bridge_address")
        taken = [interface(bridge).network] if bridge else []
        for pool in (network(pool.base) for pool in pools):
            for other in taken:
                if pool.overlaps(other):
                    raise ValueError(f"{pool} overlaps {other}; choose ranges that are apart")
            taken.append(pool)
        return pools

    @field_validator("operators")
    @classmethod
    def _are_users(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(user(name) for name in names)

    @property
    def networks(self) -> tuple[ipaddress.IPv4Network, ...]:
        """Every range that containers may use: the bridge's and the pools'."""
        pools = (network(pool.base) for pool in self.address_pools)
        return (interface(self.bridge_address).network, *pools)
