"""`flightline audit --from FILE`: a bare nvidia-smi report, judged as far as it goes."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it comes without types
import pytest
from click.testing import CliRunner, Result

from flightline.audit import capture, runner
from flightline.audit.selection import Selection
from flightline.cli import cli
from flightline.errors import FlightlineError
from flightline.report import record
from flightline.report.record import Outcome, Report, Verdict
from tests.machines.models import BUILDS
from tests.machines.smi_xml import render, with_value, without_gpu

SOUND = render(BUILDS["h100_sxm_8"])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "gpu-07.xml"
    made.write_text(SOUND, encoding="utf-8")
    return made


def replayed(path: Path) -> Report:
    return runner.replay(path, runner.Wanted(Selection(roles=("nvidia", "kernel"))))


def typed(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["audit", "--from", *map(str, arguments)])


def said(result: Result) -> str:
    """The one sentence of a refusal."""
    assert isinstance(result.exception, FlightlineError | SystemExit), result.exception
    return str(result.exception) if isinstance(result.exception, FlightlineError) else result.output


def test_a_sound_capture_is_undecided_for_what_it_does_not_have(file: Path) -> None:
    report = replayed(file)
    assert (report.summary.verdict, report.exit_code) == (Verdict.UNDECIDED, 2)
    node = report.nodes[0]
    assert node.name == "gpu-07"
    assert not [each.id for each in node.checks if each.outcome is Outcome.FAIL]
    unknown = [each for each in node.checks if each.outcome is Outcome.UNKNOWN]
    assert unknown
    assert all(each.needs_the_node for each in unknown)
    passed = {each.id for each in node.checks if each.outcome is Outcome.PASS}
    assert {"nvidia-smi-answers", "nvidia-pcie-width", "nvidia-remap-pending"} <= passed


def test_nothing_of_another_role_passes_in_a_capture(file: Path) -> None:
    kernel = [each for each in replayed(file).nodes[0].checks if each.role == "kernel"]
    assert kernel
    assert not [each.id for each in kernel if each.outcome in (Outcome.PASS, Outcome.FAIL)]


def test_what_the_bus_alone_can_prove_is_unknown_in_a_capture(file: Path) -> None:
    found = {each.id: each for each in replayed(file).nodes[0].checks}
    assert found["nvidia-gpu-present"].outcome is Outcome.UNKNOWN
    assert found["nvidia-gpu-present"].message.endswith("the PCI bus is not in the capture.")


def test_a_fault_in_a_capture_is_no_go(file: Path) -> None:
    file.write_text(with_value(SOUND, 5, "remapped_rows/remapped_row_failure", "Yes"))
    report = replayed(file)
    assert report.exit_code == 1
    failed = [each for each in report.nodes[0].checks if each.outcome is Outcome.FAIL]
    assert [each.id for each in failed] == ["nvidia-remap-failure"]
    assert "GPU 5 (0000:1e:00.0)" in failed[0].message


def test_gpus_that_are_attached_and_not_listed_are_no_go_and_not_made_up(file: Path) -> None:
    file.write_text(without_gpu(SOUND, 3))
    report = replayed(file)
    failed = [each.id for each in report.nodes[0].checks if each.outcome is Outcome.FAIL]
    assert failed == ["nvidia-gpu-answering"]
    seen = report.nodes[0].inventory
    assert seen is not None
    assert (seen.attached_gpus, len(seen.gpus)) == (8, 7)


@pytest.mark.parametrize("name", BUILDS)
def test_a_sound_capture_of_every_machine_has_no_failure(name: str, file: Path) -> None:
    file.write_text(render(BUILDS[name]))
    checks = replayed(file).nodes[0].checks
    assert not [each.id for each in checks if each.outcome is Outcome.FAIL]
    assert not [each.message for each in checks if each.is_alarm and not each.needs_the_node]


def test_the_inventory_shows_what_was_seen(file: Path) -> None:
    seen = replayed(file).nodes[0].inventory
    assert seen is not None
    assert (seen.driver, seen.cuda, seen.captured) == (
        "580.105.08",
        "13.0",
        "Fri Nov 20 08:54:01 2026",
    )
    gpu = seen.gpus[3]
    assert (gpu.address, gpu.model, gpu.memory_mib) == ("0000:1c:00.0", "h100_sxm_80", 81559)
    assert (gpu.ecc, gpu.mig, gpu.pcie_generation, gpu.pcie_width) == (True, False, 5, 16)
    assert (gpu.temperature_c, gpu.power_w, gpu.power_limit_w) == (33, 73.25, 700.0)


def test_the_text_has_the_inventory_one_line_of_unknowns_and_the_reason(file: Path) -> None:
    result = typed(file)
    assert result.exit_code == 2
    lines = result.output.splitlines()
    assert lines[0] == (
        "gpu-07: driver 580.105.08, CUDA 13.0, 8 GPUs listed, captured Fri Nov 20 08:54:01 2026"
    )
    assert "0000:1c:00.0  h100_sxm_80  81559 MiB  on   off  gen 5 x16  33 C" in result.output
    assert sum("is not in the capture" in line for line in lines) == 1
    assert lines[-1].startswith("UNDECIDED: what the capture shows is sound; ")
    assert lines[-1].endswith(" checks need the node itself.")


def test_a_failure_is_shown_beside_the_line_of_unknowns(file: Path) -> None:
    file.write_text(with_value(SOUND, 0, "gpu_recovery_action", "GPU Reset"))
    result = typed(file)
    assert result.exit_code == 1
    assert "gpu-07 nvidia-gpu-recovery: GPU 0 (0000:19:00.0)" in result.output
    assert result.output.splitlines()[-1].startswith("NO-GO: ")


def test_a_warning_in_a_capture_is_not_called_sound(file: Path) -> None:
    file.write_text(render(BUILDS["h100_sxm_8"], branch=535))  # no fixes since 2026-06-30
    result = typed(file, "--role", "nvidia")
    assert result.exit_code == 2
    last = result.output.splitlines()[-1]
    assert last.startswith("UNDECIDED: nothing that the capture shows blocks; ")


def test_the_json_has_the_inventory_and_is_what_the_schema_says(file: Path) -> None:
    document = json.loads(typed(file, "--format", "json").output)
    jsonschema.validate(document, record.json_schema())
    assert len(document["nodes"][0]["inventory"]["gpus"]) == 8
    assert document["run"]["recording"] is None


def test_a_capture_is_told_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    for name in ("smi.txt", "noextension", "a.json", ".hidden"):
        (tmp_path / name).write_text(f"+ nvidia-smi -q -x\n{SOUND}")
        assert len(capture.read(tmp_path / name).report.gpus) == 8


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig"])
def test_a_capture_of_a_windows_shell_is_read(encoding: str, file: Path) -> None:
    file.write_bytes(SOUND.encode(encoding))
    assert len(capture.read(file).report.gpus) == 8


def test_a_limit_chooses_a_capture_by_its_name(file: Path) -> None:
    assert typed(file, "--limit", "gpu-*").exit_code == 2
    assert "no node is left to audit" in said(typed(file, "--limit", "cpu-*"))


def refused(path: Path | str) -> str:
    result = typed(path)
    assert result.exit_code in (1, 2)
    sentence = said(result)
    assert "Traceback" not in sentence
    assert len(sentence.strip().splitlines()) == 1
    return sentence


def test_what_is_no_capture_is_refused_in_one_sentence(tmp_path: Path) -> None:
    junk, empty, cut = tmp_path / "junk", tmp_path / "empty", tmp_path / "cut"
    junk.write_bytes(bytes(range(256)) * 400)
    empty.touch()
    cut.write_text(SOUND[:20_000])
    assert "is no capture of `nvidia-smi -q -x`" in refused(junk)
    assert "begins with nothing" in refused(empty)
    assert "is cut short" in refused(cut)


def test_what_is_no_file_is_refused_without_being_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert "is neither a recording's folder nor a regular file" in refused(tmp_path / "pipe")
    assert "is neither a recording's folder nor a regular file" in refused("/dev/zero")
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "none.xml")
    assert "is no recording (no readable manifest.json)" in refused(tmp_path / "folder")


def test_a_file_of_100_mb_is_refused_without_being_read(tmp_path: Path) -> None:
    large = tmp_path / "large.xml"
    with large.open("wb") as file:
        file.truncate(100_000_000)  # sparse: reading it all would show in memory
    assert "has 95 MiB, expected at most 16 MiB" in refused(large)


def test_what_a_capture_does_not_have_hides_nothing_that_it_shows(file: Path) -> None:
    denied = SOUND.replace(
        "<persistence_mode>Enabled", "<persistence_mode>Insufficient Permissions"
    )
    file.write_text(denied, encoding="utf-8")
    checks = {each.id: each for each in replayed(file).nodes[0].checks}
    assert checks["nvidia-persistence-enabled"].is_alarm
    assert "Insufficient Permissions" in checks["nvidia-persistence-enabled"].message


def test_a_compressed_capture_is_refused_as_such(file: Path) -> None:
    file.write_bytes(gzip.compress(SOUND.encode()))
    with pytest.raises(FlightlineError, match="is compressed, expected plain text"):
        capture.read(file)


def test_a_capture_that_lists_no_gpu_says_so(file: Path) -> None:
    none = re.sub(r"(?s)<gpu .*</gpu>", "", SOUND)
    file.write_text(none.replace("<attached_gpus>8", "<attached_gpus>0"), encoding="utf-8")
    checks = {each.id: each for each in replayed(file).nodes[0].checks}
    found = checks["nvidia-smi-answers"]
    assert (found.outcome, found.message) == (
        Outcome.FAIL,
        "nvidia-smi lists no GPU, expected one at least",
    )
