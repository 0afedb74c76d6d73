"""Whatever a path or a content is made of, it lands as it is."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyinfra.api.exceptions import FactProcessError

from flightline.operations.bundle import Absent, File, Hook, Item, Link, Merge
from flightline.operations.bundle.state import BundleState

from .conftest import ME, Sandbox

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
NAMES = (
    st.text(CHARACTERS, min_size=1, max_size=20)
    .map(lambda text: text.replace("/", "\n"))
    .filter(lambda text: text not in (".", ".."))
)
CONTENTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@settings(max_examples=20, deadline=None)
@given(name=NAMES, folder=NAMES, content=CONTENTS, target=NAMES)
def test_any_name_and_content_lands_as_it_is_and_stays(
    name: str, folder: str, content: str, target: str
) -> None:
    root = Path(tempfile.mkdtemp())
    try:
        (root / "node").mkdir()
        sandbox = Sandbox(root / "node", root / "home", ["sh"])
        path, link = f"{root}/node/{folder}/{name}", f"{root}/node/{folder}/{name}-"
        items: list[Item] = [
            File(path, content, validate="test -f {staged}", **ME),
            Link(link, target),
            Merge(f"{link}-", lambda text: content if text is None else text, **ME),
        ]
        hooks = [Hook("true", (path,))]
        assert sandbox.converge(items, hooks).rc == 0
        assert Path(path).read_bytes() == content.encode()
        assert str(Path(link).readlink()) == target
        assert Path(f"{link}-").read_bytes() == content.encode()
        assert not sandbox.converge(items, hooks).changed
        assert sandbox.converge([Absent(path), Absent(link)]).rc == 0
        assert not Path(path).exists()
        assert not Path(link).is_symlink()
        assert sandbox.leftovers() == []
    finally:
        shutil.rmtree(root)


def test_a_link_may_point_to_what_looks_like_an_option(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    sandbox = Sandbox(tmp_path / "node", tmp_path / "home", ["sh"])
    assert sandbox.converge([Link(f"{tmp_path}/node/link", "-0")]).rc == 0
    assert str((tmp_path / "node" / "link").readlink()) == "-0"


def test_hundreds_of_paths_are_read_at_once(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    sandbox = Sandbox(tmp_path / "node", tmp_path / "home", ["sh"])
    items = [File(f"{tmp_path}/node/some/folder/file-{n}", f"{n}", **ME) for n in range(400)]
    assert sandbox.converge(items).rc == 0
    assert not sandbox.converge(items).changed


@pytest.mark.parametrize(
    "output",
    [
        [],
        ["kind 0 file"],
        ["kind 0 file", "end"],
        ["kind 0 file", "stat 644 0 root 0 root", "end"],
        ["kind 0 absent", "stat 644 0 root 0 root", "end"],
    ],
)
def test_a_state_that_does_not_add_up_is_never_believed(output: list[str]) -> None:
    with pytest.raises(FactProcessError, match="the state of the files cannot be read"):
        BundleState().process(output)
