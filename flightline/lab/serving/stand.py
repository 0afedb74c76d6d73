"""The verbs: offer what serving takes, and take it back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from flightline.lab import places, programs, tiny_model
from flightline.lab.serving import daemons, engine, offer
from flightline.lab.serving.offer import Daemon, Offer

Say = Callable[[str], None]


def start(say: Say) -> Offer:
    """Hold that registry and mirror run and have the engine's image and the model's versions.

    Nothing happens where all of it is so; what was offered keeps its ports where they are free.
    """
    programs.require(programs.TO_SERVE)
    layout = engine.layout_of(say)
    with places.held(places.state() / "serving.lock", say):
        versions = _published(offer.folder() / "models")
        was = offer.offered()
        begun: list[Daemon] = []
        try:
            begun.append(daemons.registry(was.registry if was else None, offer.folder()))
            begun.append(daemons.mirror(was.mirror if was else None, offer.folder()))
            digest = engine.push(layout, begun[0].port)
        except BaseException:
            for each in begun:
                daemons.stop(each)
            raise
        registry, mirror = begun
        now = Offer(registry, mirror, engine.REPOSITORY, digest, tiny_model.NAME, versions)
        offer.write(now)
        return now


def stop(*, forget: bool) -> bool:
    """Hold that neither registry nor mirror runs; return whether one did.

    forget: nothing of them is kept, the lab's authority and keys included.
    """
    with places.held(places.state() / "serving.lock"):
        was = offer.offered()
        ran = [each for each in (was.registry, was.mirror) if each.is_running] if was else []
        for each in ran:
            daemons.stop(each)
        if forget:
            offer.forget()
        return bool(ran)


def _published(models: Path) -> dict[str, str]:
    """Hold that the mirror's folder has every version; return version → sha256 of its manifest."""
    found = {}
    for version in tiny_model.SPOKEN:
        folder = models / tiny_model.NAME / version
        folder.mkdir(parents=True, exist_ok=True)
        content = tiny_model.gguf(version)
        (folder / tiny_model.FILE).write_bytes(content)
        manifest = json.dumps({"sha256": hashlib.sha256(content).hexdigest()})
        (folder / "manifest.json").write_text(manifest)
        found[version] = hashlib.sha256(manifest.encode()).hexdigest()
    return found
