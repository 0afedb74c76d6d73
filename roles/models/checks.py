"""What must hold of the models on a node; the store itself is in store_checks."""

from __future__ import annotations

import shlex

from testinfra.host import Host

from flightline.audit.check import ACCEPTANCE, CRITICAL, ERROR, WARNING, check, not_applicable
from flightline.serving import layout
from flightline.serving.store import StoredVersion
from roles.models import store_checks, wanted
from roles.models.evidence import stored
from roles.models.settings import ModelsSettings

MODULES = (store_checks,)
"""The role's other checks; importing them registers them."""

APPLY = "run `flightline apply --role models`"
_THERE = "models-versions-present"


@check(
    _THERE,
    "every declared version of every model is in the store",
    severity=CRITICAL,
    remedy=f"{APPLY}; it says what cannot be fetched",
)
def versions_present(host: Host, settings: ModelsSettings) -> None:
    found = stored(host, settings)
    lacking = [
        f"{model.name} {each.version}"
        for model in settings.models
        for each in model.versions
        if found.version(model.name, each.version) is None
    ]
    said = f" The last fetch said: {'; '.join(found.fetch_errors[:2])}" * bool(found.fetch_errors)
    assert not lacking, (
        f"{settings.store} lacks {', '.join(lacking)}, expected it (ModelSettings.versions).{said}"
    )


@check(
    "models-manifests-declared",
    "every version has the manifest whose digest is declared",
    severity=CRITICAL,
    remedy="publish the new content under a new version, or move the folder away and apply",
    depends=(_THERE,),
)
def manifests_declared(host: Host, settings: ModelsSettings) -> None:
    wrong = [
        f"{there.name} {there.version} has a manifest with sha256 {there.manifest}, expected "
        f"{digest} (ModelVersion.manifest_sha256)"
        for there, digest in _declared(host, settings)
        if there.manifest != digest
    ]
    assert not wrong, f"{'; '.join(wrong)}."


@check(
    "models-files-listed",
    "a version has exactly the files of its manifest, with their sizes",
    severity=CRITICAL,
    remedy=f"{APPLY}, which fetches what is wrong anew",
    depends=("models-manifests-declared",),
)
def files_listed(host: Host, settings: ModelsSettings) -> None:
    wrong = [
        f"{there.name} {there.version}: {', '.join(there.wrong[:3])}"
        for there, _ in _declared(host, settings)
        if there.wrong
    ]
    assert not wrong, f"{'; '.join(wrong)}."


@check(
    "models-files-untouched",
    "every version was hashed, and none of its files was touched since",
    severity=ERROR,
    remedy=f"{APPLY}, which hashes them again",
    depends=("models-files-listed", "models-manifests-declared"),
)
def files_untouched(host: Host, settings: ModelsSettings) -> None:
    wrong = [
        f"{there.name} {there.version} was {_never(there)}"
        for there, _ in _declared(host, settings)
        if not there.is_sound
    ]
    assert not wrong, f"{'; '.join(wrong)}, expected files as they were when they were hashed."


@check(
    "models-files-verified",
    "every file of every declared version has the sha256 of its manifest",
    severity=CRITICAL,
    phase=ACCEPTANCE,
    remedy=f"{APPLY}, which fetches what is wrong anew; look for disk errors in `journalctl -k`",
)
def files_verified(host: Host, settings: ModelsSettings) -> None:
    if not settings.models:
        not_applicable("ModelsSettings.models is empty")
    said = host.run(hashing(settings)).stdout.splitlines()
    wrong = [
        f"{model.name} {each.version} is not as its manifest says"
        for model in settings.models
        for each in model.versions
        if _verified(model.name, each.version) not in said
    ]
    why = [line for line in said if " is refused: " in line]
    assert not wrong, " ".join(why) or f"{'; '.join(wrong)}: {' '.join(said[-2:]) or 'no answer'}"


@check(
    "models-current-declared",
    "each model's `current` leads to a declared version",
    severity=ERROR,
    remedy="`flightline model switch` to a declared version; apply makes a missing link",
    depends=(_THERE,),
)
def current_declared(host: Host, settings: ModelsSettings) -> None:
    found = stored(host, settings)
    for model in settings.models:
        names = [each.version for each in model.versions]
        target = found.current.get(model.name)
        assert target in names, (
            f"{layout.current_link(settings.store, model.name)} leads to {target or 'nothing'}, "
            f"expected one of {', '.join(names)} (ModelSettings.versions)."
        )


@check(
    "models-services-stored",
    "every version that a service holds is in the store, as it was hashed",
    severity=CRITICAL,
    remedy="declare the version again and apply, or switch the service to a declared one",
    depends=(_THERE, "models-files-untouched"),
)
def services_stored(host: Host, settings: ModelsSettings) -> None:
    found = stored(host, settings)
    broken = [name for name, held in found.services.items() if held is None]
    assert not broken, f"the state of {', '.join(broken)} cannot be read."
    names = {model.name for model in settings.models}
    wrong = [
        f"{', '.join(services)} holds {name} {version}"
        for name in sorted(names)
        for version, services in sorted(found.served(name).items())
        if not ((there := found.version(name, version)) and there.is_sound)
    ]
    assert not wrong, f"{'; '.join(wrong)}, which {settings.store} does not have as it was hashed."


@check(
    "models-leftovers-few",
    "of versions that are no longer declared, no more stay than declared",
    severity=WARNING,
    remedy=f"{APPLY}, which removes them; move folders that are no model's away",
)
def leftovers_few(host: Host, settings: ModelsSettings) -> None:
    found = stored(host, settings)
    foreign = [f"{name}/{version}" for name, version in found.foreign]
    assert not foreign, (
        f"{settings.store} has {', '.join(foreign)} without a manifest, expected models only."
    )
    beyond = [f"{each.name} {each.version}" for each in wanted.surplus(settings, found)]
    assert not beyond, (
        f"{', '.join(beyond)} is there and not declared, expected at most "
        f"{settings.keep_versions} such of a model (ModelsSettings.keep_versions)."
    )


def hashing(settings: ModelsSettings) -> str:
    """Return the one command that hashes every declared version, and says of each what it found."""
    return "; ".join(
        f"{layout.MODEL_VERIFY} {shlex.quote(settings.store)} {model.name} {each.version} --full"
        f" 2>&1 && echo {shlex.quote(_verified(model.name, each.version))}"
        for model in settings.models
        for each in model.versions
    )


def _verified(name: str, version: str) -> str:
    return f"{name} {version} is as its manifest says"


def _declared(host: Host, settings: ModelsSettings) -> list[tuple[StoredVersion, str]]:
    """The declared versions that are there, each with the digest that is declared."""
    found = stored(host, settings)
    return [
        (there, each.manifest_sha256)
        for model in settings.models
        for each in model.versions
        if (there := found.version(model.name, each.version))
    ]


def _never(there: StoredVersion) -> str:
    return f"touched since {there.verified.when}" if there.verified else "never hashed"
