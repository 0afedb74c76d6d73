"""Which further arguments and variables an engine may be given: pure.

An engine is safe behind the gateway because it listens on loopback, so nothing that a person adds
may move its address, or switch on TLS and keys that the gateway does not know of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_WORDS = frozenset(
    {"TOKEN", "KEY", "APIKEY", "PASSWORD", "PASSWD", "SECRET", "CREDENTIAL", "CREDENTIALS"}
)
# Each would change where an engine listens, what it serves, or which GPUs it sees.
_OWNED_VARIABLES = frozenset(
    {
        "HOME", "PATH", "HOST", "PORT", "HOSTNAME", "VLLM_HOST_IP", "VLLM_PORT", "UVICORN_HOST",
        "NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES",
        "XDG_CACHE_HOME", "MODEL_ID", "HF_HOME", "LD_PRELOAD",
    }
)  # fmt: skip
_OWNED_PREFIX = "LLAMA_ARG_"


def argument_problem(
    owned: Mapping[str, str], given: Sequence[str], *, abbreviates: bool = True
) -> str | None:
    """Return why these arguments are refused; None when they are not.

    abbreviates: the engine takes the beginning of an option for the option.
    """
    for argument in given:
        if _has_control(argument) or "@version@" in argument:
            return f"extra_arguments has {argument!r}, which is more than one line, or @version@"
        taken = _taken(owned, argument, abbreviates)
        if taken is not None:
            return _told(argument, taken, owned[taken])
    return None


def environment_problem(ours: Mapping[str, str], given: Mapping[str, str]) -> str | None:
    """Return why these variables are refused; None when they are not."""
    for name, value in given.items():
        if not _NAME.fullmatch(name) or _has_control(value) or "@version@" in value:
            return f"environment: {name!r} is no variable of one line"
        if _SECRET_WORDS & set(name.upper().split("_")):
            return (
                f"environment: {name} looks like a secret, and everyone who may ask Docker reads "
                "variables; put it into a file on the node and name that in secret_files"
            )
        if name in ours or name in _OWNED_VARIABLES or name.startswith(_OWNED_PREFIX):
            return f"environment: {name} is the role's own; leave it out"
    return None


def _has_control(text: str) -> bool:
    return any(ord(letter) < 32 or ord(letter) == 127 for letter in text)


def _taken(owned: Mapping[str, str], argument: str, abbreviates: bool) -> str | None:
    """The option that an argument gives, as the engine's parser would take it.

    argparse takes any unambiguous beginning of a long option, vLLM takes _ for -, and short options
    may carry their value.
    """
    option = argument.partition("=")[0].partition(".")[0]
    if not option.startswith("-") or option in ("-", "--"):
        return None
    plain = _plain(option)
    for name in owned:
        known = _plain(name)
        if plain == known or (abbreviates and plain.startswith("--") and known.startswith(plain)):
            return name
        if not name.startswith("--") and len(name) == 2 and _carries(option, name):
            return name
    return None


def _plain(option: str) -> str:
    return "--" + option[2:].replace("_", "-") if option.startswith("--") else option


def _carries(option: str, short: str) -> bool:
    """Whether a short option of one letter is given with its value in one word: -p8000."""
    return option.startswith(short) and option[2:3].isdigit()


def _told(argument: str, option: str, field: str) -> str:
    given = argument.partition("=")[0]  # a value may be a key
    if field:
        return f"extra_arguments has {given}; {option} is set by {field}, so set that instead"
    return (
        f"extra_arguments has {given}; {option} is not to be set: the engine stays on loopback "
        "without a key of its own, and the gateway is what clients reach"
    )
