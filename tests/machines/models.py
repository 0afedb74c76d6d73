"""The machines that tests know: what each is made of. Figures as such GPUs show them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """A GPU as nvidia-smi shows it."""

    product: str
    architecture: str
    device: str
    subsystem: str
    memory_mib: int
    watts: int
    sm_mhz: int
    memory_mhz: int
    generation: int
    """PCI Express, of the device."""
    vbios: str
    inforom: str = "N/A"
    ecc: str = "Enabled"
    """ "N/A" for a GPU without it; a GeForce that has it leaves the factory with "Disabled"."""
    has_rows: bool = True
    """Row remapping (Ampere and newer); without it and with ECC, pages are retired."""
    has_mig: bool = False
    memory_c: int | None = 40
    addressing: str = "HMM"
    fabric: str = ""
    """Empty for none; "plain" as HGX H100; "health" as HGX B200; "rack" as GB200 NVL72."""


@dataclass(frozen=True)
class Build:
    """A node: its GPUs by address, its driver, its switches and network cards."""

    model: Model
    driver: str
    cuda: str
    addresses: tuple[str, ...]
    switches: tuple[str, ...] = ()
    switch_device: str = ""
    cards: tuple[str, ...] = ()
    card_device: str = "1021"
    """Of Mellanox: 1021 is a ConnectX-7, 101b a ConnectX-6."""
    link_generation: int | None = None
    """Of the slots, where it is lower than the GPU's."""
    mig: str = ""
    """Profile of the two MIG devices on every GPU; empty for MIG off."""

    @property
    def branch(self) -> int:
        """The driver's branch."""
        return int(self.driver.partition(".")[0])

    @property
    def generation(self) -> int:
        """Of the PCI Express links."""
        return self.link_generation or self.model.generation


def _row(first: int, count: int, step: int = 1) -> tuple[str, ...]:
    return tuple(f"0000:{bus:02x}:00.0" for bus in range(first, first + count * step, step))


_H100 = Model(
    "NVIDIA H100 80GB HBM3", "Hopper", "2330", "16c1", 81559, 700, 1980, 2619, 5,
    "96.00.99.00.01", "G520.0200.00.05", has_mig=True, fabric="plain",
)  # fmt: skip
_A100 = Model(
    "NVIDIA A100-SXM4-80GB", "Ampere", "20b2", "147f", 81920, 400, 1410, 1593, 4,
    "92.00.36.00.02", "G506.0212.00.01", has_mig=True, addressing="None",
)  # fmt: skip
_B200 = Model(
    "NVIDIA B200", "Blackwell", "2901", "1999", 183359, 1000, 1965, 3996, 5,
    "97.00.FA.00.09", "G525.0220.00.03", has_mig=True, fabric="health",
)  # fmt: skip
_GB200 = Model(
    "NVIDIA GB200", "Blackwell", "2941", "2046", 189471, 1200, 2062, 3996, 6,
    "97.00.B9.00.69", "G548.0201.00.06", has_mig=True, addressing="ATS", fabric="rack",
)  # fmt: skip
_L40S = Model(
    "NVIDIA L40S", "Ada Lovelace", "26b9", "1851", 46068, 350, 2520, 9001, 4,
    "95.02.66.00.02", "G133.0242.00.03", memory_c=None,
)  # fmt: skip
_RTX_4090 = Model(
    "NVIDIA GeForce RTX 4090", "Ada Lovelace", "2684", "167c", 24564, 450, 3105, 10501, 4,
    "95.02.3C.40.93", ecc="Disabled", has_rows=False, memory_c=None,
)  # fmt: skip
_V100 = Model(
    "Tesla V100-SXM2-32GB", "Volta", "1db5", "1249", 32768, 300, 1530, 877, 3,
    "88.00.80.00.01", "G503.0203.00.05", has_rows=False, addressing="None",
)  # fmt: skip

_HGX = _row(0x19, 8)
_RAILS = _row(0x41, 8)

BUILDS = {
    "h100_sxm_8": Build(
        _H100, "580.105.08", "13.0", _HGX, _row(0x86, 4), "22a3", cards=_RAILS
    ),
    "a100_sxm_8": Build(
        _A100, "580.105.08", "13.0", _HGX, _row(0x86, 6), "1af1", cards=_RAILS, card_device="101b"
    ),
    "a100_mig_8": Build(
        _A100, "580.105.08", "13.0", _HGX, _row(0x86, 6), "1af1", cards=_RAILS,
        card_device="101b", mig="3g.40gb",
    ),
    "b200_8": Build(_B200, "580.105.08", "13.0", _HGX, cards=_RAILS),
    "gb200_4": Build(
        _GB200, "595.45.04", "13.2",
        ("0008:01:00.0", "0009:01:00.0", "0018:01:00.0", "0019:01:00.0"),
        cards=("0000:01:00.0", "0002:01:00.0", "0010:01:00.0", "0012:01:00.0"),
        link_generation=5,
    ),
    "l40s_2": Build(_L40S, "580.95.05", "13.0", _row(0x41, 2, 0x40)),
    "rtx_4090_1": Build(_RTX_4090, "580.95.05", "13.0", _row(0x01, 1)),
    "v100_8": Build(_V100, "580.105.08", "13.0", _HGX),
}  # fmt: skip

ALIASES = {
    "h100": "h100_sxm_8",
    "a100": "a100_sxm_8",
    "a100_mig": "a100_mig_8",
    "b200": "b200_8",
    "gb200": "gb200_4",
    "l40s": "l40s_2",
    "rtx_4090": "rtx_4090_1",
    "v100": "v100_8",
}
