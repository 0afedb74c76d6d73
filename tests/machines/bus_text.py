"""What `flightline.gpu.bus.SCRIPT` prints on a machine."""

from __future__ import annotations

from tests.machines.models import Build

_SPEED = {3: "8.0", 4: "16.0", 5: "32.0", 6: "64.0"}  # GT/s of each PCI Express generation


def render(build: Build) -> str:
    """Return the listing: GPUs, NVSwitches, network cards; half of them on each socket."""
    speed = _SPEED[build.generation]
    fastest = _SPEED[build.model.generation]
    lines = [
        *_all(
            build.addresses, ("0x10de", build.model.device, "0x030200", "nvidia"), speed, fastest
        ),
        *_all(
            build.switches, ("0x10de", build.switch_device, "0x068000", "nvidia-nvswitch"), speed
        ),
        *_all(build.cards, ("0x15b3", build.card_device, "0x020700", "mlx5_core"), speed),
    ]
    return "\n".join([*sorted(lines, key=lambda line: line.split("/")[0]), "end", ""])


def _all(
    addresses: tuple[str, ...], what: tuple[str, str, str, str], speed: str, fastest: str = ""
) -> list[str]:
    half = (len(addresses) + 1) // 2
    found = []
    for index, address in enumerate(addresses):
        for name, value in _attributes(what, speed, fastest or speed, index // half).items():
            found.append(f"{address}/{name}:{value}")
        found.append(f"{address}/path:/sys/devices/{_above(address)}/{address}")
    return found


def _attributes(
    what: tuple[str, str, str, str], speed: str, fastest: str, socket: int
) -> dict[str, str]:
    vendor, device, kind, driver = what
    cpus = ("0-47,96-143", "48-95,144-191")[socket]
    return {
        "vendor": vendor,
        "device": f"0x{device}",
        "class": kind,
        "revision": "0xa1" if vendor == "0x10de" else "0x00",
        "subsystem_vendor": vendor,
        "subsystem_device": "0x16c1",
        "numa_node": str(socket),
        "local_cpulist": cpus,
        "current_link_speed": f"{speed} GT/s PCIe",
        "current_link_width": "16",
        "max_link_speed": f"{fastest} GT/s PCIe",
        "max_link_width": "16",
        "aer_dev_correctable": "TOTAL_ERR_COR 0",
        "aer_dev_nonfatal": "TOTAL_ERR_NONFATAL 0",
        "aer_dev_fatal": "TOTAL_ERR_FATAL 0",
        "driver": driver,
    }


def _above(address: str) -> str:
    """A root port and a switch above it, each GPU and card in a switch of its own."""
    domain, bus, _ = address.split(":")
    root = f"{domain}:{int(bus, 16) & 0xFE:02x}"
    return f"pci{root}/{root}:01.0"
