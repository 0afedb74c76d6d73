from __future__ import annotations

import datetime

import pytest

from flightline import catalog
from flightline.catalog.model import DriverBranch

every_branch = pytest.mark.parametrize(
    "branch", catalog.branches(), ids=lambda branch: str(branch.number)
)


def test_an_unknown_branch_is_none() -> None:
    assert catalog.branch(123) is None


# docs.nvidia.com/datacenter/tesla/drivers, read 2026-11-21
@pytest.mark.parametrize(
    ("number", "kind", "ends"),
    [(535, "long-term", "2026-06"), (580, "long-term", "2028-06"), (595, "production", "2027-03")],
)
def test_lifecycles_are_those_of_nvidias_table(number: int, kind: str, ends: str) -> None:
    branch = catalog.branch(number)
    assert branch and branch.end_of_life
    assert (branch.kind, f"{branch.end_of_life:%Y-%m}") == (kind, ends)


# azhpc-images components/install_nvidia_fabric_manager.sh, read 2026-11-20
@every_branch
def test_the_fabric_managers_package_lost_its_number_at_580(branch: DriverBranch) -> None:
    numbered = branch.fabric_manager_package == f"nvidia-fabricmanager-{branch.number}"
    assert numbered == (branch.number < 580)
    assert numbered or branch.fabric_manager_package == "nvidia-fabricmanager"


# CUDA Toolkit, open kernel modules since 515: driver installation guide, read 2026-11-21
@every_branch
def test_open_modules_came_with_515(branch: DriverBranch) -> None:
    assert ("open" in branch.flavours) == (branch.number >= 515)


@every_branch
def test_a_branch_ends_after_it_began(branch: DriverBranch) -> None:
    assert datetime.date(2021, 1, 1) < branch.released < datetime.date(2026, 11, 21)
    assert branch.end_of_life is None or branch.released < branch.end_of_life


def test_newer_branches_run_newer_cuda() -> None:
    cudas = [tuple(map(int, branch.cuda.split("."))) for branch in catalog.branches()]
    assert cudas == sorted(cudas)


@every_branch
def test_a_branch_survives_being_written_and_read(branch: DriverBranch) -> None:
    assert DriverBranch.model_validate_json(branch.model_dump_json()) == branch
