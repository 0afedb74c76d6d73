"""What a bundle refuses, and what it never lets be seen."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flightline.errors import FlightlineError
from flightline.operations.bundle import Absent, Directory, File, Hook, Item, Link, Merge
from flightline.operations.bundle.plan import plan_of
from flightline.operations.bundle.script import command

from .conftest import ME, Sandbox


@pytest.mark.parametrize("kind", [File, Absent, Link])
def test_a_directory_in_the_way_is_refused_by_name(
    sandbox: Sandbox, kind: Callable[..., Item]
) -> None:
    path = sandbox.files / "dir"
    path.mkdir()
    item = kind(str(path)) if kind is Absent else kind(str(path), "x")
    with pytest.raises(FlightlineError, match=f"{path} is a directory, expected a file"):
        sandbox.converge([item])


def test_a_file_is_never_written_through_a_symbolic_link(sandbox: Sandbox) -> None:
    (sandbox.files / "target").write_text("precious")
    (sandbox.files / "link").symlink_to("target")
    with pytest.raises(FlightlineError, match="is a symbolic link, expected a file"):
        sandbox.converge([File(f"{sandbox.files}/link", "x")])
    assert (sandbox.files / "target").read_text() == "precious"


def test_a_merge_sees_what_is_there_and_names_the_file_when_it_cannot(sandbox: Sandbox) -> None:
    path = sandbox.files / "daemon.json"
    seen: list[str | None] = []

    def refuse(text: str | None) -> str:
        seen.append(text)
        raise FlightlineError("line 1 is not JSON; correct it.")

    for content in (None, "{"):
        if content:
            path.write_text(content)
        with pytest.raises(FlightlineError, match=f"{path}: line 1 is not JSON"):
            sandbox.converge([Merge(str(path), refuse)])
    assert seen == [None, "{"]


def test_no_content_is_on_the_command_line(sandbox: Sandbox) -> None:
    items = [File(f"{sandbox.files}/key", "sup3r-secret", mode="600", **ME)]
    hooks = [Hook("use sup3r-secret")]
    sent = command(plan_of(items, hooks, sandbox.state(items, hooks)))
    assert "sup3r-secret" not in f"{sent.get_raw_value()} {sent!r} {sent}"


@pytest.mark.parametrize("path", ["relative", "/etc/../x", "/etc//x", "/etc/", "/", "", "/a\0b"])
def test_a_path_that_is_not_absolute_and_plain_is_refused(path: str) -> None:
    with pytest.raises(FlightlineError, match="is not an absolute path"):
        File(path, "")


def test_a_mode_that_is_not_octal_is_refused() -> None:
    with pytest.raises(FlightlineError, match="mode 'rw' is not an octal mode"):
        Directory("/x", mode="rw")
