"""How a plan reaches a node: one command, with everything that is secret on its standard input."""

from __future__ import annotations

import base64
import io
import shlex
import tarfile
from pathlib import Path, PurePosixPath

from pyinfra.api.command import StringCommand

from flightline.operations.bundle.items import Absent, Directory, File, Link, Merge
from flightline.operations.bundle.plan import Change, Plan
from flightline.operations.bundle.state import HOME

_UNPACK = """\
LC_ALL=C; export LC_ALL; umask 077
stage=
unpack() {
    mkdir -p "$home/pending" && stage=$(mktemp -d "$home/bundle.XXXXXX") &&
        echo $$ >"$stage/pid" && base64 -d | tar -xmf - -C "$stage" && [ -f "$stage/apply.sh" ]
}
if ! unpack; then
    if [ -n "$stage" ]; then rm -rf "$stage"; fi
    echo "the new files could not be unpacked under $home; nothing was changed" >&2
    exit 1
fi
. "$stage/apply.sh\""""


def command(plan: Plan, home: str = HOME) -> StringCommand:
    """Return the one command that carries out the plan on a node, or leaves it as it was.

    The command line is the same for every bundle; contents, validations and hooks travel on its
    standard input, so they are in no process list and no log.
    """
    return StringCommand(f"home={shlex.quote(home)}\n{_UNPACK}", _stdin=payload(plan))


def payload(plan: Plan) -> str:
    """Return the plan as a base64 tar archive; the same plan gives the same text."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for number, change in enumerate(plan.changes):
            if isinstance(change.item, File | Merge):
                _add(archive, _staged_name(number, change), change.content)
        _add(archive, "plan.sh", _plan_script(plan).encode(errors="surrogateescape"))
        # the last member: where it is missing, the archive was cut short
        _add(archive, "apply.sh", Path(__file__).with_name("apply.sh").read_bytes())
    return base64.encodebytes(buffer.getvalue()).decode("ascii")


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    archive.addfile(member, io.BytesIO(content))


def _staged_name(number: int, change: Change) -> str:
    return f"new/{number}/{PurePosixPath(change.item.path).name}"


def _plan_script(plan: Plan) -> str:
    """The plan as shell functions that apply.sh walks through once for each of its phases."""
    items = [
        shlex.join(["item", str(number), *_words(change)])
        for number, change in enumerate(plan.changes)
    ]
    hooks = [shlex.join(["hook", hook.key, hook.command]) for hook in plan.hooks]
    empty = "" if items else "yes"
    return "\n".join(
        [f"empty={empty}", "plan() {", ":", *items, "}", "hooks() {", ":", *hooks, "}", ""]
    )


def _words(change: Change) -> list[str]:
    match change.item:
        case File() | Merge() as file:
            validate = (file.validate or "").replace("{staged}", '"$staged"')
            name = PurePosixPath(file.path).name
            return ["file", file.path, file.mode, file.owner, file.group, name, validate]
        case Directory() as directory:
            return ["directory", directory.path, directory.mode, directory.owner, directory.group]
        case Link() as link:
            return ["link", link.path, link.target]
        case Absent() as absent:
            return ["absent", absent.path]
