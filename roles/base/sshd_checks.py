"""What must hold of sshd: its configuration as it reads it, and the running daemon's offer."""

from __future__ import annotations

import re

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, unknown
from roles.base.settings import BaseSettings

APPLY = "run `flightline apply`"
OVERRIDE = "an earlier file in sshd_config.d may override ours"
EFFECTIVE = "sshd -T"
# Asks the running daemon, not its files, which ways in it offers: a client that tries none is told
# them ("Permission denied (publickey)."). To the first IPv4 address that sshd listens on.
OFFER = (
    "listen=$(sshd -T 2> /dev/null | sed -n 's/^listenaddress \\([0-9.]*:[0-9]*\\)$/\\1/p' "
    '| head -n 1); address=${listen%:*}; [ "$address" != 0.0.0.0 ] || address=127.0.0.1; '
    "timeout 10 ssh -F /dev/null -o BatchMode=yes -o ConnectTimeout=8 "
    "-o KexAlgorithms=ecdh-sha2-nistp256,curve25519-sha256 "
    "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
    "-o GlobalKnownHostsFile=/dev/null -o LogLevel=ERROR -o PreferredAuthentications=none "
    '-p "${listen##*:}" flightline-audit@"$address" true 2>&1'
)


def _effective(host: Host) -> dict[str, str]:
    """sshd's configuration as it would read it now, by lower-case name; the first value counts."""
    answer = host.run(EFFECTIVE)
    if answer.rc != 0:
        unknown(f"sshd -T cannot read its configuration: {answer.stderr.strip()}")
    pairs = (line.partition(" ")[::2] for line in reversed(answer.stdout.splitlines()))
    return dict(pairs)


@check(
    "base-sshd-valid",
    "sshd would start with its configuration",
    severity=CRITICAL,
    remedy="run `sshd -t` on the node and mend the line that it names",
)
def sshd_valid(host: Host, _: BaseSettings) -> None:
    """A daemon that runs on an old, good configuration hides a bad one until the next boot."""
    answer = host.run("sshd -t")
    said = answer.stderr.strip().splitlines()
    assert answer.rc == 0, (
        f"sshd -t says {said[0] if said else 'no'}, expected a valid configuration; nobody could "
        "log in after a reboot."
    )


@check(
    "base-sshd-authentication",
    "passwords are refused or taken as declared, by the daemon that runs",
    severity=CRITICAL,
    remedy=f"{APPLY}; {OVERRIDE}",
    depends=("base-sshd-valid",),
)
def sshd_authentication(host: Host, base: BaseSettings) -> None:
    said = host.run(OFFER).stdout
    offer = re.search(r"Permission denied \(([a-z,-]+)\)", said)
    if offer is None:
        unknown(f"sshd did not say which ways in it offers: {said.strip() or 'no answer'}")
    offered = set(offer[1].split(","))
    passwords = bool(offered & {"password", "keyboard-interactive"})
    assert passwords == base.sshd.password_authentication, (
        f"the running sshd offers {offer[1]}, expected passwords "
        f"{'taken' if base.sshd.password_authentication else 'refused'} "
        f"(SshdSettings.password_authentication); {APPLY}; {OVERRIDE}."
    )
    assert "publickey" in offered, (
        f"the running sshd offers {offer[1]}, expected publickey among them; {OVERRIDE}."
    )


@check(
    "base-sshd-access",
    "sshd lets in whom it is declared to",
    severity=CRITICAL,
    remedy=f"{APPLY}; {OVERRIDE}",
    depends=("base-sshd-valid",),
)
def sshd_access(host: Host, base: BaseSettings) -> None:
    live = _effective(host)
    root = live["permitrootlogin"].replace("without-password", "prohibit-password")
    assert root == base.sshd.permit_root_login, (
        f"PermitRootLogin is {root}, expected {base.sshd.permit_root_login} "
        f"(SshdSettings.permit_root_login); {APPLY}; {OVERRIDE}."
    )
    lines = [line.split() for line in host.run(EFFECTIVE).stdout.splitlines()]
    users = sorted({name for line in lines if line[:1] == ["allowusers"] for name in line[1:]})
    assert not base.sshd.allow_users or users == sorted(base.sshd.allow_users), (
        f"AllowUsers is {' '.join(users) or 'not set'}, expected "
        f"{' '.join(base.sshd.allow_users)} (SshdSettings.allow_users); {APPLY}."
    )


@check(
    "base-sshd-limits",
    "sshd ends guessing and dead sessions as declared",
    severity=ERROR,
    remedy=f"{APPLY}; {OVERRIDE}",
    depends=("base-sshd-valid",),
)
def sshd_limits(host: Host, base: BaseSettings) -> None:
    live = _effective(host)
    for option, wanted, field in (
        ("maxauthtries", base.sshd.max_auth_tries, "max_auth_tries"),
        (
            "clientaliveinterval",
            base.sshd.client_alive_interval_seconds,
            "client_alive_interval_seconds",
        ),
        ("x11forwarding", "no", None),
    ):
        assert live.get(option) == str(wanted), (
            f"{option} is {live.get(option)}, expected {wanted}"
            f"{f' (SshdSettings.{field})' if field else ''}; {APPLY}; {OVERRIDE}."
        )
