"""What a person sees while nodes converge: a line per change, and a bar per node on a terminal."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from flightline.converge.inside import Step
from flightline.converge.results import NodeResult


class Watcher(AbstractContextManager["Watcher"]):
    """Shows each node's way: plain lines, and bars as well where the console is a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._role: dict[str, str] = {}
        self._tasks: dict[str, TaskID] = {}
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:.0f}/{task.total:.0f}  {task.fields[doing]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Watcher:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def say(self, text: str, style: str = "") -> None:
        """Print one line with the time since the beginning."""
        seconds = int(time.monotonic() - self._began)
        clock = f"{seconds // 60:02d}:{seconds % 60:02d}"
        self._console.print(f"{clock}  {text}", style=style, markup=False, highlight=False)

    def node_begins(self, node: str, total: int) -> None:
        """Show that work on the node begins, and how many operations there are."""
        self._tasks[node] = self._bars.add_task(node, total=total, doing="")

    def step_begins(self, node: str, step: Step) -> None:
        """Show what the node is at; a line where a role begins."""
        self._bars.update(self._tasks[node], doing=step.name)
        if step.role != self._role.get(node, ""):
            self._role[node] = step.role
            if step.role:
                self.say(f"{node}  {step.role}")

    def step_changed(self, node: str, text: str) -> None:
        """Show one change."""
        self.say(f"{node}  {text}", "green")

    def still(self, doing: str) -> None:
        """Say what is in progress, where no bar shows it."""
        if not self._console.is_terminal:
            self.say(f"still at {doing}", "dim")

    def step_ended(self, node: str) -> None:
        """Count one operation as done."""
        self._bars.advance(self._tasks[node])

    def node_ended(self, result: NodeResult) -> None:
        """Show how the node came out."""
        style = "" if result.has_converged else "red"
        sentence = result.sentence.removeprefix(f"{result.node}: ")
        self.say(f"{result.node}: {sentence}", style)
        if result.node in self._tasks:
            self._bars.remove_task(self._tasks.pop(result.node))
