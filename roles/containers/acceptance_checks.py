"""The proof that a running container keeps its GPUs when systemd reloads."""

from __future__ import annotations

import shlex

from testinfra.host import Host

from flightline.audit.check import ACCEPTANCE, CRITICAL, check, not_applicable, unknown
from flightline.gpu.evidence import gpus_on_bus
from roles.containers.settings import ContainersSettings

BUSY = 75
"""Exit status when other containers run: the reload that this makes might be what harms them."""

NO_IMAGE = 127
"""Exit status when the image is not on the node."""

_SECONDS = 120
"""How long the container lives if nobody ends it, s; the proof takes about 5."""

# A first use of the GPUs may take 30 s a node without persistence; 60 s is hung.
_PROOF = f"""\
running=$(docker ps -q) || exit
if [ -n "$running" ]; then docker ps --format '{{{{.Names}}}}' >&2; exit {BUSY}; fi
docker image inspect "$image" >/dev/null || exit {NO_IMAGE}
container=$(docker run -d --rm --pull never --network none --runtime nvidia \
-e NVIDIA_VISIBLE_DEVICES=all -e NVIDIA_DRIVER_CAPABILITIES=utility \
--entrypoint sleep "$image" {_SECONDS}) || exit
trap 'docker rm -f "$container" >/dev/null' EXIT
see() {{ timeout 60 docker exec "$container" nvidia-smi -L 2>&1 | sed "s/^/$1 /"; }}
see before
systemctl daemon-reload || exit
see after
echo end"""


def proof(image: str) -> str:
    """Return the command: a container lists its GPUs before and after systemd reloads."""
    return f"image={shlex.quote(image)}\n{_PROOF}"


@check(
    "containers-nvidia-survives",
    "a running container keeps its GPUs when systemd reloads",
    severity=CRITICAL,
    phase=ACCEPTANCE,
    remedy="see containers-nvidia-reload, containers-nvidia-charlinks; docs/runbooks/containers.md",
)
def survives_reload(host: Host, settings: ContainersSettings) -> None:
    """The failure that turns a node's engines to "Failed to initialize NVML: Unknown Error"."""
    if settings.nvidia_toolkit == "off":
        not_applicable('ContainersSettings.nvidia_toolkit is "off".')
    on_bus = gpus_on_bus(host)
    if settings.nvidia_proof_image is None:
        unknown("no image to try it in is declared (ContainersSettings.nvidia_proof_image).")
    done = host.run(proof(settings.nvidia_proof_image))
    said = (done.stderr.strip().splitlines() or ["no message"])[-1]
    if done.rc == BUSY:
        unknown(f"containers run ({said}), and the reload might take their GPUs; stop them first.")
    if done.rc == NO_IMAGE:
        unknown(f"{settings.nvidia_proof_image} is not on the node; pull it first.")
    lines = done.stdout.splitlines()
    before, after = (_seen(lines, moment) for moment in ("before", "after"))
    why = _first(lines, "before", said)
    assert before, f"a container could not list GPUs: {why}."
    if done.rc or "end" not in lines:
        unknown(f"the proof ended with exit status {done.rc} ({said}).")
    assert after == before, (
        f"after a reload of systemd a container sees {after} GPUs, expected {before} as before: "
        f"{_first(lines, 'after')}."
    )
    assert before >= len(on_bus), f"a container sees {before} GPUs, expected {len(on_bus)}."


def _seen(lines: list[str], moment: str) -> int:
    """A line: `before GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-...)`."""
    return sum(line.startswith(f"{moment} GPU ") for line in lines)


def _first(lines: list[str], moment: str, otherwise: str = "no answer") -> str:
    said = [line.partition(" ")[2] for line in lines if line.startswith(f"{moment} ")]
    return said[0] if said else otherwise
