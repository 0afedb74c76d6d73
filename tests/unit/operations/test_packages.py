"""Packages: what the query's answer means, and what apt is told, with a stand-in for apt."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from pyinfra.api.exceptions import FactProcessError
from pyinfra_testing.operations import make_operation_tests

from flightline.operations import packages
from flightline.operations.packages import Packages, parse_packages

CASES = Path(__file__).with_name("cases") / "packages.installed"
TestInstalled = make_operation_tests("flightline.operations", "packages.installed", CASES)


def test_only_what_is_installed_counts() -> None:
    found = parse_packages(
        [
            "manager apt",
            "ii  chrony 4.3-2",
            "rc  ntp 4.2",
            "iF  docker.io 20.10",
            "hi  linux 6.1",
            "end",
        ]
    )
    assert found.manager == "apt"
    assert found.versions == {"chrony": "4.3-2", "linux": "6.1"}
    assert found.held == {"linux"}


def test_a_versionlock_belongs_to_the_package_of_that_name_alone() -> None:
    lines = [
        "manager dnf",
        "ii docker-ce 3:27.3.1-1.el9",
        "ii docker 1",
        "lock docker-ce-3:27.3.1-1.el9.*",
    ]
    assert parse_packages([*lines, "end"]).held == {"docker-ce"}


def test_an_answer_that_is_cut_short_is_never_believed() -> None:
    with pytest.raises(FactProcessError, match="cut short"):
        Packages().process(["manager apt"])


APT_GET = """\
#!/bin/sh
echo "$DEBIAN_FRONTEND $*" >>"$TRACE"
case $* in
*update)
    [ -e "$TRACE.busy" ] || exit 0
    rm "$TRACE.busy"
    echo 'E: Could not get lock /var/lib/apt/lists/lock' >&2
    exit 100 ;;
*missing*) echo 'E: Unable to locate package missing' >&2; exit 100 ;;
esac
"""


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put stand-ins for apt-get and sleep first on the PATH; return the file of its calls."""
    for name, text in (("apt-get", APT_GET), ("sleep", "#!/bin/sh\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("TRACE", str(tmp_path / "trace"))
    monkeypatch.setenv("FLIGHTLINE_APT_STAMP", str(tmp_path / "state" / "stamp"))
    return tmp_path / "trace"


def run(wrong: tuple[str, ...], unwanted: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    script = "\n".join(c.get_raw_value() for c in packages._apt(wrong, unwanted, ()))
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)


def test_the_index_is_refreshed_then_all_is_installed_at_once(trace: Path) -> None:
    assert run(("a", "b=1")).returncode == 0
    update, install = trace.read_text().splitlines()
    assert update == "noninteractive -q update"
    assert install.endswith("a b=1")
    for option in ("--no-install-recommends", "DPkg::Lock::Timeout=120", "--force-confold"):
        assert option in install


def test_an_index_is_not_refreshed_twice_in_one_run(trace: Path) -> None:
    assert run(("a",)).returncode == 0
    assert run(("b",)).returncode == 0
    assert [line.split()[-1] for line in trace.read_text().splitlines()] == ["update", "a", "b"]


def test_an_old_index_is_refreshed(trace: Path) -> None:
    run(("a",))
    os.utime(trace.with_name("state") / "stamp", (0, 0))
    run(("b",))
    assert trace.read_text().count("update") == 2


def test_a_held_package_can_be_removed(trace: Path) -> None:
    assert run((), unwanted=("a",)).returncode == 0
    assert trace.read_text().endswith("remove --allow-change-held-packages a\n")


def test_a_held_index_is_waited_for(trace: Path) -> None:
    trace.with_name("trace.busy").touch()
    assert run(("a",)).returncode == 0
    assert [line.split()[-1] for line in trace.read_text().splitlines()] == [
        "update",
        "update",
        "a",
    ]


def test_a_package_that_does_not_exist_fails_with_apts_own_words(trace: Path) -> None:
    done = run(("missing",))
    assert done.returncode == 1
    assert "Unable to locate package missing" in done.stderr
