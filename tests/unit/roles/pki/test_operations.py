"""What a converge asks of a node, and what it signs on the operator's computer."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.command import StringCommand
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host

from flightline.errors import NodeRefused
from flightline.operations.bundle.state import BundleState
from flightline.operations.packages import Packages
from flightline.serving import authority
from roles.pki import facts, operations, wanted
from roles.pki.facts import PkiState, parse_certificates
from roles.pki.settings import PkiSettings
from tests.pki.node import openssl


class Host:
    """Stands for pyinfra's host: answers from a list of states, the last one for ever."""

    name = "gpu-01"
    print_prefix = ""

    def __init__(self, *states: facts.Certificates | None) -> None:
        self.states = list(states)
        self.asked: list[Any] = []

    def get_fact(self, fact: Any, **_arguments: object) -> Any:
        self.asked.append(fact)
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def noop(self, _text: str) -> None:
        pass


@pytest.fixture
def settings(tmp_path: Path) -> PkiSettings:
    return PkiSettings(enabled=True, authority_folder=str(tmp_path / "authority"))


@pytest.fixture(autouse=True)
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    now = SimpleNamespace(current_stage=StateStage.Execute)
    monkeypatch.setattr(operations, "state", now)
    yield now


@pytest.fixture
def request_pem(tmp_path: Path) -> str:
    key = tmp_path / "key.pem"
    words = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    openssl(*words)
    return openssl("req", "-new", "-key", key, "-subj", "/CN=anything")


def found(
    authorities: dict[str, str] | None = None,
    requests: dict[str, str] | None = None,
    due: dict[str, str] | None = None,
    *,
    timer_runs: bool = True,
    failed: bool = False,
) -> facts.Certificates:
    return facts.Certificates(authorities or {}, requests or {}, due or {}, timer_runs, failed)


def certify(host: Host, settings: PkiSettings, address: str | None = None) -> list[StringCommand]:
    with ctx_host.use(host):
        return list(
            operations.node_certified._inner(settings=settings, node="gpu-01", address=address)
        )


def lay_down(host: Host, settings: PkiSettings, node: str = "gpu-01") -> list[StringCommand]:
    with ctx_host.use(host):
        return list(operations.pki_files._inner(settings=settings, node=node, address=None))


def signed(settings: PkiSettings, request: str, address: str | None = None) -> dict[str, str]:
    folder = Path(settings.authority_folder)
    authority.ensure(folder)
    names: dict[authority.Kind, list[str]] = {
        "gateway": ["gpu-01"],
        "node": ["gpu-01", *([address] if address else [])],
    }
    return {
        kind: authority.sign_authority(
            authority.root_of(folder, kind), request, kind, "gpu-01", names[kind]
        )
        for kind in names
    }


def test_a_disabled_role_asks_nothing() -> None:
    host = Host(None)
    assert lay_down(host, PkiSettings()) == []
    assert certify(host, PkiSettings()) == []
    assert host.asked == []


def test_a_fresh_node_is_asked_signed_and_renewed(settings: PkiSettings, request_pem: str) -> None:
    authority.ensure(Path(settings.authority_folder))
    requests = {"gateway": request_pem, "node": request_pem}
    host = Host(found(timer_runs=False), found(requests=requests, timer_runs=False))
    told = [str(each).split(" ||")[0].rpartition("/")[2] for each in certify(host, settings)]
    assert told == [
        "pki-authority request node gateway",
        "pki-authority install node",
        "pki-authority install gateway",
        "systemctl start flightline-pki-renew.service",
        "systemctl start flightline-pki-renew.timer",
    ]


def test_certificates_travel_on_standard_input(settings: PkiSettings, request_pem: str) -> None:
    authority.ensure(Path(settings.authority_folder))
    host = Host(found(), found(requests={"gateway": request_pem, "node": request_pem}))
    commands = certify(host, settings)
    assert "CERTIFICATE" not in " ".join(map(str, commands))
    assert "BEGIN CERTIFICATE" in commands[1].connector_arguments["_stdin"]


def test_a_sound_node_is_asked_once_and_left_alone(settings: PkiSettings, request_pem: str) -> None:
    host = Host(found(signed(settings, request_pem)))
    assert certify(host, settings) == []
    assert host.asked == [PkiState]


def test_changed_names_are_signed_anew(settings: PkiSettings, request_pem: str) -> None:
    host = Host(found(signed(settings, request_pem)), found(requests={"node": request_pem}))
    first, second, *_ = certify(host, settings, address="10.0.0.7")
    assert str(first).endswith("request node")
    assert str(second).endswith("install node")


def test_another_root_signs_anew(settings: PkiSettings, request_pem: str, tmp_path: Path) -> None:
    host = Host(found(signed(settings, request_pem)), found(requests={}))
    other = settings.model_copy(update={"authority_folder": str(tmp_path / "other")})
    authority.ensure(tmp_path / "other")
    host.states[1] = found(requests={"gateway": request_pem, "node": request_pem})
    assert str(certify(host, other)[0]).endswith("request node gateway")


@pytest.mark.parametrize("state", [{"due": {"node": "it is 50 hours old"}}, {"failed": True}])
def test_what_is_due_or_failed_is_renewed(
    settings: PkiSettings, request_pem: str, state: Any
) -> None:
    (command,) = certify(Host(found(signed(settings, request_pem), **state)), settings)
    assert str(command).startswith("systemctl start flightline-pki-renew.service ||")


def test_a_plan_makes_no_authority(settings: PkiSettings, stage: SimpleNamespace) -> None:
    stage.current_stage = StateStage.Prepare
    host = Host(found())
    with ctx_host.use(host):
        operation = operations.pki_files._inner(settings=settings, node="gpu-01", address=None)
        host.get_fact = lambda fact, **_: None  # type: ignore[method-assign]
        assert len(list(operation)) == 2  # packages that cannot be listed, and the files
    assert certify(Host(found()), settings)
    assert not Path(settings.authority_folder).exists()


def test_a_first_apply_makes_the_authority(settings: PkiSettings) -> None:
    lay_down(Host(None), settings)
    assert {path.name for path in Path(settings.authority_folder).iterdir()} == {
        *("root.key", "root.pem", "nodes-root.key", "nodes-root.pem", ".gitignore"),
    }


@pytest.mark.parametrize("now", [StateStage.Prepare, StateStage.Execute])
def test_an_operator_without_the_authority_makes_no_second_one(
    settings: PkiSettings, request_pem: str, tmp_path: Path, stage: SimpleNamespace, now: StateStage
) -> None:
    stage.current_stage = now
    elsewhere = settings.model_copy(update={"authority_folder": str(tmp_path / "elsewhere")})
    (refusal,) = lay_down(Host(found(signed(elsewhere, request_pem))), settings)
    assert "restore the folder from its backup" in str(refusal)
    assert not Path(settings.authority_folder).exists()


def test_a_node_keeps_the_root_that_its_peers_trust(settings: PkiSettings, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for folder in (Path(settings.authority_folder), other):
        authority.ensure(folder)
    mine, old = wanted.nodes_root(settings), authority.trusted(other, "node")
    for current in (None, "", "no certificate", mine, old + mine):
        assert wanted.kept_root(settings, mine, current) == mine
    assert wanted.kept_root(settings, mine + old, old) == mine + old
    with pytest.raises(NodeRefused, match=r"trusts other roots.*restore that folder"):
        wanted.kept_root(settings, mine, old)


def test_two_questions_are_asked_about_files(settings: PkiSettings) -> None:
    authority.ensure(Path(settings.authority_folder))
    host = Host(None)
    lay_down(host, settings)
    assert host.asked == [Packages, BundleState]


@pytest.mark.parametrize("name", ["gpu_01", "*.example.org", "10.0.0.300", "a" * 65, "Ärger"])
def test_a_node_that_cannot_have_a_certificate_is_refused(settings: PkiSettings, name: str) -> None:
    (refusal,) = lay_down(Host(None), settings, name)
    assert "the node's name in the inventory" in str(refusal)


@pytest.mark.parametrize("answer", [None, found(requests={"node": "", "gateway": ""})])
def test_a_node_without_an_answer_is_refused(settings: PkiSettings, answer: Any) -> None:
    authority.ensure(Path(settings.authority_folder))
    *_, refusal = certify(Host(answer), settings) if answer is None else _refused(settings, answer)
    assert "refuse:" in str(refusal)


def _refused(settings: PkiSettings, answer: facts.Certificates) -> list[StringCommand]:
    commands = certify(Host(answer), settings)
    return [each for each in commands if "refuse:" in str(each)]


def test_the_nodes_answer_is_taken_apart(request_pem: str) -> None:
    coded = base64.b64encode(request_pem.encode()).decode()
    state = parse_certificates(
        ["timer active", "service inactive", "authority node ", f"request node {coded}",
         "authority gateway ", "request gateway ", "due gateway it is 47 hours old", "end"]
    )  # fmt: skip
    assert state.requests == {"node": request_pem, "gateway": ""}
    assert state.due == {"gateway": "it is 47 hours old"}
    assert (state.timer_runs, state.failed) == (True, False)


def test_an_answer_that_was_cut_short_is_no_answer() -> None:
    with pytest.raises(ValueError, match="cut short"):
        parse_certificates(["timer active"])
