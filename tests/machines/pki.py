"""What a node with certificates of an internal authority says, its gateway running.

Printed by the role's own script on Debian 12 (openssl 3.0.19, 2026-11-21) after two renewals; what
systemd and the gateway say is added by hand.
"""

from __future__ import annotations

from pathlib import Path

from flightline.audit.answers import Answer
from roles.pki.evidence import SCRIPT
from roles.pki.settings import PkiSettings

FOLDER = Path(__file__).parent / "pki_evidence"


def settings(name: str) -> PkiSettings:
    """Return what is declared for every such machine."""
    del name
    return PkiSettings(enabled=True, authority_folder=str(FOLDER))


def answers(name: str) -> dict[str, Answer]:
    """Return the answer of a machine by label."""
    sound = (FOLDER / "evidence.txt").read_text().replace("gpu-01", name)
    return {"pki-evidence": Answer(SCRIPT, 0, sound.encode())}
