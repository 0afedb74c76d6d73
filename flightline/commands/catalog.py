"""`flightline catalog`: what is published about GPUs, drivers and error codes, with its sources."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from flightline import catalog
from flightline.catalog.model import Entry, Figure
from flightline.errors import FlightlineError

_FORMAT = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
_ABOUT = ("source", "date")


_LISTS: Mapping[str, tuple[Any, tuple[str, ...]]] = {
    "gpus": (
        catalog.gpus,
        ("id", "device_ids", "memory", "memory_bandwidth", "power", "kernel_modules"),
    ),
    "drivers": (catalog.branches, ("number", "kind", "released", "end_of_life", "cuda")),
    "cuda": (catalog.cuda_releases, ("version", "driver")),
    "xids": (catalog.xids, ("code", "severity", "action", "description")),
    "sxids": (catalog.sxids, ("code", "severity", "action", "description")),
    "rdma": (catalog.rdma_ports, ("rate_gbps", "floor")),
    "collectives": (catalog.collectives, ("gpu", "nodes", "fabric", "floor")),
    "models": (catalog.models, ("id", "name", "parameters")),
}


@click.group("catalog")
def command() -> None:
    """Look up GPUs, driver branches, Xids and SXids: values, units, sources, dates."""


@command.command("show")
@click.argument("kind", type=click.Choice(["gpu", "driver", "xid", "sxid", "model"]))
@click.argument("name", nargs=-1, required=True)
@_FORMAT
def show(kind: str, name: tuple[str, ...], form: str) -> None:
    """Show one entry.

    NAME is a driver branch, a code, a model's id, or a GPU's id, PCI device id, product name or
    part of one.
    """
    entry = _entry(kind, " ".join(name))
    if form == "json":
        click.echo(entry.model_dump_json(indent=2))
    else:
        _print(_details(entry))


@command.command("list")
@click.argument("kind", type=click.Choice(list(_LISTS)))
@_FORMAT
def lists(kind: str, form: str) -> None:
    """List all entries of a kind."""
    entries, columns = _LISTS[kind]
    found: Sequence[Entry] = entries()
    if form == "json":
        rows = [entry.model_dump(mode="json") for entry in found]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _print(_overview(found, columns))


def _entry(kind: str, name: str) -> Entry:
    if kind == "gpu":
        return catalog.gpu(name)
    if kind == "model":
        return catalog.model(name)
    if not name.isdigit():
        raise FlightlineError(f"{kind} {name!r} is no number; name it like {_EXAMPLES[kind]}.")
    if kind == "driver":
        return _branch(int(name))
    code = catalog.xid(int(name)) if kind == "xid" else catalog.sxid(int(name))
    if not code.is_known:
        raise FlightlineError(
            f"{code.description}, so checks take it for critical; "
            f"`flightline catalog list {kind}s` lists the known ones."
        )
    return code


_EXAMPLES = {"driver": "580", "xid": "79", "sxid": "20034"}


def _branch(number: int) -> Entry:
    if found := catalog.branch(number):
        return found
    known = ", ".join(str(each.number) for each in catalog.branches())
    raise FlightlineError(f"the catalog has no driver branch {number}; it has {known}.")


def _details(entry: Entry) -> Table:
    """Return one row a value; a figure has a source of its own, the rest that of the entry."""
    table = _table("", "value", "unit", "source", "date")
    for name, value in entry:
        if isinstance(value, Figure):
            _figure(table, name, value)
        elif isinstance(value, dict):
            for metric, inner in value.items():
                _inner(table, f"{name} {metric}", inner)
        elif name not in _ABOUT:
            table.add_row(name.replace("_", " "), _text(value))
    values = dict(entry)
    table.add_row("all else", "", "", str(values["source"]), str(values["date"]))
    return table


def _inner(table: Table, name: str, value: object) -> None:
    if isinstance(value, Figure):
        _figure(table, name, value)
    else:
        table.add_row(name, _text(value))


def _figure(table: Table, name: str, figure: Figure) -> None:
    shown = (f"{figure.value:g}", figure.unit, figure.source, str(figure.date))
    table.add_row(name.replace("_", " "), *shown)


def _overview(found: Sequence[Entry], columns: Sequence[str]) -> Table:
    table = _table(*(name.replace("_", " ") for name in columns))
    for entry in found:
        values = dict(entry)
        table.add_row(*(_text(values[name]) for name in columns))
    return table


def _text(value: object) -> str:
    if isinstance(value, Figure):
        return f"{value.value:g} {value.unit}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "-" if value in (None, "") else str(value)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, no_wrap=place == 0, overflow="fold")
    return table


def _print(table: Table) -> None:
    wide = None if sys.stdout.isatty() else 200
    Console(highlight=False, width=wide).print(table)
