"""Connections for whoever needs them."""

from __future__ import annotations

from typing import Any

import pytest

from flightline.converge import session as sessions


@pytest.fixture
def here(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(project.folder)
    (project.folder / "config.py").unlink()  # it would take this process's SIGINT
    (project.folder / "group_data/all.py").write_text("place = 'rack'\n")
    return project


def test_connected_and_failed_hosts_are_told_apart(here: Any) -> None:
    here.inventory(a={}, gone={"ssh_port": 1})
    with sessions.connect("inventories/here.py") as session:
        assert [host.name for host in session.hosts] == ["a"]
        assert session.failed["gone"].startswith("gone: nothing answers at 127.0.0.1:1")
        assert session.data(session.hosts[0], "place") == "rack"
        assert session.data(session.hosts[0], "nothing") is None


def test_map_gives_each_result_or_exception_by_name(here: Any) -> None:
    here.inventory(a={}, b={})

    def judge(host: Any) -> str:
        if host.name == "b":
            raise ValueError("no")
        return str(host.name)

    with sessions.connect("inventories/here.py") as session:
        outcome = session.map(judge)
    assert outcome["a"] == "a"
    assert isinstance(outcome["b"], ValueError)


def test_hosts_are_disconnected_at_the_end_even_of_an_error(here: Any) -> None:
    here.inventory(a={})
    kept: list[Any] = []
    with pytest.raises(RuntimeError), sessions.connect("inventories/here.py") as session:
        kept += session.hosts
        raise RuntimeError
    assert not kept[0].connector.client.is_alive()


@pytest.mark.parametrize(
    ("limit", "names"),
    [("a", ["a"]), ("b,a", ["a", "b"]), (["a", "c*"], ["a", "c1"]), ("gpu", ["a", "b", "c1"])],
)
def test_a_limit_chooses_names_groups_and_patterns(here: Any, limit: Any, names: list[str]) -> None:
    here.inventory(a={}, b={}, c1={})
    chosen = sessions.opened("inventories/here.py", limit).chosen
    assert [host.name for host in chosen] == names


def test_an_inventory_is_found_from_a_folder_below_the_root(
    here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.inventory(a={})
    monkeypatch.chdir(here.folder / "inventories")
    assert len(sessions.opened("here.py").chosen) == 1
