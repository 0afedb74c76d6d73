from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.audit import recording
from flightline.audit.answers import Answer, from_record, to_record
from flightline.errors import FlightlineError

ABOUT = {"flightline": "0", "testinfra": "0", "created": "2026-11-21T00:00:00+00:00"}
ANSWER = Answer("echo hi", 0, b"hi\n", b"", start=1.5, seconds=0.25)


def written(folder: Path, *answers: Answer, node: str = "node-1") -> Path:
    evidence = recording.Evidence(node, {"demo": {"word": "hello"}}, {"rack": 3}, answers)
    return recording.write(folder / "recording", [evidence], inventory="i.py", **ABOUT)


@given(
    st.builds(
        Answer,
        st.text(),
        st.integers(-1, 255),
        st.binary(),
        st.binary(),
        st.integers(0, 4_000_000_000).map(float),
        st.integers(0, 9_999).map(lambda ms: ms / 1000),
        st.sampled_from(["", "did not end within 60 s."]),
    )
)
def test_an_answer_survives_being_written_down(answer: Answer) -> None:
    line = json.dumps(to_record(answer))
    assert from_record(json.loads(line)) == answer
    assert len(line.splitlines()) == 1


def test_a_recording_is_read_back_from_its_folder_or_the_run_above_it(tmp_path: Path) -> None:
    folder = written(tmp_path, ANSWER)
    for path in (folder, tmp_path):
        found = recording.read(path)
        assert found.answers == {"node-1": {"echo hi": ANSWER}}
        assert found.manifest.nodes["node-1"].settings == {"demo": {"word": "hello"}}


def test_the_manifest_names_schema_and_sha256_of_each_file(tmp_path: Path) -> None:
    folder = written(tmp_path, ANSWER, node="rack/node 1")
    manifest = json.loads((folder / "manifest.json").read_text())
    node = manifest["nodes"]["rack/node 1"]
    assert manifest["schema"] == "flightline.recording/1"
    assert node["sha256"] == hashlib.sha256((folder / node["file"]).read_bytes()).hexdigest()


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, ANSWER) / "node-1.jsonl"
    file.write_text(file.read_text().replace("hi", "ho"))
    with pytest.raises(FlightlineError, match=r"node-1\.jsonl: was changed after it was recorded"):
        recording.read(tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    (written(tmp_path, ANSWER) / "node-1.jsonl").unlink()
    with pytest.raises(FlightlineError, match="cannot be read"):
        recording.read(tmp_path)


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        (None, "is no recording"),
        ("{", "invalid json"),
        ('{"schema": "flightline.recording/9"}', "flightline.recording/1"),
    ],
)
def test_what_is_no_recording_is_said_in_a_sentence(
    tmp_path: Path, manifest: str | None, sentence: str
) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(FlightlineError, match=sentence):
        recording.read(tmp_path)


def test_a_manifest_cannot_reach_outside_its_folder(tmp_path: Path) -> None:
    path = written(tmp_path, ANSWER) / "manifest.json"
    path.write_text(path.read_text().replace("node-1.jsonl", "../../etc/passwd"))
    with pytest.raises(FlightlineError, match="outside the recording"):
        recording.read(tmp_path)


def test_a_recording_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "recording").mkdir()
    (tmp_path / "recording" / "taken").touch()
    with pytest.raises(FlightlineError, match="--no-record"):
        written(tmp_path, ANSWER)
    assert [each.name for each in tmp_path.iterdir()] == ["recording"]
