"""daemon.json is merged: what others wrote stays, what is declared wins."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.errors import FlightlineError
from roles.containers.daemon import changed_keys, declared_keys, merge, needing_restart
from roles.containers.settings import ContainersSettings

SETTINGS = ContainersSettings(
    registry_mirrors=("https://mirror.example.org",), insecure_registries=("10.0.2.2:5000",)
)
NVIDIA = {
    "runtimes": {"nvidia": {"args": [], "path": "nvidia-container-runtime"}},
    "default-runtime": "nvidia",
    "features": {"cdi": True},
}
OWNED = sorted(declared_keys(SETTINGS))
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from([*OWNED, *NVIDIA, "debug", "dns"]) | st.text(max_size=8)
DAEMON = st.dictionaries(KEYS, VALUES, max_size=8)


@given(DAEMON)
def test_foreign_keys_survive(found: dict[str, Any]) -> None:
    merged = json.loads(merge(SETTINGS, json.dumps(found)))
    assert {key: merged[key] for key in found if key not in OWNED} == {
        key: value for key, value in found.items() if key not in OWNED
    }


@given(DAEMON)
def test_merging_twice_is_merging_once(found: dict[str, Any]) -> None:
    once = merge(SETTINGS, json.dumps(found))
    assert merge(SETTINGS, once) == once


@given(DAEMON)
def test_declared_registries_and_networks_win(found: dict[str, Any]) -> None:
    merged = json.loads(merge(SETTINGS, json.dumps(found)))
    assert merged["registry-mirrors"] == ["https://mirror.example.org"]
    assert merged["insecure-registries"] == ["10.0.2.2:5000"]
    assert merged["bip"] == "172.29.0.1/20"
    assert merged["default-ulimits"]["memlock"] == {"Name": "memlock", "Soft": -1, "Hard": -1}


@given(DAEMON)
def test_nothing_counts_as_changed_after_a_merge(found: dict[str, Any]) -> None:
    merged = json.loads(merge(SETTINGS, json.dumps(found)))
    assert not changed_keys(merged, json.loads(merge(SETTINGS, json.dumps(merged))))


def test_what_the_nvidia_toolkit_wrote_stays() -> None:
    merged = json.loads(merge(SETTINGS, json.dumps(NVIDIA)))
    assert {key: merged[key] for key in NVIDIA} == NVIDIA


def test_a_file_that_says_the_same_is_left_as_it_is_written() -> None:
    compact = json.dumps(json.loads(merge(SETTINGS, None)))
    assert merge(SETTINGS, compact) == compact


@pytest.mark.parametrize("nothing", [None, "", " \n"])
def test_no_file_and_an_empty_one_are_the_same(nothing: str | None) -> None:
    assert json.loads(merge(SETTINGS, nothing)) == declared_keys(SETTINGS)


def test_a_registry_that_is_declared_no_more_is_gone() -> None:
    merged = json.loads(merge(ContainersSettings(), merge(SETTINGS, None)))
    assert merged["insecure-registries"] == []


def test_ulimits_of_others_stay_beside_ours() -> None:
    core = {"core": {"Name": "core", "Soft": 0, "Hard": 0}}
    merged = json.loads(merge(SETTINGS, json.dumps({"default-ulimits": core})))
    assert sorted(merged["default-ulimits"]) == ["core", "memlock", "nofile", "stack"]


def test_exec_options_of_others_stay_beside_the_cgroup_driver() -> None:
    found = {"exec-opts": ["native.cgroupdriver=cgroupfs", "other=1"]}
    merged = json.loads(merge(SETTINGS, json.dumps(found)))
    assert merged["exec-opts"] == ["other=1", "native.cgroupdriver=systemd"]


@pytest.mark.parametrize(("driver", "kept"), [("local", True), ("syslog", False)])
def test_log_options_stay_only_with_their_driver(driver: str, kept: bool) -> None:
    found = {"log-driver": driver, "log-opts": {"compress": "false", "max-size": "1g"}}
    merged = json.loads(merge(SETTINGS, json.dumps(found)))
    assert ("compress" in merged["log-opts"]) is kept
    assert merged["log-opts"]["max-size"] == "100m"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n  "debug": true,\n}', "line 3 column 1"),
        ('{"debug": tru}', "line 1 column 11"),
        ("[]", "holds a list"),
        ('{"x": NaN}', "NaN is no JSON value"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(FlightlineError) as refusal:
        merge(SETTINGS, text)
    assert said in refusal.value.message
    assert "\n" not in refusal.value.message


def test_only_keys_that_a_signal_cannot_change_need_a_restart() -> None:
    keys = ["registry-mirrors", "live-restore", "runtimes", "bip", "data-root", "dns"]
    assert needing_restart(keys) == ("bip", "data-root", "dns")


def test_an_empty_list_and_no_key_are_no_change() -> None:
    assert not changed_keys({}, {"registry-mirrors": []})
