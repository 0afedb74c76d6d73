"""What must hold of a login: it costs little, because every command over SSH pays for it."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import WARNING, check, not_applicable, unknown
from roles.base.settings import BaseSettings

MOTD = "find /etc/update-motd.d -maxdepth 1 -type f -perm /111 2> /dev/null"
# The account that logged in, its shell, and the best of three starts in microseconds: as sshd
# starts it (bash reads ~/.bashrc then, because of SSH_CLIENT and SHLVL), and with no such sign.
LOGIN = r"""
user=${SUDO_USER:-root}; entry=$(getent passwd "$user"); shell=${entry##*:}
home=$(echo "$entry" | cut -d: -f6); group=$(id -g "$user")
best() {
    least=
    for try in 1 2 3; do
        from=$(date +%s%N)
        setpriv --reuid="$user" --regid="$group" --init-groups \
            env -i HOME="$home" PATH="$PATH" "$@" "$shell" -c true > /dev/null 2>&1 < /dev/null
        took=$((($(date +%s%N) - from) / 1000))
        if [ -z "$least" ] || [ "$took" -lt "$least" ]; then least=$took; fi
    done
    echo "$least"
}
cd /; echo "$user $shell $(best SSH_CLIENT='127.0.0.1 1 22' SHLVL=0) $(best SHLVL=5)"
"""


@check(
    "base-login-shell",
    "the login shell starts commands at once",
    severity=WARNING,
    remedy="take what is slow out of the account's ~/.bashrc, or guard it with `case $- in *i*)`",
)
def login_shell(host: Host, base: BaseSettings) -> None:
    fields = host.run(LOGIN).stdout.split()
    if len(fields) != 4:
        unknown(f"the login shell could not be timed: {' '.join(fields) or 'no answer'}")
    user, shell, with_files, without = fields
    extra = (int(with_files) - int(without)) / 1000
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
