"""When dockerd last read its file, as systemd says, also after a daemon-reload."""

from __future__ import annotations

import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from roles.containers import observe

STARTED = "Sat 2026-11-21 15:25:05 UTC"
READY = "Sat 2026-11-21 15:25:16 UTC"
RELOADED = "Sat 2026-11-21 15:25:23 UTC"
EPOCH = {STARTED: "1795274705", READY: "1795274716", RELOADED: "1795274723"}

# Recorded on Debian 13 (systemd 257): once systemd was reloaded, ExecReload has no moment any more.
SHOWN = {
    "started": (READY, [EPOCH[STARTED]]),
    "reloaded": (RELOADED, [EPOCH[STARTED], EPOCH[RELOADED]]),
}


@pytest.fixture
def systemctl(tmp_path: Path) -> Path:
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\nif [ "$1" = show ]; then cat {tmp_path}/shown; fi\n')
    program.chmod(0o755)
    return tmp_path / "shown"


def shown(changed: str) -> str:
    forgotten = "ExecReload={ path=/bin/kill ; start_time=[n/a] ; stop_time=[n/a] }"
    return (
        f"ExecMainStartTimestamp={STARTED}\nStateChangeTimestamp={changed}\n"
        f"ActiveEnterTimestamp={READY}\n{forgotten}\n"
    )


@pytest.mark.parametrize(("changed", "loaded"), SHOWN.values(), ids=SHOWN)
@pytest.mark.parametrize("of", ["converge", "audit"])
def test_a_reload_is_known_after_systemd_itself_was_reloaded(
    systemctl: Path, changed: str, loaded: list[str], of: str
) -> None:
    systemctl.write_text(shown(changed))
    script = (
        (files("roles.containers") / "state.sh").read_text()
        if of == "converge"
        else observe._LOADED
    )
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=False,
        env={"PATH": f"{systemctl.parent}:/usr/sbin:/usr/bin:/sbin:/bin"},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    found = [line.removeprefix("loaded=") for line in lines if line.startswith("loaded=")]
    assert (found if of == "converge" else lines) == loaded
