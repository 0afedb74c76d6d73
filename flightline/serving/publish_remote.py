"""Publishing by rclone (S3 and others) or oras (OCI registries), as this computer has them set up.

Their credentials are their own business: rclone's configuration, docker's or oras' login.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path

from flightline.errors import FlightlineError
from flightline.serving.manifest import FILE, Manifest, dumps, loads
from flightline.serving.publish import OtherVersion, Published

CONFIG_TYPE = "application/vnd.flightline.model.v1+json"
"""The manifest is the artifact's config; its layers are the files, each named by its own sha256."""
LAYER_TYPE = "application/octet-stream"

# rclone.org/docs, "List of exit codes", read 2026-11-21.
_RCLONE_NOT_FOUND = (3, 4)


def publish_rclone(folder: Path, found: Manifest, destination: str) -> Published:
    """Hold that `<destination>/<name>/<version>/` has the files and, last, the manifest.

    `destination` is rclone:REMOTE:PATH. Raises OtherVersion, and FlightlineError with rclone's own
    last line when it fails.
    """
    source = f"{destination.rstrip('/')}/{found.name}/{found.version}"
    target = source.removeprefix("rclone:")
    done = _run("rclone", "cat", f"{target}/{FILE}")
    if done.returncode == 0 and done.stdout:
        _refuse_other(source, done.stdout, found)
        return Published(found, source, was_there=True)
    if done.returncode not in (0, *_RCLONE_NOT_FOUND) and not _is_missing(done.stderr):
        raise _failed("rclone", done)
    with tempfile.TemporaryDirectory(prefix="flightline-publish-") as place:
        chosen, manifest = Path(place, "files"), Path(place, FILE)
        chosen.write_text("".join(f"{each.path}\n" for each in found.files), encoding="utf-8")
        manifest.write_text(dumps(found), encoding="utf-8")
        of = ("--files-from-raw", str(chosen), "--copy-links", str(folder), target)
        _must("rclone", "copy", "--checksum", *of)
        _must("rclone", "check", "--one-way", *of)
        _must("rclone", "copyto", str(manifest), f"{target}/{FILE}")
    return Published(found, source, was_there=False)


def publish_oci(folder: Path, found: Manifest, destination: str) -> Published:
    """Hold that the repository has the version as an artifact, tagged with the version.

    `destination` is oci://REGISTRY/REPOSITORY; the source that is returned names the artifact by
    its digest. Raises OtherVersion, and FlightlineError with oras' own last line when it fails.
    """
    repository = destination.removeprefix("oci://").rstrip("/")
    reference = f"{repository}:{found.version}"
    there = _run("oras", "manifest", "fetch-config", reference)
    if there.returncode == 0:
        _refuse_other(reference, there.stdout, found)
        return Published(found, f"oci://{repository}@{_oci_digest(reference)}", was_there=True)
    if not _is_missing(there.stderr):
        raise _failed("oras", there)
    with tempfile.TemporaryDirectory(prefix="flightline-publish-") as place:
        manifest, exported = Path(place, FILE), Path(place, "oci.json")
        manifest.write_text(dumps(found), encoding="utf-8")
        layers = [f"{each.path}:{LAYER_TYPE}" for each in found.files]
        options = ("--disable-path-validation", "--export-manifest", str(exported))
        _must(
            "oras", "push", *options, "--config", f"{manifest}:{CONFIG_TYPE}",
            reference, *layers, cwd=folder,
        )  # fmt: skip
        digest = hashlib.sha256(exported.read_bytes()).hexdigest()
    return Published(found, f"oci://{repository}@sha256:{digest}", was_there=False)


def _oci_digest(reference: str) -> str:
    done = _must("oras", "manifest", "fetch", reference)
    return f"sha256:{hashlib.sha256(done.stdout).hexdigest()}"


def _refuse_other(place: str, text: bytes, found: Manifest) -> None:
    there = loads(text.decode(errors="replace"), place)
    if there != found:
        raise OtherVersion(place, there.digest, found.digest)


def _is_missing(said: bytes) -> bool:
    text = said.decode(errors="replace").lower()
    return "not found" in text or "name unknown" in text or "manifest unknown" in text


def _must(
    program: str, *arguments: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    done = _run(program, *arguments, cwd=cwd)
    if done.returncode != 0:
        raise _failed(program, done)
    return done


def _run(
    program: str, *arguments: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run([program, *arguments], capture_output=True, check=False, cwd=cwd)
    except FileNotFoundError:
        raise FlightlineError(
            f"{program} is not on this computer; install it to publish there, or publish to a "
            "folder that a web server shows."
        ) from None


def _failed(program: str, done: subprocess.CompletedProcess[bytes]) -> FlightlineError:
    lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    said = lines[-1].strip() if lines else "it said nothing"
    return FlightlineError(f"{program} ended with exit status {done.returncode}: {said}")
