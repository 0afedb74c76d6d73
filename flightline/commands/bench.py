"""`flightline bench`: measure a served model as its clients meet it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import ssl
import sys
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Console
from rich.table import Table

from flightline.bench import drawn, load, plot
from flightline.bench.figures import PERCENTILES, Figures, Spread, figures
from flightline.errors import FlightlineError
from flightline.files import write_atomically


@click.command("bench")
@click.argument("url")
@click.option("--key-file", type=click.Path(path_type=Path), metavar="F", help="Holds an API key.")
@click.option("--ca", type=click.Path(path_type=Path), help="Authorities to trust (PEM).")
@click.option("--model", required=True, help="The model to ask.")
@click.option("--rate", type=float, help="Requests begun a second, at random moments.")
@click.option("--clients", type=click.IntRange(1, 10_000), default=1, show_default=True,
              help="Without --rate: clients that wait for their answers.")  # fmt: skip
@click.option("--duration", "seconds", type=float, default=30.0, show_default=True,
              help="Seconds in which requests begin.")  # fmt: skip
@click.option("--requests", "most", type=click.IntRange(1), help="No more requests than this.")
@click.option("--prompt-tokens", type=click.IntRange(1, 1_000_000), default=128, show_default=True)
@click.option("--output-tokens", type=click.IntRange(1, 1_000_000), default=128, show_default=True)
@click.option("--stream/--no-stream", "streaming", default=True, show_default=True)
@click.option("--seed", type=int, default=0, help="The same seed sends the same prompts.")
@click.option("--inventory", metavar="INVENTORY", help="Read its GPUs' power meanwhile.")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text")
@click.option("--plot", "picture", type=click.Path(path_type=Path), help="Write an SVG here.")
def command(
    url: str, key_file: Path | None, ca: Path | None, inventory: str | None, **options: Any
) -> None:
    """Send chat requests to URL and say how they were answered.

    URL is the gateway's, such as https://gpu-01:8443. Exit codes: 0 every request was answered;
    1 some were not; 2 bad usage or bad input, or none could be sent.
    """
    plan = _plan(url, options)
    key = None if key_file is None else key_of(key_file)
    _require_authorities(ca)
    _require_file_to_be("--plot", options["picture"])
    with _reading(inventory) as read:
        sent = asyncio.run(load.run(plan, key, ca))
    if not (answers := sent.answers):
        raise FlightlineError(f"no request began within {plan.seconds:g} s; raise --duration.")
    samples = read and read.samples
    found = figures(answers, drawn.joules(samples, *sent.window) if samples else None)
    _show(found, plan, options["form"])  # before what can still fail: a run takes minutes
    if options["picture"] is not None:
        write_atomically(options["picture"], plot.svg(answers, f"{plan.model} at {url}").decode())
    _refuse_unmeasured(found, plan)
    if read:
        _refuse_unread(read, inventory, found)
    sys.exit(0 if not found.failed else 1)


def key_of(path: Path) -> str:
    """Return the key that a file holds, on a line of its own.

    Raises FlightlineError for a file that cannot be read, is empty, or holds more than a key.
    """
    _require_readable("--key-file", path)
    words = path.read_text(encoding="utf-8", errors="replace").split()
    if len(words) != 1 or not words[0].isprintable() or not words[0].isascii():
        raise FlightlineError(
            f"--key-file {path} holds {len(words)} words, expected one key, as `flightline key "
            "add` prints it."
        )
    return words[0]


def _plan(url: str, options: dict[str, Any]) -> load.Plan:
    for name in ("rate", "seconds"):
        value = options[name]
        if value is not None and not (math.isfinite(value) and value > 0):
            told = "--duration" if name == "seconds" else "--rate"
            raise FlightlineError(f"{told} is {value}, expected a number above 0.")
    return load.Plan(
        _base(url),
        options["model"],
        options["seconds"],
        options["rate"],
        options["clients"],
        options["most"],
        options["prompt_tokens"],
        options["output_tokens"],
        options["streaming"],
        options["seed"],
    )


def _base(url: str) -> str:
    """Return the address without a path that clients of OpenAI's API are given with it."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise FlightlineError(f"{url} is not a URL ({error}).") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise FlightlineError(f"{url} is not a URL of a gateway, such as https://gpu-01:8443.")
    if parsed.userinfo:
        raise FlightlineError(
            f"the URL of {parsed.host} has a user and a password in it, which the report would "
            "show; leave them out, and name a file with an API key by --key-file."
        )
    return str(parsed).rstrip("/").removesuffix("/chat/completions").removesuffix("/v1")


def _refuse_unmeasured(found: Figures, plan: load.Plan) -> None:
    """A gateway that nobody reached was not measured."""
    if found.failed == found.requests and all(each.startswith("Connect") for each in found.errors):
        raise FlightlineError(
            f"no request could be sent to {plan.url}; check its host and port, and --ca where the "
            "authority is the site's own."
        )


def _refuse_unread(read: drawn.Reading, inventory: str | None, found: Figures) -> None:
    """Neither was power that nobody read."""
    if read.samples is None:
        raise FlightlineError(f"the power of {inventory} could not be read; {read.why}.")
    if found.joules is None:
        click.echo(
            f"no J/token: some node of {inventory} told its power less than twice in the "
            f"{found.seconds:.1f} s from the first request to the last answer, or none has a GPU",
            err=True,
        )


def _require_file_to_be(option: str, path: Path | None) -> None:
    if path is not None and path.is_dir():
        raise FlightlineError(f"{option} {path} is a folder; name a file in it.")


def _require_readable(option: str, path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise FlightlineError(f"{option} {path}: {error.strerror}.") from None


def _require_authorities(ca: Path | None) -> None:
    if ca is None:
        return
    _require_readable("--ca", ca)
    try:
        ssl.create_default_context(cafile=str(ca))
    except ssl.SSLError:
        raise FlightlineError(f"--ca {ca} holds no certificate in PEM.") from None


def _reading(inventory: str | None) -> contextlib.AbstractContextManager[drawn.Reading | None]:
    return contextlib.nullcontext() if inventory is None else drawn.reading(inventory)


def _show(found: Figures, plan: load.Plan, form: str) -> None:
    if form == "json":
        sent = {"url": plan.url, "model": plan.model, "rate": plan.rate, "clients": plan.clients}
        click.echo(json.dumps({**found.to_json(), "plan": sent}, indent=1))
        return
    table = Table("ms", "mean", *(f"p{each}" for each in PERCENTILES), "max", "of", box=None)
    _row(table, "time to first token", found.time_to_first_token)
    _row(table, "inter-token latency", found.inter_token_latency)
    _row(table, "whole answer", found.whole_answer)
    console = Console()
    console.print(table)
    for line in _sentences(found):
        console.print(line, highlight=False)


def _row(table: Table, title: str, found: Spread | None) -> None:
    if found is None:
        return
    values = (found.mean, *found.percentiles.values(), found.maximum)
    table.add_row(title, *(f"{value:.1f}" for value in values), str(found.count))


def _sentences(found: Figures) -> list[str]:
    lines = [
        f"{found.requests} requests in {found.seconds:.1f} s: "
        f"{found.requests_per_second:.2f} answers/s, "
        f"{found.output_tokens_per_second:.1f} tokens/s, {found.failed} failed"
    ]
    lines += [f"  {count} x {error}" for error, count in found.errors.items()]
    if found.joules_per_token is not None:
        lines.append(f"{found.joules_per_token:.2f} J/token ({found.joules:.0f} J of the GPUs)")
    return lines
