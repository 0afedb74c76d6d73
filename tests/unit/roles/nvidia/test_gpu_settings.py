"""The program that gives GPUs their settings, over an nvidia-smi that stands in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flightline.operations.bundle import File
from roles.nvidia import files
from roles.nvidia.settings import NvidiaSettings
from tests.unit.roles.nvidia.states import BARE, DEBIAN_12, H100, chosen, gpus, state

SMI = """\
#!/bin/sh
case "$*" in
    "--query-gpu=index"*) echo 0 ;;
    *persistence_mode*) echo "$PERSISTENCE" ;;
    *power.limit*) echo "$WATTS" ;;
    *clocks.applications*) echo "2619, 1980" ;;
    *mig.mode.current*) cat "$MODE" ;;
    *-L*) echo "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-5c1a)"
        for name in $DEVICES; do echo "  MIG $name     Device  0: (UUID: MIG-0a)"; done ;;
    *compute-apps*) [ -z "$USERS" ] || echo "$USERS" ;;
    *) echo "$*" >>"$CALLS"
        case "$*" in
            *"-mig 1"*) echo Enabled >"$MODE" ;;
            *"-mig 0"*) echo Disabled >"$MODE" ;;
            *"$REFUSES"*) [ -z "$REFUSES" ] || exit 4 ;;
        esac ;;
esac
"""
QUIET = {"persistence": False, "dcgm": False}


def run(folder: Path, mode: str = "Disabled", settings: Any = None, **answers: str) -> Any:
    """What the program for these settings said and called."""
    declared = NvidiaSettings(**{**QUIET, **(settings or {})})
    there = state(BARE)
    choice = chosen(declared, devices=gpus(H100), found=there)
    program = next(
        item.content
        for item in files.items(declared, DEBIAN_12, choice, there)
        if isinstance(item, File) and item.path == files.SETTINGS_PROGRAM
    )
    for name, text in (("nvidia-smi", SMI), ("modprobe", "#!/bin/sh\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "mode").write_text(f"{mode}\n")
    defaults = {"PERSISTENCE": "Disabled", "WATTS": "700.00", "DEVICES": "", "USERS": ""}
    environment = {
        **os.environ,
        **defaults,
        "REFUSES": "",
        **answers,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "CALLS": str(folder / "calls"),
        "MODE": str(folder / "mode"),
    }
    done = subprocess.run(
        ["sh", "-c", program], capture_output=True, text=True, check=False, env=environment
    )
    calls = folder / "calls"
    return done, calls.read_text().splitlines() if calls.exists() else []


def test_without_declarations_nothing_is_touched(tmp_path: Path) -> None:
    done, calls = run(tmp_path)
    assert (done.returncode, calls) == (0, [])


@pytest.mark.parametrize(("now", "calls"), [("Disabled", ["-i 0 -pm 1"]), ("Enabled", [])])
def test_persistence_is_switched_on_once(tmp_path: Path, now: str, calls: list[str]) -> None:
    _, made = run(tmp_path, settings={"persistence": True}, PERSISTENCE=now)
    assert made == calls


@pytest.mark.parametrize(("watts", "calls"), [("700.00", ["-i 0 -pl 600"]), ("600.00", [])])
def test_a_power_limit_is_set_once(tmp_path: Path, watts: str, calls: list[str]) -> None:
    _, made = run(tmp_path, settings={"power_limit_watts": 600}, WATTS=watts)
    assert made == calls


@pytest.mark.parametrize(("graphics", "calls"), [(1980, []), (1500, ["-i 0 -ac 2619,1500"])])
def test_clocks_are_set_once(tmp_path: Path, graphics: int, calls: list[str]) -> None:
    clocks = {"memory_mhz": 2619, "graphics_mhz": graphics}
    _, made = run(tmp_path, settings={"application_clocks": clocks})
    assert made == calls


def test_a_limit_that_the_gpu_refuses_is_told_with_what_it_has(tmp_path: Path) -> None:
    done, _ = run(tmp_path, settings={"power_limit_watts": 900}, REFUSES="-pl")
    assert done.returncode == 1
    assert "GPU 0 refuses a power limit of 900 W; it is 700.00 W" in done.stderr


LAYOUT = {"mig": ("3g.40gb", "1g.10gb")}


def test_a_mig_layout_is_made_on_an_idle_gpu(tmp_path: Path) -> None:
    done, calls = run(tmp_path, settings=LAYOUT)
    assert done.returncode == 0
    assert calls[-3:] == ["-i 0 -mig 1", "mig -i 0 -cgi 1g.10gb -C", "mig -i 0 -cgi 3g.40gb -C"]


def test_a_layout_that_is_there_is_left_alone(tmp_path: Path) -> None:
    _, calls = run(tmp_path, mode="Enabled", settings=LAYOUT, DEVICES="3g.40gb 1g.10gb")
    assert calls == []


def test_a_gpu_in_use_keeps_its_layout(tmp_path: Path) -> None:
    done, calls = run(tmp_path, settings=LAYOUT, USERS="812")
    assert (done.returncode, calls) == (0, [])
    assert "GPU 0 is in use (pid 812)" in done.stderr


def test_mig_is_switched_off_where_that_is_declared(tmp_path: Path) -> None:
    _, calls = run(tmp_path, mode="Enabled", settings={"mig": ()}, DEVICES="7g.80gb")
    assert calls[-1] == "-i 0 -mig 0"


def test_a_gpu_without_mig_is_as_declared_when_none_is(tmp_path: Path) -> None:
    done, calls = run(tmp_path, mode="[N/A]", settings={"mig": ()})
    assert (done.returncode, calls) == (0, [])
