"""What must hold of the operators: accounts, keys, sudo."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, not_applicable
from roles.base.settings import BaseSettings, OperatorSettings

APPLY = "run `flightline apply`"
# For every operator: `name path PATH MODE OWNER` and `name key LINE`, separated by tabs.
KEYS = (
    'home=$(getent passwd "$name" | cut -d: -f6); file=$home/.ssh/authorized_keys; '
    'stat -c "$name\tpath\t%n\t%a\t%U" "$home" "$home/.ssh" "$file"; '
    'sed -n "s/^[[:space:]]*\\([^#[:space:]].*\\)/$name\tkey\t\\1/p" "$file"'
)


def _operators(base: BaseSettings) -> tuple[OperatorSettings, ...]:
    if not base.operators:
        not_applicable("no operator is declared (BaseSettings.operators is empty).")
    return base.operators


def _of_each(host: Host, operators: tuple[OperatorSettings, ...], command: str) -> list[str]:
    """Lines that a shell command prints, run once for every operator, called $name in it."""
    names = " ".join(operator.name for operator in operators)
    return list(host.run(f"for name in {names}; do {command}; done").stdout.splitlines())


@check(
    "base-operator-account",
    "every operator has an account in its groups",
    severity=ERROR,
    remedy=APPLY,
)
def operator_account(host: Host, base: BaseSettings) -> None:
    operators = _operators(base)
    lines = _of_each(host, operators, 'echo "$name: $(id -Gn "$name" 2> /dev/null)"')
    for operator, line in zip(operators, lines, strict=True):
        groups = line.split()[1:]
        assert groups, (
            f"{operator.name} has no account, expected one (BaseSettings.operators); {APPLY}."
        )
        missing = sorted(set(operator.groups) - set(groups))
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
    operators = _operators(base)
    lines = [line.split("\t") for line in _of_each(host, operators, KEYS)]
    for operator in operators:
        mine = [fields[1:] for fields in lines if fields[0] == operator.name]
        present = [" ".join(key.split()) for kind, key, *_ in mine if kind == "key"]
        missing = [
            str(number)
            for number, key in enumerate(operator.authorized_keys, start=1)
            if not any(" ".join(key.split()[:2]) in line for line in present)
        ]
        assert present and not missing, (
            f"{operator.name} lacks key {', '.join(missing) or 'of any kind'}, expected "
            f"all of OperatorSettings.authorized_keys; {APPLY}."
        )
        for path, mode, owner in (fields[1:] for fields in mine if fields[0] == "path"):
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
    operators = _operators(base)
    lines = _of_each(host, operators, 'sudo -n -l -U "$name" | sed "s/^    (/$name\t(/"')
    for operator in (each for each in operators if each.sudo):
        rules = [line.split("\t")[1] for line in lines if line.startswith(f"{operator.name}\t")]
        free = [number for number, rule in enumerate(rules) if rule.endswith("NOPASSWD: ALL")]
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
    answer = host.run("visudo -c 2>&1")
    wrong = [line for line in answer.stdout.splitlines() if not line.endswith("parsed OK")]
    assert answer.rc == 0, (
        f"visudo -c says {'; '.join(wrong) or answer.stdout.strip()}, expected every file parsed "
        "and closed to others; mend the file it names."
    )
