"""What a node says of its CUDA toolkits is understood."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from roles.cuda.toolkits import SCRIPT, parse_toolkits
from tests.machines.cuda import SOUND


def test_toolkits_side_by_side_are_understood() -> None:
    found = parse_toolkits(SOUND)
    assert found.releases == {"/usr/local/cuda-12.8": "12.8", "/usr/local/cuda-13.0": "13.0"}
    assert (found.default, found.mode) == ("/usr/local/cuda-12.8", "manual")
    assert found.libraries[0].startswith("/usr/local/cuda-12.8/")
    assert found.held == {"cuda-toolkit-12-8", "cuda-toolkit-13-0"}
    assert found.has_repository


def test_a_package_that_was_removed_is_not_there() -> None:
    text = SOUND.replace("package=hi  cuda-toolkit-12-8", "package=rc  cuda-toolkit-12-8")
    assert list(parse_toolkits(text).versions) == ["cuda-toolkit-13-0"]


def test_a_description_cut_short_is_no_answer() -> None:
    with pytest.raises(ValueError, match="cut short"):
        parse_toolkits(SOUND.partition("package=")[0])


def test_the_script_describes_this_computer() -> None:
    """Whatever is here: what it says of /usr/local/cuda is what the file system says."""
    done = subprocess.run(["sh", "-c", SCRIPT], capture_output=True, text=True, check=True)
    found = parse_toolkits(done.stdout)
    place = Path("/usr/local/cuda")
    if not (place / "bin/nvcc").exists():
        pytest.skip("no CUDA toolkit is installed here")
    version = subprocess.run(
        [place / "bin/nvcc", "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert found.default == str(place.resolve())
    assert f"release {found.releases[found.default]}," in version


def test_the_script_leaves_out_what_is_not_there(tmp_path: Path) -> None:
    script = SCRIPT.replace("/usr/local/cuda", f"{tmp_path}/cuda").replace(" /usr;", ";")
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    found = parse_toolkits(done.stdout)
    assert (found.releases, found.default) == ({}, "")
