"""Merging into files that others write too."""

from __future__ import annotations

import configparser

from hypothesis import given
from hypothesis import strategies as st

from roles.base import merges

# Debian 12, chrony 4.3, /usr/share/chrony/chrony.conf, shortened.
DEBIAN_CHRONY = """\
# Welcome to the chrony configuration file.
confdir /etc/chrony/conf.d
pool 2.debian.pool.ntp.org iburst
sourcedir /run/chrony-dhcp
sourcedir /etc/chrony/sources.d
keyfile /etc/chrony/chrony.keys
makestep 1 3
"""
lines = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "127.0.0.1 localhost",
                "127.0.1.1 gpu-01",
                "10.0.0.7\tgpu-01.example.org gpu-01 # ours",
                "# gpu-01",
                "",
                merges.BEGIN,
                merges.END,
            ]
        ),
        st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20),
    ),
    max_size=8,
)
texts = st.one_of(
    st.none(),
    st.builds(lambda rows, end: "\n".join(rows) + end, lines, st.sampled_from(["", "\n"])),
)
entries = st.lists(
    st.tuples(st.sampled_from(["10.0.0.1", "fd00::1"]), st.just(("store", "store.example.org"))),
    max_size=2,
)
names = st.sampled_from([None, "gpu-01", "gpu-01.example.org", "store"])


def foreign(text: str | None) -> list[str]:
    """Lines of others: outside of every whole block, found with a scan of its own."""
    kept: list[str] = []
    inside = False
    rows = (text or "").split("\n")
    for number, row in enumerate(rows):
        if not inside and row == merges.BEGIN and merges.END in rows[number:]:
            inside = merges.BEGIN not in rows[:number]
        if not inside and row not in (merges.BEGIN, merges.END):
            kept.append(row)
        if inside and row == merges.END:
            inside = False
    return [row for row in kept if row]


def resolve(text: str, name: str) -> list[str]:
    """Addresses as the C library's file look-up has them: hosts(5)."""
    found = []
    for row in text.splitlines():
        words = row.split("#")[0].split()
        if name in words[1:]:
            found.append(words[0])
    return found


@given(texts, entries, names)
def test_merging_hosts_twice_is_merging_once(
    text: str | None, more: list[tuple[str, tuple[str, ...]]], own: str | None
) -> None:
    once = merges.hosts(text, more, own)
    assert merges.hosts(once, more, own) == once


@given(texts, entries, names)
def test_lines_of_others_stay_in_their_order(
    text: str | None, more: list[tuple[str, tuple[str, ...]]], own: str | None
) -> None:
    merged = merges.hosts(text, more, own)
    if text is not None:
        assert foreign(merged) == foreign(text)


@given(texts, entries, names)
def test_the_own_name_always_has_an_address(
    text: str | None, more: list[tuple[str, tuple[str, ...]]], own: str | None
) -> None:
    if own is not None:
        assert resolve(merges.hosts(text, more, own), own)


@given(texts)
def test_a_block_that_is_no_longer_declared_goes(text: str | None) -> None:
    assert merges.BEGIN not in merges.hosts(merges.hosts(text, [], "gpu-01"), [], None)


def test_a_name_with_a_routable_address_gets_no_loopback_one() -> None:
    text = "127.0.0.1 localhost\n10.0.0.7 gpu-01\n"
    assert merges.hosts(text, [], "gpu-01") == text
    assert resolve(merges.hosts(text, [("10.0.0.8", ("gpu-02",))], "gpu-02"), "gpu-02") == [
        "10.0.0.8"
    ]


def test_a_node_without_a_hosts_file_still_knows_localhost() -> None:
    assert resolve(merges.hosts(None, [], "gpu-01.example.org"), "localhost") == [
        "127.0.0.1",
        "::1",
    ]
    assert resolve(merges.hosts(None, [], "gpu-01.example.org"), "gpu-01") == ["127.0.1.1"]


def active_chrony(text: str) -> list[str]:
    return [row for row in text.splitlines() if row and row.lstrip()[0] not in "#!;%"]


def test_declared_servers_switch_the_distributions_off_and_none_brings_them_back() -> None:
    own = merges.chrony(DEBIAN_CHRONY, own_sources=True, folder=None)
    assert active_chrony(own) == [
        "confdir /etc/chrony/conf.d",
        "keyfile /etc/chrony/chrony.keys",
        "makestep 1 3",
    ]
    assert merges.chrony(own, own_sources=True, folder=None) == own
    assert merges.chrony(own, own_sources=False, folder=None) == DEBIAN_CHRONY


def test_a_main_file_without_confdir_gets_one_once() -> None:
    text = "pool 2.rhel.pool.ntp.org iburst\ndriftfile /var/lib/chrony/drift\n"
    once = merges.chrony(text, own_sources=False, folder="/etc/chrony.d")
    assert active_chrony(once)[-1] == "confdir /etc/chrony.d"
    assert merges.chrony(once, own_sources=False, folder="/etc/chrony.d") == once


def test_dnf_automatic_keeps_what_it_does_not_set() -> None:
    text = (
        "[commands]\n# What kind of upgrade\nupgrade_type = default\nrandom_sleep = 0\n"
        "apply_updates = no\n\n[emitters]\nemit_via = stdio\n\n[base]\ndebuglevel = 1\n"
    )
    merged = merges.dnf_automatic(text, ["nvidia-", "kernel"])
    assert merges.dnf_automatic(merged, ["nvidia-", "kernel"]) == merged
    parsed = configparser.ConfigParser()
    parsed.read_string(merged)
    assert dict(parsed["commands"]) == {
        "upgrade_type": "security",
        "random_sleep": "0",
        "apply_updates": "yes",
    }
    assert dict(parsed["base"]) == {"debuglevel": "1", "excludepkgs": "nvidia-*,kernel*"}
    assert parsed["emitters"]["emit_via"] == "stdio"
    assert "# What kind of upgrade" in merged


def test_dnf_automatic_is_made_where_it_is_missing() -> None:
    parsed = configparser.ConfigParser()
    parsed.read_string(merges.dnf_automatic(None, ["cuda-"]))
    assert parsed["base"]["excludepkgs"] == "cuda-*"
