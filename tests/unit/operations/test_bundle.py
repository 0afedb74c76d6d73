"""What a bundle promises, shown by really running it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from flightline.operations.bundle import Absent, Directory, File, Hook, Item, Link, Merge
from flightline.operations.bundle.plan import plan_of
from flightline.operations.bundle.script import command

from .conftest import ME, Sandbox


def tree(folder: Path) -> list[tuple[str, str, str]]:
    """Name, mode and content or target of all that is under a folder, read without the bundle."""
    return sorted(
        (
            str(path.relative_to(folder)),
            oct(path.lstat().st_mode),
            str(path.readlink())
            if path.is_symlink()
            else (path.is_file() and path.read_text()) or "",
        )
        for path in folder.rglob("*")
    )


def line(path: Path, text: str) -> str:
    """A hook's command that leaves a trace."""
    return f"echo {text} >>{path}"


def test_every_kind_of_item_is_made_and_a_second_run_changes_nothing(sandbox: Sandbox) -> None:
    at = sandbox.files
    (at / "old").write_text("gone soon")
    (at / "list").write_text("one\n")
    items: list[Item] = [
        File(f"{at}/etc/app/app.conf", "a = 1\n", mode="640", **ME),
        Directory(f"{at}/data", mode="2750", **ME),
        Link(f"{at}/current", "etc/app"),
        Absent(f"{at}/old"),
        Merge(f"{at}/list", lambda text: (text or "").removesuffix("two\n") + "two\n", **ME),
    ]
    trace = at.parent / "trace"
    hooks = [Hook(line(trace, "any")), Hook(line(trace, "data"), (f"{at}/data",))]
    assert sandbox.converge(items, hooks).rc == 0
    assert tree(at) == [
        ("current", "0o120777", "etc/app"),
        ("data", "0o42750", ""),
        ("etc", "0o40755", ""),
        ("etc/app", "0o40755", ""),
        ("etc/app/app.conf", "0o100640", "a = 1\n"),
        ("list", "0o100644", "one\ntwo\n"),
    ]
    assert trace.read_text() == "any\ndata\n"
    assert not sandbox.converge(items, hooks).changed
    assert trace.read_text() == "any\ndata\n"
    assert sandbox.leftovers() == []


def test_a_wrong_mode_alone_is_a_change(sandbox: Sandbox) -> None:
    path = sandbox.files / "key"
    path.write_text("k")
    path.chmod(0o644)
    assert sandbox.converge([File(str(path), "k", mode="600", **ME)]).changed
    assert path.stat().st_mode & 0o777 == 0o600


def test_only_the_hooks_of_changed_paths_run_in_their_order(sandbox: Sandbox) -> None:
    at, trace = sandbox.files, sandbox.files.parent / "trace"
    first, second = f"{at}/first", f"{at}/second"
    hooks = [
        Hook(line(trace, "second"), (second,)),
        Hook(line(trace, "first"), (first,)),
        Hook(line(trace, "either"), (first, second)),
    ]
    sandbox.converge([File(first, "1", **ME), File(second, "1", **ME)], hooks)
    assert trace.read_text() == "second\nfirst\neither\n"
    sandbox.converge([File(first, "2", **ME), File(second, "1", **ME)], hooks)
    assert trace.read_text() == "second\nfirst\neither\nfirst\neither\n"


def test_a_file_that_fails_validation_leaves_all_as_it_was(sandbox: Sandbox) -> None:
    at = sandbox.files
    (at / "a").write_text("old")
    before = tree(at)
    outcome = sandbox.converge(
        [
            File(f"{at}/a", "new", **ME),
            File(f"{at}/new/b", "bad", validate="grep good {staged} || { echo no good; exit 1; }"),
        ],
        [Hook(line(at / "trace", "ran"))],
    )
    assert outcome.rc == 1
    assert f"{at}/new/b failed validation" in outcome.sentence
    assert "no good; nothing was changed" in outcome.sentence
    assert tree(at) == before
    assert sandbox.leftovers() == []


def test_every_failed_validation_is_told(sandbox: Sandbox) -> None:
    at = sandbox.files
    items = [File(f"{at}/{name}", "x", validate="false {staged}", **ME) for name in ("a", "b")]
    assert sandbox.converge(items).sentence.count("failed validation") == 2


def test_validation_sees_the_final_name_mode_and_content(sandbox: Sandbox) -> None:
    path = sandbox.files / "it's a unit.service"
    seen = sandbox.files.parent / "seen"
    validate = f"(ls -l {{staged}} | cut -c1-10; basename {{staged}}; cat {{staged}}) >{seen}"
    assert sandbox.converge([File(str(path), "text", mode="440", validate=validate, **ME)]).rc == 0
    assert seen.read_text() == "-r--r-----\nit's a unit.service\ntext"


def test_a_hook_that_fails_brings_everything_back(sandbox: Sandbox) -> None:
    at, trace = sandbox.files, sandbox.files.parent / "trace"
    (at / "a").write_text("old")
    (at / "a").chmod(0o604)
    (at / "gone").write_text("still here")
    (at / "link").symlink_to("a")
    (at / "dir").mkdir(mode=0o700)
    before = tree(at)
    items: list[Item] = [
        File(f"{at}/a", "new", **ME),
        File(f"{at}/deep/er/b", "new", **ME),
        Absent(f"{at}/gone"),
        Link(f"{at}/link", "elsewhere"),
        Directory(f"{at}/dir", mode="755", **ME),
    ]
    hooks = [Hook(f"cat {at}/a >>{trace}"), Hook("echo out of order >&2; exit 7"), Hook("true")]
    outcome = sandbox.converge(items, hooks)
    assert outcome.rc == 1
    assert (
        "failed with exit status 7: out of order; the previous files are back" in outcome.sentence
    )
    assert tree(at) == before
    assert trace.read_text() == "newold", "the hooks that saw the new files run on the old ones"
    assert sandbox.leftovers() == []


def test_a_run_killed_between_move_and_hook_runs_the_hook_next_time(sandbox: Sandbox) -> None:
    at, trace = sandbox.files, sandbox.files.parent / "trace"
    once = sandbox.files.parent / "once"
    kill = f"[ -e {once} ] || {{ touch {once}; kill -9 $PPID; }}"
    items, hooks = [File(f"{at}/a", "new", **ME)], [Hook(kill), Hook(line(trace, "ran"))]
    assert sandbox.converge(items, hooks).rc == -9
    assert (at / "a").read_text() == "new"
    assert not trace.exists()
    again = sandbox.converge(items, hooks)
    assert (again.changed, again.rc) == (True, 0)
    assert trace.read_text() == "ran\n"
    assert not sandbox.converge(items, hooks).changed
    assert sandbox.leftovers() == []


def test_a_hook_that_is_owed_stays_owed_until_it_succeeds(sandbox: Sandbox) -> None:
    at = sandbox.files
    once, works = at.parent / "once", at.parent / "works"
    hook = Hook(f"[ -e {once} ] || {{ touch {once}; kill -9 $PPID; }}; [ -e {works} ]")
    items = [File(f"{at}/a", "new", **ME)]
    assert sandbox.converge(items, [hook]).rc == -9
    failed = sandbox.converge(items, [hook])
    assert failed.rc == 1
    assert failed.sentence.endswith("; it runs again next time")
    works.touch()
    assert sandbox.converge(items, [hook]).rc == 0
    assert not sandbox.converge(items, [hook]).changed


def test_what_a_killed_run_left_beside_the_files_is_swept(sandbox: Sandbox) -> None:
    at = sandbox.files
    mess = f"s={{staged}}; s=${{s#*bundle.}}; touch {at}/.a.flightline.${{s%%/*}}; kill -9 $PPID"
    assert sandbox.converge([File(f"{at}/a", "x", validate=mess, **ME)]).rc == -9
    assert len(sandbox.leftovers()) == 2
    assert sandbox.converge([File(f"{at}/b", "x", **ME)]).rc == 0
    assert sandbox.leftovers() == []


def test_an_upload_that_is_cut_short_changes_nothing(sandbox: Sandbox) -> None:
    items = [File(f"{sandbox.files}/a", "x" * 40000, **ME)]
    sent = command(plan_of(items, [], sandbox.state(items)), str(sandbox.home))
    for share in (0, 100, 30000):
        given = str(sent.connector_arguments["_stdin"])[:share]
        done = sandbox._run(sent.get_raw_value(), given)
        assert done.returncode == 1
        assert "nothing was changed" in done.stderr
    assert tree(sandbox.files) == []
    assert sandbox.leftovers() == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root mounts a small file system")
def test_a_full_disk_changes_nothing(sandbox: Sandbox) -> None:
    small = sandbox.files / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("this container may not mount")
    try:
        (small / "a").write_text("old")
        items = [File(f"{sandbox.files}/b", "new"), File(f"{small}/a", "x" * 100_000)]
        outcome = sandbox.converge(items)
        assert outcome.rc == 1
        assert f"{small}/a cannot be written" in outcome.sentence
        assert tree(sandbox.files) == [
            ("small", oct(small.stat().st_mode), ""),
            ("small/a", "0o100644", "old"),
        ]
    finally:
        subprocess.run(["umount", small], check=True)


def test_an_owner_that_does_not_exist_is_told_before_anything_moves(sandbox: Sandbox) -> None:
    item = File(f"{sandbox.files}/a", "x", owner="no-such-user")
    outcome = sandbox.converge([item])
    assert "cannot be given to no-such-user:root" in outcome.sentence
    assert tree(sandbox.files) == []
