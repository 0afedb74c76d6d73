"""What must hold of a login: it costs little, because every command over SSH pays for it."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import WARNING, check, not_applicable, unknown
from roles.base.settings import BaseSettings

MOTD = "find /etc/update-motd.d -maxdepth 1 -type f -perm /111 2> /dev/null"
# The account that logged in, its shell, and what its start-up files cost in microseconds: the shell
# as sshd starts it (bash reads ~/.bashrc then, because of SSH_CLIENT and SHLVL) less the shell with
# no such sign. A busy node is slow now and then: the least of up to four tries counts.
LOGIN = r"""
user=${SUDO_USER:-root}; entry=$(getent passwd "$user"); shell=${entry##*:}
home=$(echo "$entry" | cut -d: -f6); group=$(id -g "$user")
took() {
    from=$(date +%%s%%N)
    setpriv --reuid="$user" --regid="$group" --init-groups \
        env -i HOME="$home" PATH="$PATH" "$@" "$shell" -c true > /dev/null 2>&1 < /dev/null
    echo $((($(date +%%s%%N) - from) / 1000))
}
cd /; least=
for try in 1 2 3 4; do
    extra=$(($(took SSH_CLIENT='127.0.0.1 1 22' SHLVL=0) - $(took SHLVL=5)))
    if [ -z "$least" ] || [ "$extra" -lt "$least" ]; then least=$extra; fi
    if [ "$least" -le %d ]; then break; fi
done
echo "$user $shell $least"
"""


@check(
    "base-login-shell",
    "the login shell starts commands at once",
    severity=WARNING,
    remedy="take what is slow out of the account's ~/.bashrc, or guard it with `case $- in *i*)`",
)
def login_shell(host: Host, base: BaseSettings) -> None:
    fields = host.run(LOGIN % (base.login_shell_max_ms * 1000)).stdout.split()
    if len(fields) != 3:
        unknown(f"the login shell could not be timed: {' '.join(fields) or 'no answer'}")
    user, shell, extra = fields[0], fields[1], int(fields[2]) / 1000
    assert extra <= base.login_shell_max_ms, (
        f"{shell} of {user} spends {extra:.0f} ms on its start-up files for every command, "
        f"expected at most {base.login_shell_max_ms} ms (BaseSettings.login_shell_max_ms); "
        "take what is slow out of them."
    )


@check(
    "base-login-motd",
    "no script runs at login to write a message of the day",
    severity=WARNING,
    remedy="run `flightline apply`",
)
def login_motd(host: Host, base: BaseSettings) -> None:
    if base.dynamic_motd:
        not_applicable("scripts at login are declared (BaseSettings.dynamic_motd is True).")
    scripts = host.run(MOTD).stdout.split()
    assert not scripts, (
        f"{', '.join(scripts)} run at every login, expected none (BaseSettings.dynamic_motd is "
        "False); run `flightline apply`."
    )
