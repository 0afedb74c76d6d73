"""A wrong value is refused where it is declared, with the way to write it."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from flightline.errors import SettingsError
from roles.containers.daemon import declared_keys
from roles.containers.settings import AddressPool, ContainersSettings, Ulimit


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("source", "podman", "'distribution' or 'docker'"),
        ("repository_url", "ftp://mirror.example.org", "not a plain http(s) URL"),
        ("registry_mirrors", ("mirror.example.org:5000",), "not a plain http(s) URL"),
        ("registry_mirrors", ("https://me:pw@mirror.example.org",), "without user"),
        ("registry_mirrors", ("https://mirror.example.org/hub",), "has a path"),
        ("insecure_registries", ("http://10.0.2.2:5000",), "without http://"),
        ("insecure_registries", ("10.0.0.1/8",), "not host[:port] or a network"),
        ("log_driver", "syslog", "'local', 'json-file' or 'journald'"),
        ("log_max_size_mb", 0, "greater than or equal to 1"),
        ("log_max_size_mb", "100m", "valid integer"),
        ("shm_size_mib", 1, "greater than or equal to 64"),
        ("data_root", "var/lib/docker", "not an absolute folder"),
        ("data_root", "/data/../docker", "has a part '..'; write the path out"),
        ("data_root", "//data/docker", "not an absolute folder"),
        ("data_root", "/data/my docker", "not an absolute folder"),
        ("bridge_address", "172.29.0.1", "with a prefix"),
        ("bridge_address", "172.29.0.0/20", "172.29.0.1/20"),
        ("bridge_address", "fd00::1/64", "not an IPv4 address"),
        ("address_pools", (), "at least 1 item"),
        ("operators", ("Alice Smith",), "not a user name"),
        ("operators", ("root,alice",), "not a user name"),
        ("memlock", -1, "has no field memlock"),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence(field: str, value: Any, said: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        ContainersSettings(**{field: value})
    assert said in str(refusal.value)
    assert field in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("base", "size", "said"),
    [
        ("172.29.128.0", 24, "not an IPv4 network"),
        ("172.29.128.1/17", 24, "host bits zero"),
        ("300.0.0.0/8", 24, "not an IPv4 network"),
        ("172.29.128.0/17", 16, "does not fit"),
        ("172.29.128.0/17", 30, "less than or equal to 29"),
    ],
)
def test_a_pool_that_no_network_can_be_cut_from_is_refused(base: str, size: int, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        AddressPool(base=base, size=size)


@pytest.mark.parametrize(
    "bases", [("172.29.0.0/17",), ("10.1.0.0/16", "10.1.128.0/17"), ("10.2.0.0/16",) * 2]
)
def test_pools_that_overlap_each_other_or_the_bridge_are_refused(bases: tuple[str, ...]) -> None:
    pools = tuple(AddressPool(base=base, size=24) for base in bases)
    with pytest.raises(SettingsError, match="overlaps"):
        ContainersSettings(address_pools=pools)


@pytest.mark.parametrize(("soft", "hard"), [(10, 5), (-1, 5)])
def test_a_soft_limit_above_the_hard_one_is_refused(soft: int, hard: int) -> None:
    with pytest.raises(SettingsError, match="below the soft limit"):
        Ulimit(soft=soft, hard=hard)


def test_an_unlimited_hard_limit_takes_any_soft_one() -> None:
    assert Ulimit(soft=5, hard=-1).soft == 5


def test_extra_may_not_set_what_a_field_owns() -> None:
    with pytest.raises(SettingsError, match=r"live-restore of daemon\.json is set by a field"):
        declared_keys(ContainersSettings(extra={"live-restore": False}))


def test_the_default_networks_keep_clear_of_what_docker_takes_unasked() -> None:
    """172.17.0.0/16 to 172.28.0.0/16 and 192.168.0.0/16: Docker's own pools, as documented."""
    own = [ipaddress.ip_network(f"172.{second}.0.0/16") for second in range(17, 29)]
    own.append(ipaddress.ip_network("192.168.0.0/16"))
    networks = ContainersSettings().networks
    assert not [
        pair for pair in ((a, b) for a in networks for b in own) if pair[0].overlaps(pair[1])
    ]
    assert all(net.subnet_of(ipaddress.IPv4Network("172.29.0.0/16")) for net in networks)


def test_settings_print_as_plain_data() -> None:
    assert ContainersSettings().to_json()["ulimit_nofile"] == {"soft": 65536, "hard": 1048576}
