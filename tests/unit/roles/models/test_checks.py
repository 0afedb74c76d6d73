"""What the checks conclude where no recorded fault leads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from flightline.audit.check import REGISTRY, NotApplicable, Unknown
from roles.models import checks
from roles.models.settings import ModelsSettings
from tests.machines import machine
from tests.machines.model_store import settings

assert checks

NAMES = [name for name in REGISTRY if name.startswith("models-")]
DECLARED = settings("h100_sxm_8")
TEXT = machine("h100_sxm_8").answers[machine("h100_sxm_8").labels["models-store"]].stdout.decode()


def judge(name: str, text: str, declared: ModelsSettings = DECLARED) -> None:
    answered = SimpleNamespace(stdout=text, rc=0, stderr="")
    host: Any = SimpleNamespace(run=lambda _: answered)
    REGISTRY[name].function(host, declared)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_model_no_check_applies_and_the_setting_is_the_proof(name: str) -> None:
    with pytest.raises(NotApplicable, match=r"ModelsSettings\.models is empty"):
        judge(name, "", ModelsSettings())


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_that_is_cut_short_is_never_a_pass(name: str) -> None:
    with pytest.raises((Unknown, AssertionError)):
        judge(name, TEXT[: len(TEXT) // 2])


@pytest.mark.parametrize(
    ("name", "edit", "sentence"),
    [
        ("models-versions-present", ("version chat 2 2", "version chat 3 2"), "lacks chat 2"),
        ("models-current-declared", ("current chat 1\n", ""), "leads to nothing"),
        ("models-room-left", ("room ", "other "), "is not there"),
        ("models-services-stored", ("service chat ", "service chat AAAA"), "cannot be read"),
        ("models-leftovers-few", ("end\n", "foreign chat notes\nend\n"), "chat/notes"),
        ("models-files-untouched", ("verified chat 2", "verified chat x"), "chat 2 was never"),
        ("models-store-private", ("end\n", "loose 777 nobody root \nend\n"), "the store itself"),
        ("models-credentials-private", ("credential 600 root", "credential - -"), "is missing"),
        ("models-credentials-private", ("credential 600 root", "credential 600 bob"), "600 bob"),
        ("models-fetches-finished", ("end\n", "half chat 3 0 9\nend\n"), "no fetch is at work"),
    ],
)
def test_a_fault_of_another_kind_is_told(name: str, edit: tuple[str, str], sentence: str) -> None:
    assert edit[0] in TEXT
    with pytest.raises(AssertionError, match=sentence):
        judge(name, TEXT.replace(*edit))


def test_what_cannot_be_set_is_not_judged() -> None:
    with pytest.raises(NotApplicable, match="has no readahead that can be set"):
        judge("models-readahead-live", TEXT.replace("readahead 4096\n", ""))
    alone = DECLARED.model_copy(update={"readahead_kib": None})
    with pytest.raises(NotApplicable, match="readahead_kib is None"):
        judge("models-readahead-live", TEXT, alone)


def test_hashing_without_an_answer_for_a_version_is_no_pass() -> None:
    with pytest.raises(AssertionError, match="chat 2 is not as its manifest says"):
        judge("models-files-verified", "chat 1 is as its manifest says\n")
