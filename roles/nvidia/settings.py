"""What the GPUs of a node are, and what their driver is declared to be."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from flightline.plan import declared
from flightline.settings import Settings


class RunFile(Settings):
    """NVIDIA's installer as a file."""

    url: str
    """Where it is: https://, or file:// for one that is on the node already."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Its digest; another file is refused."""


class ApplicationClocks(Settings):
    """Clocks that applications get, as `nvidia-smi -ac` takes them."""

    memory_mhz: int = Field(ge=100, le=20_000)
    """Memory clock, MHz."""

    graphics_mhz: int = Field(ge=100, le=5_000)
    """Graphics clock, MHz."""


class AcceptanceSettings(Settings):
    """How the GPUs are loaded by `flightline audit --phase acceptance`."""

    image: str | None = None
    """Container image that has the programs which the node lacks (nvbandwidth, all_reduce_perf,
    gpu_burn, python3 with PyTorch); an engine's own image has PyTorch. It must be on the node:
    nothing is pulled. None uses the node's programs alone; what is on neither is unknown."""

    burn_seconds: int = Field(default=60, ge=30, le=3000)
    """How long the tensor cores are kept at full power, s. 60: gpu-fryer's default."""

    dcgm_level: Literal[1, 2, 3] = 2
    """Level of `dcgmi diag`: 1 takes seconds, 2 about 2 minutes and finds most bad GPUs, 3 about
    15 minutes (NVSentinel preflight.md, read 2026-11-20)."""

    floors: Mapping[str, float] = Field(default_factory=dict)
    """Other floors than the catalog's, by metric: {"h2d": 48} in the catalog's unit."""

    peer_percent: float = Field(default=3.0, gt=0, le=50)
    """How far below the median of its node a GPU or link may be, percent."""


class NvidiaSettings(Settings):
    """The GPUs that a node must have, their driver, and what runs beside it."""

    gpu_model: str | None = None
    """The GPU's name in the catalog (`flightline catalog list gpus`). None accepts any that the
    catalog knows; several models on one node are refused either way."""

    gpu_count: int | None = Field(default=None, ge=1, le=32)
    """GPUs that the node must have. None accepts any number."""

    install: Literal["when-present", "always"] = "when-present"
    """when-present: a node without a GPU on its bus is left alone. always: also without one, to
    make images; `branch` and `kernel_modules` must be named then."""

    source: Literal["nvidia", "distribution", "runfile"] = "nvidia"
    """Where the driver comes from: NVIDIA's repository (the only one with fabric manager, DCGM and
    every branch), the distribution's (Debian non-free, Ubuntu), or NVIDIA's installer."""

    repository_url: str = "https://developer.download.nvidia.com/compute/cuda/repos"
    """Where NVIDIA's repository is; a site without internet names its mirror. Packages must carry
    NVIDIA's signature still: the key file lies beside them, and only the key whose fingerprint (on
    the RHEL family, whose file's digest) is written in this role's sources.py is accepted."""

    branch: int | None = Field(default=None, ge=470, le=999)
    """Driver branch, such as 580. None takes the catalog's longest supported one that knows the
    GPU; with source="distribution" the one that the distribution has."""

    version: str | None = Field(default=None, pattern=r"^\d{3}\.\d{2,3}(\.\d{2})?$")
    """Exact driver version, such as "580.105.08". None takes the branch's newest at the first
    install and keeps it. runfile needs it."""

    kernel_modules: Literal["open", "proprietary"] | None = None
    """Flavour of the kernel modules. None follows the GPU: open from Turing on, proprietary
    before; Blackwell runs with open ones only."""

    runfile: RunFile | None = None
    """The installer, where source is "runfile"."""

    hold_packages: bool = True
    """Keep driver, libraries, fabric manager, DCGM and toolkit at their versions together until
    Flightline changes them: an unattended upgrade of one stops the GPUs at the next call."""

    secure_boot: Literal["refuse", "signed"] = "refuse"
    """What to do where Secure Boot is on and modules are built on the node: refuse with the steps,
    or trust that they are signed with an enrolled machine owner key (checked: the key is)."""

    persistence: bool = True
    """Keep the driver loaded between jobs (nvidia-persistenced); without, each start takes seconds
    and counters are lost."""

    fabric_manager: Literal["detect", "on", "off"] = "detect"
    """detect: on where NVSwitches are on the bus. off on such a machine is refused."""

    fabric_manager_version: str | None = Field(default=None, pattern=r"^\d{3}\.\d{2,3}(\.\d{2})?$")
    """Exact version of the fabric manager. None takes the driver's; any other is refused."""

    imex_nodes: tuple[str, ...] = ()
    """Addresses of the nodes in this NVLink domain (GB200/GB300 NVL72), for IMEX. Empty: none."""

    module_options: Mapping[str, int | str] = Field(default_factory=dict)
    """Options of the nvidia module, such as {"NVreg_EnableStreamMemOPs": 1}; checked as loaded."""

    power_limit_watts: int | None = Field(default=None, ge=50, le=2000)
    """Power limit of each GPU, W, within what the GPU allows. None leaves its default."""

    application_clocks: ApplicationClocks | None = None
    """Fixed application clocks. None leaves the GPU's own."""

    mig: tuple[str, ...] | None = None
    """MIG devices of each GPU as profile names, such as ("3g.40gb", "3g.40gb"); () declares MIG
    off; None leaves it as it is. Applied only to GPUs that nothing uses."""

    ecc: bool = True
    """Whether ECC must be on, where the GPU has it."""

    dcgm: bool = True
    """Install DCGM and run its host engine, where the source has it (NVIDIA's repository)."""

    image_cuda: str | None = Field(default=None, pattern=r"^\d{2}\.\d$")
    """Newest CUDA version inside the container images that will run here, such as "12.8"; the
    driver must be able to run it. None checks nothing."""

    image_has_cuda_compat: bool = False
    """Whether these images carry NVIDIA's cuda-compat package, which lets a data centre GPU run a
    CUDA above its driver's. False: such a pair is refused."""

    dtypes: tuple[Literal["fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8"], ...] = ()
    """Number formats that the models here need; a GPU without one of them is refused."""

    upgrade_allowed: bool = False
    """Whether a driver that is in place may be replaced by another branch or version. False refuses
    the change: it stops every GPU job on the node."""

    drain_command: str | None = None
    """Shell command run on the node before a driver is replaced, such as one that takes it out of
    the load balancer; the upgrade stops when it fails. None: nothing is drained."""

    acceptance: AcceptanceSettings = AcceptanceSettings()
    """How the GPUs are loaded before go-live."""

    @model_validator(mode="after")
    def _can_work(self) -> Self:
        if problems := (*declared.problems(self), *self._incomplete()):
            raise ValueError(" ".join(problems))
        return self

    def _incomplete(self) -> Iterator[str]:
        """What of the installer is declared without the rest, and what no file can hold."""
        if self.source == "runfile" and not (self.runfile and self.version):
            yield 'source="runfile" needs runfile (url and sha256) and version; declare both.'
        if self.source != "runfile" and self.runfile:
            yield f'runfile is declared, but source is "{self.source}"; set source="runfile".'
        for name, value in self.module_options.items():
            if not re.fullmatch(r"\w+", name) or not re.fullmatch(r"[!-~]+", str(value)):
                yield f"module_options: {name}={value!r} has blanks or signs; write it without."

    def warnings(self, today: datetime.date) -> tuple[str, ...]:
        """Return what is wrong with the driver branch on that day."""
        return declared.warnings(self, today)
