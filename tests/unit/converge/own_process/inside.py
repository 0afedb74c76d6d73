"""The contract with pyinfra 3.10: the non-public names that the converge and the transport use."""

from __future__ import annotations

import importlib.metadata
import inspect
from typing import Any

import pytest
from pyinfra.api import connectors, host, operations
from pyinfra.api.operation import OperationMeta
from pyinfra.api.state import State
from pyinfra.connectors import util as connector_util
from pyinfra.connectors.sshuserclient import client
from pyinfra_cli import cli, exceptions, inventory, util

from flightline import transport
from flightline.connector import Connector
from flightline.converge import guard, plain


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_pyinfra_is_the_release_that_was_read() -> None:
    assert importlib.metadata.version("pyinfra").startswith("3.10.")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (inventory.make_inventory, ["inventory", "override_data", "cwd"]),
        (util.exec_file, ["filename"]),
        (cli._get_inventory_pattern_matches, ["inventory", "patterns", "option_name"]),
        (operations.run_host_op, ["state", "host", "op_hash"]),
        (guard._run_host_op, ["state", "host", "op_hash"]),
        (guard._get_fact, ["state", "host", "cls"]),
        (State.init, ["self", "inventory", "config"]),
        (OperationMeta.set_complete, ["self", "success", "commands", "combined_output"]),
        (connector_util.make_unix_command_for_host, ["state", "host", "command"]),
        (connector_util.write_stdin, ["stdin", "buffer"]),
        (exceptions.UnexpectedExternalError.show, ["self", "file"]),
        (client.SSHClient.parse_config, ["self"]),
    ],
)
def test_names_take_the_parameters_that_we_give(function: object, expected: list[str]) -> None:
    assert parameters(function)[: len(expected)] == expected


def test_replaced_names_are_looked_up_where_we_replace_them() -> None:
    plain.replace()
    assert "_parallel_load_hosts(" in inspect.getsource(util.load_deploy_file)
    assert "_run_host_op(" in inspect.getsource(operations.run_host_op)
    assert "get_fact(" in inspect.getsource(host.Host.get_fact)
    assert "c = SSHClient()" in inspect.getsource(client)
    assert util._parallel_load_hosts is guard._load_on_each
    assert operations._run_host_op is guard.run_operation


def test_pyinfras_command_uses_the_names_that_end_it_as_ours_end() -> None:
    main = inspect.getsource(cli._main) + inspect.getsource(cli.cli.callback)
    for call in ("make_inventory(", "_apply_inventory_limit(inventory, limit)", "disconnect_all("):
        assert call in main
    assert parameters(cli._apply_inventory_limit) == ["inventory", "limit"]


def test_every_new_inventory_gets_our_connector() -> None:
    transport.install()
    assert connectors.get_execution_connector("ssh") is Connector
    assert connectors.get_all_connectors()["ssh"] is Connector


def test_our_connector_overrides_what_pyinfra_calls() -> None:
    original: Any = Connector.__mro__[1]
    for name in (
        "connect",
        "_connect",
        "disconnect",
        "run_shell_command",
        "_put_file",
        "_get_file",
    ):
        assert name in vars(original)
        assert name in vars(Connector)
    assert "self._put_file(" in inspect.getsource(original.put_file)
    assert Connector.data_meta["ssh_strict_host_key_checking"].default == "yes"


def test_the_reading_of_connection_errors_matches_pyinfras_raising() -> None:
    original: Any = Connector.__mro__[1]
    source = inspect.getsource(original.connect)
    assert "except SSHException as e:" in source
    assert "self._connect()" in source
    assert "raise_connect_error(" in source
