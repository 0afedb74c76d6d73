"""How addresses, names and folders in the settings must be written: pure.

Each function returns its argument, or raises ValueError with a sentence that says how to write it.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from flightline.settings import plain_path

_REGISTRY = re.compile(r"[A-Za-z0-9.\-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?")
_PATH = re.compile(r"/[A-Za-z0-9._/\-]+")
_USER = re.compile(r"[a-z_][a-z0-9_\-]{0,31}")


def network(text: str) -> ipaddress.IPv4Network:
    """Return the IPv4 network that `text` names."""
    try:
        return ipaddress.IPv4Network(_with_prefix(text))
    except ValueError:
        raise ValueError(
            f'{text!r} is not an IPv4 network; write one such as "172.29.128.0/17", host bits zero'
        ) from None


def interface(text: str) -> ipaddress.IPv4Interface:
    """Return the IPv4 address, with its network, that `text` names."""
    try:
        return ipaddress.IPv4Interface(_with_prefix(text))
    except ValueError:
        raise ValueError(
            f'{text!r} is not an IPv4 address with a prefix; write one such as "172.29.0.1/20"'
        ) from None


def registry(name: str) -> str:
    """Return the name of a registry, host[:port], or of a network of them."""
    if not _REGISTRY.fullmatch(name) and not _is_network(name):
        raise ValueError(
            f"{name!r} is not host[:port] or a network; write it without http:// and path"
        )
    return name


def url(address: str) -> str:
    """Return an http(s) URL without user, query and fragment."""
    parts = urlsplit(address)
    clean = not (parts.query or parts.fragment or parts.username) and not re.search(r"\s", address)
    if parts.scheme not in ("http", "https") or not parts.hostname or not clean:
        raise ValueError(
            f"{address!r} is not a plain http(s) URL; write one such as "
            '"https://mirror.example.com", without user, query or fragment'
        )
    return address


def mirror(address: str) -> str:
    """Return the URL of a mirror of Docker Hub, which has no path."""
    if urlsplit(url(address)).path.strip("/"):
        raise ValueError(f"{address!r} has a path, which Docker refuses in a mirror; leave it out")
    return address.rstrip("/")


def folder(path: str) -> str:
    """Return an absolute path that needs quoting nowhere."""
    if not _PATH.fullmatch(path) or "//" in path or path.endswith("/"):
        raise ValueError(
            f"{path!r} is not an absolute folder of letters, digits, dots and dashes; "
            'write one such as "/data/docker"'
        )
    return plain_path(path)


def user(name: str) -> str:
    """Return the name of a user as useradd accepts it."""
    if not _USER.fullmatch(name):
        raise ValueError(f'{name!r} is not a user name; write one such as "operator"')
    return name


def _with_prefix(text: str) -> str:
    """Raise ValueError without a prefix: an address alone would silently be one host."""
    if "/" not in text:
        raise ValueError
    return text


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
