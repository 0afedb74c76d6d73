"""Which models a node keeps, where each comes from, and how it is fetched and checked.

Deliberately not set:

- a unit that preloads weights: verifying before an engine's first start of a boot reads every file
  once, on all processors, and so leaves them in the page cache, where the engine wants them next;
- `vm.vfs_cache_pressure`, `vm.dirty_*`: weights are read, not written, and the kernel role owns
  sysctls;
- huge pages for the page cache: an ordinary file system has none.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from flightline.serving.manifest import CURRENT, NAME, VERSION
from flightline.settings import PlainPath, Settings

NodePath = Annotated[PlainPath, StringConstraints(pattern=r"^(/[A-Za-z0-9_.@+-]+)+$")]
HostPattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:*_/-]+$")]
Account = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]

_HTTP = r"https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~%=@,+-]+)+"
_RCLONE = r"rclone:[A-Za-z0-9_][A-Za-z0-9_.+-]*:/?[A-Za-z0-9._=@,+-]+(/[A-Za-z0-9._=@,+-]+)*"
_OCI = r"oci://[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}"
_FILE = r"file://(/[A-Za-z0-9._=@,+-]+)+"
SOURCE = rf"^({_HTTP}|{_RCLONE}|{_OCI}|{_FILE})$"


class ModelVersion(Settings):
    """One version of a model: a folder of files with a manifest."""

    version: str = Field(pattern=VERSION)
    """Name of the version, such as "2026-11-01" or "1"; the folder is called so. What a version
    holds never changes: other files are another version."""

    source: str = Field(pattern=SOURCE)
    """Folder that `flightline model publish` wrote: https://HOST/PATH, http://HOST/PATH,
    rclone:REMOTE:PATH (S3 and others), oci://REGISTRY/REPOSITORY@sha256:DIGEST, file:///PATH on
    the node. No user, password or query: credentials are files on the node."""

    manifest_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of the version's manifest.json, as `flightline model publish` prints it: whatever the
    source sends, only these files are taken."""

    @model_validator(mode="after")
    def _has_a_name_of_its_own(self) -> Self:
        if self.version == CURRENT:
            raise ValueError("version is 'current', which is the link's name; name it otherwise")
        if {".", ".."} & set(self.source.split("/")):
            raise ValueError(f"source {self.source} has a part '.' or '..'; write it out")
        return self

    @property
    def scheme(self) -> str:
        """How it is fetched: http, https, rclone, oci or file."""
        return self.source.partition(":")[0]


class ModelSettings(Settings):
    """A model and its versions."""

    name: str = Field(pattern=NAME)
    """The model's name, on disk and for clients."""

    versions: tuple[ModelVersion, ...] = Field(min_length=1)
    """Versions that the node keeps."""

    serve: str | None = None
    """The version that a fresh node serves. None: the last of `versions`. A node that serves one
    keeps it: `flightline model switch` changes that."""

    @model_validator(mode="after")
    def _serves_a_version(self) -> Self:
        names = [each.version for each in self.versions]
        if len(set(names)) < len(names):
            raise ValueError(f"{self.name} names a version twice; keep one of each")
        if self.serve is not None and self.serve not in names:
            raise ValueError(
                f"serve is {self.serve}, which is not among the versions of {self.name} "
                f"({', '.join(names)}); name one of them"
            )
        return self

    @property
    def first_served(self) -> str:
        """The version that a fresh node serves."""
        return self.serve or self.versions[-1].version


class ModelsSettings(Settings):
    """The node's models."""

    models: tuple[ModelSettings, ...] = ()
    """The models; empty, the default: nothing is installed and nothing is touched."""

    store: NodePath = "/srv/models"
    """Folder of the models: `<store>/<name>/<version>/`, with `current` a link to a version."""

    owner: Account = "root"
    """Owner of the store's folders and files. Root: no engine can change what it was given."""

    group: Account = "root"
    """Their group, which may read them."""

    others_read: bool = True
    """Whether every user of the node may read the models (modes 755 and 644), as an engine that
    runs under a user of its own needs it. False: owner and group only (750 and 640)."""

    keep_versions: int | None = Field(default=1, ge=0, le=1000)
    """How many versions of a model that are no longer declared stay, the last verified ones. 1, the
    default, is the way back. None: all stay. What is `current`, and what a service has in a slot or
    switches to, stays in any case; so does whatever Flightline did not bring."""

    free_gib_min: float = Field(default=10, ge=0, le=1_000_000)
    """Room in GiB that must be left beside what is fetched, checked before the first byte."""

    verify: Literal["once-per-boot", "on-change", "always"] = "once-per-boot"
    """When an engine's start hashes all files again. "once-per-boot": at the first start of a boot,
    which reads them into the page cache as well, and whenever a file's inode, size or times are
    not those seen at the last hashing; any write changes them. "on-change": the latter alone, so a
    disk that rots in silence is found by the audit's acceptance phase only. "always": at every
    start, at about 1.8 GB/s for each core."""

    readahead_kib: int | None = Field(default=4096, ge=4, le=65536)
    """The least readahead in KiB of the disk or network file system that holds the store; one that
    reads further ahead is left alone. Engines map weights into memory, where the kernel's 128 KiB
    is all that a page fault reads ahead; NFS has the same default. It holds for everything on that
    disk. None: left as it is."""

    parallel_files: int = Field(default=8, ge=1, le=64)
    """Files that are fetched at the same time. One connection rarely fills a 100 Gb/s link, and
    weights come in dozens of files."""

    rate_mib_per_second: int | None = Field(default=None, ge=1, le=1_000_000)
    """The most MiB per second that all transfers of a node take together, shared evenly; None: no
    limit. For oci sources oras has no such option."""

    attempts: int = Field(default=6, ge=1, le=100)
    """How often a file is tried without one more byte coming; waits grow from 2 s to 50 s."""

    stall_seconds: int = Field(default=60, ge=5, le=3600)
    """A transfer below 1 KiB/s for so long is broken off and tried again."""

    fetch_hours_max: float = Field(default=12, gt=0, le=168)
    """Hours until a fetch is stopped; applying again goes on where it stopped. 700 GB over 1 Gb/s
    take less than two."""

    proxy: str | None = Field(default=None, pattern=r"^https?://[A-Za-z0-9.:\[\]_-]+/?$")
    """Proxy for http, https, rclone and oci sources, without user and password; None: none."""

    no_proxy: tuple[HostPattern, ...] = ()
    """Hosts that are reached directly."""

    ca_file: NodePath | None = None
    """PEM file on the node with the authorities of the mirrors; None: those of the system."""

    netrc_file: NodePath | None = None
    """netrc file on the node with user and password for http and https sources; None: none."""

    header_file: NodePath | None = None
    """File on the node with one header for http and https sources, such as `Authorization: Bearer
    ...`; None: none. It is sent to every such source. A redirect is followed without it, and only
    where it is `Authorization`: another header, such as `PRIVATE-TOKEN`, would be sent on by curl,
    so a source that redirects is then refused."""

    rclone_config: NodePath | None = None
    """rclone.conf on the node with the remotes of rclone sources and their keys."""

    registry_config: NodePath | None = None
    """Docker's config.json on the node with the registries' credentials; None: none."""

    oras_program: NodePath | None = None
    """The oras program for oci sources. None: the distribution's package, which Debian has from 13
    on; elsewhere the site installs the program and names it here."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        names = [each.name for each in self.models]
        if len(set(names)) < len(names):
            raise ValueError("models names a model twice; put its versions in one entry")
        if "rclone" in self.schemes and self.rclone_config is None:
            raise ValueError(
                "a source is rclone:..., and rclone_config is None; name the file on the node that "
                "holds the remote"
            )
        return self

    def warnings(self, today: datetime.date) -> tuple[str, ...]:  # noqa: ARG002 - the base's signature
        """Return what is allowed and unwise."""
        plain = [
            f"{model.name} {each.version}"
            for model in self.models
            for each in model.versions
            if each.scheme == "http"
        ]
        if not plain or not (self.netrc_file or self.header_file):
            return ()
        return (f"credentials go over plain http for {', '.join(plain)}; use an https mirror.",)

    @property
    def schemes(self) -> frozenset[str]:
        """How the declared versions are fetched."""
        return frozenset(each.scheme for model in self.models for each in model.versions)

    @property
    def credentials(self) -> tuple[str, ...]:
        """Files on the node that hold secrets, in the order of their fields."""
        named = (self.netrc_file, self.header_file, self.rclone_config, self.registry_config)
        return tuple(each for each in named if each)

    @property
    def folder_mode(self) -> str:
        """Mode of the store's folders."""
        return "755" if self.others_read else "750"

    @property
    def file_mode(self) -> str:
        """Mode of the store's files."""
        return "644" if self.others_read else "640"
