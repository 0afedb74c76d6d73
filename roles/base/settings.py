"""Settings of the role `base`: what every node has before it is tuned."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from flightline.errors import SettingsError
from flightline.settings import Settings
from roles.base.access import HostEntry, OperatorSettings, SshdSettings

__all__ = ["BaseSettings", "HostEntry", "OperatorSettings", "SshdSettings"]

HostnamePattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.{}-]{1,253}$")]
Server = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]+$")]
PackageName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+._-]+$")]
PackagePrefix = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]

# What a GPU node runs on: a new version under a running engine means "Driver/library version
# mismatch" (driver), a lost GPU (container runtime), or a module that no longer builds (kernel).
UPGRADE_BLOCKLIST = (
    "nvidia-",
    "libnvidia-",
    "xserver-xorg-video-nvidia",
    "libcuda",
    "cuda-",
    "libnccl",
    "libcudnn",
    "datacenter-gpu-manager",
    "linux-image",
    "linux-headers",
    "linux-modules",
    "linux-generic",
    "linux-virtual",
    "kernel",
    "doca-",
    "mlnx-",
    "mlx-",
    "rdma-core",
    "ibverbs-",
    "libibverbs",
    "docker",
    "containerd",
    "runc",
)


class BaseSettings(Settings):
    """Packages, name, time, upgrades, journal, operators and sshd of a node.

    Deliberately not set: smartmontools (smartd fails where there is no drive to watch) and
    nvme-cli (it comes with the checks that read the drives' health), needrestart on Debian (not
    there by default), sshd's ciphers (the distribution's are current, and follow its crypto
    policy), kernel and limits (role `kernel`).
    """

    packages: tuple[PackageName, ...] = ()
    """Further packages of the distribution, beside those in roles/base/distributions.py."""

    hostname: HostnamePattern | None = None
    """Name of the node; `{node}` stands for its name in the inventory, so that one line names a
    group: "{node}.rack1.example.org". None leaves the name that the installation gave."""

    hosts: tuple[HostEntry, ...] = ()
    """Further lines for /etc/hosts, for names that DNS lacks; lines of others are left alone."""

    ntp_servers: tuple[Server, ...] | None = None
    """Time servers, names or addresses. None keeps those of the distribution. () declares that the
    node has none and runs on its own clock, as in a lab without a network: TLS and tokens then
    fail once clocks drift apart."""

    max_time_offset_milliseconds: float = Field(default=100, gt=0, le=10_000)
    """How far the clock may be from its server. 100 ms keep the logs of nodes in order and are far
    below the minutes that TLS and signed tokens tolerate; a healthy server keeps 1 ms."""

    timezone: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+/-]+$")] = "Etc/UTC"
    """Name in the tz database. UTC: logs of all sites compare, and no hour happens twice."""

    locale: Annotated[str, StringConstraints(pattern=r"^(C|[a-z]{2,3}_[A-Z]{2})\.UTF-8$")] = (
        "C.UTF-8"
    )
    """Locale of login sessions. C.UTF-8 is part of libc (nothing to generate), sorts by byte, and
    leaves the messages of programs as their documentation has them."""

    automatic_upgrades: bool = False
    """True: the distribution installs security updates by itself, except `upgrade_blocklist`.
    False: it does not, and no timer takes apt's lock: a fleet is upgraded in batches, drained."""

    upgrade_blocklist: tuple[PackagePrefix, ...] = UPGRADE_BLOCKLIST
    """Prefixes of packages that automatic upgrades never touch, in force whatever
    `automatic_upgrades` says: somebody may switch them on by hand."""

    journal_max_mib: int = Field(default=2048, ge=64, le=65_536)
    """Disk space of the journal, MiB. journald's own default is 10 % of the disk, at most 4 GiB
    (journald.conf(5), systemd 252); 2 GiB hold weeks of a node's log, with its Xids."""

    journal_keep_free_mib: int = Field(default=1024, ge=64, le=65_536)
    """Disk space that the journal leaves to others, MiB: a full root file system stops Docker."""

    operators: tuple[OperatorSettings, ...] = ()
    """Accounts of those who work on the node; empty leaves accounts alone."""

    sshd: SshdSettings = SshdSettings()
    """How sshd lets people in."""

    dynamic_motd: bool = False
    """False: the scripts of /etc/update-motd.d do not run. They run at every SSH connection, also
    one without a terminal, and cost a second on a small machine."""

    login_shell_max_ms: int = Field(default=100, ge=5, le=5000)
    """How long the login shell may take before a command starts, beyond an empty shell. sshd runs
    it for every command: a version manager in ~/.bashrc cost 200 ms each (measured 2026-11-20)."""

    root_free_min_percent: int = Field(default=10, ge=1, le=90)
    """Free space and inodes of the root file system, percent of all. Below 5 % the kernel keeps the
    rest for root; 10 % is what node health checks of large clouds ask for."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for problem in (*self._name_problems(), *self._access_problems()):
            raise ValueError(problem)
        return self

    def _name_problems(self) -> list[str]:
        if _is_hostname((self.hostname or "node").replace("{node}", "node")):
            return []
        return [
            f"hostname is {self.hostname!r}, expected letters, digits, dashes and dots, with "
            "{node} for the name in the inventory"
        ]

    def _access_problems(self) -> list[str]:
        names = [operator.name for operator in self.operators]
        twice = sorted({name for name in names if names.count(name) > 1})
        left_out = sorted(set(names) - set(self.sshd.allow_users))
        if twice:
            return [f"operators has {twice[0]} twice; merge the two"]
        if self.sshd.allow_users and left_out:
            return [
                f"sshd.allow_users shuts out the operator {left_out[0]}; add it, or drop the list"
            ]
        return []

    def hostname_of(self, node: str) -> str | None:
        """Return the name that the node `node` of the inventory shall have; None: its own.

        Raises SettingsError when the inventory's name cannot be part of a host name.
        """
        name = self.hostname and self.hostname.replace("{node}", node)
        if name is not None and not _is_hostname(name):
            raise SettingsError(
                f"inventory: {node} makes the host name {name!r}, expected letters, digits, dashes "
                "and dots (BaseSettings.hostname); rename it or give it a hostname of its own."
            )
        return name


def _is_hostname(name: str) -> bool:
    """Labels of 1 to 63 letters, digits and inner dashes (RFC 1123, section 2.1)."""
    label = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    return len(name) <= 64 and re.fullmatch(rf"{label}(\.{label})*", name) is not None
