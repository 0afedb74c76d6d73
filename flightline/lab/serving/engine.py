"""llama-server as a container image: the program, its libraries, and nothing else.

From Debian's own packages (llama.cpp-tools, in sid alone so far), fetched and checked as the lab's
nodes are, kept in the cache for a week. The entry point is that of llama.cpp's own image:
/app/llama-server.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from flightline.errors import FlightlineError
from flightline.lab import image, mirror, places, programs

SUITE = "sid"
PACKAGES = ("llama.cpp-tools",)
REPOSITORY = "llama-server"
TAG = "lab"
PROGRAM = "usr/bin/llama-server"
LIBRARIES = "usr/lib/x86_64-linux-gnu"
LOADER = f"{LIBRARIES}/ld-linux-x86-64.so.2"
# Of the processor's back-ends the plain one, and those that an emulated processor and most real
# ones have; llama.cpp takes the best that runs.
BACKENDS = tuple(
    f"{LIBRARIES}/ggml/backends0/libggml-cpu-{name}.so" for name in ("x64", "sse42", "haswell")
)
LINKS = {
    "lib": "usr/lib", "lib64": "usr/lib64", "bin": "usr/bin",
    "usr/lib64/ld-linux-x86-64.so.2": f"../../{LOADER}", "app/llama-server": f"../{PROGRAM}",
}  # fmt: skip
RECIPE = "1"  # raise it when what is taken, or how it is packed, changes


def layout_of(say: Callable[[str], None]) -> Path:
    """Return the image as an OCI layout in the cache, built where the cache has none (20 s).

    Nothing half-built stays. Raises FlightlineError with the end of the log where a step fails.
    """
    source = mirror.of_this_computer()
    folder = places.cache() / f"engine-{_key(source)}"
    with places.held(places.cache() / "engine.lock", say):
        if not (folder / "index.json").exists():
            programs.require(*programs.to_build(), programs.TO_SERVE)
            say("building the engine's image from Debian packages (about 20 seconds, once a week)")
            _build(folder, source)
            image.drop_old("engine")
    return folder


def push(layout: Path, port: int) -> str:
    """Hold that the registry at 127.0.0.1:port has the image; return its digest."""
    to = f"docker://127.0.0.1:{port}/{REPOSITORY}:{TAG}"
    _run(
        [
            "skopeo",
            "copy",
            "--preserve-digests",
            "--dest-tls-verify=false",
            f"oci:{layout}:{TAG}",
            to,
        ]
    )
    return digest_of(layout)


def digest_of(layout: Path) -> str:
    """Return the digest of the layout's image."""
    index = json.loads((layout / "index.json").read_text(encoding="utf-8"))
    digest: str = index["manifests"][0]["digest"]
    return digest


def _build(folder: Path, source: mirror.Mirror) -> None:
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    image.refuse_a_full_disk(unfinished)
    archive, packages, root = (unfinished / name for name in ("all.tar", "all", "root"))
    image.run_build(_fetch_command(archive, source), folder.with_suffix(".log"))
    with tarfile.open(archive) as members:
        members.extractall(
            packages, [each for each in members if _may_be_needed(each)], filter="data"
        )
    _take(packages, root, (PROGRAM, LOADER, *BACKENDS, *_libraries(packages)))
    _pack(root, unfinished / "layout")
    (unfinished / "layout").rename(folder)
    shutil.rmtree(unfinished)


def _fetch_command(archive: Path, source: mirror.Mirror) -> list[str]:
    """Return the command that downloads, checks and unpacks the packages, installing none."""
    return [
        *("mmdebstrap", "--variant=extract", "--skip=check/qemu"),
        f"--include={','.join(PACKAGES)}",
        "--mode=root" if os.geteuid() == 0 else "--mode=unshare",
        *(f"--aptopt={option}" for option in mirror.apt_options()),
        *(SUITE, str(archive), f"deb [signed-by={mirror.KEYRING}] {source.main} {SUITE} main"),
    ]  # fmt: skip


def _may_be_needed(member: tarfile.TarInfo) -> bool:
    name = member.name.removeprefix("./")
    return name == PROGRAM or (name.startswith(f"{LIBRARIES}/") and ".so" in name)


def _libraries(packages: Path) -> set[str]:
    """Return the libraries that the program and its back-ends load, as their own loader finds them.

    One line of ld.so --list (glibc 2.43): `libz.so.1 => /x/libz.so.1 (0x00007fad9bd7d000)`.
    """
    paths = f"{packages / LIBRARIES}:{packages / LIBRARIES / 'llama'}"
    loader = [str(packages / LOADER), "--library-path", paths, "--list"]
    said = [_run([*loader, str(packages / each)]) for each in (PROGRAM, *BACKENDS)]
    words = [word for line in "\n".join(said).splitlines() for word in line.split()[2:3]]
    found = {Path(word) for word in words if word.startswith(str(packages))}
    return {str(path.relative_to(packages)) for path in found}


def _take(packages: Path, root: Path, names: Iterable[str]) -> None:
    """Copy the files, links as what they lead to, and make the links of a usual root."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(packages / name, root / name)
    for name, target in LINKS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target)


def _pack(root: Path, layout: Path) -> None:
    """Make an OCI layout of one layer from the root."""
    named = ("--image", f"{layout}:{TAG}")
    rootless = () if os.geteuid() == 0 else ("--rootless",)
    _run(["umoci", "init", "--layout", str(layout)])
    _run(["umoci", "new", *named])
    _run(["umoci", "insert", *rootless, *named, str(root), "/"])
    entry = ("--config.entrypoint", f"/{next(name for name in LINKS if name.startswith('app/'))}")
    _run(
        [
            "umoci",
            "config",
            *named,
            *entry,
            "--config.label",
            "org.opencontainers.image.title=llama-server",
        ]
    )
    _run(["umoci", "gc", "--layout", str(layout)])


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=300
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise FlightlineError(
            f"{' '.join(command[:2])} failed: {said[-1] if said else 'no reason given'}."
        )
    return done.stdout


def _key(source: mirror.Mirror) -> str:
    """Return the name of the image's content: recipe, packages, mirror and week."""
    week = datetime.now(UTC).strftime("%G-%V")
    parts = (week, RECIPE, SUITE, source.main, *PACKAGES, *BACKENDS, *mirror.apt_options())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
