"""What a node's store lacks, or has too much of, against its settings: pure."""

from __future__ import annotations

from collections.abc import Iterator

from flightline.serving.store import Store, StoredVersion
from roles.models.settings import ModelSettings, ModelsSettings


def needs(settings: ModelsSettings, found: Store) -> tuple[str, ...]:
    """Return why the store must be worked on; empty when it is as declared."""
    return tuple(_needs(settings, found))


def is_good(model: ModelSettings, found: Store) -> bool:
    """Tell whether the model's link leads to a version, declared or not."""
    target = found.current.get(model.name)
    return target is not None and found.version(model.name, target) is not None


def leftovers(settings: ModelsSettings, found: Store) -> tuple[StoredVersion, ...]:
    """Return versions that nobody declares and nothing uses, the last verified ones first.

    A version that Flightline never verified is somebody else's and is not among them.
    """
    declared = {(model.name, each.version) for model in settings.models for each in model.versions}
    unused = [
        each
        for each in found.versions
        if (each.name, each.version) not in declared
        and each.verified
        and found.current.get(each.name) != each.version
        and each.version not in found.served(each.name)
    ]
    return tuple(sorted(unused, key=lambda each: each.verified.when, reverse=True))  # type: ignore[union-attr]  # chosen so


def surplus(settings: ModelsSettings, found: Store) -> tuple[StoredVersion, ...]:
    """Return the leftovers beyond the declared policy."""
    if settings.keep_versions is None:
        return ()
    counts: dict[str, int] = {}
    beyond = []
    for each in leftovers(settings, found):
        counts[each.name] = counts.get(each.name, 0) + 1
        if counts[each.name] > settings.keep_versions:
            beyond.append(each)
    return tuple(beyond)


def _needs(settings: ModelsSettings, found: Store) -> Iterator[str]:
    for model in settings.models:
        for each in model.versions:
            there = found.version(model.name, each.version)
            if there is None:
                yield f"{model.name} {each.version} is not there"
            elif there.manifest != each.manifest_sha256 or not there.is_sound:
                yield f"{model.name} {each.version} is not as it was verified"
        if not is_good(model, found):
            yield f"{model.name} has no current version"
    for half in found.halves:
        yield f"{half.name} {half.version} is fetched in part"
    for leftover in surplus(settings, found):
        yield f"{leftover.name} {leftover.version} is no longer kept"
