"""Which packages fetching needs, and what a system cannot fetch."""

from __future__ import annotations

from flightline.errors import NodeRefused
from flightline.facts.node import NodeFacts
from roles.models.settings import ModelsSettings

# Debian's packages index, read 2026-11-20: oras 1.2 in trixie, none in bookworm. RHEL 9's
# repositories have no oras and no rclone; EPEL has rclone.
_ORAS = {("debian", "13")}


def packages(settings: ModelsSettings, node: NodeFacts) -> tuple[str, ...]:
    """Return what is to be installed; nothing without models.

    openssl hashes four times as fast as sha256sum. Raises NodeRefused for a source that this system
    has no program for.
    """
    if not settings.models:
        return ()
    names = ["openssl"]
    if settings.schemes & {"http", "https"}:
        names += ["ca-certificates", "curl"]
    if "rclone" in settings.schemes:
        names += ["ca-certificates", "rclone"]
    if "oci" in settings.schemes and settings.oras_program is None:
        _refuse_without_oras(node)
        names += ["ca-certificates", "oras"]
    # RHEL's minimal images have curl-minimal, which conflicts with curl and does the same here.
    if node.family == "rhel":
        names = [name for name in names if name != "curl"]
    return tuple(dict.fromkeys(names))


def _refuse_without_oras(node: NodeFacts) -> None:
    if (node.distribution, node.version) not in _ORAS:
        raise NodeRefused(
            f"a model comes from an OCI registry, and {node.distribution} {node.version} has no "
            "package of oras; install oras on the node and name it in ModelsSettings.oras_program, "
            "or publish the model to an https or rclone source."
        )
