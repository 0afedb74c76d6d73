"""`flightline model publish`: write a folder of weights to a mirror, with its manifest."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from flightline.errors import FlightlineError
from flightline.serving.manifest import Manifest, refuse_names
from flightline.serving.publish import Published, measured, readable
from flightline.serving.publish_local import publish_local
from flightline.serving.publish_remote import publish_oci, publish_rclone

ADDRESS = r"https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~%=@,+-]+)*/?"
"""What ModelVersion.source takes, less the model and the version."""


@click.command("publish")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="The model's name, on disk and for clients.")
@click.option("--version", required=True, help="The version's name; what it holds never changes.")
@click.option(
    "--to",
    "destination",
    required=True,
    metavar="DEST",
    help="A folder, rclone:REMOTE:PATH, or oci://REGISTRY/REPOSITORY.",
)
@click.option(
    "--served-as",
    metavar="URL",
    help="Address under which nodes reach a DEST that is a folder, such as https://HOST/models.",
)
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
def command(folder: Path, destination: str, served_as: str | None, form: str, **of: str) -> None:
    """Publish FOLDER as a version of a model, and print the settings that declare it.

    Writes DEST/NAME/VERSION/ with a manifest.json, which comes last, or the artifact
    REPOSITORY:VERSION. Publishing the same files again changes nothing. Exit codes: 0 published;
    1 DEST has other files under this version; 2 bad usage, bad input, or it could not be written.
    """
    refuse_names(of["name"], of["version"])  # before hours of hashing
    _refuse_destination(folder, destination)
    _refuse_address(destination, served_as)
    done = _published(folder, measured(folder, of["name"], of["version"]), destination, served_as)
    click.echo(_json(done) if form == "json" else _text(done))


def _refuse_destination(folder: Path, destination: str) -> None:
    """A DEST that is mistyped would be a new folder somewhere on this computer."""
    if destination.startswith("rclone:"):
        remote, colon, path = destination.removeprefix("rclone:").partition(":")
        if not (remote and colon and path.strip("/")):
            raise FlightlineError(
                f"--to is {destination}, expected rclone:REMOTE:PATH, with a REMOTE of "
                "`rclone listremotes`."
            )
    elif destination.startswith("oci://"):
        if not re.fullmatch("[^/]+(/[^/]+)+", destination.removeprefix("oci://").rstrip("/")):
            raise FlightlineError(f"--to is {destination}, expected oci://REGISTRY/REPOSITORY.")
    elif not destination or re.match("[A-Za-z0-9]+://", destination):
        raise FlightlineError(
            f"--to is {destination!r}, expected a folder, rclone:REMOTE:PATH or "
            "oci://REGISTRY/REPOSITORY; a web server is no place to write to."
        )
    elif Path(destination).resolve().is_relative_to(folder.resolve()):
        raise FlightlineError(
            f"--to is {destination}, inside {folder}, which would then hold the copy as well; "
            "name a folder elsewhere."
        )


def _refuse_address(destination: str, served_as: str | None) -> None:
    if served_as is None:
        return
    if destination.startswith(("rclone:", "oci://")):
        raise FlightlineError("--served-as is for a DEST that is a folder; leave it out.")
    if not re.fullmatch(ADDRESS, served_as):
        shown = "(hidden)" if "@" in served_as else served_as
        raise FlightlineError(
            f"--served-as is {shown}, expected https://HOST/PATH without user, password and "
            "query; credentials are files on the nodes (ModelsSettings.netrc_file)."
        )


def _published(folder: Path, found: Manifest, destination: str, served_as: str | None) -> Published:
    if destination.startswith("rclone:"):
        return publish_rclone(folder, found, destination)
    if destination.startswith("oci://"):
        return publish_oci(folder, found, destination)
    return publish_local(folder, found, Path(destination), served_as)


def _text(done: Published) -> str:
    found = done.manifest
    what = "was published already" if done.was_there else "is published"
    size = f"{len(found.files)} files, {readable(found.bytes)}"
    return f"{found.name} {found.version} {what}: {size}, at {done.source}\n\n{done.settings}"


def _json(done: Published) -> str:
    fields = {
        "schema": "flightline.published/1",
        "name": done.manifest.name,
        "version": done.manifest.version,
        "files": len(done.manifest.files),
        "bytes": done.manifest.bytes,
        "source": done.source,
        "manifest_sha256": done.manifest.digest,
        "was_there": done.was_there,
    }
    return json.dumps(fields, indent=2)
