"""What role and checks ask a node about its models: one script, no pyinfra."""

from __future__ import annotations

from functools import lru_cache

from testinfra.host import Host

from flightline.audit.check import not_applicable, unknown
from flightline.serving import store
from flightline.serving.store import Store, parse_store
from roles.models.settings import ModelsSettings


def script(settings: ModelsSettings) -> str:
    """Return the one command that answers everything but the acceptance's hashing."""
    return store.script(
        settings.store,
        owner=settings.owner,
        group=settings.group,
        credentials=settings.credentials,
    )


def stored(host: Host, settings: ModelsSettings) -> Store:
    """Return the store; ends the check as not applicable where no model is declared."""
    if not settings.models:
        not_applicable("ModelsSettings.models is empty")
    try:
        return _parsed(host.run(script(settings)).stdout)
    except ValueError as error:
        unknown(f"{error}.")


@lru_cache(maxsize=8)
def _parsed(text: str) -> Store:
    return parse_store(text)
