"""The role's files on one node, and what runs when they change."""

from __future__ import annotations

from collections.abc import Sequence

from flightline.operations.bundle import Absent, Directory, File, Hook, Item
from flightline.serving import layout, token_key
from flightline.serving.upstreams import Upstream
from flightline.templates import render
from roles.gateway import audit_files, backends, keys
from roles.gateway.config import JWT_KEY, config, connections
from roles.gateway.settings import GatewaySettings, JwtSettings

UNIT = f"/etc/systemd/system/{layout.GATEWAY_UNIT}"
STATE_FOLDER = layout.GATEWAY_STATE.rpartition("/")[0]
_PACKAGES = ("haproxy", "socat")  # socat speaks to HAProxy's socket, for gateway-ctl

# Files that the staged configuration names may be staged beside it: they are read there.
_VALIDATE = """\
trial={staged}.trial; cp {staged} "$trial"
for new in {staged%/*/*}/*/keys.map {staged%/*/*}/*/jwt.pem; do
    if [ -f "$new" ]; then sed -i "s|/etc/flightline/gateway/${new##*/}|$new|g" "$trial"; fi
done
haproxy -c -q -f "$trial"; said=$?; rm -f "$trial"; exit "$said"
""".replace("{staged%/*/*}", '"${staged%/*/*}"')

_UNITS = "systemctl daemon-reload"
_RUNS = f"systemctl -q is-active {layout.GATEWAY_UNIT}"
_RELOAD = f"if {_RUNS} && [ -x {layout.GATEWAY_CTL} ]; then {layout.GATEWAY_CTL} reload; fi"
_RESTART = f"if {_RUNS}; then systemctl restart {layout.GATEWAY_UNIT}; fi"


def packages(settings: GatewaySettings) -> tuple[str, ...]:
    """Return the packages of the gateway; the same names on every distribution."""
    public = (*keys.PACKAGES, *audit_files.packages(settings.audit_log)) if settings.public else ()
    return tuple(dict.fromkeys((*_PACKAGES, *public)))


def items(
    settings: GatewaySettings, node: str, address: str | None, upstreams: Sequence[Upstream]
) -> tuple[Item, ...]:
    """Return every path of the role; raises FlightlineError for what cannot work.

    Keys and audit log belong to where clients enter.
    """
    public = (*keys.items(settings), *audit_files.items(settings.audit_log))
    return (*_own(settings, node, address, upstreams), *(public if settings.public else ()))


def _own(
    settings: GatewaySettings, node: str, address: str | None, upstreams: Sequence[Upstream]
) -> tuple[Item, ...]:
    doors = backends.doors(upstreams, node, address)
    # a connection takes two files, its own and the engine's; HAProxy's own are far below the rest
    files = max(65_536, 2 * connections(settings, doors) + 4096)
    return (
        Directory(layout.GATEWAY, mode="700"),
        Directory(STATE_FOLDER, mode="700"),
        _program(layout.GATEWAY_CTL),
        _program(layout.GATEWAY_CERTIFICATES_LOAD),
        _jwt_key(settings.jwt),
        File(
            layout.GATEWAY_CONFIG,
            config(settings, node, address, upstreams),
            mode="600",
            validate=_VALIDATE,
        ),
        File(UNIT, render(f"gateway{UNIT}.j2", layout=layout, settings=settings, files=files)),
    )


def hooks(settings: GatewaySettings) -> tuple[Hook, ...]:
    """Return what runs after the moves, in this order; each command once."""
    public = settings.public
    return _once(
        Hook(_UNITS, (UNIT,)),
        *(audit_files.hooks() if public else ()),
        *((Hook(_RESTART, (UNIT,)),) if settings.restart_allowed else ()),
        Hook(_RELOAD, (layout.GATEWAY_CONFIG, JWT_KEY)),
        *(keys.hooks() if public else ()),
    )


def _once(*hooks: Hook) -> tuple[Hook, ...]:
    paths: dict[str, tuple[str, ...]] = {}
    for hook in hooks:
        paths[hook.command] = (*paths.get(hook.command, ()), *hook.paths)
    return tuple(Hook(command, waited) for command, waited in paths.items())


def _program(path: str) -> File:
    return File(path, render(f"gateway{path}.j2", layout=layout), "755", validate="sh -n {staged}")


def _jwt_key(jwt: JwtSettings | None) -> Item:
    if jwt is None:
        return Absent(JWT_KEY)
    return File(JWT_KEY, token_key.public_key(jwt.key_file, jwt.algorithm))
