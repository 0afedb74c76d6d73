"""What differs between distributions, as data: package, unit and path names.

Debian 12 and 13 are proven on nodes; Ubuntu and RHEL 9 follow their packages' file lists
(docs/verified.md says what has been run).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from flightline.errors import NodeRefused
from flightline.facts.node import NodeFacts

PACKAGES = (
    "chrony",  # time: steps and slews better than systemd-timesyncd, which knows one server
    "sudo",  # operators become root, with a log
    "ca-certificates",  # TLS to registries, model mirrors and identity providers
    "pciutils",  # lspci: which GPUs and NICs are on the bus, link width, ACS
    "ethtool",  # speed, firmware and counters of the NICs
    "numactl",  # which memory and CPUs are near a GPU; engines are bound with it
    "lsof",  # who still holds /dev/nvidia* when a GPU has to be reset
    "tzdata",  # the zone that `timezone` names; minimal images lack it
)


@dataclass(frozen=True)
class Distribution:
    """The names that one family of distributions uses."""

    packages: tuple[str, ...]
    """Packages of the role."""
    upgrader: str
    """Package that installs upgrades by itself."""
    upgrade_timers: tuple[str, ...]
    """Timers that start it; Debian's are there, and take apt's lock, without it."""
    ssh_unit: str
    chrony_unit: str
    chrony_config: str
    """chronyd's main file, which the package owns."""
    chrony_folder: str
    """Folder for our drop-in."""
    chrony_reads_folder: bool
    """The package's main file already has `confdir` for that folder."""
    locale_path: str


DEBIAN = Distribution(
    packages=(*PACKAGES, "curl"),  # health probes of engines, downloads of weights
    upgrader="unattended-upgrades",
    upgrade_timers=("apt-daily.timer", "apt-daily-upgrade.timer"),
    ssh_unit="ssh.service",
    chrony_unit="chrony.service",
    chrony_config="/etc/chrony/chrony.conf",
    chrony_folder="/etc/chrony/conf.d",
    chrony_reads_folder=True,
    locale_path="/etc/default/locale",
)

RHEL = Distribution(
    packages=PACKAGES,  # curl or curl-minimal is there already, and the two conflict
    upgrader="dnf-automatic",
    upgrade_timers=("dnf-automatic.timer",),
    ssh_unit="sshd.service",
    chrony_unit="chronyd.service",
    chrony_config="/etc/chrony.conf",
    chrony_folder="/etc/chrony.d",
    chrony_reads_folder=False,
    locale_path="/etc/locale.conf",
)

# From systemd 256 on, Debian's /etc/default/locale is a link to this file (read in an image of
# trixie, 2026-11-21): the link stays.
DEBIAN_13 = replace(DEBIAN, locale_path="/etc/locale.conf")


def distribution_of(node: NodeFacts) -> Distribution:
    """Return the names that a node uses; raises NodeRefused for a system that is not known."""
    match node.family:
        case "debian":
            is_13 = node.distribution == "debian" and node.version != "12"
            return DEBIAN_13 if is_13 else DEBIAN
        case "rhel":
            return RHEL
    raise NodeRefused(
        f"{node.distribution} {node.version} is not a system that the role base knows, expected "
        "Debian 12 or 13, Ubuntu 22.04 or 24.04, or the RHEL 9 family; reinstall the node."
    )
