"""How `flightline key list` shows keys and gateways."""

from __future__ import annotations

import datetime
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from flightline.serving import keys_map
from flightline.serving.key_push import Gateways
from flightline.serving.keys import Key

SCHEMA = "flightline.key-list/1"
_COLUMNS = ("name", "role", "created", "expires", "per minute", "per day", "state")


@dataclass(frozen=True)
class Listing:
    """Keys by file, and what each gateway said; `answers` is None where none was asked."""

    gateways: Gateways
    keys: Mapping[Path, Sequence[Key]]
    answers: tuple[Mapping[str, Sequence[str]], Mapping[str, str]] | None
    moment: datetime.datetime

    @property
    def agrees(self) -> bool:
        """Whether every gateway that was asked honours the same keys."""
        return all(not said for said in self.verdicts.values())

    @property
    def verdicts(self) -> dict[str, str]:
        """What is wrong with each gateway that was asked; empty for one that agrees."""
        if self.answers is None:
            return {}
        lines, troubles = self.answers
        found = dict(troubles)
        for path, names in self.gateways.by_file.items():
            for name in names:
                if name in lines:
                    told = keys_map.differences(self.keys[path], lines[name], self.moment)
                    found[name] = "; ".join(told)
        return found

    def json(self) -> str:
        """Return everything as JSON, hashes as well: they are no secret, and no name."""
        files = [
            {
                "file": str(path),
                "gateways": list(self.gateways.by_file[path]),
                "keys": [{**key.to_json(), "state": key.state(self.moment)} for key in keys],
            }
            for path, keys in self.keys.items()
        ]
        verdicts = [
            {"node": name, "agrees": not said, "difference": said or None}
            for name, said in self.verdicts.items()
        ]
        whole = {"schema": SCHEMA, "files": files, "gateways": verdicts}
        return json.dumps(whole, indent=2) + "\n"

    def text(self) -> str:
        """Return a table for each file, and a line for each gateway."""
        console = Console(file=io.StringIO(), width=120, color_system=None, highlight=False)
        for path, keys in self.keys.items():
            console.print(f"{path}:" + ("" if keys else " no key"), markup=False)
            if keys:
                console.print(_table(keys, self.moment))
        for name, said in self.verdicts.items():
            console.print(f"{name}: {said or 'agrees'}", markup=False, soft_wrap=True)
        if not self.agrees:
            command = f"flightline key push {self.gateways.inventory}"
            console.print(f"To mend it: `{command}`.", markup=False, soft_wrap=True)
        return str(console.file.getvalue())  # type: ignore[attr-defined]  # a StringIO, see above


def _table(keys: Sequence[Key], moment: datetime.datetime) -> Table:
    table = Table(*_COLUMNS, box=box.SIMPLE_HEAD, pad_edge=False)
    for key in keys:
        table.add_row(
            key.name, key.role, _day(key.created), _day(key.expires),
            _number(key.requests_per_minute), _number(key.requests_per_day), key.state(moment),
        )  # fmt: skip
    return table


def _day(moment: datetime.datetime | None) -> str:
    return "-" if moment is None else moment.astimezone(datetime.UTC).date().isoformat()


def _number(value: Any) -> str:
    return "-" if value is None else str(value)
