from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it comes without types
import pytest
from click.testing import CliRunner, Result

from flightline import catalog
from flightline.cli import cli


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["size", *arguments])


def answered(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(typed(*arguments, "--format", "json").stdout)
    return found


ISSUE = ("--gpu", "h100_80", "--gpus", "4", "--context", "32768", "--dtype", "fp8")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(catalog.model("llama-3.1-70b").config))
    return path


def test_what_fits_ends_with_0_and_the_arithmetic(config: Path) -> None:
    done = typed("--config", str(config), *ISSUE)
    assert done.exit_code == 0
    assert "80 layers x 2 x 8 KV heads x 128 x 2 B / 4 GPUs" in done.stdout
    assert "81,920 B" in done.stdout
    assert "(79 - 0.75 driver) GiB x 0.92 (H100 SXM5 80 GB)" in done.stdout
    assert done.stdout.splitlines()[-1].startswith(f"Fits: {config} in fp8 on 4 x H100")


def test_what_does_not_fit_ends_with_1_and_what_would() -> None:
    done = typed("--model", "llama-2-70b", "--gpu", "a100_sxm_80", "--dtype", "fp16")
    assert done.exit_code == 1
    assert "Does not fit: Llama 2 70B in fp16 on 1 x A100" in done.stdout
    assert "would fit: weights in int4 (4.15625 bits)" in done.stdout
    assert "would fit: 2 GPUs in a node" in done.stdout


def test_json_has_a_schema_and_the_same_figures(config: Path) -> None:
    found = answered("--config", str(config), *ISSUE)
    assert found["schema"] == "flightline.size/1"
    assert found["fits"] is True and found["problems"] == []
    assert found["model"]["parameters"] == 70_553_706_496
    assert found["asked"]["gpu"] == "h100_sxm_80"
    assert found["bytes"]["kv_per_token_per_gpu"] == 81_920
    assert found["placement"]["possible_tensor_parallel"] == [1, 2, 4]
    assert found["placement"]["tensor_parallel"] == 4
    assert {"what", "arithmetic", "result"} == set(found["arithmetic"][0])


@pytest.mark.parametrize(
    "arguments",
    [
        ("--model", "llama-2-70b", "--gpu", "a100_sxm_80"),
        ("--model", "gemma-3-4b", "--gpu", "l4", "--context", "2048"),
    ],
)
def test_the_json_is_as_its_published_schema_says(arguments: tuple[str, ...]) -> None:
    kept = resources.files("flightline.report").joinpath("schemas/size-1.json").read_text()
    jsonschema.validate(answered(*arguments), json.loads(kept))


def test_what_would_fit_is_in_the_json_as_options_that_do_fit() -> None:
    found = answered("--model", "llama-2-70b", "--gpu", "a100_sxm_80")
    assert found["fits"] is False
    for each in found["would_fit"]:
        options = [f"--{name.replace('_', '-')}={value}" for name, value in each["options"].items()]
        assert typed("--model", "llama-2-70b", "--gpu", "a100_sxm_80", *options).exit_code == 0


def test_every_assumption_is_named_with_value_and_source() -> None:
    found = answered("--model", "gemma-3-27b", "--gpu", "h200")
    named = {each["name"] for each in found["assumptions"]}
    assert {"utilization", "driver", "context and NCCL", "activations", "CUDA graphs"} <= named
    assert {"GPU memory", "sliding layers", "model"} <= named
    assert all(each["value"] and each["source"] for each in found["assumptions"])


def test_an_assumption_can_be_another_one() -> None:
    asked = ("--model", "llama-3.1-8b", "--gpu", "l40s")
    usual, lean = answered(*asked), answered(*asked, "--graphs-gib", "0", "--utilization", "0.95")
    assert lean["bytes"]["overhead_per_gpu"] == usual["bytes"]["overhead_per_gpu"] - 2**29
    assert lean["bytes"]["usable_per_gpu"] > usual["bytes"]["usable_per_gpu"]


def test_a_format_that_the_gpu_only_stores_must_be_asked_for() -> None:
    asked = ("--model", "llama-3.1-8b", "--gpu", "a100_sxm_80", "--dtype", "fp8")
    assert typed(*asked).exit_code == 1
    done = typed(*asked, "--weights-only")
    assert done.exit_code == 0
    assert "computed in 16 bits: saves memory, and no time" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--gpu", "h200"), "either by --config FILE or by --model NAME"),
        (("--gpu", "h200", "--config", "a", "--model", "b"), "either by --config FILE"),
        (("--gpu", "h200", "--config", "/none/config.json"), "cannot be read"),
        (("--gpu", "h200", "--model", "llama-9"), "the catalog has no model 'llama-9'"),
        (("--gpu", "h200", "--model", "llama-3.1"), "may be llama-3.1-8b, llama-3.1-70b or"),
        (("--gpu", "h100", "--model", "llama-3.1-8b"), "h100 may be h100_sxm_80"),
        (("--gpu", "h2000", "--model", "llama-3.1-8b"), "did you mean h20 or b200 or h200_sxm?"),
        (("--gpu", "h200", "--model", "opt-13b", "--dtype", "int3"), "the formats are fp32"),
        (("--gpu", "h200", "--model", "opt-13b", "--utilization", "nan"), "is not a number"),
        (("--gpu", "h200", "--model", "opt-13b", "--graphs-gib", "nan"), "is not a number"),
        (("--gpu", "h200", "--model", "opt-13b", "--graphs-gib", "-1"), "0<=x<=1000"),
        (("--gpu", "h200", "--model", "opt-13b", "--utilization", "0"), "0<x<=1"),
        (("--gpu", "h200", "--model", "opt-13b", "--gpus", "0"), "1<=x<=4096"),
        (("--gpu", "h200", "--model", "opt-13b", "--context", "-5"), "1<=x<=1000000000"),
        (("--model", "opt-13b"), "Missing option '--gpu'"),
    ],
)
def test_bad_input_ends_with_2_and_a_sentence(arguments: tuple[str, ...], expected: str) -> None:
    done = typed(*arguments)
    assert done.exit_code == 2
    assert expected in done.stderr
    assert "Traceback" not in done.output


def test_a_config_without_a_longest_context_needs_one_asked_for(tmp_path: Path) -> None:
    fields = {**catalog.model("llama-3.1-8b").config, "max_position_embeddings": None}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(fields))
    done = typed("--config", str(path), "--gpu", "h200")
    assert done.exit_code == 2
    assert "give one with --context" in done.stderr
    assert typed("--config", str(path), "--gpu", "h200", "--context", "8192").exit_code == 0


@pytest.mark.parametrize("name", [each.id for each in catalog.models()])
def test_every_model_of_the_catalog_is_sized_with_its_sources(name: str) -> None:
    done = typed("--model", name, "--gpu", "b200", "--gpus", "8", "--context", "2048")
    assert done.exit_code == 0, done.output
    (row,) = (each for each in catalog.models() if each.id == name)
    assert row.source and row.date
