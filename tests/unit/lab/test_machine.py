"""A machine is started as asked, and only the process that was started is ever stopped."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

from flightline.lab import machine
from flightline.lab.machine import Machine, Shape

SHAPE = Shape(("-accel", "tcg"), 2048, 2)


def node(folder: Path, memory: Path | None = None) -> Machine:
    return Machine(
        "n", folder, SHAPE, folder / "d,1.qcow2", memory, 2222, 3333, "52:54:00:88:00:0b"
    )


def test_ssh_is_forwarded_from_loopback_only(tmp_path: Path) -> None:
    line = machine.command_line(node(tmp_path), shared=False, incoming=False)
    assert "user,id=uplink,hostfwd=tcp:127.0.0.1:2222-:22" in line
    assert not any("0.0.0.0" in part and "230.0.0.1" not in part for part in line)


def test_the_gateway_is_reached_through_loopback_and_a_template_needs_no_port(
    tmp_path: Path,
) -> None:
    with_gateway = replace(node(tmp_path), gateway_port=4444)
    line = machine.command_line(with_gateway, shared=False, incoming=False)
    ways_in = "hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=tcp:127.0.0.1:4444-:8443"
    assert f"user,id=uplink,{ways_in}" in line
    assert "8443" not in " ".join(machine.command_line(node(tmp_path), shared=True, incoming=False))


def test_a_machine_may_reboot_itself(tmp_path: Path) -> None:
    assert "-no-reboot" not in machine.command_line(node(tmp_path), shared=False, incoming=False)


def test_a_clone_maps_the_templates_memory_privately_and_waits(tmp_path: Path) -> None:
    line = " ".join(
        machine.command_line(node(tmp_path, tmp_path / "ram"), shared=False, incoming=True)
    )
    assert f"mem-path={tmp_path}/ram,share=off" in line
    assert line.endswith("-incoming defer")


def test_a_template_writes_its_memory_to_the_file(tmp_path: Path) -> None:
    line = " ".join(
        machine.command_line(node(tmp_path, tmp_path / "ram"), shared=True, incoming=False)
    )
    assert f"mem-path={tmp_path}/ram,share=on" in line


def test_a_comma_in_a_path_does_not_split_the_option(tmp_path: Path) -> None:
    line = machine.command_line(node(tmp_path), shared=False, incoming=False)
    assert any(part.startswith(f"file={tmp_path}/d,,1.qcow2,") for part in line)


def test_a_process_is_known_by_when_it_started() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        since = machine.started(process.pid)
        assert machine.is_running(process.pid, since)
        assert not machine.is_running(process.pid, (since or 0) - 1)
        process.kill()
    assert not machine.is_running(process.pid, since)


def test_a_process_that_took_over_the_number_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        since = machine.started(stranger.pid)
        machine.stop(stranger.pid, (since or 0) - 1, tmp_path / "qmp.sock", seconds=0.1)
        assert stranger.poll() is None
        stranger.kill()


def test_a_machine_that_does_not_quit_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        machine.stop(process.pid, machine.started(process.pid), tmp_path / "no.sock", seconds=0.1)
        assert process.wait(5) != 0
