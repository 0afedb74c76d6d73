"""`flightline size`: does this model fit these GPUs, and what would?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from flightline import catalog
from flightline.errors import FlightlineError
from flightline.plan.sizing import explain, shape
from flightline.plan.sizing.config import Config
from flightline.plan.sizing.fit import GIB, Fit, judged
from flightline.plan.sizing.formats import CACHE_NAMES, NAMES, Format, cache_format, format_of
from flightline.plan.sizing.remedies import Remedy, remedies
from flightline.plan.sizing.request import Assumptions, Request
from flightline.plan.sizing.shape import ModelShape

SCHEMA = "flightline.size/1"

_ASSUMED = ("utilization", "driver_gib", "context_gib", "activations_gib", "graphs_gib")

_COUNT = click.IntRange(1, 4096)
_TOKENS = click.IntRange(1, 10**9)
_PART = click.FloatRange(0, 1000)


@click.command("size")
@click.option("--config", "path", metavar="FILE", help="The model's own config.json.")
@click.option("--model", metavar="NAME", help="A model of the catalog instead of a config.json.")
@click.option("--gpu", required=True, metavar="ID", help="The GPU: `flightline catalog list gpus`.")
@click.option("--gpus", type=_COUNT, default=1, show_default=True, help="GPUs in each node.")
@click.option("--nodes", type=_COUNT, default=1, show_default=True)
@click.option("--context", type=_TOKENS, help="Tokens of a sequence.  [default: the model's]")
@click.option("--concurrency", type=click.IntRange(1, 10**6), default=1, show_default=True)
@click.option("--dtype", help="Format of the weights: bf16, fp8, int4, ...  [default: as stored]")
@click.option("--kv-dtype", type=click.Choice(CACHE_NAMES), default="auto", show_default=True)
@click.option("--tensor-parallel", type=_COUNT, help="GPUs that share a layer.  [default: chosen]")
@click.option("--pipeline-parallel", type=_COUNT, help="Groups of layers.  [default: chosen]")
@click.option("--weights-only", is_flag=True, help="Accept a format that the GPU only stores.")
@click.option("--utilization", type=click.FloatRange(0, 1, min_open=True), default=0.92)
@click.option("--driver-gib", type=_PART, default=0.75, help="What the driver keeps of each GPU.")
@click.option("--context-gib", type=_PART, default=1.0, help="CUDA context and NCCL, of each GPU.")
@click.option("--activations-gib", type=_PART, default=1.0, help="Activations, of each GPU.")
@click.option("--graphs-gib", type=_PART, default=0.5, help="CUDA graphs, of each GPU.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(path: str | None, model: str | None, gpu: str, form: str, **asked: Any) -> None:
    """Say whether a model fits GPUs, with the arithmetic and every assumption.

    Exit codes: 0 it fits; 1 it does not, and what would is said; 2 bad usage or bad input.
    """
    source, found = _model(path, model)
    fit = judged(_request(found, catalog.gpu(gpu), asked))
    others = remedies(fit)
    if form == "json":
        click.echo(json.dumps(_json(source, fit, others), indent=2, ensure_ascii=False))
    else:
        _print(source, fit, others)
    sys.exit(0 if fit.fits else 1)


def _model(path: str | None, name: str | None) -> tuple[str, ModelShape]:
    if (path is None) == (name is None):
        raise FlightlineError("name a model either by --config FILE or by --model NAME.")
    if path is not None:
        return path, shape.from_file(Path(path))
    published = catalog.model(name or "")
    return published.name, shape.of(Config(published.config, f"catalog model {published.id}"))


def _request(found: ModelShape, gpu: catalog.Gpu, asked: dict[str, Any]) -> Request:
    for name in _ASSUMED:
        if asked[name] != asked[name]:  # the range of click lets NaN through
            raise FlightlineError(f"--{name.replace('_', '-')} is not a number; give one.")
    stored = _format(asked["dtype"], found)
    context = asked["context"] or found.longest_context
    if context is None:
        raise FlightlineError("config.json names no longest context; give one with --context.")
    return Request(
        found, gpu, asked["gpus"], context, stored, cache_format(asked["kv_dtype"]),
        asked["nodes"], asked["concurrency"], asked["tensor_parallel"], asked["pipeline_parallel"],
        asked["weights_only"] or stored is found.format,
        Assumptions(**{name: asked[name] for name in _ASSUMED}),
    )  # fmt: skip


def _format(name: str | None, found: ModelShape) -> Format:
    if name is None or name == "auto":
        return found.format
    wanted = format_of(name)
    if wanted is None:
        raise FlightlineError(
            f"--dtype {name[:40]} is unknown; the formats are {', '.join(NAMES)}."
        )
    return wanted


def _json(source: str, fit: Fit, others: tuple[Remedy, ...]) -> dict[str, Any]:
    asked, placed = fit.request, fit.placement
    known = asked.assumptions
    return {
        "schema": SCHEMA,
        "model": {
            "name": source, "architecture": asked.shape.architecture,
            "parameters": asked.shape.parameters.total, "layers": asked.shape.layers.total,
            "longest_context_tokens": asked.shape.longest_context,
        },
        "asked": {
            "gpu": asked.gpu.id, "gpus": asked.gpus, "nodes": asked.nodes,
            "context_tokens": asked.context, "concurrency": asked.concurrency,
            "dtype": asked.weights.name, "kv_bits": asked.cache_bits,
            **vars(known),
        },
        "fits": fit.fits,
        "problems": list(fit.problems),
        "warnings": list(fit.warnings),
        "placement": {
            "tensor_parallel": placed.tensor_parallel,
            "pipeline_parallel": placed.pipeline_parallel,
            "possible_tensor_parallel": list(fit.degrees),
            "kv_copies": placed.copies,
        },
        "bytes": {
            "weights": fit.weights.total, "weights_per_gpu": fit.weights_on_gpu,
            "usable_per_gpu": fit.usable, "overhead_per_gpu": fit.overhead,
            "kv_room_per_gpu": fit.room, "kv_per_token_per_gpu": fit.cache.growing,
            "kv_per_token_in_window_per_gpu": fit.cache.sliding,
            "kv_constant_per_gpu": fit.cache.constant,
            "kv_per_sequence_per_gpu": fit.cache.sequence(asked.context),
        },
        "largest_context_tokens": fit.largest_context,
        "largest_concurrency": fit.concurrency,
        "would_fit": [
            {"kind": each.kind, "sentence": each.sentence, "options": each.options}
            for each in others
        ],
        "arithmetic": [vars(each) for each in explain.lines(fit)],
        "assumptions": [vars(each) for each in explain.assumptions(fit)],
    }  # fmt: skip


def _print(source: str, fit: Fit, others: tuple[Remedy, ...]) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(
        _table(*((line.what, line.arithmetic, line.result) for line in explain.lines(fit)))
    )
    console.print("\nAssumed:")
    console.print(
        _table(*((f"  {each.name}", each.value, each.source) for each in explain.assumptions(fit)))
    )
    console.print()
    console.print("\n".join(_verdict(source, fit, others)), markup=False, soft_wrap=True)


def _table(*rows: tuple[str, str, str]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*(cell.replace("[", r"\[") for cell in row))
    return table


def _verdict(source: str, fit: Fit, others: tuple[Remedy, ...]) -> list[str]:
    asked, placed = fit.request, fit.placement
    nodes = f" in each of {asked.nodes} nodes" * (asked.nodes > 1)
    what = (
        f"{source} in {asked.weights.name} on {asked.gpus} x {asked.gpu.name}{nodes}, "
        f"{asked.concurrency:,} x {asked.context:,} tokens"
    )
    said = [f"note: {each}." for each in fit.warnings]
    if fit.fits:
        free = (fit.room - fit.cache.needed(asked.context, asked.concurrency)) / GIB
        return [*said, (
            f"Fits: {what}: tensor parallel {placed.tensor_parallel}, pipeline parallel "
            f"{placed.pipeline_parallel}, {free:.1f} GiB of cache to spare on each GPU."
        )]  # fmt: skip
    said.append(f"Does not fit: {what}: {'; '.join(fit.problems)}.")
    said += [f"  would fit: {each.sentence}" for each in others]
    return said if others else [*said, "  nothing that was tried would fit."]
