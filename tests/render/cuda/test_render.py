"""The files by which shells and the linker find a toolkit, read by a shell."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from flightline.operations.bundle import File
from roles.cuda.operations import LINKER, PROFILE, path_items
from roles.cuda.settings import CudaSettings

FILES = {
    item.path: item.content
    for item in path_items(CudaSettings(versions=("13.0",), profile=True, linker=True))
    if isinstance(item, File)
}


SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_has_the_compiler_once_in_its_path(shell: str) -> None:
    command = [shell, "sh"] if shell == "busybox" else [shell]
    twice = f'{FILES[PROFILE]}\n{FILES[PROFILE]}\necho "$PATH $CUDA_HOME"'
    done = subprocess.run(
        [*command, "-c", twice],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "/usr/local/cuda/bin:/usr/bin:/bin /usr/local/cuda\n"


def test_the_linker_is_given_one_folder() -> None:
    lines = [line for line in FILES[LINKER].splitlines() if not line.startswith("#")]
    assert lines == ["/usr/local/cuda/lib64"]


def test_nothing_is_written_unasked() -> None:
    items = path_items(CudaSettings(versions=("13.0",)))
    assert not [item for item in items if isinstance(item, File)]
