"""What must hold of the renewal: that it happens, with new keys, and will happen again."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check
from flightline.serving.authority import Kind
from roles.pki.evidence import KINDS, Report, report
from roles.pki.settings import PkiSettings

RENEW = "`systemctl start flightline-pki-renew`, which says why it cannot"
LATE_HOURS = 2
"""The timer fires each hour, up to ten minutes late, and a renewal takes its time."""
BACKDATED_HOURS = 1


@check(
    "pki-renewal-recent",
    "certificates and keys are no older than declared: renewal really happened",
    severity=ERROR,
    remedy=RENEW,
    depends=("pki-certificates-valid", "pki-timer-active", "pki-renewal-succeeded"),
)
def renewal_recent(host: Host, settings: PkiSettings) -> None:
    found = report(host, settings)
    for kind in _ours(settings):
        each = found.certificate(kind)
        assert each is not None, f"{kind}.pem is missing"
        internal = kind == "node" or settings.source == "internal"
        hours = (found.now - each.starts) / 3600 - (BACKDATED_HOURS if internal else 0)
        most = settings.renew_hours + LATE_HOURS
        assert hours <= most, (
            f"{kind}.pem is {hours:.1f} hours old, expected at most {settings.renew_hours} "
            "(PkiSettings.renew_hours)"
        )


@check(
    "pki-keys-fresh",
    "the last renewal made a new private key",
    severity=CRITICAL,
    remedy="`/usr/local/lib/flightline/pki-renew --now`, then see who replaced the file",
    depends=("pki-certificates-valid",),
)
def keys_fresh(host: Host, settings: PkiSettings) -> None:
    found = report(host, settings)
    for kind in _ours(settings):
        keys = _keys(found, kind)
        assert keys, f"no renewal of {kind}.pem is on record in /var/lib/flightline/pki"
        assert keys[-1] == found.of(f"{kind}.public"), (
            f"the key of {kind}.pem is not the one that the last renewal made"
        )
        assert len(set(keys)) == len(keys), (
            f"a key of {kind}.pem was used again by a renewal, expected a new one each time"
        )


@check(
    "pki-timer-active",
    "the timer that renews runs now and after the next boot",
    severity=ERROR,
    remedy="run `flightline apply --role pki`",
)
def timer_active(host: Host, settings: PkiSettings) -> None:
    found = report(host, settings)
    active, enabled = found.of("timer.ActiveState"), found.of("timer.UnitFileState")
    assert (active, enabled) == ("active", "enabled"), (
        f"flightline-pki-renew.timer is {active or 'unknown'} and {enabled or 'not installed'}, "
        "expected active and enabled"
    )


@check(
    "pki-renewal-succeeded",
    "the last renewal did not fail",
    severity=ERROR,
    remedy="`journalctl -u flightline-pki-renew`, mend what it says, then "
    "`systemctl start flightline-pki-renew`",
)
def renewal_succeeded(host: Host, settings: PkiSettings) -> None:
    found = report(host, settings)
    result, status = found.of("service.Result"), found.of("service.ExecMainStatus")
    assert (result, status) == ("success", "0"), (
        f"flightline-pki-renew.service ended with {result or 'nothing'} and exit status "
        f"{status or 'unknown'}, expected success"
    )


def _ours(settings: PkiSettings) -> tuple[Kind, ...]:
    """The certificates that the node renews by itself."""
    return KINDS if settings.source != "files" else ("node",)


def _keys(found: Report, kind: Kind) -> tuple[str, ...]:
    lines = (line.split() for line in found.all(f"{kind}.made"))
    return tuple(words[1] for words in lines if len(words) == 3)
