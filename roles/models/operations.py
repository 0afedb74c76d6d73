"""The role's operations: packages, files, and the versions themselves."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pyinfra import logger
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase
from pyinfra.api.operation import operation
from pyinfra.context import host

from flightline.errors import FlightlineError
from flightline.facts.node import node_of
from flightline.operations.bundle import bundle
from flightline.operations.packages import installed
from flightline.operations.refusal import Refusal
from flightline.serving.store import Store, parse_store
from roles.models import files, sources, wanted
from roles.models.evidence import script
from roles.models.settings import ModelsSettings

_UNDECLARED = "no model is declared"


class ModelStore(FactBase[Store | None]):
    """The store as it is: one remote command; None when the node could not be asked."""

    def command(self, question: str) -> str:
        """Return the one script, which flightline.serving.store made."""
        return question

    def process(self, output: list[str]) -> Store:
        """Return the record; raises FactProcessError when the output is cut short."""
        try:
            return parse_store("\n".join(output))
        except ValueError as error:
            raise FactProcessError(str(error)) from error


@operation()
def model_packages(settings: ModelsSettings) -> Generator[StringCommand]:
    """What fetching the declared sources needs is installed; one remote command."""
    try:
        names = sources.packages(settings, node_of(host))
    except FlightlineError as refusal:
        yield Refusal(refusal.message)
        return
    if not names:
        host.noop(_UNDECLARED)
        return
    yield from installed._inner(packages=names)


@operation()
def model_files(settings: ModelsSettings) -> Generator[StringCommand]:
    """Programs, units and what is declared are on the node; one remote command."""
    if not settings.models:
        host.noop(_UNDECLARED)
        return
    yield from bundle._inner(items=files.items(settings), hooks=files.hooks(settings))


@operation()
def model_versions(settings: ModelsSettings) -> Generator[StringCommand]:
    """Every declared version is in the store, verified, and each model has a current one.

    + settings: what is declared

    One remote command when the store is as declared, one more when not: it starts the node's
    fetching unit and waits for its end. A lost connection does not end the fetch, and another run
    joins it. A `current` that leads to a version stays where it is.
    """
    if not settings.models:
        host.noop(_UNDECLARED)
        return
    found: Any = host.get_fact(ModelStore, question=script(settings))
    if found is None:
        yield Refusal("The node did not describe its model store; see its error above.")
        return
    reasons = wanted.needs(settings, found)
    if not reasons:
        host.noop("the models are as declared")
        return
    logger.info(f"{host.print_prefix}models: {'; '.join(reasons)}")
    yield StringCommand(f"{files.FETCH} follow")
