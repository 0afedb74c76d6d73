"""What must hold of the driver's kernel modules: loaded, the right ones, ready for every kernel."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, not_applicable, unknown
from roles.nvidia.evidence import driver, loaded_driver, models, our_gpus
from roles.nvidia.settings import NvidiaSettings

_APPLY = "run `flightline apply --role nvidia`"
_LOADED = ("nvidia-module-loaded",)


@check(
    "nvidia-nouveau-unbound",
    "the free nouveau driver holds no GPU",
    severity=CRITICAL,
    remedy="run `flightline apply --role kernel`, which keeps nouveau out, and reboot",
    depends=("kernel-nouveau-absent",),
)
def nouveau_unbound(host: Host, _nvidia: NvidiaSettings) -> None:
    bound = [each.address for each in our_gpus(host) if each.driver == "nouveau"]
    assert not bound, f"nouveau drives {', '.join(bound)}, expected nvidia"


@check(
    "nvidia-module-loaded",
    "the modules nvidia and nvidia_uvm are loaded, and nvidia drives every GPU",
    severity=CRITICAL,
    remedy="`modprobe nvidia; modprobe nvidia_uvm; dmesg | grep NVRM` says why it cannot",
    depends=("nvidia-nouveau-unbound",),
)
def module_loaded(host: Host, _nvidia: NvidiaSettings) -> None:
    lacking = [name for name in ("nvidia", "nvidia_uvm") if name not in driver(host).modules]
    assert not lacking, f"{' and '.join(lacking)} not loaded, expected in /sys/module"
    unbound = [each for each in our_gpus(host) if each.driver != "nvidia"]
    assert not unbound, "; ".join(
        f"{each.address} is driven by {each.driver or 'nothing'}, expected nvidia"
        for each in unbound
    )


@check(
    "nvidia-module-flavour",
    "the loaded kernel module is the open or proprietary one, as declared or as the GPU needs",
    severity=CRITICAL,
    remedy=f"{_APPLY} with upgrade_allowed=True: the other flavour is another package",
    depends=_LOADED,
)
def module_flavour(host: Host, nvidia: NvidiaSettings) -> None:
    found = loaded_driver(host).flavour
    if found is None:
        unknown("/proc/driver/nvidia/version cannot be read")
    if nvidia.kernel_modules is not None:
        assert found == nvidia.kernel_modules, (
            f"the {found} module is loaded, expected the {nvidia.kernel_modules} one "
            "(NvidiaSettings.kernel_modules)"
        )
        return
    for model in models(host):
        assert found in model.kernel_modules, (
            f"the {found} module is loaded, expected the {model.kernel_modules[0]} one for "
            f"{model.name} (catalog)"
        )


@check(
    "nvidia-module-version",
    "the loaded module, the one on disk and the driver's libraries have one version",
    severity=CRITICAL,
    remedy="drain and reboot: packages were changed under a loaded module",
    depends=_LOADED,
)
def module_version(host: Host, _nvidia: NvidiaSettings) -> None:
    found = loaded_driver(host)
    on_disk = {f"the module of {each.kernel}": each.version for each in found.disk
               if each.kernel == found.kernel and each.is_there}  # fmt: skip
    other = {
        what: version
        for what, version in {**found.libraries, **on_disk}.items()
        if version != found.loaded
    }
    assert not other, (
        f"the loaded module is {found.loaded}, but "
        + ", ".join(f"{what} is {version or 'of no version'}" for what, version in other.items())
        + "; expected one version"
    )
    if not found.libraries:
        unknown("no libcuda.so.1 is installed (`ldconfig -p`)")


@check(
    "nvidia-module-options",
    "the module runs with the declared options",
    severity=ERROR,
    remedy=f"{_APPLY}, then reboot: options are read when the module is loaded",
    depends=_LOADED,
)
def module_options(host: Host, nvidia: NvidiaSettings) -> None:
    our_gpus(host)
    if not nvidia.module_options:
        not_applicable("NvidiaSettings.module_options is empty")
    live = loaded_driver(host).options
    if not live:
        unknown("/proc/driver/nvidia/params cannot be read")
    wrong = []
    for name, wanted in nvidia.module_options.items():
        found = live.get(name.removeprefix("NVreg_"))
        if found is None:
            wrong.append(f"the module has no option {name}, expected {wanted}")
        elif not _is_same(found, wanted):
            wrong.append(f"{name} is {found!r}, expected {wanted!r}")
    assert not wrong, f"{'; '.join(wrong)} (NvidiaSettings.module_options)"


def _is_same(found: str, wanted: int | str) -> bool:
    """Whether they are one value; the module shows numbers as unsigned ones of 32 bits."""
    try:
        number = int(str(wanted), 0) % 2**32
    except ValueError:
        return found == str(wanted).strip('"')
    return found == str(number)


@check(
    "nvidia-module-kernels",
    "every installed kernel has the driver's module, so that any of them may boot next",
    severity=ERROR,
    remedy="install the headers of that kernel, `dkms autoinstall -k KERNEL`; or remove the kernel",
)
def module_kernels(host: Host, _nvidia: NvidiaSettings) -> None:
    found = driver(host)
    if not found.disk:
        unknown("no installed kernel was found (/boot/vmlinuz-*)")
    here = next((each.version for each in found.disk if each.kernel == found.kernel), "")
    expected = here or found.loaded
    lacking = [
        f"kernel {each.kernel} has no nvidia module"
        if not each.is_there
        else f"kernel {each.kernel} has nvidia {each.version}"
        for each in found.disk
        if not each.is_there or (expected and each.version != expected)
    ]
    assert not lacking, f"{'; '.join(lacking)}, expected {expected or 'one for each kernel'}"


@check(
    "nvidia-module-signed",
    "where the firmware or kernel demands signatures, every module of the driver is signed",
    severity=CRITICAL,
    remedy="enrol a key (`mokutil --import`), or install modules that the distribution signs",
    depends=("nvidia-module-kernels",),
)
def module_signed(host: Host, _nvidia: NvidiaSettings) -> None:
    found = driver(host)
    if not (found.is_secure_boot_on or found.requires_signatures):
        not_applicable("Secure Boot is off, and the kernel loads unsigned modules")
    if not any(each.is_there for each in found.disk):
        unknown("no installed kernel has an nvidia module")
    unsigned = [each.kernel for each in found.disk if each.is_there and not each.is_signed]
    assert not unsigned, (
        f"the nvidia module of kernel {', '.join(unsigned)} is not signed, expected signed: "
        "Secure Boot is on"
    )


@check(
    "nvidia-devices-present",
    "every GPU has its device file, and the driver's control files are there",
    severity=CRITICAL,
    remedy="`nvidia-modprobe -c INDEX -u`; `systemctl restart nvidia-persistenced`",
    depends=_LOADED,
)
def devices_present(host: Host, _nvidia: NvidiaSettings) -> None:
    found = loaded_driver(host)
    bound = [each.address for each in our_gpus(host) if each.driver == "nvidia"]
    unstarted = [address for address in bound if address not in found.minors]
    assert not unstarted, (
        f"the driver has not taken up {', '.join(unstarted)} (/proc/driver/nvidia/gpus)"
    )
    wanted = ["/dev/nvidiactl", "/dev/nvidia-uvm"]
    wanted += [f"/dev/nvidia{found.minors[address]}" for address in bound]
    lacking = [path for path in wanted if path not in found.characters]
    assert not lacking, f"{', '.join(lacking)} is absent, expected a character device"
