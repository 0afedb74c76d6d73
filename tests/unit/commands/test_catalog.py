from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from flightline.cli import cli


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["catalog", *arguments])


def test_a_gpu_is_shown_with_value_unit_source_and_date() -> None:
    done = typed("show", "gpu", "h200")
    assert done.exit_code == 0
    (line,) = (each for each in done.stdout.splitlines() if each.startswith("floors h2d"))
    assert "48" in line and "GB/s" in line and "azurehpc-health-checks" in line
    assert "2026-11-20" in line


def test_a_gpu_as_json_is_its_record() -> None:
    shown = json.loads(typed("show", "gpu", "rtx", "4090", "--format", "json").stdout)
    assert shown["id"] == "rtx_4090"
    assert shown["power"]["value"] == 450


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("gpu", "2335", "h200_sxm"),
        ("xid", "79", "RESTART_BM"),
        ("sxid", "20034", "critical"),
        ("driver", "580", "nvidia-fabricmanager"),
    ],
)
def test_every_kind_can_be_shown(kind: str, name: str, expected: str) -> None:
    done = typed("show", kind, name)
    assert done.exit_code == 0
    assert expected in done.stdout


@pytest.mark.parametrize(
    "kind", ["gpus", "drivers", "cuda", "xids", "sxids", "rdma", "collectives"]
)
def test_every_kind_can_be_listed_with_its_sources(kind: str) -> None:
    rows = json.loads(typed("list", kind, "--format", "json").stdout)
    assert rows
    for row in rows:
        sourced = row.get("floor", row)
        assert sourced["source"] and sourced["date"]
    assert len(typed("list", kind).stdout.splitlines()) >= len(rows) + 1


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("gpu", "h100", "h100 may be h100_sxm_80, h100_pcie_80 or h100_nvl"),
        ("gpu", "voodoo2", "the catalog has no GPU 'voodoo2'"),
        ("xid", "999", "Xid 999 is not in the catalog"),
        ("xid", "seventy", "xid 'seventy' is no number"),
        ("sxid", "1", "SXid 1 is not in the catalog"),
        ("driver", "123", "the catalog has no driver branch 123; it has 470,"),
    ],
)
def test_what_is_unknown_is_a_sentence(kind: str, name: str, expected: str) -> None:
    done = typed("show", kind, name)
    assert done.exit_code == 2
    assert expected in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_help_does_not_load_the_catalog() -> None:
    program = (
        "import sys; from click.testing import CliRunner; from flightline.cli import cli;"
        "CliRunner().invoke(cli, ['--help']);"
        "sys.exit(any(name.startswith('flightline.catalog') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
