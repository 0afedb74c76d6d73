from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from flightline.audit import waivers
from flightline.errors import FlightlineError
from flightline.report.record import Waiver

TODAY = date(2026, 11, 21)
GOOD = """
- check: demo-thing-holds
  node: "gpu-*"
  reason: known
  owner: ops
  expires: 2026-11-21
"""


def loaded(tmp_path: Path, text: str) -> tuple[Waiver, ...]:
    path = tmp_path / "waivers.yaml"
    path.write_text(text)
    return waivers.load(path)


def test_a_waiver_covers_its_check_on_matching_nodes_through_its_last_day(tmp_path: Path) -> None:
    every = waivers.Waivers(loaded(tmp_path, GOOD), TODAY)
    found = every.covering("demo-thing-holds", "gpu-07")
    assert found is not None and every.holds(found)
    assert every.covering("demo-thing-holds", "cpu-07") is None
    assert every.covering("demo-thing-other", "gpu-07") is None
    assert not waivers.Waivers((found,), date(2026, 11, 22)).holds(found)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("- check: x\n  node: [", ":", "is not YAML"),
        ("check: x", ":1:", "is not a list"),
        ("- just a word", ":1:", "waiver"),
        (GOOD.replace("  owner: ops\n", ""), ":2:", "owner: field required"),
        (GOOD.replace("2026-11-21", "soon"), ":2:", "expires"),
        (GOOD.replace("reason: known", 'reason: ""'), ":2:", "reason"),
        (GOOD.replace("owner", "ownr"), ":2:", "owner"),
        (GOOD + "- check: two\n", ":7:", "node"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(
    tmp_path: Path, text: str, where: str, what: str
) -> None:
    with pytest.raises(FlightlineError) as error:
        loaded(tmp_path, text)
    assert f"waivers.yaml{where}" in error.value.message
    assert what in error.value.message
    assert "\n" not in error.value.message


def test_a_named_file_must_exist_and_the_usual_one_need_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert waivers.load(None) == ()
    with pytest.raises(FlightlineError, match="cannot be read"):
        waivers.load(tmp_path / "other.yaml")


def test_a_waiver_that_excuses_nothing_is_named(tmp_path: Path) -> None:
    every = waivers.Waivers(loaded(tmp_path, GOOD), TODAY)
    ids = ["demo-thing-holds"]
    (sentence,) = every.unused(ids, ids, ["gpu-1"])
    assert "demo-thing-holds on gpu-* excuses nothing" in sentence
    assert every.unused(ids, ids, ["cpu-1"]) == []
    assert every.unused([], ids, ["gpu-1"]) == []
    assert "no role has such a check" in every.unused([], [], ["gpu-1"])[0]
    every.covering("demo-thing-holds", "gpu-1")
    assert every.unused(ids, ids, ["gpu-1"]) == []
