"""What must hold of a node's clock, asked of the running chronyd."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, unknown
from roles.base.settings import BaseSettings

DAEMON = "systemctl show chrony.service chronyd.service -p Id,LoadState,ActiveState,UnitFileState"
OTHERS = ("systemd-timesyncd", "ntp", "ntpd", "ntpsec", "openntpd")


@check(
    "base-time-daemon",
    "chronyd runs, and starts at boot",
    severity=CRITICAL,
    remedy="run `flightline apply`",
)
def time_daemon(host: Host, _: BaseSettings) -> None:
    blocks = host.run(DAEMON).stdout.strip().split("\n\n")
    units = [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]
    there = [unit for unit in units if unit.get("LoadState") == "loaded"]
    assert there, "chronyd is not installed, expected it to keep the time; run `flightline apply`."
    state, boot = there[0]["ActiveState"], there[0]["UnitFileState"]
    assert (state, boot) == ("active", "enabled"), (
        f"{there[0]['Id']} is {state} and {boot}, expected active and enabled; "
        "run `flightline apply`."
    )


@check(
    "base-time-exclusive",
    "nothing else sets the clock",
    severity=ERROR,
    remedy="stop and remove the other daemon",
)
def time_exclusive(host: Host, _: BaseSettings) -> None:
    """Two daemons pull the clock to and fro, each measuring the other's corrections."""
    states = host.run("systemctl is-active " + " ".join(OTHERS)).stdout.split()
    running = [name for name, state in zip(OTHERS, states, strict=False) if state == "active"]
    assert len(states) == len(OTHERS) and not running, (
        f"{', '.join(running) or 'an unknown daemon'} runs beside chronyd, expected chronyd alone; "
        "stop and remove it."
    )


@check(
    "base-time-sources",
    "chronyd uses exactly the declared time servers",
    severity=ERROR,
    remedy="run `flightline apply`, then `systemctl restart chrony`",
    depends=("base-time-daemon",),
)
def time_sources(host: Host, base: BaseSettings) -> None:
    answer = host.run("chronyc -N -c sources -a")
    if answer.rc != 0:
        unknown(f"chronyc cannot ask chronyd for its sources: {answer.stdout.strip()}")
    live = sorted({line.split(",")[2] for line in answer.stdout.splitlines() if line})
    if base.ntp_servers is None:
        assert live, (
            "chronyd has no time source, expected those of the distribution "
            "(BaseSettings.ntp_servers is None); run `flightline apply`."
        )
        return
    assert live == sorted(set(base.ntp_servers)), (
        f"chronyd uses {', '.join(live) or 'no server'}, expected "
        f"{', '.join(base.ntp_servers) or 'none'} (BaseSettings.ntp_servers); "
        "run `flightline apply`, then restart chronyd."
    )


@check(
    "base-time-synchronised",
    "the clock follows its declared reference within the declared bound",
    severity=ERROR,
    remedy="see `chronyc sources`: is UDP port 123 open to the servers?",
    depends=("base-time-daemon", "base-time-sources"),
)
def time_synchronised(host: Host, base: BaseSettings) -> None:
    """The bound is chrony's own: offset, root dispersion and half the root delay together
    (chronyc(1), "tracking"). A node declared to have no server follows its own clock, 127.127.1.1.
    """
    answer = host.run("chronyc -n -c tracking")
    fields = answer.stdout.strip().split(",")
    if answer.rc != 0 or len(fields) < 14:
        unknown(f"chronyc cannot ask chronyd for its state: {answer.stdout.strip()}")
    reference, leap = fields[0], fields[13]
    assert reference != "00000000" and leap == "Normal", (
        f"the clock is not synchronised (leap status {leap!r}), expected a reference "
        "(BaseSettings.ntp_servers); is UDP port 123 open to the servers?"
    )
    bound = 1000 * (abs(float(fields[4])) + float(fields[11]) + float(fields[10]) / 2)
    most = base.max_time_offset_milliseconds
    assert bound <= most, (
        f"the clock may be off by {bound:.1f} ms, expected at most {most:g} ms "
        "(BaseSettings.max_time_offset_milliseconds); see `chronyc sources -v`."
    )
