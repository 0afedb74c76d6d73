from __future__ import annotations

import itertools
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightline.audit import collect
from flightline.audit.answers import Answer

SHELLS = [
    shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])
]
MARKER = "flightline-0123"


def asked(
    commands: list[str], shell: list[str] | None = None, pace: collect.Pace = collect.READING
) -> list[Answer]:
    script = collect.script(commands, MARKER, pace)
    done = subprocess.run(
        shell or ["sh"], input=script, capture_output=True, text=True, check=False
    )
    return list(collect.read(commands, MARKER, done.stdout, pace).values())


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: str(shell[0]))
def test_every_shell_brings_status_and_both_streams_back_byte_by_byte(shell: list[str]) -> None:
    command = "printf 'a\\000b\\377\\n\\n'; echo 'it'\\''s wrong' >&2; exit 3"
    found = asked([command, "true"], shell)
    assert (found[0].exit_status, found[0].stdout) == (3, b"a\0b\xff\n\n")
    assert found[0].stderr == b"it's wrong\n"
    assert (found[1].exit_status, found[1].stdout, found[1].problem) == (0, b"", "")


def test_a_command_reads_nothing_and_starts_in_the_root_folder() -> None:
    cat, folder, language = asked(["cat", "pwd", 'echo "$LC_ALL"'])
    assert (cat.stdout, folder.stdout, language.stdout) == (b"", b"/\n", b"C\n")


def test_commands_of_several_lines_and_quotes_arrive_whole() -> None:
    (found,) = asked(['for word in "a b" \'c\'; do\n  echo "<$word>"\ndone'])
    assert found.stdout == b"<a b>\n<c>\n"


def test_a_noisy_login_shell_does_not_spoil_the_answers() -> None:
    printed = subprocess.run(
        ["sh"],
        input=collect.script(["echo hi"], MARKER),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = collect.read(["echo hi"], MARKER, "Welcome!\nflightline-9 end\nno newline" + printed)
    assert found["echo hi"].stdout == b"hi\n"


def test_output_beyond_the_limit_is_no_answer() -> None:
    size = collect.LARGEST_BYTES + 1
    found = asked([f"head -c {size} /dev/zero", "echo small"])
    assert found[0].problem == "printed more than 4 MiB." and not found[0].stdout
    assert found[1].stdout == b"small\n"


def test_a_command_that_hangs_is_no_answer() -> None:
    pace = collect.Pace(at_once=8, command_seconds=1, script_seconds=60)
    hung, fine = asked(["sleep 20", "echo fine"], pace=pace)
    assert hung.problem == "did not end within 1 s."
    assert fine.stdout == b"fine\n"


def test_commands_that_load_a_machine_run_one_after_the_other() -> None:
    answers = asked(["sleep 0.3"] * 3, pace=collect.LOADING)
    for earlier, later in itertools.pairwise(answers):
        assert later.start >= earlier.start + earlier.seconds - 0.011  # of /proc/uptime


def test_a_command_may_end_with_the_status_that_means_timed_out() -> None:
    assert asked(["exit 124"])[0].problem == ""


def test_nothing_stays_on_the_node() -> None:
    before = set(Path("/run").glob("flightline-audit.*"))
    asked(["echo hi"])
    there = set(Path("/run").glob("flightline-audit.*")) - before
    until = time.monotonic() + 30  # an audit of somebody else's may be at work here, and ends
    while any(folder.exists() for folder in there) and time.monotonic() < until:
        time.sleep(0.1)
    assert not [folder for folder in there if folder.exists()]


def test_a_node_without_base64_answers_in_hexadecimal(tmp_path: Path) -> None:
    for tool in ("mktemp", "date", "getconf", "wc", "cat", "od", "tr", "rm", "sh"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    script = collect.script(["printf 'a\\377'"], MARKER)
    bare = script.replace(
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", str(tmp_path)
    )
    done = subprocess.run(["/bin/sh"], input=bare, capture_output=True, text=True, check=True)
    assert f"{MARKER} payload hex" in done.stdout
    assert (
        collect.read(["printf 'a\\377'"], MARKER, done.stdout)["printf 'a\\377'"].stdout == b"a\xff"
    )


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_an_answer_cut_short_anywhere_is_no_answer(data: st.DataObject) -> None:
    whole = _whole()
    cut = data.draw(st.integers(0, len(whole) - len(f"{MARKER} end\n")))
    found = collect.read(["echo hi"], MARKER, whole[:cut])
    assert found["echo hi"].problem == "has no answer: what the node sent was cut short."


def _whole(known: list[str] = []) -> str:  # noqa: B006 - made once for all examples
    if not known:
        script = collect.script(["echo hi"], MARKER)
        done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
        known.append(done.stdout)
    return known[0]
