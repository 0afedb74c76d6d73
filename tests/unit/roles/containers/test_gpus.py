"""What a node says of its GPUs for containers is understood, from the script to the verdict."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from flightline.templates import render
from roles.containers.gpus import SCRIPT, Gpus, Node, Specification, parse_gpus

SOUND = """\
gpu-bus=0000:19:00.0
gpu-bus=0000:1a:00.0
gpu-key=/usr/share/keyrings/flightline-container-toolkit.asc
gpu-driver=580.105.08
gpu-node=/dev/nvidia0 195:0 /dev/nvidia0
gpu-node=/dev/nvidia1 195:1 /dev/nvidia1
gpu-node=/dev/nvidiactl 195:255 /dev/nvidiactl
gpu-spec=/var/run/cdi/nvidia.yaml
gpu-spec-driver=580.105.08
gpu-spec-node=/dev/nvidia0
gpu-spec-node=/dev/nvidia1
gpu-config=mode = "auto"  # as it came
gpu-runtime=/usr/bin/nvidia-container-runtime
gpu-unit=enabled
gpu-package=hi  nvidia-container-toolkit 1.18.1-1
gpu-package=ii  libnvidia-container1 1.18.1-1
gpu-package=rc  libnvidia-container-tools 1.17.0-1
gpu-end=yes
"""


@pytest.fixture
def sound() -> Gpus:
    return parse_gpus(SOUND)


def test_a_sound_machine_is_understood(sound: Gpus) -> None:
    assert sound.on_bus == ("0000:19:00.0", "0000:1a:00.0")
    assert sound.files == {"/dev/nvidia0", "/dev/nvidia1"}
    assert dict(sound.versions) == {
        "nvidia-container-toolkit": "1.18.1-1",
        "libnvidia-container1": "1.18.1-1",
    }
    assert sound.held == {"nvidia-container-toolkit"}
    assert sound.config == {'mode="auto"'}
    assert (sound.unlinked, sound.cdi_fault, sound.is_runc_told) == ((), None, True)


def test_a_description_cut_short_is_no_answer() -> None:
    with pytest.raises(ValueError, match="cut short"):
        parse_gpus(SOUND.replace("gpu-end=yes", ""))


@pytest.mark.parametrize(
    ("line", "by", "said"),
    [
        ("gpu-spec-driver=580.105.08", "gpu-spec-driver=570.86.15", "is for 570.86.15, and"),
        ("gpu-spec-driver=580.105.08", "", "is for no driver"),
        ("gpu-spec-node=/dev/nvidia1", "", "lists /dev/nvidia1"),
        ("gpu-spec-node=/dev/nvidia1", "gpu-spec-node=/dev/nvidia1\ngpu-spec-node=/dev/nvidia2",
         "lists /dev/nvidia2, which is not there"),
    ],
)  # fmt: skip
def test_a_specification_of_another_machine_is_a_fault(line: str, by: str, said: str) -> None:
    fault = parse_gpus(SOUND.replace(line, by)).cdi_fault
    assert fault is not None
    assert said in fault


def test_a_second_specification_of_an_old_driver_is_a_fault(sound: Gpus) -> None:
    old = Specification("/etc/cdi/nvidia.yaml", frozenset({"535.1.2"}), frozenset({"/dev/nvidia0"}))
    fault = replace(sound, specifications=(*sound.specifications, old)).cdi_fault
    assert fault == "/etc/cdi/nvidia.yaml is for 535.1.2, and the driver 580.105.08 is loaded"


def test_no_specification_is_a_fault(sound: Gpus) -> None:
    assert "no CDI specification" in str(replace(sound, specifications=()).cdi_fault)


@pytest.mark.parametrize("link", ["", "/dev/nvidia1"])
def test_a_link_that_is_missing_or_leads_elsewhere_is_named(sound: Gpus, link: str) -> None:
    node = Node("/dev/nvidia-uvm", "511:0", link)
    assert replace(sound, nodes=(*sound.nodes, node)).unlinked == ("/dev/nvidia-uvm",)


@pytest.mark.parametrize(
    ("version", "mode", "told"),
    [
        ("1.18.0-1", 'mode="auto"', True),
        ("1.20.1-1", "", True),
        ("2.0.0-1", 'mode="jit-cdi"', True),
        ("1.17.8-1", 'mode="auto"', False),
        ("1.9.0-1", "", False),
        ("1.17.8-1", 'mode="cdi"', True),
        ("1.18.0-1", 'mode="legacy"', False),
    ],
)
def test_runc_is_told_of_gpus_by_cdi_alone(
    sound: Gpus, version: str, mode: str, told: bool
) -> None:
    config = frozenset(filter(None, [mode]))
    changed = replace(sound, versions=(("nvidia-container-toolkit", version),), config=config)
    assert changed.is_runc_told is told


def test_the_script_describes_the_machine_it_runs_on(tmp_path: Path) -> None:
    """Stand-ins for devices: links to /dev/null (1:3), one of them known to /dev/char."""
    _machine(tmp_path)
    found = parse_gpus(_ran(tmp_path, SCRIPT))
    assert found.on_bus == ("0000:19:00.0",)
    assert found.driver == "580.105.08"
    assert [(node.path, node.number) for node in found.nodes] == [
        (f"{tmp_path}/dev/nvidia0", "1:3")
    ]
    assert found.specifications == (
        Specification(
            f"{tmp_path}/etc/cdi/nvidia.yaml",
            frozenset({"580.105.08"}),
            frozenset({"/dev/nvidia0"}),
        ),
    )
    assert found.config == {"no-cgroups=true"}


def test_the_script_says_little_where_no_gpu_is(tmp_path: Path) -> None:
    _machine(tmp_path, device_class="0x020000")
    assert _ran(tmp_path, SCRIPT) == "gpu-end=yes\n"


def test_stale_links_are_dropped_before_new_ones_are_made(tmp_path: Path) -> None:
    _machine(tmp_path)
    links = tmp_path / "dev/char"
    links.mkdir()
    (links / "7:7").symlink_to("/dev/null")
    (links / "1:3").symlink_to("/dev/null")
    (links / "9:9").symlink_to("/dev/zero")
    script = render("containers/usr/local/lib/flightline/gpu-devices")
    # "/dev/nvidia*" is tried on what a link leads to in the end: here /dev/null
    script = script.replace("in /dev/nvidia*)", "in /dev/null)")
    _stub(tmp_path, "nvidia-ctk", 'echo "$*" >>"$LOG"')
    _ran(tmp_path, script, "refresh")
    assert sorted(link.name for link in links.iterdir()) == ["1:3", "9:9"]
    asked = (tmp_path / "log").read_text()
    assert "system create-dev-char-symlinks" in asked
    assert f"cdi generate --output={tmp_path}/var/run/cdi/nvidia.yaml" in asked


def test_without_a_loaded_driver_nothing_is_made(tmp_path: Path) -> None:
    _machine(tmp_path)
    (tmp_path / "proc/driver/nvidia/version").unlink()
    _stub(tmp_path, "nvidia-ctk", 'echo "$*" >>"$LOG"')
    _ran(tmp_path, render("containers/usr/local/lib/flightline/gpu-devices"), "refresh")
    assert not (tmp_path / "log").exists()


def _machine(root: Path, device_class: str = "0x030200") -> None:
    files = {
        "sys/bus/pci/devices/0000:19:00.0/vendor": "0x10de\n",
        "sys/bus/pci/devices/0000:19:00.0/class": f"{device_class}\n",
        "sys/module/nvidia/version": "580.105.08\n",
        "proc/driver/nvidia/version": "NVRM\n",
        "etc/nvidia-container-runtime/config.toml": "  no-cgroups = true\n#mode = x\n",
        "etc/cdi/nvidia.yaml": "kind: nvidia.com/gpu\n- /dev/nvidia0\n- libcuda.so.580.105.08\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "dev").mkdir()
    (root / "dev/nvidia0").symlink_to("/dev/null")
    (root / "dev/nvidia-fs0").symlink_to("/dev/null")


def _stub(root: Path, name: str, body: str) -> None:
    (root / "bin").mkdir(exist_ok=True)
    (root / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
    (root / "bin" / name).chmod(0o755)


def _ran(root: Path, script: str, *arguments: str) -> str:
    """What the script prints where the machine's files lie under `root`."""
    for top in ("/sys/", "/proc/", "/etc/cdi", "/etc/nvidia", "/var/run", "/dev/char"):
        script = script.replace(top, f"{root}{top}")
    for name in ("/dev/nvidia*", "/dev/nvidia-caps", "/dev/nvidia-fs", "/dev/nvidia-nv"):
        script = script.replace(name, f"{root}{name}")
    done = subprocess.run(
        ["sh", "-c", script, "sh", *arguments],
        env={"PATH": f"{root}/bin:{os.environ['PATH']}", "LOG": f"{root}/log"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
