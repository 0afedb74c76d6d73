"""What must hold of the CUDA toolkits that are declared, and of what programs meet."""

from __future__ import annotations

from functools import lru_cache

from testinfra.host import Host

from flightline.audit.check import ERROR, WARNING, check, not_applicable, unknown
from roles.cuda.settings import CudaSettings, line_of
from roles.cuda.toolkits import SCRIPT, Toolkits, parse_toolkits

APPLY = "flightline apply --role cuda"
_THERE = ("cuda-toolkit-versions",)


@check(
    "cuda-toolkit-versions",
    "every declared toolkit is there, and its compiler is of that version",
    severity=ERROR,
    remedy=APPLY,
)
def toolkit_versions(host: Host, settings: CudaSettings) -> None:
    """Asked of nvcc: a folder's name says what was meant, not what is in it."""
    found = _toolkits(host, settings)
    for version in settings.versions:
        line = line_of(version)
        place = "/usr" if settings.source == "distribution" else f"/usr/local/cuda-{line}"
        release = found.releases.get(place)
        assert release == line, (
            f"{place}/bin/nvcc is {f'of CUDA {release}' if release else 'not there'}, expected "
            f"CUDA {line} (CudaSettings.versions)."
        )


@check(
    "cuda-toolkit-default",
    "/usr/local/cuda is the declared toolkit, and stays it",
    severity=ERROR,
    remedy=APPLY,
    depends=_THERE,
)
def toolkit_default(host: Host, settings: CudaSettings) -> None:
    """In automatic mode a runtime library of another version moves it, without a compiler."""
    found = _toolkits(host, settings)
    if settings.default_line is None:
        not_applicable("the distribution's toolkit lies in /usr, under no alternative.")
    place = f"/usr/local/cuda-{settings.default_line}"
    assert found.default == place, (
        f"/usr/local/cuda is {found.default or 'not there'}, expected {place} "
        "(CudaSettings.default)."
    )
    assert found.mode == "manual", (
        f"the alternative cuda is in mode {found.mode or 'unknown'}, expected manual, so that no "
        "package moves it."
    )


@check(
    "cuda-profile-paths",
    "a login shell finds the declared toolkit's compiler",
    severity=WARNING,
    remedy=APPLY,
    depends=_THERE,
)
def profile_paths(host: Host, settings: CudaSettings) -> None:
    """A compiler of another place, earlier in PATH, builds for another version unseen."""
    found = _toolkits(host, settings)
    if not settings.profile:
        not_applicable("CudaSettings.profile is False.")
    assert found.shell == "/usr/local/cuda/bin/nvcc", (
        f"a login shell finds {found.shell or 'no nvcc'}, expected /usr/local/cuda/bin/nvcc "
        "(CudaSettings.profile)."
    )


@check(
    "cuda-linker-paths",
    "programs find the declared toolkit's libraries first",
    severity=ERROR,
    remedy="ldconfig, after `update-alternatives --set cuda`",
    depends=(*_THERE, "cuda-toolkit-default"),
)
def linker_paths(host: Host, settings: CudaSettings) -> None:
    """The cache names files: after /usr/local/cuda moves it is the old one's until ldconfig."""
    found = _toolkits(host, settings)
    if not settings.linker:
        not_applicable("CudaSettings.linker is False.")
    major = str(settings.default_line).partition(".")[0]
    place = f"/usr/local/cuda-{settings.default_line}/"
    known = [file for file in found.libraries if f"libcudart.so.{major}" in file]
    assert known, f"ld.so knows no libcudart.so.{major}, expected that of {place}."
    assert known[0].startswith(place), (
        f"ld.so finds {known[0]}, expected a file of {place} (CudaSettings.linker)."
    )


@check(
    "cuda-packages-held",
    "the toolkits' packages are of the declared update and held at it",
    severity=WARNING,
    remedy=APPLY,
)
def packages_held(host: Host, settings: CudaSettings) -> None:
    """An upgrade at night changes what tomorrow's build links against."""
    found = _toolkits(host, settings)
    for name, update in _packages(settings).items():
        version = found.versions.get(name)
        if version is None:
            unknown(f"the package {name} is not installed, whose hold is asked for.")
        assert update is None or version.partition("-")[0] == update, (
            f"{name} is {version}, expected {update} (CudaSettings.versions)."
        )
        assert name in found.held or not settings.hold_packages, (
            f"{name} is not held (CudaSettings.hold_packages)."
        )


def _packages(settings: CudaSettings) -> dict[str, str | None]:
    if settings.source == "distribution":
        return {"nvidia-cuda-toolkit": None}
    return {
        f"cuda-toolkit-{line_of(version).replace('.', '-')}": (
            version if version.count(".") == 2 else None
        )
        for version in settings.versions
    }


def _toolkits(host: Host, settings: CudaSettings) -> Toolkits:
    if not settings.versions:
        not_applicable(
            "no toolkit is declared (CudaSettings.versions); containers carry their own."
        )
    try:
        return _parsed(host.run(SCRIPT).stdout)
    except ValueError as error:
        unknown(f"{error}.")


@lru_cache(maxsize=16)
def _parsed(text: str) -> Toolkits:
    return parse_toolkits(text)
