"""The list of sysctls, and what a site's own values do to it."""

from __future__ import annotations

from roles.kernel.settings import KernelSettings
from roles.kernel.sysctls import SYSCTLS, declared


def values(settings: KernelSettings) -> dict[str, str]:
    return {entry.key: entry.value for entry in declared(settings)}


def test_every_value_has_its_reason_and_source_and_is_there_once() -> None:
    assert all(entry.reason and entry.source for entry in SYSCTLS)
    assert len({entry.key for entry in SYSCTLS}) == len(SYSCTLS)


def test_a_site_replaces_adds_and_takes_out() -> None:
    changed = {"vm.swappiness": 10, "kernel.panic": 60, "vm.max_map_count": None}
    found = values(KernelSettings(sysctl=changed))
    assert found["vm.swappiness"] == "10"
    assert found["kernel.panic"] == "60"
    assert "vm.max_map_count" not in found


def test_a_replaced_value_stays_with_its_check() -> None:
    before = {entry.key: entry.theme for entry in declared(KernelSettings())}
    after = declared(KernelSettings(sysctl={"kernel.numa_balancing": 1}))
    assert {entry.key: entry.theme for entry in after} == before


def test_both_spellings_of_a_key_are_one_key() -> None:
    found = values(KernelSettings(sysctl={"vm/swappiness": 10}))
    assert found["vm.swappiness"] == "10"
    assert "vm/swappiness" not in found


def test_zone_reclaim_stays_off() -> None:
    assert values(KernelSettings())["vm.zone_reclaim_mode"] == "0"
