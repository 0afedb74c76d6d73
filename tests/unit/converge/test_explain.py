"""What nodes said, and what a person is told. The texts on the left are the programs' own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.converge.explain import explain

SAID = [
    ("sudo: a password is required", "sudo asks for a password; allow `NOPASSWD: ALL`"),
    ("sudo-rs: interactive authentication is required", "sudo asks for a password"),
    (
        "sudo: a terminal is required to read the password; either use the -S option to read "
        "from standard input or configure an askpass helper\nsudo: a password is required",
        "sudo asks for a password",
    ),
    ("Sorry, try again.\nsudo: 3 incorrect password attempts", "sudo refused the password"),
    (
        "flightline is not in the sudoers file.  This incident will be reported.",
        "the account may not use sudo",
    ),
    ("sh: 1: exec: sudo: not found", "sudo is not installed"),
    ("bash: line 1: sudo: command not found", "sudo is not installed"),
    ("tee: /etc/x: No space left on device", "a file system is full; look at `df -h`"),
    ("E: You don't have enough free space in /var/cache/apt/archives/.", "a file system is full"),
    (
        "Error: Transaction test error:\n"
        "  installing package x needs 120MB more space on the / filesystem",
        "a file system is full",
    ),
    ("mv: cannot move 'a' to 'b': Read-only file system", "mounted read-only"),
    (
        "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1834 "
        "(unattended-upgr)\nE: Unable to acquire the dpkg frontend lock "
        "(/var/lib/dpkg/lock-frontend), is another process using it?",
        "/var/lib/dpkg/lock-frontend is locked by unattended-upgr (process 1834); wait",
    ),
    (
        "E: Could not get lock /var/lib/apt/lists/lock - open (11: Resource temporarily "
        "unavailable)",
        "another program holds the package manager's lock",
    ),
    (
        "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the "
        "problem. ",
        "run `dpkg --configure -a`",
    ),
    (
        "E: Unmet dependencies. Try 'apt --fix-broken install' with no packages (or specify a "
        "solution).",
        "run `dpkg --configure -a`, then `apt-get -f install`",
    ),
    (
        "Err:1 http://deb.example.org/debian bookworm InRelease\n"
        "  Temporary failure resolving 'deb.example.org'\n"
        "E: Failed to fetch http://deb.example.org/x.deb  Temporary failure resolving "
        "'deb.example.org'",
        "the name deb.example.org does not resolve; check the node's default route and DNS",
    ),
    (
        "E: Failed to fetch http://10.0.0.9/x.deb  Could not connect to 10.0.0.9:80 (10.0.0.9). - "
        "connect (113: No route to host)",
        "the mirror 10.0.0.9:80 cannot be reached; check the node's default route",
    ),
    (
        "W: Failed to fetch http://mirror/dists/x  Cannot initiate the connection to mirror:80 "
        "(192.0.2.80). - connect (101: Network is unreachable)",
        "the mirror mirror:80 cannot be reached; check the node's default route",
    ),
    (
        "E: Failed to fetch http://mirror/x.deb  404  Not Found [IP: 10.0.0.9 80]",
        "http://mirror/x.deb could not be fetched (404 Not Found [IP: 10.0.0.9 80])",
    ),
    ("E: Unable to locate package dcoker", "the package dcoker is in no repository"),
    ("Error: Unable to find a match: x\nNo match for argument: x", "the package x is in no"),
    ("fallocate: Cannot allocate memory", "the node ran out of memory"),
    ("the connection was lost while a command ran", "the connection was lost"),
]


@pytest.mark.parametrize(("stderr", "start"), SAID)
def test_what_is_known_gets_its_remedy(stderr: str, start: str) -> None:
    told = explain(stderr)
    assert start in told
    assert "\n" not in told
    assert "{" not in told


def test_what_is_not_known_is_told_by_its_telling_line() -> None:
    assert explain("doing a\nE: it broke\ndone with b\n") == "E: it broke"
    assert explain("doing a\nit broke.\n\n") == "it broke"
    assert explain("") == ""


def test_who_holds_the_lock_is_read_from_standard_output() -> None:
    """apt 2.6 with DPkg::Lock::Timeout, Debian 12."""
    told = explain(
        "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another "
        "process using it?",
        "Waiting for cache lock: Could not get lock /var/lib/dpkg/lock-frontend. It is held by "
        "process 975 (perl)...",
    )
    assert told.startswith("/var/lib/dpkg/lock-frontend is locked by perl (process 975); wait")


@given(st.text())
def test_any_text_gives_one_line(text: str) -> None:
    assert len(explain(text).splitlines()) <= 1
