"""`flightline key` given what cannot be: one sentence, and no node is asked."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from flightline.serving import keys
from tests.unit.commands.key_gateways import declare
from tests.unit.commands.test_key import ADD, TWO
from tests.unit.test_bad_input import BIN, project, typed

__all__ = ["project"]

BAD = {
    "a name that is taken": (ADD, "keys.yaml: the name alice is taken (active); choose another"),
    "a name that breaks the map": (ADD.replace("alice", "a|b"), "Key.name is 'a|b'"),
    "a date that is none": (f"{ADD} --expires tomorrow", "--expires is tomorrow, expected a day"),
    "a week": (f"{ADD} --expires 2027-W05", "--expires is 2027-W05, expected a day such as"),
    "a day without dashes": (f"{ADD} --expires 20270630", "--expires is 20270630, expected a day"),
    "a day that no month has": (f"{ADD} --expires 2027-02-30", "--expires is 2027-02-30, expected"),
    "a day that is over": (f"{ADD} --expires 2020-01-01", "--expires is 2020-01-01, which is over"),
    "an unknown role": (ADD.replace("admin", "root"), "'root' is not one of"),
    "no request at all": (f"{ADD} --requests-per-minute 0", "0 is not in the range"),
    "an unknown name": (f"flightline key revoke {TWO} --name eve", "has no key named eve"),
    "no gateway": ("flightline key list inventories/one.py", "one.py has no gateway"),
}


@pytest.fixture
def declared(project: Path) -> Path:
    """A project with two gateways that nobody can reach, and one key."""
    host = ("gw", {"ssh_hostname": "127.0.0.1", "ssh_port": 1})
    (project / "inventories" / "two.py").write_text(f"front = {[host]!r}\n")
    declare(project, "front", enabled=True)
    made = keys.Key(name="alice", role="admin", sha256="A" * 64, created=keys.now())
    keys.write(project / "keys.yaml", [made])
    return project


@pytest.mark.parametrize("line", BAD.values(), ids=list(BAD))
def test_bad_input_is_refused_in_one_sentence(declared: Path, line: tuple[str, str]) -> None:
    done = typed(declared, line[0])
    assert done.returncode == 2, done.stderr
    assert line[1] in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "verb", ["add --name bob --role admin", "revoke --name alice", "list", "push"]
)
def test_a_broken_keys_file_stops_every_verb_before_any_node_is_asked(
    declared: Path, verb: str
) -> None:
    (declared / "keys.yaml").write_text("keys: [")
    name, _, rest = verb.partition(" ")
    done = typed(declared, f"flightline key {name} {TWO} {rest}")
    assert done.returncode == 2
    assert "keys.yaml:1: is not YAML" in done.stderr
    assert "nothing answers" not in done.stderr


def test_without_a_keys_file_there_is_nothing_to_list(declared: Path) -> None:
    (declared / "keys.yaml").unlink()
    done = typed(declared, f"flightline key list {TWO}")
    assert done.returncode == 2
    assert "keys.yaml is not there, so there is no key; make one with" in done.stderr


def test_a_list_can_be_had_without_any_gateway(declared: Path) -> None:
    done = typed(declared, f"flightline key list {TWO} --offline --format json")
    assert done.returncode == 0
    (file,) = json.loads(done.stdout)["files"]
    assert [(key["name"], key["state"]) for key in file["keys"]] == [("alice", "active")]


def test_a_broken_keys_file_stops_a_plan_before_any_node_is_asked(declared: Path) -> None:
    (declared / "keys.yaml").write_text("schema: other\n")
    done = typed(declared, f"flightline plan {TWO}")
    assert done.returncode == 2
    assert "keys.yaml: its schema is not flightline.keys/1" in done.stderr


@pytest.mark.parametrize(
    ("ending", "said"), [(">/dev/full", "No space left"), (">&-", "is closed")]
)
def test_a_key_that_nobody_was_shown_is_not_stored(declared: Path, ending: str, said: str) -> None:
    before = (declared / "keys.yaml").read_bytes()
    line = f"{BIN}/{ADD.replace('alice', 'bob')} {ending}"
    done = subprocess.run(
        ["sh", "-c", line], cwd=declared, capture_output=True, text=True, check=False,
        env={**os.environ, "FLIGHTLINE_PROJECT": str(declared)},
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (declared / "keys.yaml").read_bytes() == before
