"""The verbs: offer what serving takes, and take it back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from flightline.lab import places, programs, tiny_model
from flightline.lab.serving import daemons, engine, offer
from flightline.lab.serving.offer import Daemon, Offer
from flightline.serving.publish import measured
from flightline.serving.publish_local import publish_local

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
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / tiny_model.FILE).write_bytes(tiny_model.gguf(version))
            made = measured(Path(folder), tiny_model.NAME, version)
            publish_local(Path(folder), made, models, served_as=None)
        found[version] = made.digest
    return found
