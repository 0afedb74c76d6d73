"""RDMA devices, their ports and network interfaces, from sysfs: no rdma-core needed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from flightline.gpu.pci_config import parse_config
from flightline.gpu.rdma_records import Gid, Interface, PciLink, RdmaDevice, RdmaPort, RdmaReport

__all__ = ["SCRIPT", "Gid", "Interface", "RdmaDevice", "RdmaPort", "RdmaReport", "parse_rdma"]

SCRIPT = Path(__file__).with_name("rdma.sh").read_text(encoding="utf-8")
"""Prints `<place>:<value>` lines, then `end`; the one command behind `parse_rdma`."""


def parse_rdma(text: str) -> RdmaReport:
    """Return the report that SCRIPT printed; devices in natural order, mlx5_2 before mlx5_10.

    Real lines (Debian 12, Soft-RoCE, 2026-11-21): `rxe_eth1/ports/1/state:4: ACTIVE`,
    `rxe_eth1/ports/1/rate:2.5 Gb/sec (1X SDR)`, `character:666 /dev/infiniband/uverbs0`,
    `rxe_eth1/ports/1/gid:1,RoCE v2,eth1,0000:0000:0000:0000:0000:ffff:0a58:000c`. Raises ValueError
    when the end is missing or a number is none.
    """
    lines = text.splitlines()
    if "end" not in lines:
        raise ValueError("the list of RDMA devices is cut short")
    said: dict[str, list[str]] = {}
    for line in lines:
        place, _, value = line.partition(":")
        said.setdefault(place, []).append(value.strip())
    names = sorted(said.get("device", []), key=_natural)
    return RdmaReport(
        devices=tuple(_device(name, said) for name in names),
        interfaces=_interfaces(said),
        default_interfaces=_default_interfaces(said),
        modules=frozenset(said.get("module", [])),
        characters=_characters(said.get("character", [])),
        infiniband_cards=tuple(said.get("card", [])),
        uptime_seconds=float(_one(said, "uptime") or 0),
    )


Said = Mapping[str, list[str]]


def _device(name: str, said: Said) -> RdmaDevice:
    def one(attribute: str) -> str:
        return _one(said, f"{name}/{attribute}")

    numbers = sorted(
        {int(m[1]) for place in said if (m := re.match(rf"{re.escape(name)}/ports/(\d+)/", place))}
    )
    return RdmaDevice(
        name=name,
        firmware=one("fw_ver"),
        board=one("board_id"),
        pci_address=one("pci"),
        driver=one("driver"),
        numa_node=_whole(one("device/numa_node")),
        is_virtual_function=one("virtual_function") == "yes",
        link=PciLink(
            lanes=_whole(one("device/current_link_width")),
            max_lanes=_whole(one("device/max_link_width")),
            speed_gts=_speed(one("device/current_link_speed")),
            max_speed_gts=_speed(one("device/max_link_speed")),
        ),
        express=parse_config(one("config")),
        verbs=next(iter(_owned(said, "verbs", name)), ""),
        management=_owned(said, "mad", name),
        ports=tuple(_port(name, number, said) for number in numbers),
    )


def _port(device: str, number: int, said: Said) -> RdmaPort:
    place = f"{device}/ports/{number}"

    def one(attribute: str) -> str:
        return _one(said, f"{place}/{attribute}")

    rate = re.match(r"([0-9.]+) Gb/sec \((\d+)X", one("rate"))
    gids = tuple(_gid(line) for line in said.get(f"{place}/gid", []))
    interfaces = [gid.interface for gid in gids if gid.interface]
    interfaces += said.get(f"{device}/parent", []) + said.get(f"{device}/device/net", [])
    return RdmaPort(
        device=device,
        number=number,
        state=one("state").partition(": ")[2],
        physical=one("phys_state").partition(": ")[2],
        link_layer=one("link_layer"),
        rate_gbps=float(rate[1]) if rate else None,
        lanes=int(rate[2]) if rate else None,
        lid=_whole(one("lid")),
        subnet_manager_lid=_whole(one("sm_lid")),
        interface=interfaces[0] if interfaces else "",
        gids=gids,
        counters=_counters(place, said),
    )


def _gid(line: str) -> Gid:
    """From "1,RoCE v2,eth1,0000:0000:0000:0000:0000:ffff:0a58:000c"."""
    index, kind, interface, address = line.split(",")
    return Gid(int(index), kind, interface, address)


def _counters(place: str, said: Said) -> dict[str, int]:
    found = {}
    for folder in ("counters", "hw_counters"):
        start = f"{place}/{folder}/"
        values = {
            key.removeprefix(start): each for key, each in said.items() if key.startswith(start)
        }
        found.update({name: int(each[0]) for name, each in values.items() if each[0].isdigit()})
    return found


def _interfaces(said: Said) -> dict[str, Interface]:
    found: dict[str, dict[str, str]] = {}
    for line in said.get("net", []):
        place, _, value = line.partition(":")
        name, _, attribute = place.rpartition("/")
        found.setdefault(name, {})[attribute] = value
    return {
        name: Interface(
            name=name,
            mtu=int(values["mtu"]),
            is_up=values.get("operstate") in ("up", "unknown"),
            sysctls={key: values[key] for key in values if key.startswith(("arp_", "rp_"))},
        )
        for name, values in found.items()
        if "mtu" in values
    }


def _default_interfaces(said: Said) -> tuple[str, ...]:
    """IPv6 lines carry the route's flags: 0x0200 is a reject route (linux/route.h RTF_REJECT)."""
    sixth = [line.split() for line in said.get("route6", [])]
    usable = [words[1] for words in sixth if not int(words[0], 16) & 0x0200]
    return tuple(dict.fromkeys([*said.get("route", []), *usable]))


def _characters(lines: list[str]) -> dict[str, str]:
    """From "666 /dev/infiniband/uverbs0"."""
    pairs = (line.split(" ", 1) for line in lines)
    return {path.rpartition("/")[2]: mode for mode, path in pairs}


def _owned(said: Said, kind: str, device: str) -> tuple[str, ...]:
    """From "verbs:uverbs0/ibdev:mlx5_0": the character devices that belong to the device."""
    pairs = (line.partition("/ibdev:") for line in said.get(kind, []))
    return tuple(name for name, _, owner in pairs if owner == device)


def _one(said: Said, place: str) -> str:
    return said.get(place, [""])[0]


def _whole(text: str) -> int | None:
    """A number in decimal or, with 0x, hexadecimal; None for none and for the kernel's -1."""
    return int(text, 0) if re.fullmatch(r"0x[0-9a-fA-F]+|\d+", text) else None


def _speed(text: str) -> float | None:
    """From "32.0 GT/s PCIe"; None for "Unknown"."""
    found = re.match(r"([0-9.]+) GT/s", text)
    return float(found[1]) if found else None


def _natural(name: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
