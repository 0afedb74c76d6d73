"""A project's own catalog.yaml adds and replaces entries, and is held to the same rules."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from flightline import catalog
from flightline.cli import cli
from flightline.errors import FlightlineError

OWN = {"source": "our acceptance of 2026-10", "date": "2026-10-01"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "deploy.py").touch()
    (tmp_path / "roles").mkdir()
    monkeypatch.setenv("FLIGHTLINE_PROJECT", str(tmp_path))
    return tmp_path / "catalog.yaml"


def own_gpu(**changes: object) -> dict[str, object]:
    return {**catalog.gpu("l40s").model_dump(mode="json"), **changes}


def test_a_new_gpu_is_known_at_once(site: Path) -> None:
    gpu = own_gpu(id="l40x", name="L40X", product_names=["L40X"], device_ids=["26bf"])
    site.write_text(yaml.safe_dump({"gpus": [gpu]}))
    found = catalog.gpu_by_device("26bf")
    assert found and found.id == "l40x"
    assert catalog.gpu_by_device("2335")


def test_an_entry_of_the_same_name_takes_its_place(site: Path) -> None:
    floor = {"value": 600, "unit": "GB/s", **OWN}
    site.write_text(yaml.safe_dump({"gpus": [own_gpu(floors={"memory_bandwidth": floor})]}))
    assert catalog.gpu("l40s").floors["memory_bandwidth"].value == 600


def test_another_severity_for_a_code_is_the_sites_own(site: Path) -> None:
    row = {"code": 13, "description": "d", "action": "RESTART_APP", "severity": "critical"}
    site.write_text(yaml.safe_dump({"xids": [{**row, "is_known": True, **OWN}]}))
    assert catalog.xid(13).severity == "critical"
    assert catalog.xid(79).is_known


def test_a_site_s_own_model_is_sized_by_its_name(site: Path) -> None:
    config = {**catalog.model("llama-3.1-8b").config, "num_hidden_layers": 16}
    own = {"id": "ours-4b", "name": "Ours", "parameters": 4_540_600_320, "config": config, **OWN}
    site.write_text(yaml.safe_dump({"models": [own]}))
    done = CliRunner().invoke(cli, ["size", "--model", "ours-4b", "--gpu", "l40s"])
    assert done.exit_code == 0
    assert "16 layers x 2 x 8 KV heads x 128 x 2 B" in done.stdout


def test_an_unbelievable_floor_of_the_site_is_refused(site: Path) -> None:
    floor = {"value": 6, "unit": "GB/s", **OWN}
    site.write_text(yaml.safe_dump({"gpus": [own_gpu(floors={"memory_bandwidth": floor})]}))
    with pytest.raises(FlightlineError) as caught:
        catalog.gpus()
    assert f"{site}: gpus l40s, field floors.memory_bandwidth: 6 GB/s" in caught.value.message


def test_a_device_id_of_another_gpu_is_refused(site: Path) -> None:
    site.write_text(yaml.safe_dump({"gpus": [own_gpu(id="mine")]}))
    with pytest.raises(FlightlineError, match="26b9 is also that of l40s"):
        catalog.gpus()


def test_without_a_project_there_is_what_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLIGHTLINE_PROJECT", str(tmp_path))
    assert catalog.gpu("h200_sxm")


def test_the_example_in_the_documentation_works(site: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/catalog.md").read_text()
    site.write_text(page.split("```yaml\n")[1].split("```")[0])
    floor = catalog.rdma_floor(100)
    assert floor and floor.value == 93
    assert catalog.xid(13).severity == "critical"


def test_what_the_command_shows_is_an_entry(site: Path) -> None:
    shown = catalog.gpu("h200_sxm").model_dump_json(indent=2)
    lines = "\n".join("    " + line for line in shown.splitlines())
    site.write_text(f"gpus:\n  -\n{lines}\n")
    assert catalog.gpu("2335").achieved["all_reduce_8"].value == 482


@pytest.mark.parametrize(("value", "unit"), [(93, "GB/s"), (0.09, "Gb/s"), (930, "Gb/s")])
def test_an_unbelievable_floor_of_a_port_is_refused(site: Path, value: float, unit: str) -> None:
    floor = {"value": value, "unit": unit, **OWN}
    site.write_text(yaml.safe_dump({"rdma": [{"rate_gbps": 100, "floor": floor}]}))
    with pytest.raises(FlightlineError, match=r"rdma 100.0, field floor: "):
        catalog.rdma_floor(100)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("compute_capability", "nine"),
        ("device_ids", ["26B9"]),
        ("pcie_generation", 9),
        ("pcie_width", 0),
        ("nvlink_links", -1),
    ],
)
def test_a_value_that_no_gpu_can_have_is_refused(site: Path, field: str, value: object) -> None:
    site.write_text(yaml.safe_dump({"gpus": [own_gpu(**{field: value})]}))
    with pytest.raises(FlightlineError, match=f"gpus l40s, field {field}"):
        catalog.gpus()


@pytest.mark.parametrize("cuda", ["13", "x.y", ""])
def test_a_branch_with_a_version_that_is_none_is_refused(site: Path, cuda: str) -> None:
    known = catalog.branch(580)
    assert known
    branch = {**known.model_dump(mode="json"), "cuda": cuda}
    site.write_text(yaml.safe_dump({"drivers": [branch]}))
    with pytest.raises(FlightlineError, match="drivers 580, field cuda"):
        catalog.branches()
