"""A collector for each test, stopped at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roles.gateway.log_settings import AuditLogSettings
from tests.gateway_log.programs import MISSING, Log


@pytest.fixture
def make_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Log]]:
    """Make a collector that runs; it is stopped at the end."""
    if MISSING:
        pytest.skip(f"{', '.join(MISSING)} is not installed; `make setup` installs it")
    made: list[Log] = []

    def make(settings: AuditLogSettings | None = None, folder: Path | None = None) -> Log:
        # short: a socket's path has 108 bytes
        log = Log(folder or tmp_path_factory.mktemp("log"), settings or AuditLogSettings())
        log.start()
        made.append(log)
        return log

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def log(make_log: Callable[..., Log]) -> Log:
    """Return a running collector with the default settings."""
    return make_log()
