"""What must hold of the node under the engine: networks, kernel, firewall, disk."""

from __future__ import annotations

import json

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, not_applicable
from roles.containers.networks import collisions, parse_routes
from roles.containers.settings import ContainersSettings

RUNS = ("containers-docker-running", "containers-containerd-running")
_ROUTES = "ip -j -4 route show table all"
_APPARMOR = (
    "cat /sys/module/apparmor/parameters/enabled 2>/dev/null || echo N; "
    "command -v apparmor_parser || echo missing"
)


@check(
    "containers-api-unexposed",
    "the engine's API is on no TCP port",
    severity=CRITICAL,
    remedy="take TCP out of daemon.json (hosts), docker.service (-H) and docker.socket",
)
def api_unexposed(host: Host, _: ContainersSettings) -> None:
    """2375 and 2376 are the API's registered ports; whoever connects there may become root."""
    for line in host.check_output("ss -Hltnp").splitlines():
        address = line.split()[3]
        assert address.rpartition(":")[2] not in ("2375", "2376") and '"dockerd"' not in line, (
            f"{address} accepts connections to the engine's API, expected no TCP port."
        )


@check(
    "containers-networks-clear",
    "container networks overlap nothing that the node reaches otherwise",
    severity=CRITICAL,
    remedy="choose ranges that the site does not use, stop the containers, and apply",
)
def networks_clear(host: Host, settings: ContainersSettings) -> None:
    """A route that came later hides a part of the site, or of the containers."""
    routes = parse_routes(host.check_output(_ROUTES))
    for network, route in collisions(settings.networks, routes):
        raise AssertionError(
            f"container network {network} overlaps {route.network}, reached by {route.device}, "
            "expected no overlap (ContainersSettings.bridge_address, address_pools)."
        )


@check(
    "containers-bridge-address",
    "docker0 is up with the declared address",
    severity=ERROR,
    remedy="stop the containers, then `systemctl restart docker`",
    depends=RUNS,
)
def bridge_address(host: Host, settings: ContainersSettings) -> None:
    """The flag UP counts: without a container docker0 has no carrier, and that is well."""
    result = host.run("ip -j -4 addr show dev docker0")
    entries = [entry for entry in json.loads(result.stdout or "[]") if entry]
    assert entries, f"docker0 has no address, expected {settings.bridge_address}."
    found = [f"{each['local']}/{each['prefixlen']}" for each in entries[0].get("addr_info", [])]
    assert settings.bridge_address in found, (
        f"docker0 has {', '.join(found) or 'no address'}, expected {settings.bridge_address} "
        "(ContainersSettings.bridge_address)."
    )
    assert "UP" in entries[0]["flags"], "docker0 is down, expected it up."


@check(
    "containers-kernel-forwarding",
    "the kernel forwards IPv4 packets",
    severity=ERROR,
    remedy="sysctl -w net.ipv4.ip_forward=1; find what set it to 0 with `grep -r ip_forward /etc`",
)
def kernel_forwarding(host: Host, _: ContainersSettings) -> None:
    """dockerd sets it at start; whoever resets it later cuts containers off."""
    assert host.sysctl("net.ipv4.ip_forward") == 1, "net.ipv4.ip_forward is 0, expected 1."


@check(
    "containers-kernel-overlay",
    "the kernel has the overlay file system",
    severity=CRITICAL,
    remedy="modprobe overlay",
)
def kernel_overlay(host: Host, _: ContainersSettings) -> None:
    """The storage driver overlay2 mounts every container with it."""
    found = host.check_output("cat /proc/filesystems").split()
    assert "overlay" in found, "/proc/filesystems has no overlay, expected it for overlay2."


@check(
    "containers-firewall-rules",
    "the firewall still has the rules that dockerd put there",
    severity=ERROR,
    remedy="systemctl restart docker puts them back; load the site's rules without a flush",
    depends=RUNS,
)
def firewall_rules(host: Host, settings: ContainersSettings) -> None:
    """A reload of the site's rules flushes them, and published ports go silent."""
    if settings.extra.get("iptables") is False:
        not_applicable("ContainersSettings.extra turns Docker's iptables rules off.")
    if settings.extra.get("firewall-backend") == "nftables":
        not_applicable("ContainersSettings.extra has Docker use nftables itself.")
    forward = host.check_output("iptables -w 5 -S FORWARD")
    assert "-j DOCKER-USER" in forward, "chain FORWARD does not lead to DOCKER-USER any more."
    ports = host.check_output("iptables -w 5 -t nat -S PREROUTING")
    assert "-j DOCKER" in ports, "chain PREROUTING does not lead to DOCKER any more."


@check(
    "containers-apparmor-usable",
    "containers can be confined by AppArmor where the kernel has it",
    severity=ERROR,
    remedy="install the package apparmor",
)
def apparmor_usable(host: Host, _: ContainersSettings) -> None:
    """Without its parser on a kernel with AppArmor, `docker run` fails (Debian 12, 2026-11-20)."""
    enabled, parser = host.check_output(_APPARMOR).split()
    if enabled != "Y":
        not_applicable("the kernel runs without AppArmor.")
    assert parser != "missing", "the kernel has AppArmor, but apparmor_parser is not there."


@check(
    "containers-data-space",
    "the data root has room for one more image",
    severity=ERROR,
    remedy="docker system prune, or a larger disk for ContainersSettings.data_root",
)
def data_space(host: Host, settings: ContainersSettings) -> None:
    """A full data root stops every container at once."""
    line = host.check_output(f"df -Pk {settings.data_root}").splitlines()[-1]
    free = int(line.split()[3]) / 2**20
    assert free >= settings.data_root_min_free_gib, (
        f"{settings.data_root} has {free:.1f} GiB free, expected at least "
        f"{settings.data_root_min_free_gib} GiB (ContainersSettings.data_root_min_free_gib)."
    )
