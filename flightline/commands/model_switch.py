"""`flightline model switch`: serve another version without dropping a request."""

from __future__ import annotations

import json
import math
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click

from flightline.converge.events import event_log, new_run_folder
from flightline.converge.session import Session, opened
from flightline.errors import FlightlineError
from flightline.serving.switch import golden, records, steps
from flightline.serving.switch.fleet import Fleet
from flightline.serving.switch.gates import Limits
from flightline.serving.switch.modes import Wish
from flightline.serving.switch.node import Node, Refused, WallClock
from flightline.serving.switch.outcome import Outcome
from flightline.serving.switch.plan import CANARY, Plan
from flightline.serving.switch.run import Run
from flightline.serving.switch.ssh import DeadNode, SshNode
from flightline.serving.switch.steps import Mode
from flightline.serving.switch.targets import Targets, targets

_UNITS = {"s": 1, "m": 60, "h": 3600}
HOURS_MAX = 168
"""Of a time that is asked for: a week, as of a fetch; more is a typing mistake."""
VERBS = ("to", "resume", "undo", "rollback", "retire")


class Duration(click.ParamType):  # type: ignore[type-arg]  # not generic when it runs
    """Seconds, or a number with s, m or h."""

    name = "TIME"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh]?)", str(value))
        if found is None:
            self.fail(f"{value} is no time; write 90, 90s, 5m or 1h.", param, ctx)
        seconds = float(found[1]) * _UNITS[found[2] or "s"]
        if seconds > HOURS_MAX * 3600:
            self.fail(f"{value} is longer than {HOURS_MAX}h, the longest taken.", param, ctx)
        return seconds


class Bound(click.FloatRange):
    """A number of a range; nan is none, and a gate that compares with it never fails."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


class Percents(click.ParamType):  # type: ignore[type-arg]
    """Percents, one after the other, with commas between them."""

    name = "N,N,100"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the percents; they rise, and end at 100."""
        texts = [each.strip().removesuffix("%") for each in str(value).split(",")]
        if not all(re.fullmatch("[0-9]{1,9}", each) for each in texts):
            self.fail(f"{value} is no list of percents; write 10,50,100.", param, ctx)
        percents = tuple(int(each) for each in texts)
        steps.refuse_canary(percents)
        return percents


@click.command("switch")
@click.argument("inventory")
@click.option("--model", required=True, metavar="NAME", help="The model, as its services name it.")
@click.option("--to", metavar="VERSION", help="Serve this version, which the nodes declare.")
@click.option("--resume", is_flag=True, help="Go on with a switch that was interrupted.")
@click.option("--undo", is_flag=True, help="Serve what was served before the switch under way.")
@click.option("--rollback", is_flag=True, help="Serve the standby, at once.")
@click.option("--retire", is_flag=True, help="End the standby, and free what it holds.")
@click.option("--canary", type=Percents(), metavar="N,N,100",
              help="Percents of the requests, in turn.  [default: 10,50,100]")  # fmt: skip
@click.option("--hold", type=Duration(), default="5m", show_default=True,
              help="How long each of them is watched.")  # fmt: skip
@click.option("--golden", "golden_file", type=click.Path(path_type=Path), metavar="FILE",
              help="Prompts and what answers must have; see docs/switching.md.")  # fmt: skip
@click.option("--key-file", type=click.Path(path_type=Path), metavar="FILE",
              help="An API key, to ask the gateways where clients ask little.")  # fmt: skip
@click.option("--downtime", is_flag=True, help="Allow a while in which requests get 503.")
@click.option("--node-by-node", is_flag=True, help="Stop the old before the new starts, in turn.")
@click.option("--standby/--no-standby", default=True, show_default=True,
              help="Keep the version before running, for --rollback.")  # fmt: skip
@click.option("--errors-over", type=Bound(0, 100), default=1.0, show_default=True,
              help="Percent of errors that the new version may add to the old's.")  # fmt: skip
@click.option("--ttft-ratio", type=Bound(1), default=1.5, show_default=True,
              help="Highest time to first token, as a multiple of the old version's.")  # fmt: skip
@click.option("--minimum-requests", type=click.IntRange(1), default=50, show_default=True,
              help="With fewer at a step, golden prompts decide instead of errors.")  # fmt: skip
@click.option("--ready", type=Duration(), default="30m", show_default=True,
              help="How long an engine may take to start.")  # fmt: skip
@click.option("--drain", type=Duration(), default="10m", show_default=True,
              help="How long to wait for answers under way; none is cut.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say how it would be done, and why.")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text",
              show_default=True)  # fmt: skip
def command(inventory: str, model: str, **options: Any) -> None:
    """Serve another version of a model of INVENTORY, without dropping a request.

    The new engine starts beside the old one where both fit, else node by node. It takes requests in
    steps, and each step is judged; a failed gate sends them back. Interrupt it whenever you like:
    the model stays served, and --resume or --undo go on from there. Exit codes: 0 done; 1 rolled
    back, or stopped; 2 refused before anything was changed, bad usage or bad input.
    """
    verb = _verb(options)
    plan = _plan(options)
    session = opened(inventory)
    found = targets(session.chosen, model, options["to"])
    session.chosen = [host for host in session.chosen if host.name in found.nodes]
    typed = f"flightline model switch {inventory} --model {model}"
    ask = partial(_asked, verb=verb, plan=plan, options=options)
    outcome = _recorded(session, found, typed, ask, locked=not options["dry_run"])
    if options["form"] == "json":
        click.echo(json.dumps(records.to_json(outcome, model), indent=2, ensure_ascii=False))
    else:
        click.echo(outcome.sentence)
    sys.exit(outcome.exit_code)


def _verb(options: dict[str, Any]) -> str:
    named = [verb for verb in VERBS if options[verb]]
    if len(named) != 1:
        raise FlightlineError(
            "say one of --to VERSION, --resume, --undo, --rollback and --retire, expected one, "
            f"{len(named)} found."
        )
    if named[0] != "to" and (options["canary"] or options["dry_run"]):
        raise FlightlineError(
            f"--canary and --dry-run belong to --to, not to --{named[0]}: a switch under way keeps "
            "the steps that it began with."
        )
    return named[0]


def _plan(options: dict[str, Any]) -> Plan:
    path = options["golden_file"]
    return Plan(
        to=options["to"] or "",
        mode=Mode.SIDE_BY_SIDE,
        services=(),
        canary=options["canary"] or CANARY,
        hold_seconds=options["hold"],
        keep_standby=options["standby"],
        limits=Limits(
            errors_over=options["errors_over"] / 100,
            ttft_ratio=options["ttft_ratio"],
            minimum_requests=options["minimum_requests"],
        ),
        prompts=golden.load(path) if path else golden.DEFAULT,
        ready_seconds=options["ready"],
        drain_seconds=options["drain"],
        key=_key(options["key_file"]) if options["key_file"] else "",
        downtime=options["downtime"],
    )


def _key(path: Path) -> str:
    try:
        words = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise FlightlineError(f"--key-file {path}: cannot be read ({error}).") from None
    if len(words) != 1 or not words[0].isascii():
        raise FlightlineError(
            f"--key-file {path} holds {len(words)} words, expected one key, as `flightline key "
            "add` prints it."
        )
    return words[0]


def _asked(run: Run, verb: str, plan: Plan, options: dict[str, Any]) -> Outcome:
    if verb == "to":
        wish = Wish(options["downtime"], options["node_by_node"])
        return run.switch(plan, wish, dry_run=options["dry_run"])
    if verb == "retire":
        return run.retire()
    return {"resume": run.resume, "undo": run.undo, "rollback": run.rollback}[verb](plan)


def _recorded(
    session: Session, found: Targets, typed: str, ask: Callable[[Run], Outcome], *, locked: bool
) -> Outcome:
    folder = new_run_folder("switch")
    with event_log(folder) as log, _stoppable():
        try:
            session.open()
            nodes = _nodes(session, locked=locked)
            outcome = ask(Run(Fleet(found, nodes, WallClock()), typed, records.Teller(log)))
        finally:
            session.close()
    records.keep(folder, outcome, found.model)
    click.echo(f"log: {folder}", err=True)
    return outcome


def _nodes(session: Session, *, locked: bool) -> dict[str, Node]:
    nodes: dict[str, Node] = {
        name: DeadNode(name, why.removeprefix(f"{name}: ")) for name, why in session.failed.items()
    }
    for host in session.hosts:
        node = SshNode(host)
        if locked and (refused := node.hold()):
            raise Refused(f"{host.name}: {refused}")
        nodes[host.name] = node
    return nodes


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the run as Ctrl-C does: in order, with a sentence."""

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
