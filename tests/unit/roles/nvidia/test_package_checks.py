"""What the checks of the driver's packages conclude."""

from __future__ import annotations

from tests.unit.roles.nvidia.host_side import ABSENT, FAIL, PASS, UNKNOWN, Edit, verdict

DNF = "package:ii |{name}|3:580.105.08-1.el9|{needs}\n"


def rpm(*extra: str) -> Edit:
    """The packages of a RHEL 9 node: the library package is needed exactly by the other."""
    names = {
        "kmod-nvidia-open-dkms": "",
        "nvidia-driver-cuda": "nvidia-driver-cuda-libs(x86-64) (= 3:580.105.08), ",
        "nvidia-driver-cuda-libs": "",
    }
    text = "".join(DNF.format(name=name, needs=needs) for name, needs in names.items())
    return ("packages", r"(?s)\A.*", "\n".join((text + "manager:dnf", *extra, "end", "")))


LOCKS = (
    "lock:# Added by Flightline",
    "lock:kmod-nvidia-open-dkms-3:580.105.08-1.el9.*",
    "lock:nvidia-driver-cuda-3:580.105.08-1.el9.*",
)
PLUGIN = ("setting:plugin installed", "setting:enabled 1")


def test_locks_of_dnf_hold_what_they_name_and_what_that_needs_exactly() -> None:
    assert verdict("nvidia-packages-held", rpm(*LOCKS, *PLUGIN))[0] is PASS


def test_a_lock_of_another_version_holds_nothing() -> None:
    other = tuple(line.replace("580.105", "580.95") for line in LOCKS)
    outcome, message = verdict("nvidia-packages-held", rpm(*other, *PLUGIN))
    assert outcome is FAIL
    assert "nvidia-driver-cuda-libs" in message


def test_locks_that_dnf_does_not_heed_are_no_go() -> None:
    for settings in ((), (*PLUGIN, "setting:plugins 0"), (*PLUGIN, "setting:enabled no")):
        outcome, message = verdict("nvidia-packages-held", rpm(*LOCKS, *settings))
        assert outcome is FAIL
        assert "versionlock" in message


def test_a_set_that_need_not_be_held_is_not_applicable() -> None:
    assert verdict("nvidia-packages-held", hold_packages=False)[0] is ABSENT
    assert verdict("nvidia-upgrades-blocked", hold_packages=False)[0] is ABSENT


def test_a_driver_that_is_not_packaged_is_not_applicable() -> None:
    none = ("packages", "^package:.*\n", "")
    assert verdict("nvidia-packages-held", none)[0] is ABSENT
    assert verdict("nvidia-packages-one-version", none)[0] is ABSENT


def test_packages_of_another_version_than_the_loaded_driver_are_no_go() -> None:
    newer = ("packages", r"580\.105\.08", "580.126.09")
    outcome, message = verdict("nvidia-packages-one-version", newer)
    assert outcome is FAIL
    assert "expected 580.105.08, which is loaded" in message


def test_a_mixed_container_toolkit_is_no_go() -> None:
    mixed = ("packages", r"(toolkit-base\|)1\.18\.0-1", r"\g<1>1.17.8-1")
    outcome, message = verdict("nvidia-packages-one-version", mixed)
    assert outcome is FAIL
    assert "the container toolkit is mixed" in message


def test_a_list_that_is_cut_short_is_unknown() -> None:
    short = ("packages", r"^end\n", "")
    for id in ("nvidia-packages-held", "nvidia-packages-one-version", "nvidia-upgrades-blocked"):
        assert verdict(id, short)[0] is UNKNOWN


def test_unattended_upgrades_that_are_off_block_nothing() -> None:
    off = ("packages", 'Unattended-Upgrade "1"', 'Unattended-Upgrade "0"')
    assert verdict("nvidia-upgrades-blocked", off)[0] is ABSENT


def test_a_package_that_is_held_needs_no_place_on_their_list() -> None:
    assert (
        verdict(
            "nvidia-upgrades-blocked",
            ("packages", "^setting:Unattended.*\n", ""),
            ("packages", "^package:ii ", "package:hi "),
        )[0]
        is PASS
    )
