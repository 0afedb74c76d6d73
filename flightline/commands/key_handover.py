"""How a new key reaches who asked for it: on standard output, or in a file of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from flightline.errors import FlightlineError


@contextmanager
def handed_over(output: Path | None, secret: str) -> Iterator[None]:
    """The key is where it was asked for before anything is stored: none is stored that nobody has.

    When storing fails, a file of the key's own goes again.
    """
    try:
        if output is None:
            click.echo(secret)
        else:
            _put_into(output, secret)
    except OSError as error:
        place = "standard output" if output is None else output
        raise FlightlineError(
            f"{place}: cannot be written ({error.strerror}), so no key was made; name a new file "
            "with --output."
        ) from None
    try:
        yield
    except BaseException:
        if output is not None:
            output.unlink(missing_ok=True)
        else:
            click.echo("the key above opens nothing: it was not stored.", err=True)
        raise


def _put_into(output: Path, secret: str) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(f"{secret}\n")
    except OSError:  # a full disk
        output.unlink(missing_ok=True)
        raise
