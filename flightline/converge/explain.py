"""What a failed command on a node meant, and what to do: a table from stderr to sentences.

The texts are those of Debian 12 (apt 2.6, dpkg 1.21, sudo 1.9, OpenSSH 9.2), GNU coreutils 9.1,
dnf 4.14 and the Linux kernel's error names, in the C locale. Pure.
"""

from __future__ import annotations

import re

_TABLE = (
    (
        r"sudo(?:-rs)?: (?:a password is required|interactive authentication is required"
        r"|a terminal is required.*|no password was provided.*)",
        "sudo asks for a password; allow `NOPASSWD: ALL` for the account in /etc/sudoers.d, or set "
        "_sudo_password in the inventory",
    ),
    (
        r"sudo: \d+ incorrect password attempts?|Sorry, try again",
        "sudo refused the password; correct _sudo_password in the inventory",
    ),
    (
        r"(?:is not in the sudoers file|is not allowed to (?:run sudo|execute))",
        "the account may not use sudo; add it to /etc/sudoers.d, or set another ssh_user",
    ),
    (
        r"sudo: (?:command )?not found|exec: sudo:",
        "sudo is not installed; install it on the node, or connect as root",
    ),
    (
        r"No space left on device|You don't have enough free space|Disk quota exceeded"
        r"|needs \d+\S* (?:more space|on the / filesystem)",
        "a file system is full; look at `df -h` and `df -i` on the node and make room",
    ),
    (
        r"Read-only file system",
        "a file system is mounted read-only, often after a disk error; look at `journalctl -k`, "
        "check the file system, then `mount -o remount,rw` it",
    ),
    (
        r"[Cc]ould not get lock (?P<what>\S+?)\.? .*held by process (?P<pid>\d+)"
        r"(?: \((?P<who>[^)]*)\))?",
        "{what} is locked by {who} (process {pid}); wait until it has ended, or stop it",
    ),
    (
        r"Could not get lock (?P<what>\S+)|Unable to (?:acquire|lock) the (?P<dpkg>dpkg frontend)"
        r"|Waiting for process with pid",
        "another program holds the package manager's lock; wait until it has ended "
        "(`fuser -v /var/lib/dpkg/lock-frontend` names it)",
    ),
    (
        r"dpkg was interrupted|Unmet dependencies.*--fix-broken|Try 'apt --fix-broken install'",
        "dpkg was interrupted earlier; run `dpkg --configure -a`, then `apt-get -f install`, on it",
    ),
    (
        r"Temporary failure resolving '(?P<mirror>[^']+)'|Could not resolve (?:host: )?"
        r"'?(?P<host>[\w.-]+)",
        "the name {mirror}{host} does not resolve; check the node's default route and DNS, or "
        "point it to a mirror that it reaches",
    ),
    (
        r"(?:Could not connect to|Cannot initiate the connection to) (?P<mirror>[\w.:-]+)"
        r"|Failed to connect to (?P<host>[\w.-]+)"
        r"|Network is unreachable|Unable to connect to (?P<other>[\w.:-]+)",
        "the mirror {mirror}{host}{other} cannot be reached; check the node's default route "
        "(`ip route`), proxy and firewall",
    ),
    (
        r"Failed to fetch (?P<url>\S+)\s+(?P<why>.+)",
        "{url} could not be fetched ({why}); check the mirror, then run again",
    ),
    (
        r"(?:E: )?Unable to locate package (?P<package>\S+)|No match for argument: (?P<rpm>\S+)",
        "the package {package}{rpm} is in no repository of this node; check its name and the "
        "node's package sources",
    ),
    (
        r"Cannot allocate memory|Out of memory",
        "the node ran out of memory; look at `free -m` and at the hugepages that are reserved",
    ),
    (
        r"the connection (?:was lost|is closed)|SSH session not active|Socket is closed",
        "the connection was lost; check that the node is up, then run again: what was begun is "
        "resumed",
    ),
)


def explain(stderr: str, stdout: str = "") -> str:
    """Return one sentence without its end: what went wrong and the remedy; "" for no text.

    Standard output counts too: apt names there who holds its lock. A text that is not known is
    given by its last line that says something.
    """
    text = f"{stderr}\n{stdout}"
    for pattern, sentence in _TABLE:
        if found := re.search(pattern, text):
            named = {key: value or "" for key, value in found.groupdict().items()}
            return " ".join(sentence.format_map(_Blank(named)).split())
    return _last_line(stderr) or _last_line(stdout)


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""


def _last_line(text: str) -> str:
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"(?i)(e:|error|fatal|.*: error)", line)] or lines
    return telling[-1].rstrip(".") if telling else ""
