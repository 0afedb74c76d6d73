"""What a node's kernel is told: command line, memory, limits; every default with its reason.

Deliberately not set, so that nobody adds them unmeasured (put them in `extra_arguments` or
`sysctl` where a measurement asks for them):

- `isolcpus`, `nohz_full`: an engine's tokenizer and scheduler threads need all cores; NVIDIA's
  h100-inference profile inverts TuneD's calc_isolated_cores and isolates the wrong ones (read
  2026-11-20, NVIDIA/skyhook-packages nvidia-tuned/profiles).
- `kernel.sched_latency_ns`, `kernel.sched_min_granularity_ns`: moved to debugfs in Linux 5.13, so
  a sysctl of that name fails on every supported system.
- `vm.zone_reclaim_mode=1`: an HPC choice; it drops page cache while weights are being read.
- `vm.overcommit_memory=1`: hides a shortage until the OOM killer ends an engine.
- `vm.min_free_kbytes`: the kernel computes it from memory and huge pages; a fixed number lowers it
  on large nodes.
- `init_on_alloc=0`: gives up zeroing of freed memory, a security property, for an unmeasured gain.
- `mitigations=off`: nodes run other people's code in containers.
- `net.core.rmem_default`, `wmem_default`: the 128 MiB of NVIDIA's training profile would be charged
  to every socket of an HTTP server; TCP tunes itself up to the maximum.
- `net.ipv4.tcp_congestion_control=bbr`: a choice for lossy long paths, not for one data centre.
- `intel_iommu=on`, `amd_iommu=on`: the distributions' kernels decide; `iommu=pt` only says how
  devices are mapped where an IOMMU is in use.
- `default_hugepagesz=`: would change what /dev/hugepages means for software already installed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from flightline.settings import Settings

# Read by a shell (/etc/default/grub.d) and by GRUB's own language: no character that either reads
# as more than itself. GRUB manual 2.06, section 6.2 "Quoting": { } | & $ ; < > and quotes are.
Argument = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.,:=/+@%*~-]*$")]
PciOption = Annotated[str, StringConstraints(pattern=r"^[a-z_]+(=[A-Za-z0-9_.:/@*+-]+)?$")]
Module = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$")]
SysctlKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+([./][A-Za-z0-9_*-]+)+$")]

MANAGED_KEYS = {
    "iommu": "iommu",
    "pci": "pci_options",
    "hugepages": "hugepages_2mib_per_node or hugepages_1gib_per_node",
    "hugepagesz": "hugepages_2mib_per_node or hugepages_1gib_per_node",
    "transparent_hugepage": "transparent_hugepages",
    "cpufreq.default_governor": "cpu_governor",
    "nouveau.modeset": "nouveau_removed",
    "modprobe.blacklist": "nouveau_removed",
    "rd.driver.blacklist": "nouveau_removed",
}


class KernelSettings(Settings):
    """The kernel of one node: command line, huge pages, sysctls, modules, limits, swap."""

    nouveau_removed: bool = True
    """Keep nouveau out for good; NVIDIA's driver cannot bind while it holds the GPU."""

    iommu: Literal["pt"] | None = "pt"
    """IOMMU mapping of the kernel's own DMA: "pt" passes it through, so RDMA and GPU peer traffic
    is not translated (NVIDIA h100-performance profile). None leaves the distribution's choice.
    x86 only: on Grace and other Arm nodes it is left out by itself."""

    pci_options: tuple[PciOption, ...] = ()
    """Options joined into one `pci=`, such as "realloc=off" (NVIDIA h100-performance profile) or
    "disable_acs_redir=pci:0:0". Empty sets none. ACS options are left out on virtual machines."""

    transparent_hugepages: Literal["always", "madvise", "never"] | None = "madvise"
    """Transparent huge pages: "madvise" gives them to software that asks and spares the rest the
    compaction stalls (NVIDIA BaseOS hugepage.cfg). None leaves the distribution's choice."""

    hugepages_2mib_per_node: int = Field(default=0, ge=0, le=1_048_576)
    """2 MiB pages reserved on each NUMA node, in pages. 0 reserves none: memory taken from the page
    cache must be asked for, per hardware group (NVIDIA h100-inference: 8192 in all, 16 GiB)."""

    hugepages_1gib_per_node: int = Field(default=0, ge=0, le=4096)
    """1 GiB pages reserved on each NUMA node, in pages. 0 reserves none: no supported engine needs
    them unless its documentation says so."""

    hugepages_max_fraction: float = Field(default=0.5, gt=0, le=0.9)
    """The largest part of a NUMA node's memory that may be huge pages, 0 to 0.9. Half leaves an
    engine's ordinary memory and the page cache, through which weights are loaded, as much again."""

    sysctl: Mapping[SysctlKey, int | str | None] = Field(default_factory=dict)
    """Further sysctls, or other values for those in roles/kernel/sysctls.py; None for a key leaves
    it to the distribution."""

    modules: tuple[Module, ...] = ("ipmi_msghandler",)
    """Modules loaded at boot, names with underscores. ipmi_msghandler: NVIDIA's driver links
    against it (NVIDIA/deepops role nvidia-gpu-operator-node-prep, read 2026-11-20)."""

    memlock_gib: int | None = Field(default=None, ge=1, le=65536)
    """Memory that one process may lock, in GiB, for login sessions and services. None is
    unlimited: RDMA registers (locks) whole GPU buffers, and a short limit fails only under load."""

    open_files: int = Field(default=1_048_576, ge=1024, le=1_048_576)
    """Open files per process: soft and hard for login sessions, hard for services. 1048576 is
    fs.nr_open's default, the most the kernel grants."""

    stack_mib: int = Field(default=64, ge=8, le=1024)
    """Soft stack limit in MiB, hard one unlimited. 64 MiB: what NVIDIA gives its containers
    (LimitSTACK=67108864); "unlimited" would switch the kernel to the legacy memory layout."""

    swap: bool = False
    """False switches swap off and keeps it off: a swapped page turns a token into milliseconds."""

    cpu_governor: Literal["performance", "schedutil", "powersave"] | None = "performance"
    """cpufreq governor (NVIDIA BaseOS nv-cpu-governor). None leaves the distribution's choice.
    Left out by itself on virtual machines, where the hypervisor decides."""

    extra_arguments: tuple[Argument, ...] = ()
    """Further kernel arguments, such as "init_on_alloc=0". What another field sets is refused."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for argument in self.extra_arguments:
            key = argument.partition("=")[0]
            if key in MANAGED_KEYS:
                raise ValueError(
                    f"extra_arguments has {argument!r}, but {key} is set by {MANAGED_KEYS[key]}; "
                    "set it there."
                )
        _refuse_twice("extra_arguments", self.extra_arguments)
        _refuse_twice("pci_options", [option.partition("=")[0] for option in self.pci_options])
        _refuse_twice("modules", self.modules)
        if self.nouveau_removed and "nouveau" in self.modules:
            raise ValueError(
                "modules has 'nouveau' while nouveau_removed is True; drop one of them."
            )
        _refuse_odd_sysctls(self.sysctl)
        return self


def _refuse_twice(field: str, values: tuple[str, ...] | list[str]) -> None:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{field} has {', '.join(twice)} twice; keep one.")


def _refuse_odd_sysctls(sysctl: Mapping[str, int | str | None]) -> None:
    for key, value in sysctl.items():
        if key.replace("/", ".").startswith("vm.nr_hugepages"):
            raise ValueError(
                f"sysctl has {key}, but hugepages_2mib_per_node sets huge pages; set it there."
            )
        if isinstance(value, str) and not re.fullmatch(r"\S+([ \t]\S+)*", value):
            raise ValueError(f"sysctl {key} is {value!r}, expected one line of words.")
