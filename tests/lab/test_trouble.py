"""Trouble: one clear sentence, exit code 1, nothing half-done, and the other node goes on.

Two ordinary lab nodes: the first of FLIGHTLINE_TROUBLE_NODES gets into trouble, the second is well.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.hands import BIN, ROOT, Done, on, reset, typed

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("trouble")]

SICK, WELL = os.environ.get("FLIGHTLINE_TROUBLE_NODES", "node-2,node-3").split(",")
INVENTORY = "inventories/lab.py"
PARTS = ("deploy.py", "config.py", "roles", "templates", "group_data", "inventories")
OURS = "/etc/apt/apt.conf.d/52flightline /etc/sysctl.d/99-zz-flightline.conf /etc/flightline"
CONFIGURED = f"ls -d {OURS} 2>/dev/null | wc -l"
HOLDER = """open F, ">>", "/var/lib/dpkg/lock-frontend" or die;
$whole = pack "s s l! l! i", 1, 0, 0, 0, 0; fcntl F, 6, $whole or die; sleep 600"""
"""6 is F_SETLK and 1 is F_WRLCK, as dpkg locks (Linux, x86-64)."""


@pytest.fixture(scope="module", autouse=True)
def _fresh() -> Iterator[None]:
    number = max(int(name.removeprefix("node-")) for name in (SICK, WELL))
    assert typed("flightline", "lab", "up", "--nodes", str(number)).returncode == 0
    reset(SICK)
    yield
    reset(SICK)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Copy the operator's files, to be spoiled."""
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    return tmp_path


def apply(project: Path, *arguments: str, nodes: str = SICK) -> Done:
    return typed(
        "flightline", "apply", str(project / INVENTORY), "--no-audit", *arguments,
        nodes=nodes, FLIGHTLINE_PROJECT=str(project),
    )  # fmt: skip


def told(done: Done, *words: str) -> None:
    """Hold that the run failed, that one line on the sick node says these words, and the end."""
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    last = said.strip().splitlines()[-2:]
    assert last[0].startswith(f"{SICK}: "), said
    assert f"not: {SICK}; log: " in last[1], said
    for word in words:
        assert word in last[0], said


def spoiled(project: Path, **data: int | str) -> None:
    """Change what the inventory says of the sick node."""
    path = project / INVENTORY
    path.write_text(
        f"{path.read_text()}\n"
        f"lab_nodes = [(n, d | {data!r}) if n == {SICK!r} else (n, d) for n, d in lab_nodes]\n"
    )


def until(holds: Callable[[], bool]) -> None:
    for _ in range(120):
        if holds():
            return
        time.sleep(1)
    pytest.fail("waited for two minutes in vain")


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_full_disk_is_refused(project: Path) -> None:
    on(SICK, "fallocate -l $(($(df --output=avail -B1 / | tail -1) - 50000000)) /full")
    done = apply(project)
    on(SICK, "rm /full")
    told(done, "MiB free, expected at least 2048 MiB; make room.")
    assert on(SICK, CONFIGURED) == "0"


def test_a_broken_dpkg_state_says_how_to_mend_it(project: Path) -> None:
    """As left by a dpkg that was killed between unpacking and configuring."""
    on(SICK, "cp /var/lib/dpkg/status /root/status")
    on(
        SICK,
        'sed -i "/^Package: less$/{n;s/ok installed/ok half-configured/}" /var/lib/dpkg/status',
    )
    done = apply(project)
    on(SICK, "cp /root/status /var/lib/dpkg/status")
    told(done, "dpkg was interrupted (less); run `dpkg --configure -a`")
    assert on(SICK, CONFIGURED) == "0"


def test_hugepages_beyond_memory_are_refused_before_any_change(project: Path) -> None:
    pages = '"hugepages_2mib_per_node": '
    replaced(project / "group_data/lab_nodes.py", f"{pages}64", f"{pages}4000")
    told(apply(project), "huge pages ask for 7.8 GiB", "lower hugepages_2mib_per_node")
    assert on(SICK, CONFIGURED) == "0"


def test_without_a_route_to_the_mirror_the_mirror_is_named(project: Path) -> None:
    on(SICK, "ip route del default")
    done = apply(project, "--role", "base")
    on(SICK, "ip route add default via 10.0.2.2")
    told(done, "Install the packages: the mirror", "check the node's default route (`ip route`)")
    assert on(SICK, CONFIGURED) == "0"


def test_a_held_apt_lock_names_its_holder(project: Path) -> None:
    config = project / "config.py"
    shorter = "import flightline.operations.packages as p\np.LOCK_WAIT_SECONDS = 3\n"
    config.write_text(f"{config.read_text()}\n{shorter}")
    encoded = base64.b64encode(HOLDER.encode()).decode()
    on(SICK, f"echo {encoded} | base64 -d >/root/holder.pl")
    on(SICK, "systemd-run -q --unit holder perl /root/holder.pl")
    time.sleep(2)
    done = apply(project, "--role", "base")
    on(SICK, "systemctl stop holder")
    told(done, "/var/lib/dpkg/lock-frontend is locked by perl (process", "wait until it has ended")
    assert on(SICK, CONFIGURED) == "0"


def test_an_account_without_sudo_is_told_which_line_is_missing(project: Path) -> None:
    on(SICK, "mv /etc/sudoers.d /etc/sudoers.away && mkdir /etc/sudoers.d")
    done = apply(project)
    reset(SICK)
    told(done, "sudo asks for a password; allow `NOPASSWD: ALL`")


def test_a_changed_host_key_is_refused_with_both_fingerprints(project: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", project / "k"], check=True)
    kind, key, *_ = (project / "k.pub").read_text().split()
    status = json.loads(typed("flightline", "lab", "status", "--format", "json").stdout)
    port = next(each["ssh_port"] for each in status if each["name"] == SICK)
    (project / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    spoiled(project, ssh_known_hosts_file=str(project / "known_hosts"))
    told(apply(project), "its host key is SHA256:", "pins SHA256:", "ssh-keygen -R")


def test_an_unreachable_node_is_named_and_the_other_goes_on(project: Path) -> None:
    spoiled(project, ssh_port=1)
    done = apply(project, "--role", "base", nodes=f"{WELL},{SICK}")
    told(done, "nothing answers at 127.0.0.1:1 (connection refused)")
    assert f"1 of 2 nodes are as declared; not: {SICK}" in done.stderr
    assert on(WELL, "ls /etc/systemd/journald.conf.d")


def test_a_node_that_never_comes_back_is_given_up_in_time(project: Path) -> None:
    """It goes down, and GRUB does not find its menu."""
    (project / "deploy.py").write_text(
        "from flightline.operations.preflight import hold_node\n"
        "from flightline.operations.reboot import reboot_when_needed\n"
        "from flightline.reboot import RebootProbe, RebootSettings\n"
        "hold_node(name='Hold the lock')\n"
        "reboot_when_needed(name='Reboot', settings=RebootSettings(timeout_seconds=60),\n"
        "    probes=(RebootProbe('a test asks for it', 'true'),))\n"
    )
    on(SICK, "mv /boot/grub/grub.cfg /boot/grub/away && sync")
    done = apply(project)
    reset(SICK)
    told(done, "did not come back from reboot within 60 seconds (RebootSettings.timeout_seconds)")


def test_a_read_only_file_system_is_refused(project: Path) -> None:
    on(SICK, "sync; echo u >/proc/sysrq-trigger; sleep 2")
    done = apply(project)
    reset(SICK)
    told(done, "its root file system is mounted read-only")


def test_a_second_apply_is_refused_and_ctrl_c_lets_the_first_end_well(project: Path) -> None:
    first = subprocess.Popen(
        [BIN / "flightline", "apply", INVENTORY, "--no-audit"],
        cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        stdin=subprocess.DEVNULL, env={**os.environ, "FLIGHTLINE_LAB_NODES": SICK},
    )  # fmt: skip
    until(lambda: on(SICK, "pgrep -c apt-get; true") != "0")
    second = apply(project)
    first.send_signal(signal.SIGINT)
    said = first.communicate(timeout=600)[0]
    told(second, "another run holds /run/flightline.lock: ", "wait until it has ended")
    assert first.returncode == 1, said
    assert f"finishing what is in progress: {SICK}: Base | Install the packages" in said
    assert f"{SICK}: interrupted." in said.splitlines()[-2]
    assert on(SICK, "dpkg --audit") == ""
    third = typed("flightline", "plan", INVENTORY, nodes=SICK)
    assert third.returncode == 0, third.stdout + third.stderr
