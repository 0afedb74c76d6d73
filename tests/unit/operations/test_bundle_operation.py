"""The bundle as pyinfra sees it: what is asked, and what a node that cannot be worked on gets."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra.context import ctx_host

from flightline.operations.bundle import Absent, Directory, File, Hook, Item, bundle
from flightline.operations.bundle.state import Found, PathState
from flightline.operations.refusal import Refusal


class Node:
    """Stands for pyinfra's host; answers each fact with what it was given."""

    name = "gpu-07"
    print_prefix = ""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.noops: list[str] = []

    def get_fact(self, _fact: object, **arguments: Any) -> object:
        self.asked.append(arguments)
        return self.answer

    def noop(self, text: str) -> None:
        self.noops.append(text)


def commands(node: Node, items: list[Item], hooks: list[Hook]) -> list[Any]:
    with ctx_host.use(node):
        return list(bundle._inner(items=items, hooks=hooks))


FILE = PathState("file", "644", ("0", "root"), ("0", "root"), sha256="0" * 64)


def test_nothing_to_do_is_one_question_and_no_command() -> None:
    node = Node(Found((PathState("absent"),), frozenset()))
    assert commands(node, [Absent("/a")], [Hook("x")]) == []
    assert len(node.asked) == 1
    assert node.noops == ["1 paths are as declared"]


def test_an_empty_bundle_asks_nothing() -> None:
    node = Node(None)
    assert commands(node, [], []) == []
    assert node.asked == []


def test_a_change_is_one_command() -> None:
    node = Node(Found((FILE, PathState("absent")), frozenset()))
    assert len(commands(node, [File("/a", "new"), Directory("/b")], [Hook("x")])) == 1


def test_an_owed_hook_is_a_change() -> None:
    hook = Hook("x")
    node = Node(Found((PathState("absent"),), frozenset({hook.key})))
    assert len(commands(node, [Absent("/a")], [hook])) == 1


@pytest.mark.parametrize(
    ("answer", "items", "hooks", "sentence"),
    [
        (None, [Absent("/a")], [], "could not be read; nothing was changed"),
        (Found((FILE,), frozenset()), [Directory("/a")], [], "/a is a file, expected a directory"),
        (Found((FILE, FILE), frozenset()), [Absent("/a")] * 2, [], "/a is 2 times in one bundle"),
        (Found((FILE,), frozenset()), [Absent("/a")], [Hook("x", ("/b",))], "waits for /b, which"),
    ],
)
def test_trouble_is_a_command_that_fails_this_node_alone(
    answer: object, items: list[Item], hooks: list[Hook], sentence: str
) -> None:
    [refusal] = commands(Node(answer), items, hooks)
    assert isinstance(refusal, Refusal)
    succeeded, output = refusal.execute(None, None, {})
    assert not succeeded
    assert sentence in output.stderr


@pytest.mark.parametrize(("owner", "group"), [("root", "root"), ("0", "0"), ("root", "0")])
def test_owners_may_be_given_by_name_or_number(owner: str, group: str) -> None:
    state = PathState("directory", "755", ("0", "root"), ("0", "root"))
    node = Node(Found((state,), frozenset()))
    assert commands(node, [Directory("/a", owner=owner, group=group)], []) == []
