"""One node's trouble stays that node's: what pyinfra 3.10 lets end the run of every node.

An exception in one host's deploy.py, or in an operation, ends pyinfra's whole run with a traceback
(pyinfra_cli/util.py `_parallel_load_hosts`, api/operations.py `_run_single_op`); a fact that cannot
be read gives its default to the operation, which then acts on it (api/facts.py `_get_fact`). The
replacements here fail that host, with one sentence. The contract with pyinfra is held by
tests/unit/converge/own_process/inside.py.
"""

from __future__ import annotations

import flightline.converge.patched  # isort: skip  # noqa: F401 - first, for its effect

import logging
import traceback
from collections.abc import Callable, Iterable
from typing import Any

import gevent
from pyinfra import logger
from pyinfra.api import host as pyinfra_host
from pyinfra.api import operations
from pyinfra.api.exceptions import OperationError, PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_config, ctx_host
from pyinfra_cli import util
from pyinfra_cli.exceptions import UnexpectedExternalError

from flightline.connector import last_errors
from flightline.converge.explain import explain
from flightline.converge.sentences import explained, is_expected
from flightline.errors import FlightlineError, NodeRefused
from flightline.operations.refusal import Refusal

_run_host_op = operations._run_host_op
_get_fact = pyinfra_host.get_fact  # type: ignore[attr-defined]  # imported there by name


def install() -> None:
    """Make the replacements; harmless when made already."""
    logging.getLogger("flightline").addHandler(logging.NullHandler())  # else it goes to stderr
    util._parallel_load_hosts = _load_on_each
    operations._run_host_op = run_operation
    pyinfra_host.get_fact = _answered_fact  # type: ignore[attr-defined]  # not exported


def prepared(
    state: State, hosts: Iterable[Host], callback: Callable[[], Any]
) -> dict[Host, Exception | None]:
    """Run the callback once for each host, at the same time; return what each raised, or None."""

    def prepare(host: Host) -> Exception | None:
        try:
            with ctx_config.use(state.config.copy()), ctx_host.use(host):
                callback()
        except Exception as error:  # noqa: BLE001 - whatever an operator's file raises
            return error
        return None

    running = {host: state.pool.spawn(prepare, host) for host in hosts}
    gevent.joinall(list(running.values()))
    return {host: greenlet.get() for host, greenlet in running.items()}


def run_operation(state: State, host: Host, op_hash: str) -> bool:
    """Run one operation on one host; an exception is that operation's failure, in one sentence."""
    try:
        return _run_host_op(state, host, op_hash)
    except Exception as error:  # noqa: BLE001 - whatever an operation raises
        return _failed(state, host, op_hash, error)


def _failed(state: State, host: Host, op_hash: str, error: Exception) -> bool:
    sentence = explained(error)
    if not is_expected(error):
        logging.getLogger("flightline").error("".join(traceback.format_exception(error)))
    logger.error(f"{host.print_prefix}{sentence}")
    data = state.get_op_data_for_host(host, op_hash)
    state.get_results_for_host(host).error_ops += 1
    state.trigger_callbacks("operation_host_error", host, op_hash)
    if not data.operation_meta.is_complete():
        output = CommandOutput([OutputLine("stderr", sentence)])
        commands = [Refusal(sentence)] if isinstance(error, FlightlineError) else []
        data.operation_meta.set_complete(False, commands, output)
    return bool(data.global_arguments.get("_ignore_errors"))


def _load_on_each(state: State, callback: Callable[[], Any], name: str) -> None:
    outcome = prepared(state, list(state.inventory.get_active_hosts()), callback)
    failed = {host: error for host, error in outcome.items() if error}
    first = next(iter(failed.values()), None)
    if (
        first
        and len(failed) == len(outcome)
        and not isinstance(first, OperationError | NodeRefused)
    ):
        raise UnexpectedExternalError(first, name) if isinstance(first, SyntaxError) else first
    for host, error in outcome.items():
        logger.info(f"{host.print_prefix}{explained(error) if error else f'Ready: {name}'}")
    state.fail_hosts(set(failed))


def _answered_fact(state: State, host: Host, cls: Any, *args: Any, **options: Any) -> Any:
    """Return the fact; raises OperationError when the node could not be asked."""
    try:
        value = _get_fact(state, host, cls, *args, **options)
    except PyinfraError:
        if host not in state.failed_hosts:
            raise
    if host in state.failed_hosts:
        why = explain(last_errors(host)) or "it gave no answer"
        raise OperationError(f"the fact {cls.__name__} could not be read: {why}")
    return value
