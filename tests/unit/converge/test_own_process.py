"""Tests that load pyinfra's command, each file in a process of its own.

pyinfra's command patches the standard library for gevent when it is loaded, and a worker of
pytest-xdist does not survive that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "own_process"


@pytest.mark.parametrize("part", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_tests_with_a_patched_standard_library_pass(part: str) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", str(FOLDER / f"{part}.py")],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
