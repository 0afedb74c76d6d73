"""Files as they land, compared with golden ones and read by the programs that will read them.

`FLIGHTLINE_GOLDEN=write pytest tests/render/models` writes the golden files anew; read the diff.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from flightline.operations.bundle import Absent, Directory, File, Link
from roles.models import files
from roles.models.settings import ModelSettings, ModelsSettings, ModelVersion
from tests.machines.model_store import settings as of_machine

GOLDEN = Path(__file__).parent / "golden"
SHA = "0123456789abcdef" * 4


def version(name: str, source: str) -> ModelVersion:
    return ModelVersion(version=name, source=source, manifest_sha256=SHA)


CASES = {
    "defaults": ModelsSettings(
        models=(
            ModelSettings(
                name="chat",
                versions=(
                    version("1", "https://mirror.example.org/models/chat/1"),
                    version("2", "https://mirror.example.org/models/chat/2"),
                ),
                serve="1",
            ),
            ModelSettings(name="embed", versions=(version("1", "file:///mnt/usb/embed/1"),)),
        )
    ),
    "object-store": of_machine("h100_sxm_8").model_copy(
        update={
            "store": "/data/models",
            "owner": "models",
            "group": "inference",
            "others_read": False,
            "keep_versions": None,
            "free_gib_min": 0.5,
            "verify": "always",
            "readahead_kib": None,
            "rate_mib_per_second": 500,
            "fetch_hours_max": 1.5,
            "proxy": "http://proxy.example.org:3128",
            "no_proxy": ("mirror.example.org", "10.0.0.0/8"),
            "ca_file": "/etc/site/ca.pem",
            "netrc_file": "/etc/site/netrc",
            "header_file": "/etc/site/header",
            "registry_config": "/etc/site/docker.json",
            "oras_program": "/opt/site/oras",
        }
    ),
}


def shown(settings: ModelsSettings) -> str:
    """Every path; of programs, which are the same everywhere, the name alone."""
    parts = []
    for item in files.items(settings):
        match item:
            case File():
                text = f"==> {item.path} {item.mode}\n"
                text += "" if item.path.startswith(files.PROGRAMS) else item.content
            case Link():
                text = f"==> {item.path} -> {item.target}\n"
            case Absent():
                text = f"==> {item.path} is absent\n"
            case Directory():
                text = f"==> {item.path}/ {item.mode} {item.owner}:{item.group}\n"
        parts.append(text)
    parts += [f"--> {hook.command}\n    after {hook.paths}\n" for hook in files.hooks(settings)]
    return "".join(parts)


def contents(settings: ModelsSettings) -> dict[str, str]:
    return {item.path: item.content for item in files.items(settings) if isinstance(item, File)}


@pytest.mark.parametrize("name", CASES)
def test_files_are_the_golden_ones(name: str) -> None:
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("FLIGHTLINE_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(shown(CASES[name]))
    assert shown(CASES[name]) == golden.read_text()


PROGRAMS = [path for path in contents(CASES["defaults"]) if path.startswith(files.PROGRAMS)]


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("path", [*PROGRAMS, files.SETTINGS])
def test_programs_and_settings_are_good_shell(path: str, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    command = ["busybox", "sh"] if shell == "busybox" else [shell]
    for settings in CASES.values():
        text = contents(settings).get(path, "")
        done = subprocess.run(
            [*command, "-n"], input=text, text=True, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", PROGRAMS)
def test_shellcheck_finds_nothing(path: str) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    # SC1090, SC1091: what is sourced lies on the node. SC2034, SC2154: variables of what is
    # sourced. SC2069: the order is meant, complaints are the answer. SC2086: a program's words.
    # SC2012: names of versions are plain.
    without = "SC1090,SC1091,SC2034,SC2154,SC2069,SC2086,SC2012"
    text = contents(CASES["defaults"])[path]
    command = ["shellcheck", "-s", "dash", "-e", without, "-"]
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", [files.FETCH_UNIT, files.READAHEAD_UNIT])
@pytest.mark.parametrize("name", CASES)
def test_systemd_reads_the_units_without_a_complaint(name: str, path: str, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    text = contents(CASES[name]).get(path)
    if text is None:
        assert CASES[name].readahead_kib is None
        return
    unit = tmp_path / Path(path).name
    for program in (files.FETCH, files.READAHEAD):
        text = text.replace(f"={program}", f"={shutil.which('true') or '/bin/true'}")
    unit.write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert unit.name not in done.stderr, done.stderr


def test_what_an_odd_file_holds_reaches_no_shell() -> None:
    """Every value of the settings' file comes from a pattern without blank, quote or dollar."""
    for settings in CASES.values():
        for line in contents(settings)[files.SETTINGS].splitlines():
            assert not set(line.partition("=")[2]) & set("$`\\;&|<>"), line
