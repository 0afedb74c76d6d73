"""What is typed, and what is refused before any node is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from flightline.commands.model_switch import command


def typed(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, ["inventories/example.py", "--model", "tiny", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "expected one, 0 found"),
        (("--to", "v2", "--undo"), "expected one, 2 found"),
        (("--undo", "--canary", "10,100"), "belong to --to"),
        (("--rollback", "--dry-run"), "belong to --to"),
        (("--to", "v2", "--canary", "10,50"), "rise and end at 100"),
        (("--to", "v2", "--canary", "ten"), "is no list of percents"),
        (("--to", "v2", "--hold", "5 minutes"), "is no time; write"),
        (("--to", "v2", "--canary", "\N{SUPERSCRIPT TWO},100"), "is no list of percents"),
        (("--to", "v2", "--hold", "9" * 400), "is longer than 168h"),
        (("--to", "v2", "--errors-over", "101"), "errors-over"),
        (("--to", "v2", "--errors-over", "nan"), "nan is no finite number"),
        (("--to", "v2", "--ttft-ratio", "nan"), "nan is no finite number"),
        (("--to", "v2", "--ttft-ratio", "inf"), "inf is no finite number"),
        (("--to", "v2", "--golden", "/nowhere.yaml"), "/nowhere.yaml: cannot be read"),
        (("--to", "v2", "--key-file", "/nowhere"), "cannot be read"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_sentence(arguments: tuple[str, ...], said: str) -> None:
    code, output = typed(*arguments)
    assert (code, said in " ".join(output.split())) == (2, True), output
    assert "Traceback" not in output


def test_a_key_file_with_more_than_a_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sk-one sk-two")
    code, output = typed("--to", "v2", "--key-file", str(path))
    assert (code, "holds 2 words" in output, "sk-one" in output) == (2, True, False)
