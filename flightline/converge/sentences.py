"""Whatever is wrong in an operator's inventory and Python files, as one sentence."""

from __future__ import annotations

import flightline.converge.patched  # isort: skip  # noqa: F401 - first, for its effect

import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from pyinfra.api.exceptions import OperationError, PyinfraError
from pyinfra.api.host import Host
from pyinfra_cli.exceptions import UnexpectedExternalError

from flightline.errors import FlightlineError

_LIBRARIES = (
    sysconfig.get_path("purelib"),
    sysconfig.get_path("stdlib"),
    str(Path(__file__).parents[1]),
)


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn every error that the operator's files can cause into a FlightlineError."""
    try:
        yield
    except FlightlineError:
        raise
    except (PyinfraError, click.ClickException, SyntaxError, OSError, ValueError) as error:
        raise FlightlineError(explained(error)) from error


def explained(error: BaseException) -> str:
    """Return one sentence: where in the operator's files, what is wrong."""
    if isinstance(error, UnexpectedExternalError):
        error = error.exception
    if isinstance(error, FlightlineError):
        return error.message
    if isinstance(error, OperationError):  # about a node, not about the line that noticed
        return f"{_one_line(str(error)).rstrip('.')}."
    if isinstance(error, SyntaxError):
        return (
            f"{_shown(error.filename or 'a file')}:{error.lineno}: {error.msg}; correct the file."
        )
    message = _one_line(error.message if isinstance(error, click.ClickException) else str(error))
    if isinstance(error, ModuleNotFoundError):
        message = f"{message}; run from the project, and import only what it has"
    kind = "" if isinstance(error, PyinfraError | click.ClickException) else f"{_kind(error)}: "
    return f"{_where(error)}{kind}{message}".rstrip(".") + "."


def is_expected(error: BaseException) -> bool:
    """Tell whether the error is about an operator's files or a node: then a sentence names it."""
    if isinstance(error, UnexpectedExternalError):
        error = error.exception
    known = FlightlineError | PyinfraError | click.ClickException | SyntaxError
    return isinstance(error, known) or bool(_where(error))


def _kind(error: BaseException) -> str:
    return type(error).__name__


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _where(error: BaseException) -> str:
    """Return "file:line: " of the innermost frame in the operator's own files, or nothing."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((*_LIBRARIES, "<")):
            return f"{_shown(frame.filename)}:{frame.lineno}: "
    return ""


def _shown(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename


def missing(inventory: str) -> str:
    """Return what to tell of an inventory that does not exist."""
    known = sorted(str(path) for path in Path("inventories").glob("[!_]*.py"))
    hint = f"there are {', '.join(known)}" if known else "write one from inventories/example.py"
    return f"there is no inventory {inventory}; {hint}."


def without_hosts(inventory: str) -> str:
    """Return what to tell of an inventory that has no hosts."""
    return (
        f"{inventory} declares no hosts; write a list of them, such as "
        'gpu = [("gpu-01", {"ssh_hostname": "10.0.0.1"})].'
    )


def unmatched(pattern: str, inventory: str, hosts: Iterable[Host]) -> str:
    """Return what to tell of a --limit that chooses nothing."""
    names = ", ".join(host.name for host in hosts)
    return f"--limit {pattern} matches no host or group of {inventory}; its hosts are {names}."
