"""What must hold of the operators: accounts, keys, sudo."""

from __future__ import annotations

import shlex

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, not_applicable
from roles.base.settings import BaseSettings, OperatorSettings

APPLY = "run `flightline apply`"
SUDOERS = "visudo -c"


def _operators(base: BaseSettings) -> tuple[OperatorSettings, ...]:
    if not base.operators:
        not_applicable("no operator is declared (BaseSettings.operators is empty).")
    return base.operators


@check(
    "base-operator-account",
    "every operator has an account in its groups",
    severity=ERROR,
    remedy=APPLY,
)
def operator_account(host: Host, base: BaseSettings) -> None:
    for operator in _operators(base):
        answer = host.run(f"id -Gn {operator.name}")
        assert answer.rc == 0, (
            f"{operator.name} has no account, expected one (BaseSettings.operators); {APPLY}."
        )
        missing = sorted(set(operator.groups) - set(answer.stdout.split()))
        assert not missing, (
            f"{operator.name} is not in {', '.join(missing)}, expected "
            f"{', '.join(operator.groups)} (OperatorSettings.groups); {APPLY}."
        )


@check(
    "base-operator-keys",
    "every operator's keys are in place, in files that sshd accepts",
    severity=CRITICAL,
    remedy=APPLY,
    depends=("base-operator-account",),
)
def operator_keys(host: Host, base: BaseSettings) -> None:
    """sshd ignores a key file that others may write to, or that is another account's."""
    for operator in _operators(base):
        home = f"$(getent passwd {operator.name} | cut -d: -f6)"
        paths = f'"{home}" "{home}/.ssh" "{home}/.ssh/authorized_keys"'
        states = host.run(f"stat -c '%a %U %n' {paths}").stdout.splitlines()
        lines = host.run(f'cat "{home}/.ssh/authorized_keys"').stdout.splitlines()
        present = [" ".join(line.split()) for line in lines if not line.lstrip().startswith("#")]
        missing = [
            number
            for number, key in enumerate(operator.authorized_keys, start=1)
            if not any(" ".join(key.split()[:2]) in line for line in present)
        ]
        assert any(present) and not missing, (
            f"{operator.name} lacks key {', '.join(map(str, missing)) or 'of any kind'}, expected "
            f"all of OperatorSettings.authorized_keys; {APPLY}."
        )
        for mode, owner, path in (state.split(" ", 2) for state in states):
            assert owner == operator.name and not int(mode, 8) & 0o022, (
                f"{path} is {owner}'s with mode {mode}, expected {operator.name}'s and closed to "
                f"writing by others, else sshd ignores the keys; {APPLY}."
            )


@check(
    "base-operator-sudo",
    "every operator may become root, without a password, where that is declared",
    severity=CRITICAL,
    remedy=f"{APPLY}; a later file in sudoers.d may override ours",
    depends=("base-operator-account", "base-sudoers-valid"),
)
def operator_sudo(host: Host, base: BaseSettings) -> None:
    """Asked of sudo itself: the last rule that matches decides, whichever file it is in."""
    for operator in _operators(base):
        listed = host.run(f"sudo -n -l -U {shlex.quote(operator.name)}").stdout
        rules = [line.strip() for line in listed.splitlines() if line.startswith("    (")]
        free = [number for number, rule in enumerate(rules) if rule.endswith("NOPASSWD: ALL")]
        if not operator.sudo:
            continue
        assert free, (
            f"{operator.name} may run {'; '.join(rules) or 'nothing'} through sudo, expected "
            f"NOPASSWD: ALL (OperatorSettings.sudo); {APPLY}."
        )
        later = [rule for rule in rules[free[-1] + 1 :] if "NOPASSWD:" not in rule]
        assert not later, (
            f"sudo has a later rule for {operator.name}, `{later[0]}`, expected NOPASSWD: ALL to "
            "come last (OperatorSettings.sudo); remove that rule from /etc/sudoers.d."
        )


@check(
    "base-sudoers-valid",
    "sudo accepts all of its files",
    severity=CRITICAL,
    remedy="run `visudo -c` on the node and mend the file that it names",
)
def sudoers_valid(host: Host, _: BaseSettings) -> None:
    answer = host.run(f"{SUDOERS} 2>&1")
    wrong = [line for line in answer.stdout.splitlines() if not line.endswith("parsed OK")]
    assert answer.rc == 0, (
        f"visudo -c says {'; '.join(wrong) or answer.stdout.strip()}, expected every file parsed "
        "and closed to others; mend the file it names."
    )
