"""What makes a converge work on the store, and what it would remove."""

from __future__ import annotations

import re

import pytest

from flightline.serving.store import parse_store
from roles.models.settings import ModelsSettings
from roles.models.wanted import leftovers, needs, surplus
from tests.machines import machine
from tests.machines.model_store import settings

DECLARED = settings("h100_sxm_8")
TEXT = machine("h100_sxm_8").answers[machine("h100_sxm_8").labels["models-store"]].stdout.decode()


def needed(*edits: tuple[str, str], declared: ModelsSettings = DECLARED) -> tuple[str, ...]:
    text = TEXT
    for before, after in edits:
        text = re.sub(before, after, text, flags=re.MULTILINE)
    return needs(declared, parse_store(text))


def test_a_sound_store_needs_nothing() -> None:
    assert needed() == ()


def test_an_earlier_boot_alone_needs_nothing() -> None:
    assert needed((" this no$", " earlier no")) == ()


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("^(version|content|verified) chat 2.*\n", "", "chat 2 is not there"),
        ("^verified chat 2.*\n", "", "chat 2 is not as it was verified"),
        ("(chat 2 2026.*) no$", r"\1 yes", "chat 2 is not as it was verified"),
        ("^version chat 2 2", "version chat 2 3", "chat 2 is not as it was verified"),
        ("^end", "wrong chat 2 missing a\nend", "chat 2 is not as it was verified"),
        ("^current.*\n", "", "chat has no current version"),
        ("^current chat 1", "current chat 77", "chat has no current version"),
        ("^end", "half chat 2 4096 3\nend", "chat 2 is fetched in part"),
    ],
)
def test_a_difference_is_a_reason(before: str, after: str, reason: str) -> None:
    assert needed((before, after)) == (reason,)


def test_a_current_that_leads_to_a_version_is_good_whichever() -> None:
    assert needed(("^current chat 1", "current chat 0")) == ()


def test_beyond_the_policy_a_version_is_removed_unless_it_is_in_use() -> None:
    none_kept = DECLARED.model_copy(update={"keep_versions": 0})
    assert needed(declared=none_kept) == ("chat 0 is no longer kept",)
    assert needed(("^current chat 1", "current chat 0"), declared=none_kept) == ()
    all_kept = DECLARED.model_copy(update={"keep_versions": None})
    assert needed(declared=all_kept) == ()


def test_of_leftovers_the_last_verified_stays_and_a_strangers_is_none() -> None:
    more = (
        "version chat 00 4\nverified chat 00 2026-11-02T00:00:00Z 4 earlier no\n"
        "version chat mine 5\nend"
    )
    found = parse_store(TEXT.replace("end", more))
    assert [each.version for each in leftovers(DECLARED, found)] == ["00", "0"]
    assert [each.version for each in surplus(DECLARED, found)] == ["0"]


def test_an_answer_that_is_cut_short_is_no_answer() -> None:
    with pytest.raises(ValueError, match="cut short"):
        parse_store(TEXT.replace("end\n", ""))
    with pytest.raises(ValueError, match="cut short"):
        parse_store("version chat\nend\n")
