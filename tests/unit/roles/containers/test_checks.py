"""Checks judge what a node really answered; each answer below is Debian 12's, 2026-11-21."""

from __future__ import annotations

import pytest

from flightline.audit.answers import Answer
from flightline.audit.backend import AnsweredBackend, fresh_host
from flightline.audit.check import NotApplicable, Unknown
from roles.containers import checks, config_checks, node_checks, observe
from roles.containers.settings import ContainersSettings

SETTINGS = ContainersSettings()
UNITS = """\
Id=docker.service
ActiveState=active
DropInPaths=/etc/systemd/system/docker.service.d/flightline.conf
UnitFileState=enabled
NeedDaemonReload=no

Id=containerd.service
ActiveState=active
DropInPaths=/etc/systemd/system/containerd.service.d/flightline.conf
UnitFileState=enabled
NeedDaemonReload=no

Id=docker.socket
ActiveState=active
DropInPaths=
UnitFileState=enabled
NeedDaemonReload=no
"""
LIMITS = """\
docker Limit                     Soft Limit           Hard Limit           Units
docker Max open files            1048576              1048576              files
docker Max locked memory         unlimited            unlimited            bytes
containerd Limit                     Soft Limit           Hard Limit           Units
containerd Max open files            1048576              1048576              files
containerd Max locked memory         65536                65536                bytes
"""


def host_saying(command: str, stdout: str, status: int = 0) -> object:
    answer = Answer(command, status, stdout.encode())
    return fresh_host(AnsweredBackend("node", {command: answer}))


def test_units_that_run_with_their_drop_ins_pass() -> None:
    host = host_saying(observe._UNITS, UNITS)
    checks.units_loaded(host, SETTINGS)
    checks.docker_enabled(host, SETTINGS)
    checks.containerd_running(host, SETTINGS)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("docker.service.d/flightline.conf", "docker.service.d/other.conf", "runs without"),
        ("NeedDaemonReload=no", "NeedDaemonReload=yes", "changed on disk"),
    ],
)
def test_a_drop_in_that_is_gone_or_not_read_is_named(old: str, new: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        checks.units_loaded(host_saying(observe._UNITS, UNITS.replace(old, new)), SETTINGS)


def test_the_process_with_the_low_limit_is_named() -> None:
    host = host_saying(observe._LIMITS, LIMITS)
    checks.limits_nofile(host, SETTINGS)
    with pytest.raises(AssertionError, match="containerd has a hard limit of 65536"):
        checks.limits_memlock(host, SETTINGS)


def test_a_process_that_is_not_there_is_no_pass() -> None:
    host = host_saying(observe._LIMITS, LIMITS.partition("containerd")[0])
    with pytest.raises(Unknown):
        checks.limits_nofile(host, SETTINGS)


@pytest.mark.parametrize(("stdout", "status"), [("", 3), ('{"ServerErrors":["down"]}', 0)])
def test_an_engine_that_says_nothing_of_itself_is_unknown(stdout: str, status: int) -> None:
    """Docker 20.10 exits 0 when dockerd cannot be reached."""
    host = host_saying(observe._INFO, stdout, status)
    with pytest.raises(Unknown):
        config_checks.log_driver(host, SETTINGS)
    assert not observe.answers(host)


def test_dockerd_is_never_asked_without_looking_whether_it_runs() -> None:
    """Its socket would start it, and the audit would mend what it is to find."""
    assert observe._INFO.startswith("systemctl -q is-active docker.service && docker info")


@pytest.mark.parametrize(("moments", "passes"), [("100\n100\n", True), ("100\n90\n110\n", True)])
def test_a_reload_counts_as_well_as_a_start(moments: str, passes: bool) -> None:
    config_checks.config_loaded(host_saying(observe._LOADED, moments), SETTINGS)


def test_a_file_written_after_the_last_load_is_reported_with_its_age() -> None:
    with pytest.raises(AssertionError, match="written 7 s after"):
        config_checks.config_loaded(host_saying(observe._LOADED, "107\n100\n"), SETTINGS)


@pytest.mark.parametrize("text", ['{"live-restore": true,}', "", "[]"])
def test_a_broken_file_fails_the_check_and_is_not_unknown(text: str) -> None:
    with pytest.raises(AssertionError, match=r"daemon\.json"):
        config_checks.config_declared(host_saying("cat /etc/docker/daemon.json", text), SETTINGS)


def test_packages_that_are_not_held_are_named() -> None:
    host = host_saying(observe._PACKAGES, "hi  containerd\nii  docker.io\nrc  docker-ce\n", 1)
    with pytest.raises(AssertionError, match=r"docker\.io is not held"):
        checks.packages_held(host, SETTINGS)
    with pytest.raises(NotApplicable):
        checks.packages_held(host, ContainersSettings(hold_packages=False))


@pytest.mark.parametrize(
    "line",
    [
        'LISTEN 0 128 0.0.0.0:2375 0.0.0.0:* users:(("systemd",pid=1,fd=30))',
        'LISTEN 0 128 [::]:4243 [::]:* users:(("dockerd",pid=77,fd=7))',
    ],
)
def test_an_api_on_tcp_is_found_by_port_and_by_process(line: str) -> None:
    with pytest.raises(AssertionError, match="accepts connections"):
        node_checks.api_unexposed(host_saying("ss -Hltnp", line), SETTINGS)
    sshd = 'LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=357,fd=3))'
    node_checks.api_unexposed(host_saying("ss -Hltnp", sshd), SETTINGS)


def test_a_kernel_without_apparmor_needs_no_parser() -> None:
    with pytest.raises(NotApplicable):
        node_checks.apparmor_usable(host_saying(node_checks._APPARMOR, "N\nmissing\n"), SETTINGS)
    with pytest.raises(AssertionError):
        node_checks.apparmor_usable(host_saying(node_checks._APPARMOR, "Y\nmissing\n"), SETTINGS)
