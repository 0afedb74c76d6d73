"""What `flightline key` runs on a gateway, beside starts, reloads and an apply."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from flightline.serving import keys, keys_map
from tests.unit.commands.key_gateways import Gateway, gateways
from tests.unit.commands.test_key import pytestmark
from tests.unit.test_bad_input import project

__all__ = ["gateways", "project", "pytestmark"]

ANN, BEN = (
    keys.Key(name=name, role="admin", sha256=keys.digest(name), created=keys.now())
    for name in ("ann", "ben")
)


def program(gateway: Gateway, *arguments: str, path: str = "") -> subprocess.Popen[str]:
    """Start the program, with further programs before the computer's own."""
    return subprocess.Popen(
        [str(gateway.folder / "lib" / "flightline" / "gateway-keys"), *arguments],
        env={
            **os.environ,
            "FLIGHTLINE_GATEWAY_KEYS": str(gateway.folder / "keys.map"),
            "FLIGHTLINE_GATEWAY_SOCKET": str(gateway.folder / "admin.sock"),
            "PATH": f"{path}:{os.environ['PATH']}",
        },
        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def text(*held: keys.Key) -> str:
    return keys_map.rendered(held, keys.now())


def test_a_gateway_that_starts_is_told_when_it_answers(
    gateways: list[Gateway], tmp_path: Path
) -> None:
    gateway = gateways[0]
    gateway.process.terminate()
    gateway.process.wait()
    state = tmp_path / "state"
    state.write_text("activating\n")
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\ncat {state}\n")
    (tmp_path / "systemctl").chmod(0o755)
    running = program(gateway, "-", path=str(tmp_path))
    assert running.stdin
    running.stdin.write(text(ANN))
    running.stdin.close()
    time.sleep(1.5)
    assert running.poll() is None
    # it has read the map before, as one that was starting then
    (gateway.folder / "keys.map").write_text(text())
    gateway.start()
    (gateway.folder / "keys.map").write_text(text(ANN))
    state.write_text("active\n")
    assert running.wait(20) == 0, running.stderr and running.stderr.read()
    assert gateway.answer("ann") == "200 admin|ann|||"


def test_a_list_from_before_a_revocation_does_not_fit(
    gateways: list[Gateway], tmp_path: Path
) -> None:
    gone = ANN.model_copy(update={"revoked": keys.now()})
    (gateways[0].folder / "keys.map").write_text(text(gone, BEN))
    (tmp_path / "staged").write_text(text(ANN, BEN))
    _, said = program(gateways[0], "fits", str(tmp_path / "staged")).communicate(timeout=20)
    assert "ann was revoked here" in said
    (tmp_path / "staged").write_text(text(gone, BEN))
    fits = program(gateways[0], "fits", str(tmp_path / "staged"))
    assert (fits.communicate(timeout=20), fits.returncode) == (("", ""), 0)
    assert (gateways[0].folder / "keys.map").read_text() == text(gone, BEN)
