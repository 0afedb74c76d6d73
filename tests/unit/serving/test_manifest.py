"""Manifests: one text for equal files, and nothing that could leave a version's folder."""

from __future__ import annotations

import json
import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.errors import FlightlineError
from flightline.serving.manifest import (
    BYTES_MAX,
    FILES_MAX,
    Entry,
    Manifest,
    dumps,
    loads,
    manifest,
)

SHA = "0123456789abcdef" * 4
PARTS = st.text(string.ascii_letters + string.digits + "_.", min_size=1, max_size=12).filter(
    lambda part: part not in (".", "..")
)
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join).filter(lambda x: x != "manifest.json")
ENTRIES = st.builds(
    Entry,
    path=PATHS,
    bytes=st.integers(0, BYTES_MAX),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
)


def made(*paths: str) -> Manifest:
    return manifest("chat", "1", [Entry(path, 1, SHA) for path in paths])


@given(st.lists(ENTRIES, min_size=1, max_size=8), st.randoms())
def test_equal_files_give_an_equal_digest_in_any_order(entries: list[Entry], random: Any) -> None:
    try:
        first = manifest("chat", "1", entries)
    except FlightlineError as error:
        assert re.search("twice|both a file and a folder", error.message)
        return
    random.shuffle(entries)
    again = manifest("chat", "1", entries)
    assert dumps(first) == dumps(again)
    assert first.digest == again.digest
    assert loads(dumps(first), "here") == first
    assert json.loads(dumps(first))["files"][0]["path"] == first.files[0].path


@given(st.text(max_size=300))
def test_any_text_is_a_manifest_or_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(FlightlineError, match=r"^somewhere"):
        loads(text, "somewhere")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["schema", "name", "version", "files", "path", "bytes", "sha256"]),
            inner,
            max_size=7,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_a_manifest_or_refused(value: Any) -> None:
    with pytest.raises(FlightlineError):
        loads(json.dumps(value), "somewhere")


@given(st.text(max_size=40))
def test_no_path_leads_out_of_the_folder(path: str) -> None:
    try:
        made(path)
    except FlightlineError:
        return
    assert not path.startswith("/")
    assert not {"", ".", ".."} & set(path.split("/"))
    assert path.isprintable()
    assert not set(path) & set(" \\\"'%$`*?#:;|&<>")


@pytest.mark.parametrize(
    ("paths", "problem"),
    [
        ((), "has no file"),
        (("a", "a"), "names 'a' twice"),
        (("a", "a/b"), "both a file and a folder"),
        (("../a",), "rename it"),
        (("/etc/passwd",), "rename it"),
        (("a/./b",), "rename it"),
        (("a//b",), "rename it"),
        (("a b",), "rename it"),
        (("a\nb",), "rename it"),
        (("-rf",), "rename it"),
        (("ä",), "rename it"),
        (("manifest.json",), "manifest's own name"),
        (("/".join("a" * 20),), "rename it"),
        (("a" * 201,), "rename it"),
    ],
)
def test_what_no_node_takes_is_refused_by_name(paths: tuple[str, ...], problem: str) -> None:
    with pytest.raises(FlightlineError, match=re.escape(problem)):
        made(*paths)


def test_more_files_than_a_node_takes_are_refused() -> None:
    with pytest.raises(FlightlineError, match=f"at most {FILES_MAX}"):
        made(*(f"f{number}" for number in range(FILES_MAX + 1)))


@pytest.mark.parametrize("name", ["", "Chat", "a b", ".a", "a/", "a" * 65])
def test_a_name_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(FlightlineError, match="the name"):
        manifest(name, "1", [Entry("a", 1, SHA)])


@pytest.mark.parametrize("version", ["", "current", ".fetch-1", "1/2", "..", "a b"])
def test_a_version_that_is_no_folder_is_refused(version: str) -> None:
    with pytest.raises(FlightlineError, match="the version"):
        manifest("chat", version, [Entry("a", 1, SHA)])


@pytest.mark.parametrize(
    ("size", "sha"), [(-1, SHA), (BYTES_MAX + 1, SHA), (True, SHA), (1, SHA.upper()), (1, "")]
)
def test_a_size_or_digest_that_is_none_is_refused(size: int, sha: str) -> None:
    with pytest.raises(FlightlineError):
        manifest("chat", "1", [Entry("a", size, sha)])


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + "\n",
        lambda text: text.replace(": 1,", ": 1.0,"),
        lambda text: text.replace('"bytes"', '"extra": 1, "bytes"'),
        lambda text: text.replace('"schema": "flightline.model/1"', '"schema": "other"'),
    ],
)
def test_an_edited_manifest_is_refused(edit: Any) -> None:
    with pytest.raises(FlightlineError, match=r"publish|expected 0 to"):
        loads(edit(dumps(made("a", "b"))), "here")
