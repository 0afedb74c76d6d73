"""An apply over real connections."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest


def apply(project: Any, *arguments: str) -> Any:
    return project.flightline("apply", "inventories/here.py", "--no-audit", *arguments)


def test_a_first_run_changes_and_a_second_does_not(project: Any) -> None:
    project.inventory(a={}, b={})
    first, second = apply(project, "--stats"), apply(project, "--stats")
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert (project.folder / "nodes/a/alpha").read_text() == "hello\n"
    assert "3 operations changed it" in first.stderr
    assert "nothing to change" in second.stderr
    assert "2 of 2 nodes are as declared" in second.stderr


def test_events_name_time_node_role_operation_status_and_change(project: Any) -> None:
    project.inventory(a={})
    apply(project)
    events = project.events()
    assert [(each["role"], each["operation"]) for each in events] == [
        ("alpha", "Alpha | Make the folder"),
        ("alpha", "Alpha | Write the text"),
        ("beta", "Beta | Make beta"),
    ]
    assert {each["status"] for each in events} == {"ok"}
    assert all(each["changed"] and each["seconds"] >= 0 and each["node"] == "a" for each in events)


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (
            "refuse",
            "bad: has too little memory. (2 operations changed it before, 1 operation not run)",
        ),
        ("bug", "ZeroDivisionError: a bug"),
        (
            "fact",
            "bad: Alpha | Meet trouble: the fact Unreadable could not be read: /x is locked by apt",
        ),
        ("full", "bad: Alpha | Meet trouble: a file system is full; look at `df -h`"),
        ("hang-up", "bad: Alpha | Meet trouble: the connection was lost"),
    ],
)
def test_one_bad_node_never_stops_the_others(project: Any, trouble: str, sentence: str) -> None:
    project.inventory(bad={"trouble": trouble}, well={})
    done = apply(project)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "1 of 2 nodes are as declared; not: bad; log: " in done.stderr.splitlines()[-1]
    assert project.exists("well/beta")
    assert not project.exists("bad/beta")
    assert not project.exists("bad/acted-on-a-default")


def test_a_mistake_met_while_preparing_one_node_is_that_nodes(project: Any) -> None:
    project.inventory(bad={"broken_at_prepare": True}, well={})
    done = apply(project)
    assert done.returncode == 1
    assert "bad: deploy.py:9: RuntimeError: a mistake for one host." in done.stderr
    assert project.exists("well/beta")
    assert [each["status"] for each in project.events() if each["node"] == "bad"] == ["refused"]


def test_plain_pyinfra_keeps_one_nodes_trouble_on_that_node_too(project: Any) -> None:
    project.inventory(bad={"trouble": "bug"}, worse={"broken_at_prepare": True}, well={})
    done = project.pyinfra("-y", "inventories/here.py", "deploy.py")
    assert done.returncode == 1
    assert "ZeroDivisionError: a bug" in done.stderr
    assert "RuntimeError: a mistake for one host" in done.stderr
    assert project.exists("well/beta")


def test_an_unreachable_node_is_named_and_the_others_go_on(project: Any) -> None:
    project.inventory(gone={"ssh_port": 1}, well={})
    done = apply(project)
    assert done.returncode == 1
    assert "gone: nothing answers at 127.0.0.1:1 (connection refused)" in done.stderr
    assert project.exists("well/beta")


def test_a_role_alone_leaves_the_other_out(project: Any) -> None:
    project.inventory(a={})
    project.folder.joinpath("nodes/a").mkdir()
    assert apply(project, "--role", "beta").returncode == 0
    assert project.exists("a/beta")
    assert not project.exists("a/alpha")


def test_an_unknown_role_is_refused_with_the_list_of_roles(project: Any) -> None:
    project.inventory(a={})
    done = apply(project, "--role", "bta")
    assert done.returncode == 2
    assert "there is no role bta; the roles are alpha, beta. Did you mean beta?" in done.stderr


def test_batches_after_one_that_failed_are_left_alone(project: Any) -> None:
    project.inventory(first={}, second={"trouble": "full"}, third={})
    done = apply(project, "--batch", "1")
    assert done.returncode == 1
    assert project.exists("first/beta")
    assert not project.exists("third/alpha")
    assert "third: left alone" in done.stderr


def test_ctrl_c_lets_what_is_in_progress_finish_and_begins_nothing_more(project: Any) -> None:
    project.inventory(a={"trouble": "slow"})
    running = project.start("flightline", "apply", "inventories/here.py", "--no-audit")
    wait_for(project, "a/begun")
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "Interrupted; finishing what is in progress: a: Alpha | Meet trouble." in errors
    assert "a: interrupted. (3 operations changed it before, 1 operation not run)" in errors
    assert "Traceback" not in errors
    assert project.exists("a/finished")
    assert not project.exists("a/beta")


def test_ctrl_c_in_plain_pyinfra_names_what_is_in_progress_and_fails(project: Any) -> None:
    project.inventory(a={"trouble": "slow"})
    running = project.start("pyinfra", "-y", "inventories/here.py", "deploy.py")
    wait_for(project, "a/begun")
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "Interrupted; in progress: a: Alpha | Meet trouble." in errors
    assert "Traceback" not in errors


def test_a_second_ctrl_c_stops_at_once(project: Any) -> None:
    project.inventory(a={"trouble": "slow"})
    running = project.start("flightline", "apply", "inventories/here.py", "--no-audit")
    wait_for(project, "a/begun")
    running.send_signal(signal.SIGINT)
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "Stopped at once; in progress were a: Alpha | Meet trouble." in errors


def wait_for(project: Any, path: str) -> None:
    for _ in range(300):
        if project.exists(path):
            return
        time.sleep(0.1)
    raise AssertionError(f"{path} did not appear")
